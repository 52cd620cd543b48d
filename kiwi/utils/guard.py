"""The guard of all commands against writing over files that they read, or that kiwi has not written."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO, Any

from kiwi import constants as const
from kiwi.exceptions import ConfigError
from kiwi.utils.io import write_json
from kiwi.utils.resumable import DIRECTORY, REPLACING, STATE_FILE
from kiwi.utils.sealed import SUMS_FILE, SealedDirectory
from kiwi.utils.staging import lock, unlock

RECORD_FILE = ".kiwi-written.json"
"""The file, beside files that kiwi has written on request, that records their checksums."""

SYSTEM_FILES = ("model.safetensors", "model.onnx")
"""The files by which the directory of a trained or exported system is known, beside its checksums."""

LISTED = 5
"""The maximum number of files that an error lists."""


@dataclass(frozen=True)
class Guard:
    """What a command reads, and whether it may write over files of others."""

    reads: Collection[Path]
    """The files that the command reads; all files of a directory."""

    overwrite: bool
    """Whether files that kiwi has not written may be replaced; those that the command reads never are."""

    option: str
    """How the user allows that, for errors."""

    def check(self, outputs: Iterable[Path], *, is_own: bool = False) -> None:
        """Check the files that a command is about to write or to remove, before it does any work.

        Args:
            outputs: the files, which need not exist.
            is_own: whether something else than checksums shows that kiwi has written them, such as the record of a run.

        Raises:
            ConfigError: when the command reads one of them, two are the same, kiwi has not written one of them, or one
                would be in the directory of a system.
        """
        read = {_identity(path): path for path in _files(self.reads)}
        seen: dict[Path, Path] = {}
        foreign = []
        for path in outputs:
            if (same := seen.setdefault(path.resolve(), path)) is not path:
                raise ConfigError(f"{path}: would be written twice, as {same} too. Choose different files.")
            if path.exists() and (source := read.get(_identity(path))) is not None:
                also = "" if source == path else f", as {source}"
                raise ConfigError(
                    f"{path}: would be written over, but this command reads it{also}. Choose another place."
                )
            if holds_system(path.resolve().parent):
                raise ConfigError(
                    f"{path}: would be written into the directory of a system, which has nothing but its files and "
                    "their checksums. Choose another place."
                )
            if not path.exists() or path.is_dir():
                continue  # directories are never replaced by files
            if not stat.S_ISREG(path.stat().st_mode):
                raise ConfigError(f"{path}: found a device or pipe; expected the path of a file.")
            if not (self.overwrite or is_own or is_written(path)):
                foreign.append(path)
        if foreign:
            shown = ", ".join(map(str, foreign[:LISTED])) + (", ..." if len(foreign) > LISTED else "")
            raise ConfigError(
                f"{shown}: would be replaced or removed, but kiwi has not written it, or it has been changed since. "
                f"Choose another place, or allow it with {self.option}."
            )

    def check_stream(self, output: IO[Any]) -> None:
        """Check that the command does not read the file that a stream, such as redirected standard output, writes to.

        Raises:
            ConfigError: when it does.
        """
        try:
            status = os.fstat(output.fileno())
        except (OSError, ValueError):  # a stream in memory
            return
        for path in _files(self.reads):
            if stat.S_ISREG(status.st_mode) and _identity(path) == (status.st_dev, status.st_ino):
                raise ConfigError(
                    f"{path}: the output is redirected to this file, which the command reads. Choose another one."
                )


def holds_system(directory: Path) -> bool:
    """Return whether a directory is that of a trained or exported system."""
    return (directory / SUMS_FILE).is_file() and any((directory / name).is_file() for name in SYSTEM_FILES)


def require_new_directory(
    path: Path,
    *,
    overwrite: bool = False,
    reads: Collection[Path] = (),
    sealed: str = ".",
    beside: Collection[str] = ("README.md",),
) -> None:
    """Reject a path that already exists, unless it is an empty directory.

    Args:
        path: the directory to write.
        overwrite: whether to accept a sealed directory, such as a checkpoint or an export, without any other files.
        reads: files and directories that the command reads, which must not be in the directory.
        sealed: where in the directory the sealed one is.
        beside: the files that may be there beside those of the sealed directory, as patterns of their paths, in which
            ``*`` also matches ``/``.

    Raises:
        ConfigError: when there is a file or a directory that must not be replaced.
    """
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not overwrite:
        raise ConfigError(f"{path}: already exists. Choose a new or empty directory, or remove it.")
    place = path.resolve()
    if source := next((each for each in reads if place in (each.resolve(), *each.resolve().parents)), None):
        raise ConfigError(f"{path}: would be replaced, but this command reads {source}. Choose another directory.")
    sums = SealedDirectory.open(path / sealed).sums if (path / sealed).is_dir() else None
    names = {file.relative_to(path).as_posix() for file in path.rglob("*") if not file.is_dir()}
    own = {(PurePosixPath(sealed) / name).as_posix() for name in (*(sums or ()), SUMS_FILE)}
    others = sorted(name for name in names - own if not any(fnmatchcase(name, pattern) for pattern in beside))
    if sums is None or others:
        found = others[0] if sums is not None else f"no {(PurePosixPath(sealed) / SUMS_FILE).as_posix()}"
        raise ConfigError(
            f"{path}: found {found}; expected only files of a checkpoint or an export, which --overwrite replaces. "
            "Choose a new or empty directory, or remove it."
        )


def checksums(paths: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of files by their names."""
    return {path.name: _sha256(path) for path in paths}


def record_written(*paths: Path) -> None:
    """Record beside files that kiwi has written them, so that it may write over them.

    Args:
        paths: the files, which are complete.
    """
    for directory in {path.resolve().parent for path in paths}:
        held = lock(directory, wait=True)
        try:
            former = {
                name: digest
                for name, digest in _recorded(directory / RECORD_FILE).items()
                if (directory / name).exists()
            }
            added = checksums(path.resolve() for path in paths if path.resolve().parent == directory)
            write_json(directory / RECORD_FILE, {"files": former | added})
        finally:
            unlock(held)


def is_written(path: Path) -> bool:
    """Return whether kiwi has written a file that exists, and nobody has changed it since."""
    path = path.resolve()
    if path.name in _content(path.parent / DIRECTORY / STATE_FILE).get(REPLACING, ()):
        return True  # a process was killed while it replaced the file
    if path.name == const.ORIGIN_FILE:
        return "kiwi_version" in _content(path)
    known = {_recorded(path.with_name(record)).get(path.name) for record in (RECORD_FILE, const.ORIGIN_FILE)}
    return known != {None} and _sha256(path) in known


def paths_in(value: Any) -> Iterator[Path]:
    """Yield all paths in a configuration, or in any mapping or list."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from paths_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from paths_in(item)
    elif hasattr(value, "model_fields_set"):
        yield from paths_in(dict(value))


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        yield from (each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]


def _identity(path: Path) -> tuple[int, int] | Path:
    """Return what two names of the same file share: symbolic and hard links, and other spellings of its name."""
    with suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return path


def _recorded(record: Path) -> dict[str, str]:
    files = _content(record).get("files")
    return {name: sha for name, sha in files.items() if isinstance(sha, str)} if isinstance(files, dict) else {}


def _content(file: Path) -> dict[str, Any]:
    """Return the content of a JSON file; empty when it is missing or of another form."""
    with suppress(OSError, ValueError, RecursionError):
        content = json.loads(file.read_bytes())
        return content if isinstance(content, dict) else {}
    return {}


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()

"""Directories whose files are sealed with SHA-256 checksums, in the format of ``sha256sum --check SHA256SUMS``."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.utils.io import write_text

SUMS_FILE = "SHA256SUMS"

CARRIED = ("policy.json",)
"""The files that a directory may carry without being changed by them: its fingerprint leaves their checksums out."""

MEBIBYTE = 2**20

LINE = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>[\w+-][\w .+-]*(?:/[\w+-][\w .+-]*)*)")
"""The pattern of a line of the checksum file, in which no name leads out of the directory."""

RESTORE = "Restore it from a copy, or write the checkpoint again."


@dataclass(frozen=True)
class SealedDirectory:
    """A directory whose files are verified when they are read."""

    path: Path
    """The directory."""

    sums: Mapping[str, str] | None
    """The SHA-256 of each file by its relative POSIX path; None if there is no file of checksums."""

    sha256: str = ""
    """The SHA-256 of the file of checksums without the lines of :data:`CARRIED`, which identifies the content of all
    other files."""

    @classmethod
    def open(cls, path: Path) -> SealedDirectory:
        """Read the checksums of a directory, if it has them.

        Raises:
            CheckpointError: when the file of checksums is damaged.
        """
        file = path / SUMS_FILE
        if not file.exists():
            return cls(path, None)
        content = read_limited(file, MEBIBYTE)
        sums: dict[str, str] = {}
        for number, line in enumerate(content.decode("utf-8", errors="replace").removesuffix("\n").split("\n"), 1):
            found = LINE.fullmatch(line)
            if found is None or found["name"] in sums:
                raise CheckpointError(
                    f"{file}, line {number}: damaged: found {line[:80]!r}; expected a SHA-256, two spaces and a unique "
                    f"name inside the directory. {RESTORE}"
                )
            sums[found["name"]] = found["digest"]
        own = [line for line in content.splitlines(keepends=True) if line[66:].strip().decode() not in CARRIED]
        return cls(path, sums, hashlib.sha256(b"".join(own)).hexdigest())

    @property
    def own(self) -> list[str]:
        """The names of the files that it consists of, without those that it carries."""
        return [name for name in self.sums or () if name not in CARRIED]

    def read(self, name: str, limit: int = MEBIBYTE) -> bytes:
        """Read and verify a file.

        Args:
            name: the name of the file.
            limit: the maximum size in bytes.

        Raises:
            CheckpointError: when the file is missing, too large, or has another checksum.
        """
        content = read_limited(self.path / name, limit)
        self._compare(name, hashlib.sha256(content).hexdigest())
        return content

    def read_text(self, name: str, limit: int = MEBIBYTE) -> str:
        """Read and verify a UTF-8 file, as in :meth:`read`."""
        return _decode(self.read(name, limit), self.path / name)

    def read_json(self, name: str, limit: int = MEBIBYTE) -> Any:
        """Read, verify and parse a JSON file, as in :meth:`read`."""
        return parse_json(self.read(name, limit), self.path / name)

    def check(self, name: str) -> None:
        """Verify a file of any size.

        Raises:
            CheckpointError: when the file is missing or has another checksum.
        """
        file = self.path / name
        _size(file)
        try:
            with file.open("rb") as content:
                self._compare(name, hashlib.file_digest(content, "sha256").hexdigest())
        except OSError as error:
            raise CheckpointError(f"{file}: cannot be read: {error.strerror}.") from error

    def check_complete(self, required: Iterable[str], known: Iterable[str] = (), absent: Collection[str] = ()) -> None:
        """Check that all files are there and have a checksum, without reading them.

        Args:
            required: the names of the files that must be there.
            known: patterns of the names of other files, which need a checksum only if they are there.
            absent: the names of files that may be missing, for callers that do not read them.

        Raises:
            CheckpointError: when a file is missing, or is not in the list of checksums.
        """
        if self.sums is None:
            return
        for name in self.sums:
            if name not in absent and not (self.path / name).exists():
                raise CheckpointError(f"{self.path / name}: missing, but listed in {SUMS_FILE}. {RESTORE}")
        there = [file.relative_to(self.path).as_posix() for pattern in known for file in self.path.glob(pattern)]
        for name in (*required, *sorted(there)):
            if name not in self.sums:
                raise self._unlisted(name)

    def check_all(self) -> None:
        """Verify all files that have a checksum.

        Raises:
            CheckpointError: when a file is missing or has another checksum.
        """
        for name in self.sums or ():
            self.check(name)

    def _unlisted(self, name: str) -> CheckpointError:
        return CheckpointError(f"{self.path / name}: damaged: has no SHA-256 in {SUMS_FILE}. {RESTORE}")

    def _compare(self, name: str, found: str) -> None:
        if self.sums is None:
            return
        if name not in self.sums:
            raise self._unlisted(name)
        if found != (expected := self.sums[name]):
            raise CheckpointError(
                f"{self.path / name}: damaged: found SHA-256 {found[:12]}...; expected {expected[:12]}..., as in "
                f"{SUMS_FILE}. {RESTORE}"
            )


def seal(directory: Path) -> None:
    """Write the checksums of all files in a directory."""
    files = sorted(file for file in directory.rglob("*") if file.is_file())
    lines = []
    for file in files:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        lines.append(f"{digest}  {file.relative_to(directory).as_posix()}\n")
    write_text(directory / SUMS_FILE, "".join(lines))


def carry(directory: Path, name: str, content: bytes) -> None:
    """Write one of :data:`CARRIED` into a sealed directory, whose fingerprint stays what it is.

    Args:
        directory: the directory.
        name: the name of the file.
        content: its content.
    """
    assert name in CARRIED
    sealed = SealedDirectory.open(directory)
    lines = (directory / SUMS_FILE).read_text(encoding="utf-8").splitlines(keepends=True)
    lines = [line for line in lines if line[66:].strip() != name]
    (directory / name).write_bytes(content)
    write_text(directory / SUMS_FILE, "".join([*lines, f"{hashlib.sha256(content).hexdigest()}  {name}\n"]))
    assert SealedDirectory.open(directory).sha256 == sealed.sha256


def _size(file: Path) -> int:
    try:
        status = file.stat()
    except OSError as error:
        raise CheckpointError(f"{file}: damaged checkpoint: cannot be read: {error.strerror}. {RESTORE}") from error
    if not stat.S_ISREG(status.st_mode):
        what = "a directory" if stat.S_ISDIR(status.st_mode) else "a device or pipe"
        raise CheckpointError(f"{file}: damaged checkpoint: found {what}; expected a file. {RESTORE}")
    return status.st_size


def read_limited(file: Path, limit: int) -> bytes:
    """Read a file up to a maximum size, so that it cannot fill the memory.

    Args:
        file: the file.
        limit: the maximum size in bytes.

    Raises:
        CheckpointError: when the file is missing, is not a regular file, or is too large.
    """
    if (size := _size(file)) > limit:
        raise CheckpointError(f"{file}: damaged checkpoint: found {size} bytes; expected at most {limit}. {RESTORE}")
    try:
        with file.open("rb") as content:
            return content.read(limit)
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read: {error.strerror}.") from error


def _decode(content: bytes, file: Path) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{file}: damaged: not UTF-8 text ({error.reason}). {RESTORE}") from error


def parse_json(content: bytes, file: Path) -> Any:
    """Parse the content of a JSON file.

    Args:
        content: the content of the file.
        file: the file, for errors.

    Raises:
        CheckpointError: when it does not parse.
    """
    try:
        return json.loads(_decode(content, file))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file}: damaged: not valid JSON: {error}. {RESTORE}") from error


def parse_plain_yaml(content: bytes, file: Path) -> Any:
    """Parse the content of a YAML file without anchors.

    Args:
        content: the content of the file.
        file: the file, for errors.

    Raises:
        CheckpointError: when it does not parse.
    """
    from kiwi.utils.structured.reading import parse_yaml

    try:
        return parse_yaml(_decode(content, file), file, plain=True)
    except ConfigError as error:
        raise CheckpointError(f"damaged checkpoint: {error} {RESTORE}") from error

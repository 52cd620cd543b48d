"""Files on this machine or behind any URL that fsspec takes: found, read, and written whole or not at all."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from kiwi.exceptions import ConfigError, DataError
from kiwi.utils.imports import needs_extra
from kiwi.utils.staging import SUFFIX, staged

COMPRESSED = {".gz", ".bz2", ".xz", ".zst"}
"""Suffixes of files that are decompressed while they are read."""


@dataclass(frozen=True)
class Place:
    """A file or directory; goes to other processes as the text that names it."""

    url: str
    """A URL; on this machine an absolute path."""

    @classmethod
    def of(cls, text: str) -> Place:
        """From what a user writes.

        Args:
            text: a path, relative or not, or a URL.

        Raises:
            ConfigError: when no file system knows such a URL.
        """
        files, path = _located(text)
        if _is_local(files):
            return cls(str(path))
        return cls(text if "::" in text else str(files.unstrip_protocol(path)))

    @property
    def local(self) -> Path | None:
        """The path; None when it is not on this machine."""
        files, path = _located(self.url)
        return Path(path) if _is_local(files) else None

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> Place:
        return Place(f"{self.url.rstrip('/')}/{name}")

    def remove(self) -> None:
        """Remove the file, if it is there."""
        files, path = _located(self.url)
        with suppress(FileNotFoundError):
            files.rm_file(path)

    def files(self) -> set[str]:
        """Paths of all files below, relative to here; none where there is no such directory."""
        files, path = _located(self.url)
        try:
            found = files.find(path, refresh=True) if not _is_local(files) else files.find(path)
        except FileNotFoundError:
            return set()
        root = str(path).rstrip("/") + "/"
        return {str(each).removeprefix(root) for each in found}

    @contextmanager
    def reading(self) -> Iterator[IO[bytes]]:
        """Its bytes, decompressed where the suffix says so.

        Raises:
            DataError: when it cannot be read, or nothing here decompresses it.
        """
        files, path = _located(self.url)
        compression = _compression(self)
        try:
            file = files.open(path, "rb")
        except (OSError, ValueError) as error:
            raise DataError(f"{self}: cannot be read ({_reason(error)}).") from error
        with file:
            if compression is None:
                yield file
            else:
                with compression(file, mode="rb") as plain:
                    yield plain

    @contextmanager
    def writing(self) -> Iterator[IO[bytes]]:
        """A file to write, which is there under its name when the block ends well, and not before.

        Raises:
            WriteError: when there is no room or no permission, on this machine.
            OSError: of the file system of a URL.
        """
        if (local := self.local) is not None:
            with staged(local) as stage, stage.open("wb") as file:
                yield file
            return
        files, path = _located(self.url)
        parent, _, name = str(path).rpartition("/")
        part = f"{parent}/.{name}.{uuid.uuid4().hex[:8]}{SUFFIX}"
        files.makedirs(parent, exist_ok=True)
        try:
            with files.open(part, "wb") as file:
                yield file
            files.mv(part, path)
        except BaseException:
            with suppress(Exception):  # of the file system; what matters is the first one
                files.rm_file(part)
            raise

    def clear_leftovers(self) -> None:
        """Remove what killed processes were writing in a directory behind a URL, when nobody writes there any more."""
        if self.local is None:  # there the next write does it
            for name in self.files():
                if name.endswith(SUFFIX):
                    (self / name).remove()


@dataclass(frozen=True)
class Found:
    """A file that was looked for."""

    place: Place
    name: str
    """Relative to the directory, or to what a glob has before its first wildcard."""


def find(text: str, suffixes: set[str]) -> list[Found]:
    """The files that a path or URL stands for, by name.

    Of a directory these are all files below it with one of the suffixes, perhaps before that of a compression. Names
    that begin with a point or an underscore are no data, as other tools have it.

    Args:
        text: a file, a directory or a glob.
        suffixes: of data.

    Raises:
        DataError: when there is none.
    """
    files, path = _located(text)
    path = str(path)
    try:
        if not text.endswith("/") and files.isfile(path):
            root, paths = path.rpartition("/")[0], [path]
        elif files.isdir(path):
            root, paths = path, [each for each in files.find(path) if plain_suffix(each) in suffixes]
        else:
            root, pattern = _parted(path)
            matches = files.glob(path, detail=True).items() if pattern else ()
            paths = [match for match, details in matches if details["type"] == "file"]
    except OSError as error:
        raise DataError(f"{text}: cannot be read ({_reason(error)}).") from error
    prefix = root.rstrip("/") + "/"
    found = {str(each).removeprefix(prefix): str(each) for each in paths}
    seen = {name: each for name, each in found.items() if not _is_no_data(name)}
    if not seen:
        expected = f"files that end in {', '.join(sorted(suffixes))}"
        raise DataError.at(text, None, found="none there", expected=f"{expected}: a file, a directory, or a glob")
    whole = Place.of if _is_local(files) else lambda each: Place(str(files.unstrip_protocol(each)))
    return [Found(whole(each), name) for name, each in sorted(seen.items())]


def finding(text: str, suffixes: set[str]) -> Callable[[Place], bool]:
    """Whether :func:`find` would take files that are perhaps not there yet.

    Args:
        text: as of :func:`find`.
        suffixes: as of :func:`find`.

    Returns:
        Says it of each file.
    """
    from fsspec.utils import glob_translate

    files, path = _located(text)
    whole = Place.of(text).url.rstrip("/")
    is_directory = files.isdir(path)
    root, pattern = (whole, "") if is_directory else _parted(whole)
    matches = re.compile(glob_translate(pattern)).match
    prefix = root.rstrip("/") + "/"

    def takes(place: Place) -> bool:
        name = place.url.removeprefix(prefix)
        if name == place.url:
            return False
        return not _is_no_data(name) and (plain_suffix(name) in suffixes if is_directory else bool(matches(name)))

    return takes


def _parted(path: str) -> tuple[str, str]:
    """What a glob has before its first wildcard, and the rest, which is empty where it has none."""
    parts = path.split("/")
    first = next((n for n, part in enumerate(parts) if set(part) & set("*?[")), len(parts))
    return "/".join(parts[:first]), "/".join(parts[first:])


def _is_no_data(name: str) -> bool:
    return any(part.startswith((".", "_")) for part in name.split("/"))


def plain_suffix(name: str) -> str:
    """The suffix of a file's content: ``.jsonl`` of ``a.jsonl.gz``."""
    path = PurePosixPath(name)
    return PurePosixPath(path.stem).suffix.lower() if path.suffix.lower() in COMPRESSED else path.suffix.lower()


def _compression(place: Place) -> Any:
    """What decompresses a file; None where its suffix says that nothing has to."""
    from fsspec.compression import compr
    from fsspec.utils import infer_compression

    if PurePosixPath(place.url).suffix.lower() not in COMPRESSED:
        return None
    name = infer_compression(place.url.lower())
    if name is None:
        raise DataError(f"{place}: nothing that is installed decompresses it. Install: pip install zstandard")
    return compr[name]


def _located(text: str) -> tuple[Any, Any]:
    """The file system of a URL, and the path there."""
    with needs_extra("ray", "Reading shards"):
        from fsspec.core import url_to_fs
    try:
        files, path = url_to_fs(text)
    except (ValueError, ImportError) as error:
        raise ConfigError(f"{text}: no file system for this URL: {_reason(error)}.") from error
    return files, path


def _is_local(files: Any) -> bool:
    return "file" in ((files.protocol,) if isinstance(files.protocol, str) else files.protocol)


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())[:200].rstrip(".")

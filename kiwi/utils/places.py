"""Finds, reads and atomically writes files on this machine or behind any URL that fsspec supports."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from kiwi.exceptions import ConfigError, DataError
from kiwi.utils.compression import SUFFIXES as COMPRESSED, decompressed
from kiwi.utils.display import lost_secrets, without_secrets
from kiwi.utils.imports import needs_extra
from kiwi.utils.staging import SUFFIX, staged


@dataclass(frozen=True)
class Place:
    """The location of a file or directory, which is passed to other processes as text."""

    url: str
    """A URL, or an absolute path on this machine."""

    @classmethod
    def of(cls, text: str) -> Place:
        """Return the place that a user specifies.

        Args:
            text: an absolute or relative path, or a URL.

        Raises:
            ConfigError: when no file system supports the URL.
        """
        files, path = _located(text)
        if _is_local(files):
            return cls(str(path))
        return cls(text if "::" in text else str(files.unstrip_protocol(path)))

    @property
    def local(self) -> Path | None:
        """The path on this machine; None for a URL elsewhere."""
        files, path = _located(self.url)
        return Path(path) if _is_local(files) else None

    def __str__(self) -> str:
        """Return the URL as it is shown, without secrets."""
        return without_secrets(self.url)

    def __truediv__(self, name: str) -> Place:
        return Place(f"{self.url.rstrip('/')}/{name}")

    def remove(self) -> None:
        """Remove the file, if it exists."""
        files, path = _located(self.url)
        with suppress(FileNotFoundError):
            files.rm_file(path)

    def files(self) -> set[str]:
        """Return the relative paths of all files below this directory; none if it does not exist."""
        files, path = _located(self.url)
        try:
            found = files.find(path, refresh=True) if not _is_local(files) else files.find(path)
        except FileNotFoundError:
            return set()
        root = str(path).rstrip("/") + "/"
        return {str(each).removeprefix(root) for each in found}

    @contextmanager
    def reading(self) -> Iterator[IO[bytes]]:
        """Open the file for reading bytes, which are decompressed if its content is compressed.

        Raises:
            DataError: when it cannot be opened.
        """
        files, path = _located(self.url)
        try:
            file = files.open(path, "rb")
        except (OSError, ValueError) as error:
            raise DataError(f"{self}: cannot be read ({_reason(error)}).") from error
        with file:
            yield decompressed(file)

    @contextmanager
    def writing(self) -> Iterator[IO[bytes]]:
        """Open the file for writing bytes; it appears under its name when the block succeeds.

        Raises:
            WriteError: when there is no space or no permission on this machine.
            OSError: when the file system of a URL fails.
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
            with suppress(Exception):  # so that the original error is raised
                files.rm_file(part)
            raise

    def clear_leftovers(self) -> None:
        """Remove unfinished files of killed processes from a directory behind a URL to which no process writes."""
        if self.local is None:  # on this machine, the next write removes them
            for name in self.files():
                if name.endswith(SUFFIX):
                    (self / name).remove()


@dataclass(frozen=True)
class Found:
    """A file that :func:`find` has found."""

    place: Place
    name: str
    """The path relative to the directory, or to the part of a glob before its first wildcard."""


def find(text: str, suffixes: set[str]) -> list[Found]:
    """Return the files that a path or URL denotes, sorted by name.

    A directory denotes all files below it with one of the suffixes, which a compression suffix may follow. Names that
    begin with a dot or an underscore are ignored, as in other tools.

    Args:
        text: a file, a directory or a glob.
        suffixes: the suffixes of data files.

    Raises:
        DataError: when there are no such files.
    """
    files, path = _located(text)
    path = str(path)
    try:
        if not text.endswith("/") and files.isfile(path):
            root, paths = path.rpartition("/")[0], [path]
        elif files.isdir(path):
            root, paths = path, [each for each in files.find(path) if plain_suffix(each) in suffixes]
        else:
            root, pattern = _split_glob(path)
            matches = files.glob(path, detail=True).items() if pattern else ()
            paths = [match for match, details in matches if details["type"] == "file"]
    except OSError as error:
        raise DataError(f"{text}: cannot be read ({_reason(error)}).") from error
    prefix = root.rstrip("/") + "/"
    found = {str(each).removeprefix(prefix): str(each) for each in paths}
    seen = {name: each for name, each in found.items() if not _is_hidden(name)}
    if not seen:
        expected = f"a file, directory or glob of files that end in {', '.join(sorted(suffixes))}"
        raise DataError.at(text, None, found="no such files", expected=expected)
    url_of = str if _is_local(files) else files.unstrip_protocol
    return [Found(Place(str(url_of(each))), name) for name, each in sorted(seen.items())]


def finding(text: str, suffixes: set[str]) -> Callable[[Place], bool]:
    """Return a function that determines whether :func:`find` would find a file, which need not exist yet.

    Args:
        text: a file, a directory or a glob.
        suffixes: the suffixes of data files.
    """
    from fsspec.utils import glob_translate

    files, path = _located(text)
    url = Place.of(text).url.rstrip("/")
    is_directory = files.isdir(path)
    root, pattern = (url, "") if is_directory else _split_glob(url)
    matches = re.compile(glob_translate(pattern)).match
    prefix = root.rstrip("/") + "/"

    def would_find(place: Place) -> bool:
        name = place.url.removeprefix(prefix)
        if name == place.url:
            return False
        return not _is_hidden(name) and (plain_suffix(name) in suffixes if is_directory else bool(matches(name)))

    return would_find


def _split_glob(path: str) -> tuple[str, str]:
    """Split a glob before the part with its first wildcard; without wildcards, the second part is empty."""
    parts = path.split("/")
    first = next((n for n, part in enumerate(parts) if set(part) & set("*?[")), len(parts))
    return "/".join(parts[:first]), "/".join(parts[first:])


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "_")) for part in name.split("/"))


def plain_suffix(name: str) -> str:
    """Return the suffix of a file without the compression suffix, such as ``.jsonl`` for ``a.jsonl.gz``."""
    path = PurePosixPath(name)
    return PurePosixPath(path.stem).suffix.lower() if path.suffix.lower() in COMPRESSED else path.suffix.lower()


def _located(text: str) -> tuple[Any, Any]:
    """Return the file system of a URL, and the path in it."""
    with needs_extra("ray", "Reading shards"):
        from fsspec.core import url_to_fs
        from fsspec.implementations.local import LocalFileSystem
    if lost_secrets(text):
        raise ConfigError(f"{text}: this URL was written without its secrets. Give it as in the first command.")
    if "://" not in text:  # a path, in which fsspec would take `::` for a chain of file systems
        return (local := LocalFileSystem()), local._strip_protocol(text)
    try:
        files, path = url_to_fs(text)
    except (ValueError, ImportError) as error:
        raise ConfigError(f"{text}: found no file system for this URL: {_reason(error)}.") from error
    return files, path


def _is_local(files: Any) -> bool:
    return "file" in ((files.protocol,) if isinstance(files.protocol, str) else files.protocol)


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())[:200].rstrip(".")

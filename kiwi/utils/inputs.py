"""The files that users give: opened for reading whether they are plain or compressed, files or pipes."""

from __future__ import annotations

import errno
import io
import logging
import os
import select
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, BinaryIO, cast

from pydantic import AfterValidator, BaseModel
from pydantic_core import PydanticCustomError
from typing_extensions import override

from kiwi.exceptions import ConfigError, DataError, KiwiError
from kiwi.utils.compression import damage_errors, decompressed

logger = logging.getLogger(__name__)

PIPE, NOTHING = "a pipe", "nothing"

KINDS = {
    stat.S_IFREG: "",
    stat.S_IFIFO: PIPE,
    stat.S_IFDIR: "a directory",
    stat.S_IFCHR: "a device or terminal",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
"""What a path denotes; empty for a file."""

LONGEST_WAIT = 60.0
"""The seconds to wait for a program that writes to a pipe, and between two messages about a slow one."""

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

DESCRIPTORS = Path("/proc/self/fd")
"""Where Linux has the open files of a process under names that can be opened again."""

_copies: dict[tuple[int, int], IO[bytes]] | None = None
"""The copies of pipes, by device and inode, while :func:`pipes_as_files` is in force."""


def check_input_file(path: Path) -> Path:
    """Return the path of a file or a pipe; reject any other path."""
    kind = _kind_of(path)
    if kind in ("", PIPE):
        return path
    text = f"Path does not point to a file, but to {kind}" if kind != NOTHING else "Path does not point to a file"
    raise PydanticCustomError("path_not_file", "{text}", {"text": text})


InputFile = Annotated[Path, AfterValidator(check_input_file)]
"""The type of options that name a file to read: text, which may be compressed, or a pipe."""


def is_pipe(path: Path) -> bool:
    """Return whether a path denotes a pipe, such as the ``/dev/fd/63`` of a shell's ``<(...)``."""
    return _kind_of(path) == PIPE


def refuse_pipes(config: BaseModel, place: str, reason: str) -> None:
    """Check that no option of a configuration is a pipe.

    Args:
        config: the configuration.
        place: the dotted path of the configuration, for errors.
        reason: why pipes cannot be read.

    Raises:
        ConfigError: when an option is a pipe.
    """
    for name, value in config:
        path = f"{place}.{name}" if place else name
        if isinstance(value, BaseModel):
            refuse_pipes(value, path, reason)
        elif isinstance(value, Path) and is_pipe(value):
            raise ConfigError(f"{path}: found the pipe {value}, but {reason}. Write its content to a file first.")


@contextmanager
def pipes_as_files() -> Iterator[None]:
    """Allow pipes to be read more than once during a block, from a temporary copy of their whole content."""
    global _copies
    if _copies is not None:
        yield
        return
    _copies = {}
    try:
        yield
    finally:
        for copy in _copies.values():
            copy.close()
        _copies = None


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading bytes, which are decompressed if the file is compressed.

    Args:
        path: a file or a pipe. Except in :func:`pipes_as_files`, a pipe is read while it is written to, and only once.

    Raises:
        DataError: when it cannot be read, or is damaged.
    """
    with _named_errors(path), _opened(Path(path)) as file:
        yield decompressed(file)


def plain_file(path: Path) -> tuple[Path, IO[bytes] | None]:
    """Return a file that is neither compressed nor a pipe and has the content of one that may be.

    Args:
        path: a file or a pipe.

    Returns:
        The path of the file; and if it is a temporary copy, the open copy, which disappears when it is closed.

    Raises:
        DataError: when the file cannot be read or is damaged, or there is no space for a copy.
    """
    with _named_errors(path), _opened(Path(path)) as file:
        plain = decompressed(file)
        if plain is file:
            return Path(file.name), None
        copy = _copy_of(plain, path)
    return _name_of(copy), copy


def _kind_of(path: Path) -> str:
    try:
        return KINDS[stat.S_IFMT(Path(path).stat().st_mode)]
    except (OSError, ValueError, KeyError):
        return NOTHING


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except KiwiError:
        raise
    except damage_errors() as error:
        if isinstance(error, OSError) and error.strerror:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
        found = f"compressed data that is damaged or incomplete ({' '.join(str(error).split()):.200})"
        raise DataError.at(path, None, found=found, expected="a complete file") from error


def _opened(path: Path) -> BinaryIO:
    kind = _kind_of(path)
    if kind == PIPE:
        return _opened_pipe(path)
    if kind in (KINDS[stat.S_IFCHR], KINDS[stat.S_IFBLK], KINDS[stat.S_IFSOCK]):
        raise DataError.at(path, None, found=kind, expected="a file")
    return path.open("rb")


def _opened_pipe(path: Path) -> BinaryIO:
    if _copies is None:
        return cast(BinaryIO, io.BufferedReader(_Pipe(path)))
    found = path.stat()
    key = (found.st_dev, found.st_ino)
    if key not in _copies:
        with io.BufferedReader(_Pipe(path)) as pipe:
            _copies[key] = _copy_of(cast(BinaryIO, pipe), path)
    return _name_of(_copies[key]).open("rb")


def _copy_of(file: BinaryIO, path: Path) -> IO[bytes]:
    # Without a name, a copy disappears with the process, however that ends.
    copy: IO[bytes] = tempfile.TemporaryFile() if DESCRIPTORS.is_dir() else tempfile.NamedTemporaryFile()  # noqa: SIM115
    try:
        shutil.copyfileobj(file, copy, 2**20)
        copy.flush()
    except BaseException as error:
        copy.close()
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            raise DataError(
                f"{path}: no space for a temporary copy in {tempfile.gettempdir()} ({error.strerror}). Set TMPDIR to a "
                "directory with more space."
            ) from error
        raise
    return copy


def _name_of(copy: IO[bytes]) -> Path:
    # The number of the process makes it the same file in a child process.
    return Path(f"/proc/{os.getpid()}/fd/{copy.fileno()}") if isinstance(copy.name, int) else Path(copy.name)


class _Pipe(io.RawIOBase):
    """A pipe that says so when nothing arrives.

    Args:
        path: the path of the pipe.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # A pipe without a writer would block here for ever.
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any) -> int:
        """Read the next bytes, and say so if none arrive."""
        while True:
            ready = self._poll.poll(1000 * LONGEST_WAIT)
            try:
                content = os.read(self._descriptor, len(buffer))
            except BlockingIOError:
                logger.warning("%s: still waiting for the program that writes to this pipe.", self._path)
                continue
            if not content and not ready:
                found = f"a pipe that no program has opened for writing in {LONGEST_WAIT:g} seconds"
                raise DataError.at(self._path, None, found=found, expected="a pipe that a program writes to")
            buffer[: len(content)] = content
            return len(content)

    @override
    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()

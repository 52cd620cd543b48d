"""Compressed files, recognized by their content and decompressed as they are read; and written, by their suffix."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from typing_extensions import override

from kiwi.exceptions import MissingExtraError

SUFFIXES = {".gz", ".bz2", ".xz", ".zst"}
"""The suffixes that the names of compressed files usually have."""

MAGIC: dict[bytes, str] = {
    b"\x1f\x8b\x08": "gzip",
    **{b"BZh%d1AY&SY" % level: "bzip2" for level in range(1, 10)},
    **{b"BZh%d\x17rE8P\x90" % level: "bzip2" for level in range(1, 10)},  # without content
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    **{bytes([first]) + b"\x2a\x4d\x18": "zstd" for first in range(0x50, 0x60)},  # a skippable frame
}
"""The bytes at the start of each format."""

LONGEST_MAGIC = max(map(len, MAGIC))


def format_of(start: bytes) -> str | None:
    """Return the name of the compression format that some content begins with; None if it is not compressed."""
    return next((name for magic, name in MAGIC.items() if start.startswith(magic)), None)


def decompressed(file: IO[bytes]) -> BinaryIO:
    """Return a file whose content is that of another one, decompressed if it is compressed.

    Args:
        file: a file or a pipe, which the caller closes.
    """
    if file.seekable():
        position = file.tell()
        start = file.read(LONGEST_MAGIC)
        file.seek(position)
    else:
        start = _read_start(file)
        file = rejoined(start, file)
    plain: Any = file
    match format_of(start):
        case "gzip":
            plain = gzip.GzipFile(fileobj=file)
        case "bzip2":
            plain = bz2.BZ2File(file)
        case "xz":
            plain = lzma.LZMAFile(file)  # noqa: SIM115  (the caller closes the file)
        case "zstd":
            plain = _zstd().ZstdFile(file)
    return cast(BinaryIO, plain)


@contextmanager
def compressing(path: Path, suffix: str) -> Iterator[BinaryIO]:
    """Open a file for writing, whose content is compressed if the suffix says so.

    Args:
        path: the file.
        suffix: the suffix of its name, such as ``.gz``.
    """
    with path.open("wb") as file:
        compressed: Any = nullcontext(file)
        match suffix.lower():
            case ".gz":
                compressed = gzip.GzipFile("", "wb", fileobj=file, mtime=0)  # the same content gives the same file
            case ".bz2":
                compressed = bz2.BZ2File(file, "wb")
            case ".xz":
                compressed = lzma.LZMAFile(file, "wb")  # noqa: SIM115  (it is closed below)
            case ".zst":
                compressed = _zstd().ZstdFile(file, "wb")
        with compressed as plain:
            yield plain


def rejoined(start: bytes, file: IO[bytes]) -> BinaryIO:
    """Return a file from its first byte on, although its start has been read.

    Args:
        start: the bytes that have been read.
        file: the file after them.
    """
    return cast(BinaryIO, io.BufferedReader(_Rejoined(start, file)))


def damage_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """Return the types of the errors that reading a damaged or incomplete compressed file raises, and other types."""
    found: list[type[Exception]] = [*others, OSError, EOFError, zlib.error, lzma.LZMAError]
    if loaded := sys.modules.get("compression.zstd") or sys.modules.get("backports.zstd"):
        found.append(loaded.ZstdError)
    return tuple(found)


def _zstd() -> Any:
    """Return the module of zstd, which is part of Python from 3.14 on."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        try:
            from backports import zstd
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                "zstd data needs 'backports.zstd', which is not installed. Install it with: pip install backports.zstd"
            ) from error
    return zstd


def _read_start(file: IO[bytes]) -> bytes:
    """Read the bytes of a pipe that tell its format, and wait for no more than these."""
    start = b""
    while any(len(start) < len(magic) and magic.startswith(start) for magic in MAGIC):
        more = _read_some(file, LONGEST_MAGIC - len(start))
        if not more:
            break
        start += more
    return start


def _read_some(file: IO[bytes], size: int) -> bytes:
    """Read the bytes that a pipe has now, at least one unless it has ended."""
    read: Any = getattr(file, "read1", file.read)
    content: bytes = read(size)
    return content


class _Rejoined(io.RawIOBase):
    def __init__(self, start: bytes, file: IO[bytes]) -> None:
        self._start = start
        self._file = file

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any) -> int:
        """Read the next bytes, those that were read before first."""
        content, self._start = self._start[: len(buffer)], self._start[len(buffer) :]
        content = content or _read_some(self._file, len(buffer))
        buffer[: len(content)] = content
        return len(content)

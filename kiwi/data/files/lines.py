"""Text files as lines.

A line ends with a line feed, which a carriage return may precede, and with nothing else: Unicode line and paragraph
separators (U+2028, U+2029, U+0085) are characters of their segment.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from kiwi.exceptions import DataError

BOM = b"\xef\xbb\xbf"

Columns = dict[str, list[str]]
"""Field name to one string a segment."""


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file, a byte order mark and carriage returns removed.

    Raises:
        DataError: when the file cannot be read, is empty, or a line is not UTF-8.
    """
    try:
        content = Path(path).read_bytes().removeprefix(BOM)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    if not content:
        raise _no_line(path)
    try:
        return [line.removesuffix("\r") for line in content.decode("utf-8").removesuffix("\n").split("\n")]
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error


def stream_lines(path: Path) -> Generator[str, None, None]:
    """The lines of a file, as :func:`read_lines`, one after the other: for files larger than memory.

    Close it if not all of them are read.

    Raises:
        DataError: as :func:`read_lines`; when the line is come to, and not before.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="\n") as file:
            empty = True
            for line in file:
                empty = False
                yield line.removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    if empty:
        raise _no_line(path)


def _no_line(path: Path) -> DataError:
    return DataError.at(path, None, found="no line", expected="one segment a line")


def _not_utf8(path: Path) -> DataError:
    """An error of the first line that is not UTF-8."""
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, start=1):
            # The byte order mark is no part of the first line.
            text = line.removeprefix(BOM) if number == 1 else line
            try:
                text.decode("utf-8")
            except UnicodeDecodeError as error:
                return DataError.at(
                    path,
                    number,
                    found=f"byte 0x{text[error.start]:02x} at position {error.start + 1}",
                    expected="UTF-8",
                    advice="Convert the file, for example with: iconv -f LATIN1 -t UTF-8.",
                )
    return DataError.at(path, None, found="bytes that are no text", expected="UTF-8")

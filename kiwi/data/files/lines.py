"""Text files as lines.

A line ends with LF or CRLF. Other Unicode line and paragraph separators (U+2028, U+2029, U+0085) are part of a segment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

from kiwi.data.text.words import words
from kiwi.exceptions import DataError

logger = logging.getLogger(__name__)

BOM = b"\xef\xbb\xbf"

Note = Callable[[int, DataError, Any], None]
"""A function that takes the number, the error and the content of a bad line, for readers to call instead of raising."""

Columns = dict[str, list[str]]
"""One string per segment for each field, by field name."""


def read_lines(path: Path) -> list[str]:
    """Read the lines of a UTF-8 file, and strip a byte order mark and carriage returns.

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
        raise not_utf8(path) from error


def stream_lines(path: Path, note: Note | None = None) -> Generator[str, None, None]:
    """Yield the lines of a file one by one, as :func:`read_lines` reads them, for files larger than memory.

    Close the generator if not all lines are read.

    Args:
        path: the file.
        note: a function to call for each line that is not UTF-8, which is then read as a blank line.

    Raises:
        DataError: as in :func:`read_lines`, but only when the line is reached.
    """
    empty = True
    try:
        with Path(path).open("rb") as file:
            for number, line in enumerate(file, start=1):
                text = line.removeprefix(BOM) if number == 1 else line
                if not text:  # a byte order mark alone
                    continue
                empty = False
                try:
                    yield decode_line(text, path, number)
                except DataError as error:
                    if note is None:
                        raise
                    note(number, error, text.removesuffix(b"\n").decode("utf-8", "backslashreplace"))
                    yield ""
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    if empty:
        raise _no_line(path)


def decode_line(line: bytes, path: object, number: int) -> str:
    """Return the text of a line without its line end.

    Raises:
        DataError: when the line is not UTF-8.
    """
    try:
        return line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError.at(
            path,
            number,
            found=f"byte 0x{line[error.start]:02x} at position {error.start + 1}",
            expected="UTF-8",
            advice="Convert the file, for example with: iconv -f LATIN1 -t UTF-8.",
        ) from error


def count_surplus(lines: Iterable[str], place: object, *, warn: bool = True) -> int:
    """Count the lines that a file has beyond the end of the others; if all of them are blank, they do not count.

    Args:
        lines: the lines beyond the end of the other files.
        place: the file, for the warning.
        warn: whether to warn about blank lines that are dropped.
    """
    n_lines = n_blank = 0
    for line in lines:
        n_lines += 1
        n_blank += not words(line)
    if n_lines > n_blank:
        return n_lines
    if n_lines and warn:
        logger.warning("%s: dropped %d blank line(s) at the end.", place, n_lines)
    return 0


def different_lengths(lengths: Mapping[Path, int]) -> DataError:
    """Return the error for parallel files of different lengths.

    Args:
        lengths: the number of lines of each file.
    """
    listing = ", ".join(f"{path} has {length}" for path, length in lengths.items())
    return DataError(f"Files of different length: {listing} lines; expected one line per segment in each of them.")


def _no_line(path: Path) -> DataError:
    return DataError.at(path, None, found="no line", expected="one segment per line")


def not_utf8(path: Path) -> DataError:
    """Return the error for the first line of a file that is not UTF-8."""
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, start=1):
            # The byte order mark is not part of the first line.
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
    return DataError.at(path, None, found="binary data", expected="UTF-8 text")

"""Text files as lines, which are what :mod:`kiwi.utils.text` decides, in files that :mod:`kiwi.utils.inputs` opens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

from kiwi.data.text.words import words
from kiwi.exceptions import DataError
from kiwi.utils.inputs import reading
from kiwi.utils.text import TextDecoder, line_blocks

logger = logging.getLogger(__name__)

Note = Callable[[int, DataError, Any], None]
"""A function that takes the number, the error and the content of a bad line, for readers to call instead of raising."""

Columns = dict[str, list[str]]
"""One string per segment for each field, by field name."""


def read_lines(path: Path, *, warn: bool = True) -> list[str]:
    """Read the lines of a UTF-8 file, which may be compressed, without line ends and byte order marks.

    Args:
        path: the file.
        warn: whether to warn about byte order marks and carriage returns within the file.

    Raises:
        DataError: when the file cannot be read, is empty, or a line is not text.
    """
    lines: list[str] = []
    decoder = TextDecoder(path, warn=warn)
    with reading(path) as file:
        for block in line_blocks(file, path):
            lines += decoder.lines(block)
    if not lines:
        raise no_line(path)
    return lines


def stream_lines(path: Path, note: Note | None = None, *, warn: bool = True) -> Generator[str, None, None]:
    """Yield the lines of a file one by one, as :func:`read_lines` reads them, for files larger than memory.

    Close the generator if not all lines are read.

    Args:
        path: the file.
        note: a function to call for each line that is not text, which is then read as a blank line.
        warn: whether to warn about byte order marks and carriage returns within the file.

    Raises:
        DataError: as in :func:`read_lines`, but only when the line is reached.
    """
    empty = True
    decoder = TextDecoder(path, warn=warn)
    with reading(path) as file:
        for block in line_blocks(file, path):
            for line in decoder.lines(block) if note is None else decoder.noted_lines(block, note):
                empty = False
                yield line
    if empty:
        raise no_line(path)


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


def no_line(path: Path) -> DataError:
    """Return the error for a file without a line."""
    return DataError.at(path, None, found="no line", expected="one segment per line")

"""Rows of different lengths, stored as two arrays, which are faster to read than one list per row."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.files.lines import read_lines
from kiwi.data.labels.scores import parse_number
from kiwi.data.text.words import words
from kiwi.exceptions import DataError
from kiwi.utils.inputs import reading
from kiwi.utils.text import BOM

SPACE, TAB, NEWLINE, RETURN = (ord(character) for character in " \t\n\r")


@dataclass(frozen=True)
class Ragged:
    """Rows of numbers of different lengths."""

    values: NDArray[np.float64]
    """The numbers of all rows, row by row, (values,)."""

    offsets: NDArray[np.int64]
    """The index at which each row begins, (rows + 1,)."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> NDArray[np.float64]:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The length of each row, (rows,)."""
        return np.diff(self.offsets)


def ragged_tags(rows: Sequence[Sequence[str]]) -> Ragged:
    """Convert rows of OK/BAD tags, such as those of a submission; BAD is 1."""
    offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    values = np.fromiter((tag == const.BAD for row in rows for tag in row), dtype=np.float64, count=int(offsets[-1]))
    return Ragged(values, offsets)


def read_tags(path: Path) -> Ragged:
    """Read OK/BAD tags, one row per line; BAD is 1.

    Raises:
        DataError: at the first line with a value that is neither OK nor BAD.
    """
    content = _content(path)
    found = _tokens(content)
    if found is not None:
        starts, lengths, offsets = found
        first = content[starts] if len(starts) else starts
        second = content[starts + 1] if len(starts) and lengths.min() > 1 else None
        is_bad = (lengths == 3) & (first == ord("B"))
        is_ok = (lengths == 2) & (first == ord("O"))
        if second is not None:
            third = content[np.minimum(starts + 2, len(content) - 1)]
            is_bad &= (second == ord("A")) & (third == ord("D"))
            is_ok &= second == ord("K")
            if bool((is_bad | is_ok).all()):
                return Ragged(is_bad.astype(np.float64), offsets)
    return parse_tags(read_lines(path), path)


def parse_tags(lines: Sequence[str], path: object) -> Ragged:
    """Parse lines of OK/BAD tags; BAD is 1.

    Args:
        lines: the lines, with one row each.
        path: the file of the lines, for errors.

    Raises:
        DataError: at the first line with a value that is neither OK nor BAD.
    """
    rows = []
    for number, line in enumerate(lines, start=1):
        tags = words(line)
        for position, tag in enumerate(tags, start=1):
            if tag not in const.LABELS:
                raise DataError.at(path, number, found=f"tag {position} '{tag}'", expected="OK or BAD")
        rows.append([float(tag == const.BAD) for tag in tags])
    return ragged(rows)


def read_probabilities(path: Path, *, any_scale: bool = False) -> Ragged:
    """Read probabilities of BAD, one row per line; OK is read as 0 and BAD as 1.

    Args:
        path: the file.
        any_scale: whether any finite numbers are allowed.

    Raises:
        DataError: at the first line with a value that is neither a probability nor OK or BAD.
    """
    content = _content(path)
    found = _tokens(content)
    # The fast path takes digits, points, signs and exponents only, which NumPy parses without a check.
    numeric = np.isin(np.arange(256), np.frombuffer(b"0123456789.+-eE \t\n", dtype=np.uint8))
    if found is not None and numeric[content].all():
        _, lengths, offsets = found
        values = _parse_numbers(content)
        # Each token gives at least one number, so that as many numbers as tokens are one for each.
        if len(values) == len(lengths) and (not len(values) or (values.min() >= 0.0 and values.max() <= 1.0)):
            return Ragged(values, offsets)
    return parse_probabilities(read_lines(path), path, any_scale=any_scale)


def parse_probabilities(lines: Sequence[str], path: Path, *, any_scale: bool = False) -> Ragged:
    """Parse lines of probabilities of BAD, as in :func:`read_probabilities`.

    Args:
        lines: the lines, with one row each.
        path: the file of the lines, for errors.
        any_scale: whether any finite numbers are allowed.
    """
    rows = []
    low, high = (-sys.float_info.max, sys.float_info.max) if any_scale else (0.0, 1.0)
    expected = "finite numbers" if any_scale else "probabilities between 0 and 1"
    for number, line in enumerate(lines, start=1):
        try:
            row = [_parse_probability(item) for item in words(line)]
        except ValueError as error:
            expected = "finite numbers" if any_scale else "probabilities of BAD, or OK and BAD"
            raise DataError.at(path, number, found=f"'{error!s:.60}'", expected=expected) from None
        # A comparison with NaN is false.
        if not all(low <= value <= high for value in row):
            raise DataError.at(path, number, found=f"{line:.60}", expected=expected)
        rows.append(row)
    return ragged(rows)


def _parse_probability(item: str) -> float:
    if item in const.LABELS:
        return float(item == const.BAD)
    try:
        return parse_number(item)
    except ValueError:
        raise ValueError(item) from None


def ragged(rows: list[list[float]]) -> Ragged:
    """Convert rows of numbers to two arrays."""
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
    return Ragged(np.array([value for row in rows for value in row], dtype=np.float64), offsets)


def _content(path: Path) -> NDArray[np.uint8]:
    with reading(path) as file:
        return np.frombuffer(file.read().removeprefix(BOM), dtype=np.uint8)


def _parse_numbers(content: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Parse numbers between spaces and line ends; none if something else is there, such as half a number at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # before NumPy 2.3, instead of the error
        try:
            return np.fromstring(content.tobytes(), dtype=np.float64, sep=" ")
        except (ValueError, DeprecationWarning):
            return np.empty(0)


def _tokens(content: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None:
    """Return where tokens begin, their lengths, and the number of tokens before each line.

    The result is None when the content is not ASCII or has carriage returns; it must be read line by line.
    """
    if not len(content) or content.max() > 127 or bool((content == RETURN).any()):
        return None
    is_newline = content == NEWLINE
    is_gap = is_newline | (content == SPACE) | (content == TAB)
    starts = np.flatnonzero(~is_gap & np.concatenate([[True], is_gap[:-1]]))
    ends = np.flatnonzero(~is_gap & np.concatenate([is_gap[1:], [True]])) + 1
    ends_of_lines = np.flatnonzero(is_newline)
    if content[-1] != NEWLINE:
        ends_of_lines = np.append(ends_of_lines, len(content))
    offsets = np.concatenate([[0], np.searchsorted(starts, ends_of_lines)])
    return starts, ends - starts, offsets

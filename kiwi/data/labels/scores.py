"""Parsing and validation of sentence scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kiwi.exceptions import DataError

LARGEST_SCORE = 3.4e38
"""The largest absolute score, because scores are stored in single precision."""

NO_SCORE = ("", "nan", "none", "null")
"""What stands in the place of a score where there is none, in lower case."""


def is_missing(text: str) -> bool:
    """Return whether a text stands for a score that is missing."""
    return text.strip().lower() in NO_SCORE


def parse_number(text: str) -> float:
    """Parse a number, which may be infinite or NaN.

    Raises:
        ValueError: when the text is not a number.
    """
    # Python's float() also accepts 1_0 and digits of any script.
    if "_" in text or not text.isascii():
        raise ValueError(text)
    return float(text)


def parse_score(text: str) -> float:
    """Parse a finite number.

    Raises:
        ValueError: when the text is not a finite number.
    """
    score = parse_number(text)
    if not abs(score) <= LARGEST_SCORE:
        raise ValueError(text)
    return score


def check_scores(scores: Sequence[str], place: object, *, first: int = 1) -> None:
    """Check that every line is a finite number; ``first`` is the number of the first line.

    Raises:
        DataError: at the first line that is not a finite number.
    """
    for number, text in enumerate(scores, start=first):
        try:
            parse_score(text)
        except ValueError:
            raise DataError.at(place, number, found=f"'{text}'", expected="a finite number") from None


def parse_scores(lines: Sequence[str], path: Path, *, allow_nan: bool = True) -> list[float]:
    """Parse a finite number from each line.

    Args:
        lines: the lines, with one number each.
        path: the file of the lines, for errors.
        allow_nan: whether a segment may be without a score: an empty line or ``nan``, which is returned as NaN.

    Raises:
        DataError: at the first line that is not a finite number.
    """
    found = ["nan" if allow_nan and line.strip().lower() in ("", "nan") else line for line in lines]
    check_scores(["0" if line == "nan" and allow_nan else line for line in found], path)
    return [float(line) for line in found]

"""Scores of segments as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kiwi.exceptions import DataError

LARGEST_SCORE = 3.4e38
"""Scores are computed in single precision."""


def parse_score(text: str) -> float:
    """A finite number.

    Raises:
        ValueError: when the text is none.
    """
    # Python's own reading of numbers also takes 1_0, and digits of any script.
    if "_" in text or not text.isascii():
        raise ValueError(text)
    score = float(text)
    if not abs(score) <= LARGEST_SCORE:
        raise ValueError(text)
    return score


def check_scores(scores: Sequence[str], place: object) -> None:
    """Check that every line is a finite number.

    Raises:
        DataError: at the first line that is not.
    """
    for number, text in enumerate(scores, start=1):
        try:
            parse_score(text)
        except ValueError:
            raise DataError.at(place, number, found=f"'{text}'", expected="a finite number") from None


def parse_scores(lines: Sequence[str], path: Path, *, allow_nan: bool = True) -> list[float]:
    """A finite number for each line.

    Args:
        lines: a number each.
        path: where they are from, for errors.
        allow_nan: whether ``nan`` may stand for an empty segment.
    """
    check_scores(["0" if allow_nan and line == "nan" else line for line in lines], path)
    return [float(line) for line in lines]

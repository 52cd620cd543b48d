"""Verdicts on segments, such as whether a translation has a critical error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kiwi.constants import BAD, OK
from kiwi.data.labels.scores import parse_scores
from kiwi.exceptions import DataError

VERDICTS = {OK: OK, BAD: BAD, "0": OK, "1": BAD, "NOT": OK, "ERR": BAD}
"""The verdicts as the shared tasks on critical errors write them, and their labels."""


def parse_verdicts(lines: Sequence[str], place: object, *, partial: bool = False) -> list[str]:
    """Parse a verdict from each line.

    Args:
        lines: the lines, with OK or BAD each, or 0 or 1, or NOT or ERR.
        place: the file of the lines, for errors.
        partial: whether a line may be blank, which stands for a segment without a verdict.

    Returns:
        OK or BAD for each line; an empty text for a blank one.

    Raises:
        DataError: at the first other line.
    """
    known = VERDICTS | ({"": ""} if partial else {})
    found = [known.get(line.strip()) for line in lines]
    for number, verdict in enumerate(found, start=1):
        if verdict is None:
            expected = "OK or BAD (or 0 or 1), one per segment"
            raise DataError.at(place, number, found=f"'{lines[number - 1]:.60}'", expected=expected)
    return [verdict for verdict in found if verdict is not None]


def parse_verdict_scores(lines: Sequence[str], path: Path) -> list[float]:
    """Parse a prediction of a verdict from each line, which is higher where BAD is more likely.

    Args:
        lines: the lines, with OK, BAD or any finite number each; an empty line or ``nan`` is returned as NaN.
        path: the file of the lines, for errors.

    Raises:
        DataError: at the first other line.
    """
    values: dict[str, str] = {OK: "0", BAD: "1"}
    return parse_scores([values.get(line.strip(), line) for line in lines], path)

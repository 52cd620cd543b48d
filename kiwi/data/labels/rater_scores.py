"""The scores of several raters per segment, such as raw direct assessments."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kiwi.data.labels.scores import parse_score
from kiwi.exceptions import DataError

EXPECTED = "the score of each rater, finite numbers separated by spaces"


def summarize_raters(lines: Sequence[str], place: object, *, partial: bool = False) -> tuple[list[str], list[str]]:
    """Return the mean and the standard deviation of the raters of each segment.

    The deviation is that of a sample (n - 1), since the raters of a segment are few of many. It is 0 for one rater.

    Args:
        lines: the scores of each segment, separated by white space; their number may differ between segments.
        place: the file of the lines, for errors.
        partial: whether a line may be blank, which stands for a segment without scores; both values are then ``nan``.

    Raises:
        DataError: at the first line without a score, or with anything but finite numbers.
    """
    means, deviations = [], []
    for number, line in enumerate(lines, start=1):
        cells = line.split()
        if not cells and partial:
            means.append("nan")
            deviations.append("nan")
            continue
        if not cells:
            raise DataError.at(place, number, found="no score", expected=EXPECTED)
        scores = []
        for cell in cells:
            try:
                scores.append(parse_score(cell))
            except ValueError:
                raise DataError.at(place, number, found=f"'{cell:.60}'", expected=EXPECTED) from None
        mean = math.fsum(scores) / len(scores)
        squares = math.fsum((score - mean) ** 2 for score in scores)
        means.append(repr(mean))
        deviations.append(repr(math.sqrt(squares / max(len(scores) - 1, 1))))
    return means, deviations

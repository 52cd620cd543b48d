"""Gold tags and predicted probabilities, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.readers import read_lines
from kiwi.data.tokenization import words
from kiwi.exceptions import DataError


def check_line_count(path: Path, found: int, gold_path: Path, expected: int) -> None:
    """Check that predictions and gold have the same number of segments.

    Raises:
        DataError: when they do not.
    """
    if found != expected:
        raise DataError.at(path, None, found=f"{found} lines", expected=f"{expected}, as {gold_path} has")


class GoldTags:
    """A file of gold tags, whose form shows when it is held against predictions.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = [words(line) for line in read_lines(path)]
        for number, tags in enumerate(self.lines, start=1):
            for position, tag in enumerate(tags, start=1):
                if tag not in const.LABELS:
                    raise DataError.at(path, number, found=f"tag {position} '{tag}'", expected="OK or BAD")

    def align(
        self, output: str, predicted: Sequence[NDArray[np.float64]], place: Path
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Flat classes, and the flat probabilities to compare with them.

        A segment without words has a gold gap, but no predictions: it is left out.

        Raises:
            DataError: at the first line of ``place`` that does not have as many tags as this file.
        """
        check_line_count(place, len(predicted), self.path, len(self.lines))
        has_gaps, part = self.has_gaps(predicted, output), slice(None)
        if has_gaps:
            part = {const.TARGET_TAGS: slice(1, None, 2), const.GAP_TAGS: slice(0, None, 2)}.get(output, part)
        classes: list[bool] = []
        probabilities: list[float] = []
        for number, (row, tags) in enumerate(zip(predicted, self.lines, strict=True), start=1):
            expected = tags[part]
            no_words = has_gaps and len(tags) == 1
            if len(row) != len(expected) and not (no_words and len(row) == 0):
                found = f"{len(row)} tags"
                raise DataError.at(place, number, found=found, expected=f"{len(expected)}, as {self.path} has")
            if no_words:
                continue
            classes += [tag == const.BAD for tag in expected]
            probabilities += row.tolist()
        return np.array(classes, dtype=np.int64), np.array(probabilities)

    def has_gaps(self, predicted: Sequence[NDArray[np.float64]], output: str) -> bool:
        """Whether this file is interleaved, judged by the first line that both sides have tags in."""
        if output == const.SOURCE_TAGS:
            return False
        for tags, row in zip(self.lines, predicted, strict=False):
            if tags and len(row):
                words_of = {const.GAP_TAGS: len(row) - 1, const.TARGETGAPS_TAGS: (len(row) - 1) // 2}
                n_words = words_of.get(output, len(row))
                if len(tags) in (n_words, 2 * n_words + 1):
                    return len(tags) != n_words
                break
        return all(len(tags) % 2 for tags in self.lines)


def read_probabilities(path: Path) -> list[NDArray[np.float64]]:
    """Probabilities of BAD, one row a segment; OK counts as 0 and BAD as 1.

    Raises:
        DataError: at the first line that has something else.
    """
    rows = []
    of_label = {const.OK: 0.0, const.BAD: 1.0}
    for number, line in enumerate(read_lines(path), start=1):
        try:
            row = np.array([of_label[item] if item in of_label else float(item) for item in words(line)])
        except ValueError as error:
            raise DataError.at(path, number, found=str(error), expected="probabilities of BAD, or OK and BAD") from None
        if len(row) and not (row.min() >= 0.0 and row.max() <= 1.0):
            raise DataError.at(path, number, found=f"{line:.60}", expected="probabilities between 0 and 1")
        rows.append(row)
    return rows

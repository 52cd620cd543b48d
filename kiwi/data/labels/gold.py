"""Gold tags and predicted probabilities, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.labels.ragged import Ragged, read_tags
from kiwi.exceptions import DataError


def check_line_count(path: Path, found: int, gold_path: Path, expected: int) -> None:
    """Check that predictions and gold have the same number of segments.

    Raises:
        DataError: when they do not.
    """
    if found != expected:
        raise DataError.at(path, None, found=f"{found} lines", expected=f"{expected}, as {gold_path} has")


@dataclass(frozen=True)
class Matched:
    """Tags of the segments that can be compared."""

    classes: NDArray[np.int64]
    """(tags,): gold, 1 is BAD."""

    probabilities: NDArray[np.float64]
    """(tags,): predicted, of BAD."""

    offsets: NDArray[np.int64]
    """(segments + 1,): where each segment's tags begin."""

    numbers: NDArray[np.int64]
    """(segments,): their lines, from 1."""


class GoldTags:
    """Gold tags, whose form shows when they are held against predictions.

    Args:
        path: of a file of tags, or of what ``rows`` are from.
        rows: tags, 1 is BAD; read from the file if not given.
    """

    def __init__(self, path: Path, rows: Ragged | None = None) -> None:
        self.path = path
        self.rows = read_tags(path) if rows is None else rows

    def align(self, output: str, predicted: Ragged, place: Path) -> Matched:
        """Gold and predicted tags to compare.

        A segment without words has a gold gap, but no predictions: it is left out.

        Raises:
            DataError: at the first line of ``place`` that does not have as many tags as these.
        """
        check_line_count(place, len(predicted), self.path, len(self.rows))
        has_gaps, lengths = self.has_gaps(predicted, output), self.rows.lengths
        expected = lengths
        if has_gaps:
            of_part = {const.TARGET_TAGS: lengths // 2, const.GAP_TAGS: (lengths + 1) // 2}
            expected = of_part.get(output, lengths)
        no_words = has_gaps & (lengths == 1)
        wrong = (predicted.lengths != expected) & ~(no_words & (predicted.lengths == 0))
        if wrong.any():
            row = int(wrong.argmax())
            found = f"{predicted.lengths[row]} tags"
            raise DataError.at(place, row + 1, found=found, expected=f"{expected[row]}, as {self.path} has")
        compared = ~no_words
        chosen = np.repeat(compared, lengths)
        if has_gaps and output in (const.TARGET_TAGS, const.GAP_TAGS):
            places = np.arange(len(self.rows.values)) - np.repeat(self.rows.offsets[:-1], lengths)
            chosen &= places % 2 == (output == const.TARGET_TAGS)
        return Matched(
            self.rows.values[chosen].astype(np.int64),
            predicted.values[np.repeat(compared, predicted.lengths)],
            np.concatenate([[0], np.cumsum(expected[compared])]),
            np.flatnonzero(compared) + 1,
        )

    def for_eos(self, predicted: Ragged) -> GoldTags:
        """These in the form of predictions whose last word is ``<EOS>``: gaps count with the word that they precede.

        Args:
            predicted: n+1 tags for n words; if these are not interleaved with gaps (2n+1), they stay as they are.
        """
        lengths = self.rows.lengths
        if len(lengths) != len(predicted) or (lengths != 2 * predicted.lengths - 1).any():
            return self
        places = np.arange(len(self.rows.values)) - np.repeat(self.rows.offsets[:-1], lengths)
        starts = np.flatnonzero(places % 2 == 0)
        values = np.maximum.reduceat(self.rows.values, starts) if len(starts) else self.rows.values
        return GoldTags(self.path, Ragged(values, predicted.offsets))

    def has_gaps(self, predicted: Ragged, output: str) -> bool:
        """Whether these are interleaved, judged by the first line that both sides have tags in."""
        if output == const.SOURCE_TAGS:
            return False
        n_rows = min(len(self.rows), len(predicted))
        mine, theirs = self.rows.lengths, predicted.lengths
        both = np.flatnonzero((mine[:n_rows] > 0) & (theirs[:n_rows] > 0))
        if len(both):
            tags, row = int(mine[both[0]]), int(theirs[both[0]])
            n_words = {const.GAP_TAGS: row - 1, const.TARGETGAPS_TAGS: (row - 1) // 2}.get(output, row)
            if tags in (n_words, 2 * n_words + 1):
                return tags != n_words
        return bool((mine % 2 == 1).all())

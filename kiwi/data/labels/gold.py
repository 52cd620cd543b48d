"""Alignment of gold tags with predicted probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.labels.ragged import Ragged, read_tags
from kiwi.exceptions import DataError
from kiwi.outputs import OUTPUTS


def check_line_count(path: Path, found: int, gold_path: Path, expected: int) -> None:
    """Check that predictions and gold have the same number of segments.

    Raises:
        DataError: when the numbers differ.
    """
    if found != expected:
        raise DataError.at(path, None, found=f"{found} lines", expected=f"{expected}, as {gold_path} has")


NO_TAGS_ADVICE = "Only a segment with an empty side may have none; texts says which these are."
EOS_ADVICE = "The translations of the submission end with <EOS>, which the gold tags do not have."


@dataclass(frozen=True)
class Matched:
    """Gold and predicted tags of the segments that can be compared."""

    classes: NDArray[np.int64]
    """Gold classes, where 1 is BAD, (tags,)."""

    probabilities: NDArray[np.float64]
    """Predicted probabilities of BAD, (tags,)."""

    offsets: NDArray[np.int64]
    """The index at which each segment's tags begin, (segments + 1,)."""

    numbers: NDArray[np.int64]
    """Line numbers of the segments, counted from 1, (segments,)."""


class GoldTags:
    """Gold tags, whose form (with or without gaps) is inferred by comparison with predictions.

    Args:
        path: the file of the tags.
        rows: the tags, where 1 is BAD; if not given, they are read from the file.
    """

    def __init__(self, path: Path, rows: Ragged | None = None) -> None:
        self.path = path
        self.rows = read_tags(path) if rows is None else rows

    def align(
        self,
        output: str,
        predicted: Ragged,
        place: Path,
        left_out: NDArray[np.bool_] | None = None,
        *,
        of_lines: bool = True,
    ) -> Matched:
        """Align the gold tags with predicted ones.

        A segment without words has one gold gap and no predictions, so it is skipped.

        Args:
            output: the output that is compared.
            predicted: the predicted probabilities of BAD.
            place: the file of the predictions, for errors.
            left_out: which segments are not compared, (segments,).
            of_lines: whether each segment is a line of the predictions, rather than many rows of a submission.

        Raises:
            DataError: at the first line of the predictions whose number of tags differs from the gold tags.
        """
        check_line_count(place, len(predicted), self.path, len(self.rows))
        has_gaps, lengths = self.has_gaps(predicted, output), self.rows.lengths
        expected = lengths
        if has_gaps:
            counts = {"target word": lengths // 2, "gap": (lengths + 1) // 2}
            expected = counts.get(unit_of(output), lengths)
        no_words = has_gaps & (lengths == 1)
        wrong = (predicted.lengths != expected) & ~(no_words & (predicted.lengths == 0))
        compared = ~no_words
        if left_out is not None:
            wrong, compared = wrong & ~left_out, compared & ~left_out
        if wrong.any():
            row = int(wrong.argmax())
            found = f"{predicted.lengths[row]} tags" + ("" if of_lines else f" for SEG {row}")
            advice = NO_TAGS_ADVICE if not predicted.lengths[row] else ""
            if not of_lines and np.array_equal(predicted.lengths, expected + 1):
                advice = EOS_ADVICE
            expected_count = f"{expected[row]}, as {self.path}, line {row + 1}, has"
            raise DataError.at(
                place, row + 1 if of_lines else None, found=found, expected=expected_count, advice=advice
            )
        chosen = np.repeat(compared, lengths)
        if has_gaps and unit_of(output) in ("target word", "gap"):
            places = np.arange(len(self.rows.values)) - np.repeat(self.rows.offsets[:-1], lengths)
            chosen &= places % 2 == (unit_of(output) == "target word")
        return Matched(
            self.rows.values[chosen].astype(np.int64),
            predicted.values[np.repeat(compared, predicted.lengths)],
            np.concatenate([[0], np.cumsum(expected[compared])]),
            np.flatnonzero(compared) + 1,
        )

    def for_eos(self, predicted: Ragged) -> GoldTags:
        """Convert these tags to the form of WMT22, where ``<EOS>`` is the last word and gaps count with the next word.

        Args:
            predicted: predictions of n+1 tags for n words. Gold tags that are not interleaved with gaps (2n+1) are
                returned unchanged.
        """
        lengths = self.rows.lengths
        if len(lengths) != len(predicted) or (lengths != 2 * predicted.lengths - 1).any():
            return self
        places = np.arange(len(self.rows.values)) - np.repeat(self.rows.offsets[:-1], lengths)
        starts = np.flatnonzero(places % 2 == 0)
        values = np.maximum.reduceat(self.rows.values, starts) if len(starts) else self.rows.values
        return GoldTags(self.path, Ragged(values, predicted.offsets))

    def has_gaps(self, predicted: Ragged, output: str) -> bool:
        """Return whether the gold tags are interleaved with gaps, judging by the first line with tags on both sides."""
        if unit_of(output) == "source word":
            return False
        n_rows = min(len(self.rows), len(predicted))
        gold_lengths, lengths = self.rows.lengths, predicted.lengths
        both = np.flatnonzero((gold_lengths[:n_rows] > 0) & (lengths[:n_rows] > 0))
        if len(both):
            n_gold, n_predicted = int(gold_lengths[both[0]]), int(lengths[both[0]])
            n_words = {"gap": n_predicted - 1, "both": (n_predicted - 1) // 2}.get(unit_of(output), n_predicted)
            if n_gold in (n_words, 2 * n_words + 1):
                return n_gold != n_words
        may_have = bool((gold_lengths % 2 == 1).all())
        if unit_of(output) == "target word" and len(gold_lengths) == len(lengths):
            # Neither form fits: the one that is nearer makes the better message.
            return may_have and bool(np.abs(lengths - gold_lengths // 2).sum() < np.abs(lengths - gold_lengths).sum())
        return may_have


def unit_of(output: str) -> str:
    """Return what an output has one tag for; ``both`` for target words and gaps together."""
    return "both" if output == const.TARGETGAPS_TAGS else OUTPUTS[output].unit

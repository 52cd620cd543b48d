"""Gold labels and predictions side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from kiwi.constants import LABELS


@dataclass(frozen=True)
class Aligned:
    """Gold labels and the predictions of systems for one output."""

    output: str
    """The output, such as ``sentence_scores`` or ``target_tags``; ``WMT19`` is target words with gaps."""

    gold: NDArray[np.float64] | NDArray[np.int64]
    """Gold scores (segments,), or the gold classes of all tags (tags,), where 0 is OK and 1 is BAD."""

    predicted: dict[str, NDArray[np.float64]]
    """Scores or probabilities of BAD by system, in the shape of ``gold``."""

    offsets: NDArray[np.int64] | None
    """The index at which each segment's tags begin, (segments + 1,); None for scores."""

    numbers: NDArray[np.int64]
    """Line numbers of the segments, counted from 1, (segments,)."""

    deviations: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=dict)
    """Means and standard deviations (segments,) of scores, by system, for systems that predict them."""

    intervals: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=dict)
    """Lower and upper ends (segments,) of the intervals of scores, by system, for systems that have some."""

    threshold: float = 0.5
    """The probability of BAD above which a tag counts as BAD."""

    only_order: bool = False
    """Whether predicted values have any scale, so that only their order has a meaning."""

    scale: str = ""
    """What scores mean, in words, where it is known: their kind, direction and range."""

    higher_is_better: bool | None = None
    """Whether higher scores mean better translations, where it is known."""

    left_out: int = 0
    """The number of segments that are not compared, because a system has no prediction for them."""

    excluded: frozenset[int] = frozenset()
    """The numbers of the segments that are not compared on request, counted from 0."""

    mt_system: NDArray[np.int64] | None = None
    """The index of the MT system that made the translation of each segment, (segments,), where there are several."""

    source_segment: NDArray[np.int64] | None = None
    """The index of the source segment of each segment, (segments,), where there are several MT systems."""

    def select(self, is_chosen: NDArray[np.bool_]) -> Aligned:
        """Return the data of some of the segments.

        Args:
            is_chosen: whether to keep each line of the files, (lines,), segments that are left out included.
        """
        chosen = is_chosen[self.numbers - 1]
        excluded = frozenset(number for number in self.excluded if is_chosen[number])
        n_left_out = int(np.count_nonzero(is_chosen)) - int(np.count_nonzero(chosen)) - len(excluded)
        offsets, of_values = self.offsets, chosen
        if offsets is not None:
            lengths = np.diff(offsets)
            offsets, of_values = np.concatenate([[0], np.cumsum(lengths[chosen])]), np.repeat(chosen, lengths)
        return replace(
            self,
            gold=self.gold[of_values],
            predicted={system: values[of_values] for system, values in self.predicted.items()},
            offsets=offsets,
            numbers=self.numbers[chosen],
            deviations={name: (mean[chosen], width[chosen]) for name, (mean, width) in self.deviations.items()},
            intervals={name: (low[chosen], high[chosen]) for name, (low, high) in self.intervals.items()},
            left_out=min(n_left_out, self.left_out),
            excluded=excluded,
            mt_system=None if self.mt_system is None else self.mt_system[chosen],
            source_segment=None if self.source_segment is None else self.source_segment[chosen],
        )

    @property
    def n_segments(self) -> int:
        """The number of segments that are compared."""
        return len(self.numbers)

    def counts(self, system: str) -> NDArray[np.int64]:
        """Return the confusion matrix of each segment, (segments, gold, predicted)."""
        assert self.offsets is not None, "scores are not counted"
        cells = self.gold.astype(np.int64) * len(LABELS) + (self.predicted[system] > self.threshold)
        size = len(LABELS) ** 2
        # The cumulative sum of each cell, read at the segment boundaries.
        counts = np.empty((self.n_segments, size), dtype=np.int64)
        for cell in range(size):
            sums = np.concatenate([[0], np.cumsum(cells == cell)])
            counts[:, cell] = np.diff(sums[self.offsets])
        return counts.reshape(-1, len(LABELS), len(LABELS))


def split_by_pair(outputs: Sequence[Aligned], pairs: Sequence[str]) -> dict[str, list[Aligned]]:
    """Return the data of each language pair, in alphabetical order, without outputs that a pair has no segments for.

    Args:
        outputs: the data of all segments.
        pairs: the language pair of each line of the files; blank for a segment without one, which is left out.
    """
    names, of_line = np.array(sorted({*pairs} - {""})), np.array(pairs)
    found = {str(name): [aligned.select(of_line == name) for aligned in outputs] for name in names}
    return {name: [aligned for aligned in selected if aligned.n_segments] for name, selected in found.items()}

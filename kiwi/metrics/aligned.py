"""Gold labels and predictions side by side."""

from __future__ import annotations

from dataclasses import dataclass, field

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

    threshold: float = 0.5
    """The probability of BAD above which a tag counts as BAD."""

    only_order: bool = False
    """Whether predicted values have any scale, so that only their order has a meaning."""

    left_out: int = 0
    """The number of segments that are not compared, because a system has no prediction for them."""

    excluded: int = 0
    """The number of segments that are not compared on request."""

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

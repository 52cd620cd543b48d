"""Gold and predictions side by side."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kiwi.constants import LABELS


@dataclass(frozen=True)
class Aligned:
    """Gold and the predictions of systems, side by side, for one output."""

    output: str
    """Such as ``sentence_scores`` or ``target_tags``; ``WMT19`` is target words with gaps."""

    gold: NDArray[np.float64] | NDArray[np.int64]
    """Scores (segments,), or classes of all tags (tags,): 0 is OK, 1 is BAD."""

    predicted: dict[str, NDArray[np.float64]]
    """By system: scores, or probabilities of BAD, in the shape of gold."""

    offsets: NDArray[np.int64] | None
    """(segments + 1,): where each segment's tags begin; None for scores."""

    numbers: NDArray[np.int64]
    """(segments,): line numbers of the segments, from 1."""

    deviations: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=dict)
    """Means and standard deviations (segments,) of scores, by system, for those that say them."""

    threshold: float = 0.5
    """Probabilities of BAD above it count as BAD."""

    @property
    def n_segments(self) -> int:
        """How many segments are compared."""
        return len(self.numbers)

    def counts(self, system: str) -> NDArray[np.int64]:
        """Confusion of each segment, (segments, gold, predicted)."""
        assert self.offsets is not None, "scores are not counted"
        cells = self.gold.astype(np.int64) * len(LABELS) + (self.predicted[system] > self.threshold)
        size = len(LABELS) ** 2
        # Running sums of each cell, read at the ends of segments.
        counts = np.empty((self.n_segments, size), dtype=np.int64)
        for cell in range(size):
            sums = np.concatenate([[0], np.cumsum(cells == cell)])
            counts[:, cell] = np.diff(sums[self.offsets])
        return counts.reshape(-1, len(LABELS), len(LABELS))

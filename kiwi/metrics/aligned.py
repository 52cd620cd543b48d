"""Gold and predictions side by side, as metrics, intervals and pages take them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Aligned:
    """Gold and the predictions of systems, side by side, for one output."""

    output: str
    """Such as ``target_tags``; ``WMT19`` is target words with gaps."""

    gold: NDArray[np.float64 | np.int64]
    """Scores (segments,), or classes of all tags (tags,): 0 OK, 1 BAD."""

    predicted: dict[str, NDArray[np.float64]]
    """By system: scores, or probabilities of BAD, of the same shape as ``gold``."""

    offsets: NDArray[np.int64] | None
    """(segments + 1,): where each segment's tags begin; None for scores."""

    numbers: NDArray[np.int64]
    """(segments,): line numbers, from 1, of the segments."""

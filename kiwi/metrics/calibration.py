"""Whether probabilities and deviations mean what they say."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

N_BINS = 10

NOMINAL = (0.5, 0.8, 0.95)
"""Shares of segments whose gold score is to lie within so wide an interval."""


@dataclass(frozen=True)
class Reliability:
    """Probabilities of BAD in bins of equal width, against what was BAD."""

    counts: NDArray[np.int64]
    """(bins,)."""

    predicted: NDArray[np.float64]
    """(bins,): mean probability; 0 in an empty bin."""

    observed: NDArray[np.float64]
    """(bins,): share of BAD; 0 in an empty bin."""

    brier: float
    """Mean squared difference of probability and class (Brier 1950)."""

    @property
    def ece(self) -> float:
        """Expected calibration error: mean difference of the two, bins weighed by their counts (Naeini et al. 2015)."""
        total = self.counts.sum()
        return float((self.counts * np.abs(self.predicted - self.observed)).sum() / total) if total else 0.0


def reliability(gold: ArrayLike, probabilities: ArrayLike) -> Reliability:
    """Bin probabilities of BAD.

    Args:
        gold: classes, 1 is BAD.
        probabilities: of BAD, in [0, 1].
    """
    bad, values = np.asarray(gold, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    bins = np.minimum((values * N_BINS).astype(np.int64), N_BINS - 1)
    counts = np.bincount(bins, minlength=N_BINS)
    sums = (np.bincount(bins, weights=each, minlength=N_BINS) for each in (values, bad))
    predicted, observed = (each / np.maximum(counts, 1) for each in sums)
    brier = float(np.mean((values - bad) ** 2)) if len(values) else 0.0
    return Reliability(counts, predicted, observed, brier)


def coverage(gold: ArrayLike, means: ArrayLike, deviations: ArrayLike) -> dict[str, float]:
    """How often the gold score lies within the interval that mean and deviation say, if errors are Gaussian.

    Args:
        gold: scores (segments,).
        means: predicted (segments,).
        deviations: predicted (segments,), positive.

    Returns:
        Shares by name, ``within_80`` for the interval of 80 %; and ``miscalibration``, the mean difference of the
        shares and what they are to be.
    """
    y, mean, deviation = (np.asarray(each, dtype=np.float64) for each in (gold, means, deviations))
    if not len(y):
        return {}
    errors = np.abs(y - mean)
    shares = {level: float(np.mean(errors <= NormalDist().inv_cdf((1 + level) / 2) * deviation)) for level in NOMINAL}
    wrong = float(np.mean([abs(share - level) for level, share in shares.items()]))
    return {f"within_{100 * level:.0f}": share for level, share in shares.items()} | {"miscalibration": wrong}

"""The calibration of predicted probabilities and standard deviations."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiwi.metrics.functions import pearson

N_BINS = 10

NOMINAL = (0.5, 0.8, 0.95)
"""The nominal coverage of the intervals that are checked, as the share of gold scores that should lie within."""


@dataclass(frozen=True)
class Reliability:
    """Probabilities of BAD in bins of equal width, compared with the observed shares of BAD."""

    counts: NDArray[np.int64]
    """The number of tags in each bin, (bins,)."""

    predicted: NDArray[np.float64]
    """The mean probability of BAD in each bin, (bins,); 0 in an empty bin."""

    observed: NDArray[np.float64]
    """The share of BAD in each bin, (bins,); 0 in an empty bin."""

    brier: float
    """The mean squared difference of probability and class (Brier 1950, Monthly Weather Review 78(1))."""

    @property
    def ece(self) -> float:
        """The expected calibration error, bins weighted by count (Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602)."""
        total = self.counts.sum()
        return float((self.counts * np.abs(self.predicted - self.observed)).sum() / total) if total else 0.0


def reliability(gold: ArrayLike, probabilities: ArrayLike) -> Reliability:
    """Compare probabilities of BAD with gold classes, bin by bin.

    Args:
        gold: the gold classes, where 1 is BAD.
        probabilities: the predicted probabilities of BAD, in [0, 1].
    """
    bad, values = np.asarray(gold, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    bins = np.minimum((values * N_BINS).astype(np.int64), N_BINS - 1)
    counts = np.bincount(bins, minlength=N_BINS)
    sums = (np.bincount(bins, weights=each, minlength=N_BINS) for each in (values, bad))
    predicted, observed = (each / np.maximum(counts, 1) for each in sums)
    brier = float(np.mean((values - bad) ** 2)) if len(values) else 0.0
    return Reliability(counts, predicted, observed, brier)


LEVELS = tuple(level / 20 for level in range(1, 20))
"""The confidence levels, from 5 % to 95 %, over which the calibration error of deviations is averaged."""


def coverage(gold: ArrayLike, means: ArrayLike, deviations: ArrayLike) -> dict[str, float]:
    """Return how often gold scores lie within the predicted intervals, if errors are Gaussian.

    Args:
        gold: the gold scores (segments,).
        means: the predicted means (segments,).
        deviations: the predicted standard deviations (segments,), positive.

    Returns:
        The share of gold scores within each interval, such as ``within_80`` for the 80 % interval, and
        ``miscalibration``, the mean absolute difference between these shares and their nominal values.
    """
    y, mean, deviation = (np.asarray(each, dtype=np.float64) for each in (gold, means, deviations))
    if not len(y):
        return {}
    errors = np.abs(y - mean)
    shares = {level: _share_within(errors, deviation, level) for level in NOMINAL}
    wrong = float(np.mean([abs(share - level) for level, share in shares.items()]))
    return {f"within_{100 * level:.0f}": share for level, share in shares.items()} | {"miscalibration": wrong}


def uncertainty(gold: ArrayLike, means: ArrayLike, deviations: ArrayLike) -> dict[str, float]:
    """Return how well predicted deviations match the errors of scores (Glushkova et al. 2021, arXiv:2109.06352).

    Args:
        gold: the gold scores (segments,).
        means: the predicted means (segments,).
        deviations: the predicted standard deviations (segments,), positive.

    Returns:
        ``UPS``, the Pearson correlation of absolute errors and deviations (0 where one of them is constant);
        ``sharpness``, the mean deviation; ``ECE``, the mean absolute difference between the confidence of Gaussian
        intervals and the share of gold scores within, over :data:`LEVELS`; ``NLL``, the mean negative log-likelihood of
        gold scores under the Gaussians.
    """
    y, mean, deviation = (np.asarray(each, dtype=np.float64) for each in (gold, means, deviations))
    if not len(y):
        return {}
    errors = np.abs(y - mean)
    gaps = [abs(_share_within(errors, deviation, level) - level) for level in LEVELS]
    log_density = -0.5 * np.log(2 * np.pi) - np.log(deviation) - 0.5 * (errors / deviation) ** 2
    return {
        "UPS": pearson(errors, deviation),
        "sharpness": float(deviation.mean()),
        "ECE": float(np.mean(gaps)),
        "NLL": float(-log_density.mean()),
    }


def _share_within(errors: NDArray[np.float64], deviations: NDArray[np.float64], level: float) -> float:
    """Return the share of errors within the Gaussian interval of a confidence level."""
    return float(np.mean(errors <= NormalDist().inv_cdf((1 + level) / 2) * deviations))

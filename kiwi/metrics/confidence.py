"""Confidence intervals, significance tests between systems, and clusters of equivalent systems.

All random choices are seeded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Statistics = Callable[[NDArray[np.int64]], Mapping[str, float]]
"""Computes metrics by name from the segments with these indices; an index may occur more than once."""

LEVEL = 0.95
"""The confidence level of intervals."""

SIGNIFICANT = 0.05
"""The p-value below which a difference is significant."""


def bootstrap(
    statistics: Statistics, n_segments: int, *, samples: int = 1000, seed: int = 42
) -> dict[str, NDArray[np.float64]]:
    """Return the metrics of bootstrap samples of segments (Efron 1979, doi:10.1214/aos/1176344552).

    Args:
        statistics: the function that computes the metrics by name.
        n_segments: the number of segments to draw from.
        samples: the number of samples.
        seed: the seed of the samples; systems that share it are sampled in pairs.

    Returns:
        The values of each metric (samples,) by name; empty without segments or samples.
    """
    if not n_segments or not samples:
        return {}
    random = np.random.default_rng(seed)
    drawn = [statistics(random.integers(0, n_segments, n_segments)) for _ in range(samples)]
    return {name: np.array([each[name] for each in drawn]) for name in drawn[0]}


def interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of the 95 % percentile interval of a metric's bootstrap samples."""
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(draws, [tail, 100 - tail])
    return float(low), float(high)


def paired_bootstrap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the two-sided p-value of a difference between two systems, from paired samples (Koehn 2004, W04-3250).

    Returns:
        Twice the share of samples in which the worse system is better, with ties counted as half; at most 1.
    """
    differences = one - other
    n = len(differences)
    share = (np.count_nonzero(differences < 0) + 0.5 * np.count_nonzero(differences == 0) + 0.5) / (n + 1)
    return float(min(1.0, 2 * min(share, 1 - share)))


def approximate_randomization(
    one: NDArray[np.int64],
    other: NDArray[np.int64],
    figure: Callable[[NDArray[np.int64]], float],
    *,
    samples: int = 1000,
    seed: int = 42,
) -> float:
    """Return the two-sided p-value of the difference of a metric of counts (Noreen 1989; Yeh 2000, arXiv:cs/0008005).

    Each sample swaps the two systems' predictions of randomly chosen segments.

    Args:
        one: the confusion matrix of each segment for one system, (segments, gold, predicted).
        other: the same for the other system.
        figure: the function that computes the metric from the sum of the counts.
        samples: the number of samples.
        seed: the seed of the samples.

    Returns:
        The share of samples whose difference is at least as large as the observed one.
    """
    random = np.random.default_rng(seed)
    sums = one.sum(axis=0), other.sum(axis=0)
    true = abs(figure(sums[0]) - figure(sums[1]))
    excess = (other - one).reshape(len(one), -1)
    as_large = 0
    for _ in range(samples):
        moved = (random.random(len(one)) < 0.5) @ excess
        moved = np.rint(moved).astype(np.int64).reshape(sums[0].shape)
        as_large += abs(figure(sums[0] + moved) - figure(sums[1] - moved)) >= true - 1e-12
    return (as_large + 1) / (samples + 1)


def williams(gold_one: float, gold_other: float, between: float, n_segments: int) -> float:
    """Return the two-sided p-value of the difference of two correlations with the same gold scores (Williams 1959).

    Graham and Baldwin (2014, doi:10.3115/v1/D14-1020) introduced the test to machine translation.

    Args:
        gold_one: Pearson's correlation of one system with the gold scores.
        gold_other: Pearson's correlation of the other system with the gold scores.
        between: Pearson's correlation of the two systems.
        n_segments: the number of segments that the correlations were computed on.

    Returns:
        The p-value; 1 where it is undefined, for fewer than four segments or identical systems.
    """
    n, a, b, c = n_segments, gold_one, gold_other, between
    k = 1 - a**2 - b**2 - c**2 + 2 * a * b * c
    if n < 4:
        return 1.0
    spread = 2 * k * (n - 1) / (n - 3) + (a + b) ** 2 / 4 * (1 - c) ** 3
    if spread <= 1e-15:
        return 1.0
    t = (a - b) * math.sqrt((n - 1) * (1 + c) / spread)
    return student_t_tails(t, n - 3)


def student_t_tails(t: float, degrees: int) -> float:
    """Return the probability that Student's t is at least this far from 0, on either side."""
    x = degrees / (degrees + t * t)
    return _incomplete_beta(degrees / 2, 0.5, x)


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularized incomplete beta function, by its continued fraction (DLMF 8.17.22)."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side
        return 1.0 - _incomplete_beta(b, a, 1.0 - x)
    beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - beta) / a
    fraction, c, d = 1.0, 1.0, 0.0
    for step in range(1000):
        m = step // 2
        if step == 0:
            term = 1.0
        elif step % 2 == 0:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1.0 / (1.0 + term * d or 1e-300)
        c = 1.0 + term / c or 1e-300
        fraction *= c * d
        if abs(1.0 - c * d) < 1e-14:
            break
    return front * (fraction - 1.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values that are corrected for multiple comparisons, in the same order (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return [float(value) for value in adjusted]


def clusters(ordered: Sequence[str], p_values: Mapping[frozenset[str], float]) -> list[list[str]]:
    """Return clusters of systems without significant differences, as the WMT conferences rank systems.

    Args:
        ordered: the systems, best first.
        p_values: the p-value of each pair of systems.

    Returns:
        The clusters, best first; each system of a cluster is significantly better than all systems of later clusters.
    """
    groups: list[list[str]] = [[]]
    for position, system in enumerate(ordered):
        groups[-1].append(system)
        rest = ordered[position + 1 :]
        apart = (
            p_values[frozenset((above, below))] < SIGNIFICANT for above in ordered[: position + 1] for below in rest
        )
        if rest and all(apart):
            groups.append([])
    return [group for group in groups if group]

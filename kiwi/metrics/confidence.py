"""How sure a figure is: intervals, tests between systems, and which cannot be told apart. All of it is seeded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Statistics = Callable[[NDArray[np.int64]], Mapping[str, float]]
"""Figures of the segments with these indices; one may come more than once."""

LEVEL = 0.95
"""Of intervals."""

SIGNIFICANT = 0.05


def bootstrap(
    statistics: Statistics, n_segments: int, *, samples: int = 1000, seed: int = 42
) -> dict[str, NDArray[np.float64]]:
    """Figures of segments that are drawn again and again, with replacement (Efron 1979).

    Args:
        statistics: the figures, by name.
        n_segments: to draw from.
        samples: how often.
        seed: of the draws; the same for several systems makes them pairs.

    Returns:
        (samples,) by name; nothing without segments or samples.
    """
    if not n_segments or not samples:
        return {}
    random = np.random.default_rng(seed)
    drawn = [statistics(random.integers(0, n_segments, n_segments)) for _ in range(samples)]
    return {name: np.array([each[name] for each in drawn]) for name in drawn[0]}


def interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    """Ends of the 95 % percentile interval of a figure's draws."""
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(draws, [tail, 100 - tail])
    return float(low), float(high)


def paired_bootstrap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Two-sided p-value of a difference between two systems, from their draws of the same segments (Koehn 2004).

    Returns:
        Twice the share of draws in which the worse one is better, ties by half; at most 1.
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
    """Two-sided p-value of the difference of a figure of counts (Noreen 1989; Yeh 2000).

    Whose predictions of a segment are whose is drawn at random, again and again.

    Args:
        one: counts of each segment by a system, (segments, gold, predicted).
        other: by another.
        figure: of the sum of counts.
        samples: how often.
        seed: of the draws.

    Returns:
        The share of draws with a difference as large as the true one.
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
    """Two-sided p-value of the difference of two correlations with the same gold scores (Williams 1959).

    As Graham and Baldwin (2014) introduced it to machine translation.

    Args:
        gold_one: Pearson's correlation of a system with gold.
        gold_other: of another system with gold.
        between: of the two systems.
        n_segments: that they were computed on.

    Returns:
        1 where it is not defined: fewer than four segments, or systems that agree wholly.
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
    """Probability that Student's t is as far from 0 as this, on either side."""
    x = degrees / (degrees + t * t)
    return _incomplete_beta(degrees / 2, 0.5, x)


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function, by its continued fraction (DLMF 8.17.22)."""
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
    """p-values of many comparisons, raised so that the chance of any false one stays (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return [float(value) for value in adjusted]


def clusters(ordered: Sequence[str], p_values: Mapping[frozenset[str], float]) -> list[list[str]]:
    """Systems that cannot be told apart, as the conferences on machine translation rank systems.

    Args:
        ordered: systems, best first.
        p_values: of each pair.

    Returns:
        Groups of systems, best first; each system of a group is significantly better than all of the later groups.
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

"""The comparison of systems that have translated the same segments, by a score that needs no reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from kiwi.metrics.confidence import SIGNIFICANT, bootstrap, clusters, holm, interval, paired_bootstrap

Scores = NDArray[np.float64]

TEST = "paired bootstrap"
"""The significance test (Koehn 2004, W04-3250), two-sided, corrected for the number of pairs of systems (Holm 1979)."""

FEWEST_SEGMENTS = 2
"""The number of segments from which on there are intervals and tests; one segment has no variance."""


@dataclass(frozen=True)
class SystemFigures:
    """The figures of a system."""

    system: str
    """The name of the system."""

    mean: float
    """The mean score."""

    interval: tuple[float, float] | None
    """The 95 % confidence interval of the mean."""

    rank: int | None
    """The rank, from 1; systems that do not differ significantly share it."""


@dataclass(frozen=True)
class PairFigures:
    """The comparison of two systems."""

    better: str
    """The system with the better mean, which may be due to chance unless :attr:`is_significant`."""

    worse: str
    """The other system; its mean may be the same."""

    difference: float
    """The amount by which the mean of the better system is better, at least 0."""

    interval: tuple[float, float] | None
    """The 95 % confidence interval of the difference."""

    wins: int
    """The number of segments in which the better system has the better score."""

    ties: int
    """The number of segments with equal scores."""

    losses: int
    """The number of segments in which the other system has the better score."""

    win_share: float | None
    """The share of resamples in which the better system has the better mean; ties count as half."""

    p: float | None
    """The p-value of the difference, by :data:`TEST`."""

    @property
    def is_significant(self) -> bool:
        """Whether the difference is hardly due to chance (p < 0.05)."""
        return self.p is not None and self.p < SIGNIFICANT


@dataclass(frozen=True)
class Comparison:
    """The comparison of all systems."""

    n_segments: int

    systems: list[SystemFigures]
    """The figures of each system, the best one first."""

    pairs: list[PairFigures]
    """The comparison of each pair of systems."""


def compare_systems(
    scores: Mapping[str, Scores], *, higher_is_better: bool, samples: int = 1000, seed: int = 42
) -> Comparison:
    """Compare systems by the scores of their translations of the same segments.

    Args:
        scores: the score of each segment (segments,) by system, without NaN.
        higher_is_better: whether a higher score means a better translation.
        samples: the number of resamples; 0 omits intervals and tests.
        seed: the seed of the resamples, which all systems share.
    """
    sign = 1.0 if higher_is_better else -1.0
    means = {system: float(values.mean()) for system, values in scores.items()}
    order = sorted(means, key=lambda system: -sign * means[system])
    n_segments = len(scores[order[0]])

    def draw(chosen: NDArray[np.int64]) -> dict[str, float]:
        times = np.bincount(chosen, minlength=n_segments)
        # One product for each system, so that equal systems have equal sums, to the last bit.
        return {system: float(times @ values) / n_segments for system, values in scores.items()}

    draws = bootstrap(draw, n_segments, samples=samples if n_segments >= FEWEST_SEGMENTS else 0, seed=seed)
    drawn = {name: sign * values for name, values in draws.items()}
    compared = list(combinations(order, 2))
    p_values: Sequence[float | None] = [None] * len(compared)
    ranks: dict[str, int] = {}
    if drawn:
        p_values = holm([paired_bootstrap(drawn[one], drawn[other]) for one, other in compared])
        groups = clusters(order, {frozenset(pair): p for pair, p in zip(compared, p_values, strict=True)})
        ranks = {system: rank for rank, group in enumerate(groups, start=1) for system in group}
    systems = [
        SystemFigures(system, means[system], interval(draws[system]) if draws else None, ranks.get(system))
        for system in order
    ]
    pairs = []
    for (better, worse), p in zip(compared, p_values, strict=True):
        gains = sign * (scores[better] - scores[worse])
        apart = drawn[better] - drawn[worse] if drawn else None
        pairs.append(
            PairFigures(
                better,
                worse,
                sign * (means[better] - means[worse]),
                None if apart is None else interval(apart),
                int(np.count_nonzero(gains > 0)),
                int(np.count_nonzero(gains == 0)),
                int(np.count_nonzero(gains < 0)),
                None if apart is None else float(np.mean((apart > 0) + 0.5 * (apart == 0))),
                p,
            )
        )
    return Comparison(n_segments, systems, pairs)


def most_different(scores: Mapping[str, Scores], most: int) -> list[int]:
    """Return the indices of the segments in which the best and the worst score differ most, the first one most.

    Args:
        scores: the score of each segment by system; segments with NaN are left out.
        most: the maximum number of segments.
    """
    spread = np.ptp(np.stack(list(scores.values())), axis=0)
    order = np.argsort(-np.where(np.isnan(spread), 0.0, spread), kind="stable")[:most]
    return [int(index) for index in order if spread[index] > 0]

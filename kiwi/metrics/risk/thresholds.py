"""The risk of approving translations by their score, and thresholds whose risk is certified.

A translation is *approved* if its score is at least as good as a threshold; an approved translation that is not
acceptable is an *error*, and the *risk* of a threshold is the probability of an error among the translations that it
approves.

Learn then Test (Angelopoulos et al. 2021, arXiv 2110.01052) tests, for each threshold of a sequence that does not
depend on the labels, the hypothesis that its risk exceeds a level. Here the sequence goes from strict to lax and stops
at the first threshold that cannot be rejected (fixed-sequence testing), so that the level of each test is that of all
of them together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kiwi.metrics.risk.binomial import binomial_cdf, least_approved, lower_bound, upper_bound

LONGEST_GRID = 100_000
"""The largest number of thresholds that are tested."""


@dataclass(frozen=True)
class Certified:
    """A threshold, and what is known of its risk."""

    threshold: float | None
    """The score from which translations are approved; None if no threshold could be certified."""

    n: int
    """The number of translations with a score and a label."""

    approved: int
    """The number of them that the threshold approves; without a threshold, that of the last one that was tested."""

    errors: int
    """The number of approved ones that are not acceptable."""

    p_value: float
    """The probability of at most so many errors if the risk were the level, in [0, 1]."""

    bound: float
    """The upper bound of the risk at the confidence of the test, in [0, 1]."""

    needed: int
    """The least number of approved translations without an error that could be certified."""

    @property
    def coverage(self) -> float:
        """The share of the translations that are approved, in [0, 1]; 0 without a threshold."""
        return self.approved / self.n if self.threshold is not None else 0.0

    @property
    def reason(self) -> str:
        """The reason why there is no threshold; empty if there is one."""
        if self.threshold is not None:
            return ""
        if self.n < self.needed:
            there = "is 1 segment" if self.n == 1 else f"are {self.n:,} segments"
            return f"needs {self.needed:,} approved segments without an error; there {there} in all"
        return (
            f"{self.errors:,} of the {self.approved:,} best segments {'is' if self.errors == 1 else 'are'} not "
            "acceptable, which is too many; "
            f"{self.needed:,} without an error would be enough"
        )


def score_grid(scores: NDArray[np.float64], step: float, *, higher_is_better: bool = True) -> NDArray[np.float64]:
    """Return the multiples of a step from the best score to the worst one, from strict to lax.

    The sequence of thresholds that are tested must not depend on the labels; multiples of a step hardly depend on the
    scores either, and are readable.

    Args:
        scores: the scores, (segments,).
        step: the distance of two thresholds.
        higher_is_better: the direction of the scores.

    Raises:
        ValueError: when there are more than :data:`LONGEST_GRID` thresholds.
    """
    low, high = math.floor(scores.min() / step), math.ceil(scores.max() / step)
    if high - low >= LONGEST_GRID:
        raise ValueError(
            f"found {high - low + 1:,} thresholds at a step of {step:g}; expected at most {LONGEST_GRID:,}"
        )
    # Division by an integer, where the step is the inverse of one, gives the numbers that are read from decimal text.
    inverse = round(1 / step)
    indices = np.arange(low, high + 1)
    grid = indices / inverse if inverse and math.isclose(inverse * step, 1) else indices * step
    return grid[::-1] if higher_is_better else grid


def certify(
    scores: NDArray[np.float64],
    acceptable: NDArray[np.bool_],
    grid: NDArray[np.float64],
    *,
    risk: float,
    confidence: float,
    higher_is_better: bool = True,
) -> Certified:
    """Find the laxest threshold whose risk is at most ``risk``, with probability ``confidence``.

    Thresholds that approve too few translations for any certificate are passed over: how many they approve does not
    depend on the labels.

    Args:
        scores: the scores, (segments,).
        acceptable: whether each translation is acceptable, (segments,).
        grid: the thresholds, from strict to lax.
        risk: the largest accepted risk, in (0, 1).
        confidence: the probability that the risk is kept, in (0, 1).
        higher_is_better: the direction of the scores.
    """
    needed = least_approved(risk, confidence)
    sign = 1.0 if higher_is_better else -1.0
    order = np.argsort(-sign * scores, kind="stable")
    best_first = -sign * scores[order]
    n_errors = np.concatenate([[0], np.cumsum(~acceptable[order])])
    approved = np.searchsorted(best_first, -sign * grid, side="right")
    last = found = None
    previous = -1
    for threshold, count in zip(grid.tolist(), approved.tolist(), strict=True):
        if count < needed:
            continue
        errors = int(n_errors[count])
        p_value = binomial_cdf(errors, count, risk) if count != previous else (last[3] if last else 1.0)
        previous = count
        last = (threshold, count, errors, p_value)
        if p_value > 1 - confidence:
            break
        found = last
    n = len(scores)
    if found is None:
        _, count, errors, p_value = last or (None, n, int(n_errors[-1]), 1.0)
        return Certified(
            None, n, count, errors, p_value, upper_bound(errors, count, confidence) if count else 1.0, needed
        )
    threshold, count, errors, p_value = found
    return Certified(threshold, n, count, errors, p_value, upper_bound(errors, count, confidence), needed)


@dataclass(frozen=True)
class RiskCurve:
    """Coverage and risk for each number of approved translations, the best scores first."""

    thresholds: NDArray[np.float64]
    """The score of the last approved translation, in the order of approval, (points,)."""

    coverage: NDArray[np.float64]
    """The share of approved translations, in [0, 1], (points,)."""

    risk: NDArray[np.float64]
    """The share of errors among them, in [0, 1], (points,)."""

    lower: NDArray[np.float64]
    """The lower bound of the risk, (points,)."""

    upper: NDArray[np.float64]
    """The upper bound of the risk, (points,)."""

    recall: NDArray[np.float64]
    """The share of the acceptable translations that are approved, in [0, 1], (points,); NaN if none is acceptable."""


def risk_curve(
    scores: NDArray[np.float64],
    acceptable: NDArray[np.bool_],
    *,
    confidence: float = 0.9,
    higher_is_better: bool = True,
    points: int = 200,
) -> RiskCurve:
    """Return coverage against risk, with the bounds of a two-sided interval at each point (Clopper and Pearson 1934).

    Args:
        scores: the scores, (segments,).
        acceptable: whether each translation is acceptable, (segments,).
        confidence: the probability that a risk is within its interval.
        higher_is_better: the direction of the scores.
        points: the largest number of points; equal scores are approved together.
    """
    sign = 1.0 if higher_is_better else -1.0
    order = np.argsort(-sign * scores, kind="stable")
    ordered, good = scores[order], acceptable[order]
    n = len(ordered)
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) + 1 if n else np.zeros(0, dtype=np.int64)
    if len(ends) > points:
        ends = ends[np.unique(np.linspace(0, len(ends) - 1, points).round().astype(np.int64))]
    n_good = np.cumsum(good)[ends - 1] if n else np.zeros(0, dtype=np.int64)
    errors = ends - n_good
    side = (1 + confidence) / 2
    total = int(good.sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = n_good / np.float64(total)
    return RiskCurve(
        thresholds=ordered[ends - 1],
        coverage=ends / max(n, 1),
        risk=errors / np.maximum(ends, 1),
        lower=np.array([lower_bound(int(e), int(k), side) for e, k in zip(errors, ends, strict=True)]),
        upper=np.array([upper_bound(int(e), int(k), side) for e, k in zip(errors, ends, strict=True)]),
        recall=recall,
    )


def caught_errors(
    scores: NDArray[np.float64], penalties: NDArray[np.float64], *, higher_is_better: bool = True
) -> NDArray[np.float64]:
    """Return the share of all errors that are found by editing the worst scores first, (segments + 1,).

    Element ``i`` is the share of the sum of penalties that the ``i`` worst translations have; translations with equal
    scores share theirs equally, so that the order of the data does not matter.

    Args:
        scores: the scores, (segments,).
        penalties: the errors of each translation, such as its HTER, edits or MQM penalty, not negative, (segments,).
        higher_is_better: the direction of the scores.
    """
    sign = 1.0 if higher_is_better else -1.0
    values, groups, counts = np.unique(sign * scores, return_inverse=True, return_counts=True)
    means = np.bincount(groups, weights=penalties, minlength=len(values)) / np.maximum(counts, 1)
    worst_first = np.repeat(means, counts)
    total = float(penalties.sum())
    found = np.concatenate([[0.0], np.cumsum(worst_first)])
    return found / total if total > 0 else np.full(len(found), np.nan)

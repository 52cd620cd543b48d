"""The risk of approving translations by their score, and thresholds whose risk is certified.

A translation is *approved* if its score is at least as good as a threshold; an approved translation that is not
acceptable is an *error*, and the *risk* of a threshold is the probability of an error among the translations that it
approves.

Learn then Test (Angelopoulos et al. 2021, arXiv 2110.01052) tests, for each threshold of a sequence that does not
depend on the labels, the hypothesis that its risk exceeds a level. Here the sequence goes from strict to lax and stops
at the first threshold that cannot be certified (fixed-sequence testing), so that the level of each test is that of all
of them together.

The strictest threshold that could be certified approves so few translations that a single error among them is one too
many, however much data there is. With enough data the sequence therefore has further starts (as in the algorithm of
the paper), which approve a tenth and three tenths of the translations. All starts have an equal share of the level, and
a sequence that goes on as far as the next start has the shares of both from there on (the fallback procedure, Bretz et
al. 2011, doi:10.1002/bimj.201000239). Where the starts are does not depend on the labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kiwi.metrics.risk.binomial import binomial_cdf, is_at_most, least_approved, lower_bound, most_errors, upper_bound

LONGEST_GRID = 100_000
"""The largest number of thresholds that are tested."""

FURTHER_STARTS = (1, 3)
"""The tenths of the translations that further starts of the sequence approve."""

ROOM = 6
"""The least ratio of what further starts and the first one approve, at which they tolerate about half of the risk."""


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

    level: float
    """The largest probability at which it is certified, in (0, 1)."""

    bound: float
    """The upper bound of the risk at the confidence of the test, in [0, 1]."""

    risk: float
    """The largest accepted risk, in (0, 1)."""

    @property
    def coverage(self) -> float:
        """The share of the translations that are approved, in [0, 1]; 0 without a threshold."""
        return self.approved / self.n if self.threshold is not None else 0.0

    @property
    def reason(self) -> str:
        """The reason why there is no threshold; empty if there is one."""
        if self.threshold is not None:
            return ""
        needed = least_approved(self.risk, 1 - self.level)
        if self.n < needed:
            promise = f"α={self.risk:g}, δ={self.level:.3g}"
            there = f"there {'is' if self.n == 1 else 'are'} {self.n:,} in all"
            return f"needs {needed:,} approved segments without an error for {promise}; {there}"
        most = most_errors(self.approved, self.risk, self.level)
        allowed = f"at most {most:,} may be" if most else "none may be"
        are = "is" if self.errors == 1 else "are"
        return f"{self.errors:,} of the {self.approved:,} best segments {are} not acceptable; {allowed}"


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


def start_counts(n: int, *, risk: float, confidence: float) -> tuple[int, ...]:
    """Return the numbers of approved translations at which the sequence of thresholds starts.

    Args:
        n: the number of translations.
        risk: the largest accepted risk, in (0, 1).
        confidence: the probability that the risk is kept, in (0, 1).
    """
    least = ROOM * least_approved(risk, confidence)
    further = [count for tenths in FURTHER_STARTS if (count := -(-tenths * n // 10)) >= least]
    return least_approved(risk, 1 - (1 - confidence) / (1 + len(further))), *further


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

    Args:
        scores: the scores, (segments,).
        acceptable: whether each translation is acceptable, (segments,).
        grid: the thresholds, from strict to lax.
        risk: the largest accepted risk, in (0, 1).
        confidence: the probability that the risk is kept, in (0, 1).
        higher_is_better: the direction of the scores.
    """
    sign = 1.0 if higher_is_better else -1.0
    order = np.argsort(-sign * scores, kind="stable")
    n_errors = np.concatenate([[0], np.cumsum(~acceptable[order])])
    approved = np.searchsorted(-sign * scores[order], -sign * grid, side="right")
    n = len(scores)
    starts = [*start_counts(n, risk=risk, confidence=confidence)]
    share, level = (1 - confidence) / len(starts), 0.0
    nothing = Certified(None, n, 0, 0, 1.0, 1 - confidence, 1.0, risk)
    found, last = None, nothing
    for threshold, count in zip(grid.tolist(), approved.tolist(), strict=True):
        while starts and count >= starts[0]:
            level += share
            starts.pop(0)
        if not level:
            continue
        errors = int(n_errors[count])
        p_value = last.p_value if count == last.approved else binomial_cdf(errors, count, risk)
        last = Certified(threshold, n, count, errors, p_value, level, 1.0, risk)
        if is_at_most(p_value, level):
            found = last
            continue
        if not starts:
            break
        level = 0.0
    found = replace(last, threshold=None) if found is None else found
    return replace(found, bound=upper_bound(found.errors, found.approved, 1 - found.level) if found.approved else 1.0)


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

"""Whether a threshold that is in use keeps its risk, from a random sample of what it approved.

A threshold was chosen on its calibration data, so that the errors there are fewer than those that it makes on other
data, and they say nothing about a change since then. An audit is a random sample of the translations that the threshold
approved later; the threshold was fixed before, so that the number of errors among n audited ones is binomial, with the
risk *now* as its probability. Calibration data and audits are therefore never added up.

Feedback comes bit by bit, and whoever looks often enough at a risk that is too high finds it low once. The j-th look at
a threshold therefore has the share 1 / (j (j + 1)) of the probability of an error: a half, a sixth, a twelfth, which
add up to 1. All looks together certify a threshold whose risk is too high with a probability of at most 1 - confidence,
and withdraw one whose risk is not too high with the same one (union bound).
"""

from __future__ import annotations

from dataclasses import dataclass

from kiwi.metrics.risk.binomial import binomial_cdf, is_at_most, lower_bound, upper_bound

CERTIFIED, WITHDRAWN, UNDECIDED = "certified again", "withdrawn", "undecided"
"""What audits may say of a threshold."""


@dataclass(frozen=True)
class Verdict:
    """What audits say of a threshold."""

    outcome: str
    """:data:`CERTIFIED`, :data:`WITHDRAWN` or :data:`UNDECIDED`."""

    n: int
    """The number of audited translations, of all looks."""

    errors: int
    """The number of them that are not acceptable."""

    lower: float
    """The lower bound of the risk (Clopper and Pearson 1934), in [0, 1]."""

    upper: float
    """The upper bound of the risk, in [0, 1]; each bound holds with the confidence of this look."""

    needed: int
    """The number of further audited translations without an error that would certify the threshold at the next look."""

    @property
    def risk(self) -> float:
        """The share of errors, in [0, 1]; 0 if nothing was audited."""
        return self.errors / self.n if self.n else 0.0


def judge_audit(errors: int, n: int, *, risk: float, confidence: float, look: int = 1) -> Verdict:
    """Judge a threshold by its audits.

    It is certified again if P(Bin(n, risk) <= errors) is at most the level of the look, which means that the upper
    bound of the risk is at most the accepted one; it is withdrawn if the lower bound is above it.

    Args:
        errors: the number of audited translations that are not acceptable, of all looks.
        n: the number of audited translations, of all looks.
        risk: the largest accepted risk, in (0, 1).
        confidence: the confidence of the threshold for all looks together, in (0, 1).
        look: the number of this look, counted from 1.
    """
    level = level_of(look, confidence)
    lower = lower_bound(errors, n, 1 - level)
    upper = upper_bound(errors, n, 1 - level)
    outcome = WITHDRAWN if lower > risk else UNDECIDED
    if n and is_at_most(binomial_cdf(errors, n, risk), level):
        outcome = CERTIFIED
    return Verdict(outcome, n, errors, lower, upper, _needed(errors, n, risk, level_of(look + 1, confidence)))


def level_of(look: int, confidence: float) -> float:
    """Return the probability of an error that a look may have, in (0, 1).

    Args:
        look: the number of the look, counted from 1.
        confidence: the confidence of all looks together, in (0, 1).
    """
    return (1 - confidence) / (look * (look + 1))


def _needed(errors: int, n: int, risk: float, level: float) -> int:
    """Return the least number of further translations without an error at which a test of a level certifies."""
    low, high = -1, 1
    while not is_at_most(binomial_cdf(errors, n + high, risk), level):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        is_enough = is_at_most(binomial_cdf(errors, n + middle, risk), level)
        low, high = (low, middle) if is_enough else (middle, high)
    return high

"""Audits of thresholds, against hand-worked cases, SciPy and a simulation."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import stats

from kiwi.metrics.risk import CERTIFIED, UNDECIDED, WITHDRAWN, judge_audit
from kiwi.metrics.risk.audits import level_of


@pytest.mark.parametrize(
    ("errors", "n", "look", "outcome", "needed"),
    [
        # The first look has the level .05: .9 ** 28 = .0523, .9 ** 29 = .0471. The second one has .1 / 6 = .0167:
        # .9 ** 38 = .0182, .9 ** 39 = .0164; with an error, .9 ** 57 + 57 * .1 * .9 ** 56 = .0181 and
        # .9 ** 58 + 58 * .1 * .9 ** 57 = .0165.
        (0, 28, 1, UNDECIDED, 39 - 28),
        (0, 29, 1, CERTIFIED, 39 - 29),
        (0, 29, 2, UNDECIDED, 46 - 29),
        (1, 29, 1, UNDECIDED, 58 - 29),
        # P(Bin(3, .1) >= 2) = 3 * .01 * .9 + .001 = .028 is less than .05; P(Bin(1, .1) >= 1) = .1 is not.
        (2, 3, 1, WITHDRAWN, None),
        (1, 1, 1, UNDECIDED, None),
        # P(Bin(3, .1) >= 2) is more than .0167.
        (2, 3, 2, UNDECIDED, None),
        (0, 0, 1, UNDECIDED, 39),
    ],
)
def test_verdicts_by_hand(errors: int, n: int, look: int, outcome: str, needed: int | None) -> None:
    found = judge_audit(errors, n, risk=0.1, confidence=0.9, look=look)
    assert found.outcome == outcome
    assert needed is None or found.needed == needed
    assert found.risk == (errors / n if n else 0)


@pytest.mark.parametrize("look", [1, 2, 5])
@pytest.mark.parametrize(("errors", "n"), [(0, 40), (1, 58), (7, 31), (31, 31), (60, 1000), (90, 500)])
def test_verdicts_against_scipy(errors: int, n: int, look: int) -> None:
    """The interval is that of Clopper and Pearson, and decides as the tests of the binomial distribution do."""
    risk, confidence = 0.1, 0.9
    level = (1 - confidence) / (look * (look + 1))
    found = judge_audit(errors, n, risk=risk, confidence=confidence, look=look)
    interval = stats.binomtest(errors, n).proportion_ci(confidence_level=1 - 2 * level, method="exact")
    assert (found.lower, found.upper) == pytest.approx((interval.low, interval.high), abs=1e-9)
    assert (found.outcome == CERTIFIED) == (stats.binom.cdf(errors, n, risk) <= level) == (interval.high <= risk)
    assert (found.outcome == WITHDRAWN) == (stats.binom.sf(errors - 1, n, risk) < level) == (interval.low > risk)
    following = level_of(look + 1, confidence)
    assert stats.binom.cdf(errors, n + found.needed, risk) <= following
    assert found.needed == 0 or stats.binom.cdf(errors, n + found.needed - 1, risk) > following


def test_all_looks_together_have_the_confidence() -> None:
    assert sum(level_of(look, 0.9) for look in range(1, 10_000)) == pytest.approx(0.1, rel=1e-3)


@cache
def outcome(errors: int, n: int, look: int) -> str:
    return judge_audit(errors, n, risk=0.1, confidence=0.9, look=look).outcome


def test_the_guarantee_holds_however_often_one_looks() -> None:
    """In 1,000 draws of 12 looks, a risk above the level is certified, and one at it withdrawn, in a tenth at most."""
    looks, audited, draws, allowed = 12, 40, 1000, 100 + 3 * (1000 * 0.1 * 0.9) ** 0.5
    random = np.random.default_rng(22)

    def rate(risk: float, wanted: str) -> int:
        errors = np.cumsum(random.binomial(audited, risk, size=(draws, looks)), axis=1)
        return sum(
            any(outcome(k, audited * look, look) == wanted for look, k in enumerate(each, start=1))
            for each in errors.tolist()
        )

    assert rate(0.101, CERTIFIED) <= allowed
    assert rate(0.1, WITHDRAWN) <= allowed
    # What the audits are for: a good threshold is certified again, and a bad one withdrawn.
    assert rate(0.03, CERTIFIED) > 900
    assert rate(0.25, WITHDRAWN) > 900
    # Without the shares of the looks, the promise would be broken: the tests alone have the level of all of them.
    errors = np.cumsum(random.binomial(audited, 0.101, size=(draws, looks)), axis=1)
    naive = stats.binom.cdf(errors, audited * np.arange(1, looks + 1), 0.1) <= 0.1
    assert naive.any(axis=1).sum() > allowed

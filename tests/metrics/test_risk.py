"""Thresholds with a certified risk, against hand-worked cases, SciPy and a simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from kiwi.metrics.risk import (
    binomial_cdf,
    caught_errors,
    certify,
    least_approved,
    lower_bound,
    most_errors,
    risk_curve,
    score_grid,
    start_counts,
    upper_bound,
)


@pytest.mark.parametrize("n", [1, 7, 45, 1000, 100_000])
@pytest.mark.parametrize("p", [0.001, 0.05, 0.3, 0.5, 0.93])
def test_binomial(n: int, p: float) -> None:
    for k in {-1, 0, 1, 5, n // 20, int(n * p), int(n * p) + 1, n // 2, n - 1, n, n + 1}:
        assert binomial_cdf(k, n, p) == pytest.approx(stats.binom.cdf(k, n, p), rel=1e-9, abs=1e-300)


def test_binomial_ends() -> None:
    assert [binomial_cdf(0, 10, 0), binomial_cdf(9, 10, 1), binomial_cdf(0, 0, 0.5)] == [1, 0, 1]
    with pytest.raises(ValueError, match="p in"):
        binomial_cdf(1, 2, 1.5)


@pytest.mark.parametrize(
    ("risk", "confidence", "expected"),
    # .95 ** 44 = .1047, .95 ** 45 = .0994; .9 ** 21 = .1094, .9 ** 22 = .0985; .5 ** 1 = .5
    [(0.05, 0.9, 45), (0.1, 0.9, 22), (0.5, 0.5, 1)],
)
def test_least_number(risk: float, confidence: float, expected: int) -> None:
    assert least_approved(risk, confidence) == expected
    assert binomial_cdf(0, expected, risk) <= 1 - confidence + 1e-12


@pytest.mark.parametrize(("errors", "n"), [(0, 10), (3, 10), (10, 10), (17, 1000)])
def test_bounds(errors: int, n: int) -> None:
    interval = stats.binomtest(errors, n).proportion_ci(confidence_level=0.9, method="exact")
    assert upper_bound(errors, n, 0.95) == pytest.approx(interval.high, abs=1e-9)
    assert lower_bound(errors, n, 0.95) == pytest.approx(interval.low, abs=1e-9)


def test_grid() -> None:
    assert score_grid(np.array([0.1, 0.34]), 0.1).tolist() == [0.4, 0.3, 0.2, 0.1]
    assert score_grid(np.array([0.05, 0.3]), 0.1, higher_is_better=False).tolist() == [0.0, 0.1, 0.2, 0.3]
    assert score_grid(np.array([-12.0, 7.0]), 5).tolist() == [10, 5, 0, -5, -10, -15]
    with pytest.raises(ValueError, match="at a step of 1e-06"):
        score_grid(np.array([0.0, 1.0]), 1e-6)


def test_certified_by_hand() -> None:
    """P(Bin(3, .5) <= 0) = .125 and P(Bin(5, .5) <= 1) = .1875 are at most .2, but P(Bin(6, .5) <= 2) = .34 is not."""
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
    acceptable = np.array([True, True, True, True, False, False, True])
    grid = score_grid(scores, 0.1)
    found = certify(scores, acceptable, grid, risk=0.5, confidence=0.8)
    assert (found.threshold, found.approved, found.errors) == (0.5, 5, 1)
    assert found.p_value == pytest.approx(6 / 32)
    assert found.coverage == pytest.approx(5 / 7)
    assert found.reason == ""
    # The same with the opposite direction.
    mirrored = certify(-scores, acceptable, -grid, risk=0.5, confidence=0.8, higher_is_better=False)
    assert (mirrored.threshold, mirrored.approved, mirrored.errors) == (-0.5, 5, 1)


def test_the_sequence_stops_at_the_first_failure() -> None:
    """A lax threshold that would pass alone is not tested after a strict one that fails."""
    acceptable = np.array([False] * 30 + [True] * 1000)
    scores = np.linspace(1, 0, len(acceptable))
    found = certify(scores, acceptable, score_grid(scores, 0.01), risk=0.1, confidence=0.9)
    assert found.threshold is None
    # The last start approves three tenths of the segments, and has half of the level.
    assert stats.binom.cdf(21, 309, 0.1) <= 0.1 / 2 < stats.binom.cdf(22, 309, 0.1)
    assert found.reason == "30 of the 309 best segments are not acceptable; at most 21 may be"
    assert binomial_cdf(30, 1030, 0.1) < 0.1


@pytest.mark.parametrize(
    ("n", "risk", "expected"),
    # .9 ** 22 = .0985, .9 ** 29 = .0471 and .9 ** 33 = .0309 are at most .1, .05 and .0333. Three tenths of 436 and a
    # tenth of 1310 are 131, which is less than 6 * 22.
    [
        (30, 0.1, (22,)),
        (436, 0.1, (22,)),
        (437, 0.1, (29, 132)),
        (1310, 0.1, (29, 393)),
        (1311, 0.1, (33, 132, 394)),
        (600, 0.3, (10, 60, 180)),
    ],
)
def test_starts(n: int, risk: float, expected: tuple[int, ...]) -> None:
    assert start_counts(n, risk=risk, confidence=0.9) == expected


def test_an_error_at_the_top_is_not_the_end() -> None:
    """Where the first start fails, the others have their own thirds of the level; all together have all of it."""
    scores = np.arange(2000, 0, -1) / 2000
    grid = score_grid(scores, 0.001)
    risks = {}
    for first in (False, True):
        acceptable = np.ones(2000, dtype=bool)
        acceptable[800:] = False
        acceptable[0] = first
        found = certify(scores, acceptable, grid, risk=0.1, confidence=0.9)
        level = 0.1 if first else 0.1 * 2 / 3
        assert found.level == pytest.approx(level)
        assert stats.binom.cdf(found.errors, found.approved, 0.1) <= level
        assert stats.binom.cdf(found.errors + 2, found.approved + 2, 0.1) > level
        assert found.bound == pytest.approx(stats.beta.ppf(1 - level, found.errors + 1, found.approved - found.errors))
        risks[first] = found.bound
    assert max(risks.values()) <= 0.1


def test_more_data_help() -> None:
    """With half of the accepted risk in all scores, 4,000 segments are enough nearly always, and 400 seldom."""
    random, grid = np.random.default_rng(1), np.arange(20, -1, -1) / 20
    certified = {400: 0, 4000: 0}
    for n in certified:
        for _ in range(100):
            scores, acceptable = random.uniform(size=n), random.uniform(size=n) >= 0.05
            found = certify(scores, acceptable, grid, risk=0.1, confidence=0.9)
            certified[n] += found.threshold is not None
    assert certified[4000] > 90 > certified[400]


def test_levels_that_floats_round() -> None:
    """1 - 0.9 is less than 0.1 in floats, and a single translation is enough for this risk."""
    assert least_approved(0.9, 0.9) == 1
    found = certify(np.ones(1), np.ones(1, dtype=bool), np.ones(1), risk=0.9, confidence=0.9)
    assert found.threshold == 1
    assert most_errors(1, 0.9, 1 - 0.9) == 0


@pytest.mark.parametrize(("n", "risk", "level"), [(22, 0.1, 0.1), (104, 0.1, 0.05), (1000, 0.03, 0.01), (21, 0.1, 0.1)])
def test_most_errors(n: int, risk: float, level: float) -> None:
    most = most_errors(n, risk, level)
    assert most == -1 or stats.binom.cdf(most, n, risk) <= level
    assert stats.binom.cdf(most + 1, n, risk) > level


def test_too_few() -> None:
    scores = np.linspace(0, 1, 31)
    found = certify(scores, np.ones(31, dtype=bool), score_grid(scores, 0.01), risk=0.05, confidence=0.9)
    assert found.threshold is None
    assert found.coverage == 0
    assert found.reason == "needs 45 approved segments without an error for α=0.05, δ=0.1; there are 31 in all"


def test_equal_scores_are_approved_together() -> None:
    scores = np.array([1.0] * 30 + [0.5] * 30)
    acceptable = np.array([True] * 30 + [False] * 30)
    found = certify(scores, acceptable, score_grid(scores, 0.1), risk=0.1, confidence=0.9)
    # All thresholds in (.5, 1] approve the same 30.
    assert (found.threshold, found.approved, found.errors) == (0.6, 30, 0)


def test_the_guarantee_holds() -> None:
    """In 1,000 draws, the risk of the threshold exceeds the level in a tenth at most, within its error."""
    risk, confidence, draws = 0.1, 0.9, 1000
    random = np.random.default_rng(7)
    grid = np.arange(100, -1, -1) / 100
    # An acceptable translation is as probable as its score is high: the risk above t is 1 - (1 + t) / 2 = (1 - t) / 2.
    exceeded = found = 0
    for _ in range(draws):
        scores = random.uniform(size=400)
        result = certify(scores, random.uniform(size=400) < scores, grid, risk=risk, confidence=confidence)
        if result.threshold is not None:
            found += 1
            exceeded += (1 - result.threshold) / 2 > risk + 1e-12
    assert found > 300
    assert exceeded <= draws * (1 - confidence) + 3 * (draws * 0.1 * 0.9) ** 0.5
    # The test is no trivial one: approving as long as the observed risk is at most the level would break the promise.
    naive = 0
    for _ in range(200):
        scores = np.sort(random.uniform(size=400))[::-1]
        errors = np.cumsum(random.uniform(size=400) >= scores)
        count = int(np.flatnonzero(errors <= risk * np.arange(1, 401)).max(initial=-1)) + 1
        naive += count > 0 and (1 - scores[count - 1]) / 2 > risk
    assert naive > 200 * 0.25


WORST_CASES = {
    "all scores alike": (lambda scores: np.full(len(scores), 0.101), lambda t: 0.101),
    "bad at the top": (
        lambda scores: np.where(scores > 0.95, 0.3, 0.095),
        lambda t: ((1 - max(t, 0.95)) * 0.3 + max(0.0, 0.95 - t) * 0.095) / (1 - t),
    ),
    "bad below a tenth": (
        lambda scores: np.where(scores > 0.9, 0.03, 0.2),
        lambda t: ((1 - max(t, 0.9)) * 0.03 + max(0.0, 0.9 - t) * 0.2) / (1 - t),
    ),
}
"""The risk of a translation by its score, and of the translations above a threshold, for uniform scores."""


@pytest.mark.parametrize("n", [200, 1500])  # with one start, and with three
@pytest.mark.parametrize("case", WORST_CASES)
def test_the_guarantee_holds_in_the_worst_case(case: str, n: int) -> None:
    """In 1,000 draws, at most a tenth exceed the level, where nearly every threshold that is certified does."""
    of_score, above = WORST_CASES[case]
    random, grid, exceeded = np.random.default_rng(5), np.arange(19, -1, -1) / 20, 0
    for _ in range(1000):
        # Scores and thresholds in the opposite direction are the same case.
        scores = random.uniform(size=n)
        acceptable = random.uniform(size=n) >= of_score(scores)
        found = certify(-scores, acceptable, -grid, risk=0.1, confidence=0.9, higher_is_better=False)
        exceeded += found.threshold is not None and above(-found.threshold) > 0.1 + 1e-12
    assert exceeded <= 1000 * 0.1 + 3 * (1000 * 0.1 * 0.9) ** 0.5


def test_curve() -> None:
    scores = np.array([3.0, 1.0, 2.0, 2.0])
    curve = risk_curve(scores, np.array([True, False, True, False]))
    assert curve.thresholds.tolist() == [3, 2, 1]
    assert curve.coverage.tolist() == [0.25, 0.75, 1]
    assert curve.risk.tolist() == [0, pytest.approx(1 / 3), 0.5]
    assert curve.recall.tolist() == [0.5, 1, 1]
    assert (curve.lower <= curve.risk).all()
    assert (curve.risk <= curve.upper).all()
    assert len(risk_curve(np.linspace(0, 1, 1000), np.ones(1000, dtype=bool), points=50).coverage) == 50
    assert len(risk_curve(np.zeros(0), np.zeros(0, dtype=bool)).coverage) == 0


def test_caught_errors() -> None:
    scores, penalties = np.array([0.9, 0.1, 0.5]), np.array([1.0, 6.0, 3.0])
    assert caught_errors(scores, penalties).tolist() == [0, 0.6, 0.9, 1]
    assert caught_errors(-scores, penalties, higher_is_better=False).tolist() == [0, 0.6, 0.9, 1]
    # Equal scores say nothing: half of the editing finds half of the errors, in any order of the data.
    assert caught_errors(np.zeros(2), np.array([8.0, 0.0])).tolist() == [0, 0.5, 1]
    assert np.isnan(caught_errors(scores, np.zeros(3))).all()

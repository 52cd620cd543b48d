from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from kiwi.metrics import confidence, functions
from kiwi.metrics.calibration import coverage, reliability

RANDOM = np.random.default_rng(3)


@pytest.mark.parametrize(("t", "degrees"), [(0.0, 5), (1.0, 1), (-2.0, 7), (2.5, 100), (40.0, 1000), (0.001, 3)])
def test_student_t_is_that_of_scipy(t: float, degrees: int) -> None:
    assert confidence.student_t_tails(t, degrees) == pytest.approx(2 * scipy.stats.t.sf(abs(t), degrees), rel=1e-10)


def test_williams_by_hand() -> None:
    # r12 = 0.6, r13 = 0.5, r23 = 0.7, n = 53: K = 1 - .36 - .25 - .49 + .42 = .32,
    # t = .1 * sqrt(52 * 1.7 / (2 * .32 * 52 / 50 + .3025 * .027))
    t = 0.1 * math.sqrt(52 * 1.7 / (2 * 0.32 * 52 / 50 + 0.3025 * 0.027))
    assert confidence.williams(0.6, 0.5, 0.7, 53) == pytest.approx(2 * scipy.stats.t.sf(t, 50))


@pytest.mark.parametrize(
    ("one", "other", "between", "n", "p"),
    [(0.5, 0.5, 0.3, 100, 1.0), (0.5, 0.5, 1.0, 100, 1.0), (0.9, 0.1, 0.2, 3, 1.0)],
)
def test_williams_where_nothing_can_be_said(one: float, other: float, between: float, n: int, p: float) -> None:
    assert confidence.williams(one, other, between, n) == pytest.approx(p)


def test_williams_is_right_as_often_as_it_says() -> None:
    p_values = []
    for _ in range(400):
        gold = RANDOM.normal(size=60)
        one, other = gold + RANDOM.normal(size=60), gold + RANDOM.normal(size=60)
        r = functions.pearson(gold, one), functions.pearson(gold, other), functions.pearson(one, other)
        p_values.append(confidence.williams(*r, 60))
    assert 0.02 < np.mean(np.array(p_values) < 0.05) < 0.09


def test_intervals_hold_what_they_say() -> None:
    holds = 0
    for seed in range(200):
        values = RANDOM.normal(size=50)
        draws = confidence.bootstrap(lambda i, v=values: {"mean": float(v[i].mean())}, 50, samples=300, seed=seed)
        low, high = confidence.interval(draws["mean"])
        holds += low < 0.0 < high
    assert 0.88 < holds / 200 < 0.99


def test_draws_are_seeded() -> None:
    values = RANDOM.normal(size=20)
    one, same, other = (
        confidence.bootstrap(lambda i: {"mean": float(values[i].mean())}, 20, samples=10, seed=seed)["mean"].tolist()
        for seed in (1, 1, 2)
    )
    assert one == same != other
    assert confidence.bootstrap(lambda i: {}, 0) == {}
    assert confidence.bootstrap(lambda i: {}, 5, samples=0) == {}


@pytest.mark.parametrize(("shift", "low", "high"), [(0.0, 0.99, 1.0), (0.02, 0.1, 0.9), (1.0, 0.0, 0.01)])
def test_paired_bootstrap(shift: float, low: float, high: float) -> None:
    noise = np.random.default_rng(4).normal(0.0, 0.03, 1000)
    draws = noise if shift else np.zeros(1000)
    assert low <= confidence.paired_bootstrap(0.5 + shift + draws, np.full(1000, 0.5)) <= high


def counts_of(gold: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return np.stack([functions.confusion(g, p) for g, p in zip(gold, predicted, strict=True)])


def test_approximate_randomization() -> None:
    random = np.random.default_rng(9)
    gold = random.random((200, 8)) < 0.3
    good, alike, bad = (gold ^ (random.random(gold.shape) < share) for share in (0.1, 0.1, 0.3))
    one, two, three = (counts_of(gold.astype(int), each.astype(int)) for each in (good, alike, bad))
    assert confidence.approximate_randomization(one, three, functions.matthews) == pytest.approx(1 / 1001)
    assert confidence.approximate_randomization(one, two, functions.matthews) > 0.05
    assert confidence.approximate_randomization(one, one, functions.matthews) == 1.0


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([0.01], [0.01]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, 0.9], [1.0, 1.0]),
        ([0.02, 0.02], [0.04, 0.04]),
    ],
)
def test_holm(p_values: list[float], adjusted: list[float]) -> None:
    assert confidence.holm(p_values) == pytest.approx(adjusted)


def test_clusters() -> None:
    pairs = {frozenset(pair): p for pair, p in {("a", "b"): 0.2, ("a", "c"): 0.01, ("b", "c"): 0.03}.items()}
    assert confidence.clusters(["a", "b", "c"], pairs) == [["a", "b"], ["c"]]
    assert confidence.clusters(["a", "b", "c"], {**pairs, frozenset("bc"): 0.06}) == [["a", "b", "c"]]
    assert confidence.clusters(["a"], {}) == [["a"]]


def test_reliability() -> None:
    bins = reliability([0, 1, 1, 0], [0.05, 0.95, 1.0, 0.0])
    assert bins.counts.tolist() == [2, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert bins.predicted[[0, 9]].tolist() == pytest.approx([0.025, 0.975])
    assert bins.observed[[0, 9]].tolist() == [0.0, 1.0]
    assert bins.ece == pytest.approx(0.025)
    assert bins.brier == pytest.approx((0.05**2 + 0.05**2) / 4)
    assert reliability([], []).ece == reliability([], []).brier == 0.0


def test_coverage_of_gaussian_errors() -> None:
    means = RANDOM.normal(size=20000)
    gold = means + 0.5 * RANDOM.normal(size=20000)
    right = coverage(gold, means, np.full(20000, 0.5))
    assert [right["within_50"], right["within_80"], right["within_95"]] == pytest.approx([0.5, 0.8, 0.95], abs=0.02)
    assert right["miscalibration"] < 0.02
    assert coverage(gold, means, np.full(20000, 0.1))["miscalibration"] > 0.4
    assert coverage([], [], []) == {}

from __future__ import annotations

from math import comb

import numpy as np
import pytest
import scipy.stats

from kiwi.metrics.comparison import compare_systems, most_different

A, B = np.array([0.1, 0.4, 0.2, 0.3]), np.array([0.3, 0.4, 0.1, 0.6])


@pytest.mark.parametrize(
    ("higher", "best", "wins"),
    [(False, "a", (2, 1, 1)), (True, "b", (2, 1, 1))],  # by hand: a is lower in 1 and 4, b in 3
)
def test_means_and_wins_by_hand(higher: bool, best: str, wins: tuple[int, int, int]) -> None:
    found = compare_systems({"a": A, "b": B}, higher_is_better=higher, samples=200)
    assert [each.system for each in found.systems] == [best, "ab".replace(best, "")]
    assert {each.system: each.mean for each in found.systems} == pytest.approx({"a": 0.25, "b": 0.35})
    (pair,) = found.pairs
    assert (pair.better, pair.difference) == (best, pytest.approx(0.1))
    assert (pair.wins, pair.ties, pair.losses) == wins
    assert found.n_segments == 4


def test_the_share_of_wins_is_that_of_all_resamples() -> None:
    # Three segments with gains of 2, 2 and -3: a resample with i losses has the gain 2 * (3 - i) - 3 * i, which is
    # positive for i = 0 and 1. P(i) is binomial with 1/3: 8/27 + 12/27.
    gains = np.array([2.0, 2.0, -3.0])
    (pair,) = compare_systems({"a": gains, "b": np.zeros(3)}, higher_is_better=True, samples=20_000).pairs
    exact = sum(comb(3, i) * (1 / 3) ** i * (2 / 3) ** (3 - i) for i in (0, 1))
    assert exact == pytest.approx(20 / 27)
    assert pair.better == "a"
    assert pair.win_share == pytest.approx(exact, abs=0.01)
    assert pair.p == pytest.approx(2 * (1 - exact), abs=0.02)
    assert not pair.is_significant


def test_ties_of_resamples_count_as_half() -> None:
    # Gains of 1 and -1: a resample of two has the gain 2, 0, 0 or -2.
    (pair,) = compare_systems({"a": np.array([1.0, 0.0]), "b": np.array([0.0, 1.0])}, higher_is_better=True).pairs
    assert pair.win_share == pytest.approx(0.5, abs=0.05)
    assert pair.p == pytest.approx(1.0, abs=0.1)


def test_intervals_are_those_of_scipy() -> None:
    random = np.random.default_rng(5)
    one = random.normal(0.4, 0.2, 60)
    other = one + random.normal(0.05, 0.1, 60)
    found = compare_systems({"one": one, "other": other}, higher_is_better=True, samples=500, seed=7)

    def expected(*data: np.ndarray, statistic: object) -> tuple[float, float]:
        result = scipy.stats.bootstrap(
            data,
            statistic,
            n_resamples=500,
            paired=True,
            vectorized=False,
            method="percentile",
            rng=np.random.default_rng(7),
        )
        return result.confidence_interval.low, result.confidence_interval.high

    for each in found.systems:
        data = {"one": one, "other": other}[each.system]
        assert each.interval == pytest.approx(expected(data, statistic=np.mean))
    (pair,) = found.pairs
    assert pair.interval == pytest.approx(expected(other, one, statistic=lambda x, y: np.mean(x) - np.mean(y)))


@pytest.mark.parametrize("higher", [True, False])
def test_equal_systems_share_everything(higher: bool) -> None:
    scores = np.random.default_rng(1).random(1001)
    found = compare_systems({"a": scores, "b": scores.copy(), "c": scores - 0.5}, higher_is_better=higher)
    pairs = {frozenset((pair.better, pair.worse)): pair for pair in found.pairs}
    same = pairs[frozenset("ab")]
    assert (same.difference, same.interval, same.p, same.win_share) == (0.0, (0.0, 0.0), 1.0, 0.5)
    assert (same.wins, same.ties, same.losses) == (0, 1001, 0)
    assert pairs[frozenset("ac")].is_significant
    ranks = {each.system: each.rank for each in found.systems}
    assert ranks == ({"a": 1, "b": 1, "c": 2} if higher else {"c": 1, "a": 2, "b": 2})


def test_p_values_are_corrected_for_the_number_of_pairs() -> None:
    noise = np.random.default_rng(2).normal(0, 1, (3, 100))
    scores = {name: 0.2 * place + row for place, (name, row) in enumerate(zip("abc", noise, strict=True))}
    alone = compare_systems({name: scores[name] for name in "ac"}, higher_is_better=True).pairs[0]
    (of_three,) = [
        pair
        for pair in compare_systems(scores, higher_is_better=True).pairs
        if {pair.better, pair.worse} == {alone.better, alone.worse}
    ]
    assert alone.p is not None
    assert of_three.p in (pytest.approx(k * alone.p) for k in (1, 2, 3))
    assert of_three.p != alone.p
    assert of_three.win_share == alone.win_share


def test_resamples_are_seeded() -> None:
    one, same, other = (compare_systems({"a": A, "b": B}, higher_is_better=True, seed=seed) for seed in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize(("values", "samples"), [([0.5], 1000), ([0.5, 0.6], 0)])
def test_where_there_is_no_test(values: list[float], samples: int) -> None:
    scores = {"a": np.array(values), "b": np.array(values) + 1}
    found = compare_systems(scores, higher_is_better=False, samples=samples)
    (pair,) = found.pairs
    assert (pair.better, pair.p, pair.interval, pair.win_share, pair.is_significant) == ("a", None, None, None, False)
    assert [(each.interval, each.rank) for each in found.systems] == [(None, None)] * 2


@pytest.mark.parametrize(("most", "expected"), [(10, [3, 0, 2]), (1, [3]), (0, [])])
def test_the_most_different_segments(most: int, expected: list[int]) -> None:
    assert most_different({"a": A, "b": B}, most) == expected
    assert most_different({"a": np.array([np.nan, 1.0]), "b": np.array([0.0, 1.5])}, most) == [1][:most]

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from kiwi.metrics import functions, ranking

SMALL = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=40)


def pairs(rows: list[tuple[int, int]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.array(rows, dtype=float).T
    return x, y


@given(SMALL)
@settings(max_examples=200, deadline=None)
def test_kendall_is_that_of_scipy(rows: list[tuple[int, int]]) -> None:
    x, y = pairs(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = scipy.stats.kendalltau(x, y).statistic
    assert ranking.kendall(x, y) == pytest.approx(0.0 if np.isnan(expected) else expected, abs=1e-12)


def test_kendall_of_many() -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=5000)
    y = np.round(x + random.normal(size=5000), 1)
    assert ranking.kendall(x, y) == pytest.approx(scipy.stats.kendalltau(x, y).statistic, abs=1e-12)


def slow_delta_avg(gold: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """As its definition says, for predictions without ties."""
    ordered = gold[np.argsort(-predicted)]
    n, values = len(gold), []
    for quantiles in range(2, n // 2 + 1):
        size = n // quantiles
        heads = [ordered[: k * size].mean() for k in range(1, quantiles)]
        values.append(np.mean(heads) - ordered.mean())
    return float(np.mean(values))


@pytest.mark.parametrize("n", [4, 5, 6, 7, 10, 31, 100, 101])
def test_delta_avg_is_its_definition(n: int) -> None:
    random = np.random.default_rng(n)
    gold, predicted = random.normal(size=n), random.permutation(n).astype(float)
    assert ranking.delta_avg(gold, predicted) == pytest.approx(slow_delta_avg(gold, predicted), abs=1e-12)


def test_delta_avg_by_hand() -> None:
    # Halves only: the better half has a mean of 3.5, all of them 2.5.
    assert ranking.delta_avg([1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4]) == pytest.approx(1.0)
    assert ranking.delta_avg([1, 2, 3, 4], [0.4, 0.3, 0.2, 0.1]) == pytest.approx(-1.0)
    assert ranking.delta_avg([1, 2, 3, 4], [0.5] * 4) == pytest.approx(0.0)
    assert ranking.delta_avg([1, 2, 3], [1, 2, 3]) == 0.0


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=40))
@settings(max_examples=200, deadline=None)
def test_auc_and_average_precision_are_those_of_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    gold, scores = (np.array(column) for column in zip(*rows, strict=True))
    both = gold.any() and not gold.all()
    assert ranking.roc_auc(gold, scores) == pytest.approx(sklearn.metrics.roc_auc_score(gold, scores) if both else 0.5)
    expected = sklearn.metrics.average_precision_score(gold, scores) if gold.any() else 0.0
    assert ranking.average_precision(gold, scores) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("gold", "scores", "counts"),
    [
        ([1, 0, 0, 1], [0.9, 0.1, 0.2, 0.8], [[2, 0], [0, 2]]),
        ([1, 0, 0, 1], [0.1, 0.9, 0.8, 0.2], [[0, 2], [2, 0]]),
        ([1, 0, 0, 0], [0.5, 0.5, 0.1, 0.1], [[2, 1], [0, 1]]),  # all of those tied at the border
        ([1, 0, 0, 0], [0.5, 0.5, 0.5, 0.5], [[0, 3], [0, 1]]),
        ([0, 0], [0.5, 0.9], [[2, 0], [0, 0]]),
        ([1, 1], [0.5, 0.9], [[0, 0], [0, 2]]),
    ],
)
def test_as_many_are_flagged_as_are_bad(gold: list[int], scores: list[float], counts: list[list[float]]) -> None:
    assert ranking.critical_counts(gold, scores).tolist() == counts
    metrics = ranking.critical_metrics(gold, scores)
    assert metrics["recall_at_K"] == pytest.approx(counts[1][1] / max(1, sum(gold)))
    if 0 < sum(gold) < len(gold):
        flagged = np.array(scores) >= sorted(scores, reverse=True)[sum(gold) - 1]
        assert metrics["MCC_at_K"] == pytest.approx(sklearn.metrics.matthews_corrcoef(gold, flagged))


def test_ties_at_the_border_are_recalled_in_part_where_no_official_scorer_counts_them() -> None:
    assert ranking.recall_at_k([1, 0, 0, 0], [0.5, 0.5, 0.1, 0.1]) == 0.5
    assert ranking.recall_at_k([1, 0, 0, 1], [0.9, 0.1, 0.2, 0.8]) == 1.0
    assert ranking.recall_at_k([0, 0], [0.9, 0.1]) == 0.0


@pytest.mark.parametrize(
    ("gold", "probabilities", "threshold", "mcc"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], 0.25, 1.0),
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], 0.5, 1.0),
        ([0, 0, 0], [0.1, 0.2, 0.8], 0.5, 0.0),
        ([0, 1], [0.5, 0.5], 0.5, 0.0),
    ],
)
def test_best_threshold(gold: list[int], probabilities: list[float], threshold: float, mcc: float) -> None:
    found, value = ranking.best_threshold(gold, probabilities)
    assert (found, value) == (pytest.approx(threshold), pytest.approx(mcc))


def test_no_threshold_is_better_than_the_best() -> None:
    random = np.random.default_rng(2)
    gold = random.random(300) < 0.2
    probabilities = np.clip(np.round(0.3 * gold + 0.7 * random.random(300), 2), 0, 1)
    threshold, mcc = ranking.best_threshold(gold, probabilities)
    assert mcc == pytest.approx(sklearn.metrics.matthews_corrcoef(gold, probabilities > threshold))
    others = [sklearn.metrics.matthews_corrcoef(gold, probabilities > each) for each in np.arange(0, 1, 0.005)]
    assert mcc >= max(others) - 1e-12


@given(SMALL, st.randoms())
@settings(max_examples=100, deadline=None)
def test_the_order_of_segments_does_not_matter(rows: list[tuple[int, int]], random: object) -> None:
    x, y = pairs(rows)
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    u, v = pairs(shuffled)
    for metric in (ranking.kendall, ranking.delta_avg, functions.pearson, functions.spearman):
        assert metric(x, y) == pytest.approx(metric(u, v), abs=1e-9)
    bad, flipped = x > 2, u > 2
    for of_classes in (ranking.roc_auc, ranking.average_precision, ranking.recall_at_k):
        assert of_classes(bad, y) == pytest.approx(of_classes(flipped, v), abs=1e-9)


@given(SMALL, st.floats(0.1, 100), st.floats(-50, 50))
@settings(max_examples=100, deadline=None)
def test_scale_does_not_matter_to_ranks(rows: list[tuple[int, int]], scale: float, shift: float) -> None:
    x, y = pairs(rows)
    for metric in (ranking.kendall, ranking.delta_avg, functions.spearman):
        assert metric(x, y) == pytest.approx(metric(x, scale * y + shift), abs=1e-9)
    assert functions.pearson(x, y) == pytest.approx(functions.pearson(x, scale * y + shift), abs=1e-7)

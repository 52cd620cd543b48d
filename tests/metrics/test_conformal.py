from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from kiwi.metrics.calibration import LEVELS, uncertainty
from kiwi.metrics.conformal import (
    COLDEST,
    HOTTEST,
    at_temperature,
    conformal_quantile,
    conformity_errors,
    fewest_segments,
    fit_temperature,
    interval_figures,
    log_loss,
    rank_of_quantile,
)


@pytest.mark.parametrize(
    ("n", "confidence", "rank"), [(9, 0.9, 9), (8, 0.9, 9), (19, 0.95, 19), (99, 0.9, 90), (100, 0.9, 91), (10, 0.7, 8)]
)
def test_rank_of_quantile(n: int, confidence: float, rank: int) -> None:
    assert rank_of_quantile(n, confidence) == rank


@pytest.mark.parametrize(("confidence", "n"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_fewest_segments_are_the_boundary(confidence: float, n: int) -> None:
    assert fewest_segments(confidence) == n
    assert conformal_quantile(range(n), confidence) == n - 1
    assert conformal_quantile(range(n - 1), confidence) is None


def test_quantile_of_errors_in_any_order_and_with_ties() -> None:
    assert conformal_quantile([5, 1, 3, 2, 4], 0.5) == 3
    assert conformal_quantile([2, 2, 1, 2], 0.5) == 2
    assert conformal_quantile([], 0.5) is None


def test_errors_are_divided_by_deviations() -> None:
    assert conformity_errors([1, 2], [0, 4], [0.5, 4]).tolist() == [2, 0.5]
    assert conformity_errors([1, 2], [0, 4]).tolist() == [1, 2]
    assert np.isfinite(conformity_errors([1, 1], [0, 1], [0, 0])).all()


def test_coverage_is_guaranteed() -> None:
    """Realized coverage is Beta(rank, n + 1 - rank): its mean over calibration sets is at least the confidence."""
    n, confidence, draws = 50, 0.8, 1000
    rng = np.random.default_rng(7)
    deviations = rng.gamma(2.0, size=(draws, 2 * n)) + 0.1
    errors = np.abs(rng.standard_t(3, size=(draws, 2 * n))) * deviations
    normalized = conformity_errors(errors, np.zeros_like(errors), deviations)
    covered = []
    for row in normalized:
        quantile = conformal_quantile(row[:n], confidence)
        assert quantile is not None
        covered.append(np.mean(row[n:] <= quantile))
    rank = rank_of_quantile(n, confidence)
    expected = stats.beta(rank, n + 1 - rank).mean()
    assert expected >= confidence
    assert np.mean(covered) == pytest.approx(expected, abs=3 * np.std(covered) / np.sqrt(draws))


def test_interval_figures() -> None:
    found = interval_figures([1, 2, 3, 4], [0, 2, 4, np.nan], [1, 5, 5, np.nan])
    assert found == {"coverage": pytest.approx(2 / 3), "width": pytest.approx(5 / 3), "with_interval": 0.75}
    assert interval_figures([1], [np.nan], [np.nan]) == {}


def test_uncertainty_by_hand_and_with_scipy() -> None:
    rng = np.random.default_rng(3)
    deviations = rng.uniform(0.5, 2, 5000)
    means = rng.normal(size=5000)
    gold = means + deviations * rng.normal(size=5000)
    found = uncertainty(gold, means, deviations)
    assert found["UPS"] == pytest.approx(stats.pearsonr(np.abs(gold - means), deviations).statistic)
    assert found["NLL"] == pytest.approx(-stats.norm(means, deviations).logpdf(gold).mean())
    assert found["sharpness"] == pytest.approx(deviations.mean())
    assert found["ECE"] < 0.02
    assert uncertainty([1.0], [1.0], [1.0])["ECE"] == pytest.approx(np.mean([1 - level for level in LEVELS]))
    assert uncertainty([1.0], [1.0], [1.0])["UPS"] == 0
    assert uncertainty([], [], []) == {}


def test_temperature_by_hand() -> None:
    """Where 3 of 4 are right at 90 %, the odds of 9 become those of 3: ln 9 / ln 3 = 2."""
    probabilities = np.tile([0.1, 0.9], (4, 1))
    gold = np.eye(2)[[1, 1, 1, 0]]
    temperature = fit_temperature(probabilities, gold)
    assert temperature == pytest.approx(2)
    np.testing.assert_allclose(at_temperature(probabilities, temperature)[:, 1], 0.75)


def test_temperature_is_that_of_scipy() -> None:
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(2000, 3)) * 2
    truth = np.exp(logits / 1.7)
    truth /= truth.sum(axis=1, keepdims=True)
    gold = np.eye(3)[[rng.choice(3, p=row) for row in truth]]
    given = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    best = optimize.minimize_scalar(
        lambda each: log_loss(at_temperature(given, each), gold), bounds=(COLDEST, HOTTEST), options={"xatol": 1e-8}
    )
    found = fit_temperature(given, gold)
    assert found == pytest.approx(best.x, rel=1e-4)
    assert found == pytest.approx(1.7, rel=0.1)


def test_temperature_keeps_labels_and_is_bounded() -> None:
    rng = np.random.default_rng(5)
    given = rng.dirichlet([1, 1], 100)
    for temperature in (COLDEST, 3.0, HOTTEST):
        assert (at_temperature(given, temperature).argmax(axis=1) == given.argmax(axis=1)).all()
    right, wrong = np.eye(2)[given.argmax(axis=1)], np.eye(2)[given.argmin(axis=1)]
    assert fit_temperature(given, right) == pytest.approx(COLDEST)
    assert fit_temperature(given, wrong) == pytest.approx(HOTTEST)
    assert np.isfinite(fit_temperature([[0.0, 1.0], [1.0, 0.0]], [[0, 1], [1, 0]]))

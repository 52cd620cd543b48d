"""Metrics of MT systems, against tables of worked cases and against implementations that follow the definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kiwi.metrics.mt_systems import (
    TieCalibration,
    p_values,
    pairwise_accuracy,
    score_matrix,
    soft_pairwise_accuracy,
    system_metrics,
    system_scores,
)

NAN = np.nan


def matrix(rows):
    """Turn rows of one segment each, with None for what is missing, into (MT systems, segments)."""
    return np.array(rows, dtype=np.float64).T


@pytest.mark.parametrize(
    ("predicted", "gold", "accuracy", "epsilon"),
    [
        # All six pairs are in order.
        ([[0, 2, 6, 8]], [[1, 2, 3, 4]], 1.0, 0.0),
        # Three of four equals in gold: at ε = 4 the pairs (0, 2) and (2, 6) are tied, and (0, 8) and (2, 8) in order.
        ([[0, 2, 6, 8]], [[1, 1, 1, 4]], 4 / 6, 4.0),
        # Equal in both is correct, equal in one is not.
        ([[1, 1]], [[2, 2]], 1.0, 0.0),
        ([[1, 1]], [[2, 3]], 0.0, 0.0),
        ([[1, 3]], [[2, 2]], 1.0, 2.0),
        ([[3, 1]], [[2, 4]], 0.0, 0.0),
        # One ε for all segments: 1 repairs the first and spoils the second, and the smaller of equals is chosen.
        ([[1, 2], [1, 2]], [[5, 5], [5, 6]], 0.5, 0.0),
        ([[1, 2], [1, 3]], [[5, 5], [5, 6]], 1.0, 1.0),
        # Segments count alike, however many pairs they have: (1 + 1/3) / 2.
        ([[1, 2, None], [1, 2, 3]], [[1, 2, 3], [1, 3, 2]], (1 + 2 / 3) / 2, 0.0),
        # A segment with fewer than two translations is none.
        ([[1, 2], [None, 2], [None, None]], [[1, 2], [3, 1], [1, 2]], 1.0, 0.0),
        ([[1, None]], [[1, 2]], 0.0, 0.0),
        # The example of the official test: 0.4916… at ε = 1.
        (
            [[0, 5, 2, 3, 2], [None, 2, 1, 5, 3], [9, 1, 5, 3, 8], [9, 3, 4, 4, 1], [None] * 5],
            [[1, 5, 2, 1, 1], [4, 2, 2, 1, 4], [5, 9, 2, 8, 7], [7, 6, None, 3, 2], [None] * 5],
            0.4916666666666667,
            1.0,
        ),
    ],
)
def test_accuracy_with_tie_calibration(predicted, gold, accuracy, epsilon):
    assert TieCalibration(matrix(gold), matrix(predicted)).best() == pytest.approx((accuracy, epsilon))


def naive_accuracy(gold, predicted, epsilon):
    accuracies = []
    for segment in range(gold.shape[1]):
        correct = []
        for one, other in itertools.combinations(range(len(gold)), 2):
            (g, h), (p, q) = gold[[one, other], segment], predicted[[one, other], segment]
            if np.isnan([g, h, p, q]).any():
                continue
            tied = abs(p - q) <= epsilon
            correct.append(tied if g == h else not tied and (g < h) == (p < q))
        if correct:
            accuracies.append(np.mean(correct))
    return np.mean(accuracies) if accuracies else 0.0


def random_scores(seed, n_systems=5, n_segments=12, *, steps=4, missing=0.2):
    random = np.random.default_rng(seed)
    gold = random.integers(0, steps, (n_systems, n_segments)).astype(np.float64)
    predicted = np.where(random.random(gold.shape) < 0.5, random.integers(0, 5, gold.shape), random.random(gold.shape))
    for values in (gold, predicted):
        values[random.random(gold.shape) < missing] = NAN
    return gold, predicted


@pytest.mark.parametrize("seed", range(8))
def test_accuracy_is_that_of_the_best_candidate(seed):
    gold, predicted = random_scores(seed)
    found, epsilon = TieCalibration(gold, predicted).best()
    differences = np.abs(predicted[:, None] - predicted[None]).ravel()
    candidates = np.unique(np.r_[0.0, differences[np.isfinite(differences)]])
    accuracies = [naive_accuracy(gold, predicted, candidate) for candidate in candidates]
    assert found == pytest.approx(max(accuracies), abs=1e-12)
    assert naive_accuracy(gold, predicted, epsilon) == pytest.approx(found, abs=1e-12)


def test_accuracy_of_chosen_segments_is_that_of_their_data():
    gold, predicted = random_scores(3)
    chosen = np.array([0, 0, 5, 7, 7, 7, 11])
    expected = TieCalibration(gold[:, chosen], predicted[:, chosen]).best()
    assert TieCalibration(gold, predicted).best(chosen) == pytest.approx(expected)


def naive_p_value(one, other, seed=4, permutations=1000):
    """Follow the definition with whole numbers, whose sums are exact."""
    random = np.random.default_rng(seed).random((permutations, len(one)), dtype=np.float32)
    observed = int(sum(one) - sum(other))
    as_large = 0
    for row in random.tolist():
        difference = sum((a - b) if value > 0.5 else (b - a) for value, a, b in zip(row, one, other, strict=True))
        as_large += difference >= observed
    return as_large / permutations


def test_p_values_follow_the_definition():
    scores = np.random.default_rng(1).integers(-25, 1, (4, 30))
    found = p_values(scores.astype(np.float64))
    for one, other in itertools.combinations(range(4), 2):
        assert found[one, other] == naive_p_value(scores[one].tolist(), scores[other].tolist())
    assert not np.tril(found).any()


def test_soft_pairwise_accuracy():
    random = np.random.default_rng(2)
    gold = random.integers(-25, 1, (5, 40)).astype(np.float64)
    predicted = gold + random.integers(-9, 9, gold.shape)
    pairs = list(itertools.combinations(range(5), 2))
    differences = [abs(naive_p_value(gold[i], gold[j]) - naive_p_value(predicted[i], predicted[j])) for i, j in pairs]
    assert soft_pairwise_accuracy(gold, predicted) == pytest.approx(1 - np.mean(differences), abs=1e-15)
    assert soft_pairwise_accuracy(gold, gold) == 1.0
    # Scores are compared by rank of systems, not by value; opposite scores have opposite p-values, but for ties.
    assert soft_pairwise_accuracy(gold, 3 * gold + 1) == 1.0
    assert soft_pairwise_accuracy(gold, -gold) < 0.5


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        # Equal systems: every permutation has the observed difference.
        ([1, 2, 3], [1, 2, 3], 1.0),
        # The only permutation that is as large is the one that swaps nothing.
        ([1] * 12, [0] * 12, 0.0),
        ([0] * 12, [1] * 12, 1.0),
    ],
)
def test_p_values_of_extremes(one, other, expected):
    assert p_values(np.array([one, other], dtype=np.float64))[0, 1] == pytest.approx(expected, abs=0.005)


def test_segments_without_all_scores_do_not_count_for_soft_accuracy():
    gold = np.random.default_rng(5).integers(0, 9, (3, 20)).astype(np.float64)
    predicted = gold[:, ::-1].copy()
    whole = soft_pairwise_accuracy(gold[:, 2:], predicted[:, 2:])
    gold[0, 0], predicted[2, 1] = NAN, NAN
    assert soft_pairwise_accuracy(gold, predicted) == whole
    assert soft_pairwise_accuracy(gold * NAN, predicted) == 0.0
    assert soft_pairwise_accuracy(gold[:1], predicted[:1]) == 0.0


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ([1, 2, 3], [1, 2, 3], 1.0),
        ([1, 2, 3], [3, 2, 1], 0.0),
        ([1, 2, 3], [1, 3, 2], 2 / 3),
        ([1, 1, 3], [2, 2, 9], 1.0),
        ([1, 1, 3], [1, 2, 3], 2 / 3),
        ([1], [2], 0.0),
        ([], [], 0.0),
    ],
)
def test_pairwise_accuracy(gold, predicted, expected):
    assert pairwise_accuracy(gold, predicted) == pytest.approx(expected)


def test_systems_are_compared_by_the_translations_that_have_both_scores():
    gold = np.array([[1.0, NAN, 3.0], [2.0, 2.0, NAN], [0.0, 1.0, 5.0], [NAN, NAN, NAN]])
    predicted = np.array([[5.0, 9.0, 7.0], [4.0, NAN, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    means = system_scores(gold, predicted)
    assert [values.tolist() for values in means] == [[2.0, 2.0, 2.0], [6.0, 4.0, 1.0]]
    assert system_metrics(gold, predicted) == {"SYS_PEARSON": 0.0, "SYS_CORRECT": 0.0}
    assert system_metrics(predicted[:3], predicted[:3] * 2)["SYS_PEARSON"] == pytest.approx(1.0)


def test_scores_of_one_translation_are_averaged():
    found = score_matrix([1.0, 3.0, 5.0], [0, 0, 1], [1, 1, 0], (2, 2))
    assert np.array_equal(found, [[NAN, 2.0], [5.0, NAN]], equal_nan=True)

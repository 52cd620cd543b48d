import numpy as np
import pytest

from kiwi.metrics import functions
from kiwi.metrics.accumulators import LanguageModelMetrics, ScoreMetrics, TagMetrics, VerdictMetrics

GOLD = np.array([[1, 0, -1], [0, 0, 1], [1, -1, -1], [0, -1, -1]])
PREDICTED = np.array([[1, 1, 1], [0, 0, 0], [1, 0, 1], [0, 1, 0]])
# There are 7 tags; 2 of 3 BAD are found, 1 of 4 OK is called BAD.
COUNTS = np.array([[3, 1], [1, 2]])


def test_tags_by_hand():
    metrics = TagMetrics("target_tags")
    metrics.update(GOLD, PREDICTED)
    assert metrics.compute() == pytest.approx(
        {
            "target_tags_MCC": 5 / 12,
            "target_tags_F1_MULT": 3 / 4 * 2 / 3,
            "target_tags_CORRECT": 5 / 7,
            "target_tags_F1_OK": 3 / 4,
            "target_tags_F1_BAD": 2 / 3,
        }
    )
    assert metrics.names == tuple(metrics.compute())


@pytest.mark.parametrize("cuts", [[], [1], [2, 3], [1, 2, 3]])
def test_tags_are_of_the_corpus_however_it_is_cut(cuts):
    metrics = TagMetrics("gap_tags")
    for gold, predicted in zip(np.split(GOLD, cuts), np.split(PREDICTED, cuts), strict=True):
        metrics.update(gold, predicted)
    assert metrics.counts.tolist() == COUNTS.tolist()
    assert metrics.compute()["gap_tags_MCC"] == functions.matthews(COUNTS)


def test_a_batch_of_padding_alone_counts_for_nothing():
    metrics = TagMetrics("gap_tags")
    metrics.update([[-1, -1]], [[0, 1]])
    assert set(metrics.compute().values()) == {0.0}
    assert metrics.counts.sum() == 0


def test_tags_forget():
    metrics = TagMetrics("t")
    metrics.update([1, 1], [0, 0])
    metrics.reset()
    metrics.update([0, 1], [0, 1])
    assert metrics.compute()["t_MCC"] == 1.0


def test_accuracy():
    metrics = VerdictMetrics("binary")
    names = ("CORRECT", "MCC", "F1_MULT", "F1_OK", "F1_BAD", "MCC_at_K", "recall_at_K", "AUC", "AP")
    assert metrics.names == tuple(f"binary_{name}" for name in names)
    metrics.update([0, 1], [0.3, 0.2])
    other = VerdictMetrics("binary")
    other.update([1], [0.8])
    metrics.merge(other)
    # One OK is right, one BAD is found, and one BAD is missed, above 0.5 and among the two highest. Of the pairs of OK
    # and BAD, one is in order. BAD are at ranks 1 and 3.
    expected = dict(zip(metrics.names, (2 / 3, 1 / 2, 4 / 9, 2 / 3, 2 / 3, -1 / 2, 1 / 2, 1 / 2, 5 / 6), strict=True))
    assert metrics.compute() == pytest.approx(expected)
    metrics.reset()
    assert metrics.compute()["binary_recall_at_K"] == 0.0


SCORES = np.array([0.1, 0.4, 0.4, 0.9]), np.array([0.2, 0.3, 0.5, 0.7])


@pytest.mark.parametrize("cuts", [[], [2], [1, 2, 3]])
def test_scores_are_of_the_corpus_however_it_is_cut(cuts):
    metrics = ScoreMetrics("sentence_scores")
    for gold, predicted in zip(np.split(SCORES[0], cuts), np.split(SCORES[1], cuts), strict=True):
        metrics.update(gold, predicted)
    assert metrics.names == ("PEARSON", "SPEARMAN", "RMSE")
    assert metrics.compute() == pytest.approx(
        {"PEARSON": 0.205 / (0.33 * 0.1475) ** 0.5, "SPEARMAN": 4.5 / 22.5**0.5, "RMSE": 0.0175**0.5}
    )


def test_scores_forget():
    metrics = ScoreMetrics("sentence_scores")
    metrics.update([0.0, 1.0], [1.0, 0.0])
    metrics.reset()
    metrics.update([0.0, 1.0], [0.0, 1.0])
    assert metrics.compute() == pytest.approx({"PEARSON": 1.0, "SPEARMAN": 1.0, "RMSE": 0.0})


def test_scores_of_single_precision_are_summed_in_double():
    metrics = ScoreMetrics("sentence_scores")
    gold = np.float32([16777216, 16777217, 16777218, 16777220])
    metrics.update(gold, gold + np.float32(2))
    assert metrics.compute()["RMSE"] == pytest.approx(
        np.sqrt(np.mean((np.float64(gold) - (gold + np.float32(2))) ** 2))
    )
    assert metrics.compute()["PEARSON"] > 0.9


def test_a_language_model_by_hand():
    metrics = LanguageModelMetrics("pe")
    metrics.update(np.log([0.5, 0.25]), [True, False])
    metrics.update(np.log([1.0]), [True])
    assert metrics.names == ("pe_PERP", "pe_CORRECT", "pe_ExpErr")
    assert metrics.compute() == pytest.approx({"pe_PERP": 2.0, "pe_CORRECT": 2 / 3, "pe_ExpErr": 1 - 1.75 / 3})


def test_a_language_model_without_tokens_and_one_that_knows_nothing():
    metrics = LanguageModelMetrics("target")
    assert set(metrics.compute().values()) == {0.0}
    metrics.update([-1e6], [False])
    assert np.isfinite(metrics.compute()["target_PERP"])
    assert metrics.compute()["target_ExpErr"] == 1.0

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given, settings, strategies as st

from kiwi.metrics import functions
from kiwi.metrics.accumulators import LanguageModelMetrics, ScoreMetrics, TagMetrics, VerdictMetrics
from kiwi.metrics.aligned import Aligned
from kiwi.metrics.explanations import FIGURES
from kiwi.metrics.measured import count_metrics, measure_mt_systems, score_metrics
from kiwi.metrics.ranking import critical_metrics
from kiwi.metrics.spans import SpanCounts

TAGS = [
    ([0, 1, 0, 1, 1, 0, 0], [0, 1, 1, 0, 1, 0, 0]),
    ([0, 0, 0, 1], [0, 1, 1, 1]),
    ([0, 1, 0, 1], [1, 0, 1, 0]),
    ([0, 1, 1], [0, 1, 1]),
    ([0, 0, 0], [0, 0, 0]),
    ([1, 1, 1], [1, 1, 1]),
    ([0, 0, 1], [0, 0, 0]),
    ([0, 0, 0], [1, 1, 1]),
    ([1, 0, 1], [1, 1, 1]),
]


def test_confusion_is_gold_by_predicted():
    counts = functions.confusion([0, 0, 0, 1, 1, 0], [0, 1, 1, 0, 1, 0])
    assert counts.tolist() == [[2, 2], [1, 1]]
    assert functions.confusion([], []).tolist() == [[0, 0], [0, 0]]
    assert functions.confusion(np.array([0, 1]), np.array([False, True])).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(("gold", "predicted"), TAGS)
def test_tag_metrics_agree_with_scikit_learn(gold, predicted):
    counts = functions.confusion(gold, predicted)
    if len({*gold, *predicted}) > 1:
        assert functions.matthews(counts) == pytest.approx(sklearn.metrics.matthews_corrcoef(gold, predicted))
    assert functions.accuracy(counts) == pytest.approx(sklearn.metrics.accuracy_score(gold, predicted))
    by_label = sklearn.metrics.precision_recall_fscore_support(gold, predicted, labels=[0, 1], zero_division=0.0)
    for label in (0, 1):
        assert functions.precision(counts, label) == pytest.approx(by_label[0][label])
        assert functions.recall(counts, label) == pytest.approx(by_label[1][label])
        assert functions.f1(counts, label) == pytest.approx(by_label[2][label])


def test_tag_metrics_by_hand():
    metrics = functions.tag_metrics(np.array([[3, 1], [0, 1]]))
    assert list(metrics) == ["MCC", "F1_MULT", "CORRECT", "F1_OK", "F1_BAD"]
    assert metrics == pytest.approx(
        {"MCC": 3 / 24**0.5, "F1_MULT": 6 / 7 * 2 / 3, "CORRECT": 0.8, "F1_OK": 6 / 7, "F1_BAD": 2 / 3}
    )


def test_metrics_of_large_counts_do_not_overflow():
    counts = np.array([[10**9, 10**8], [10**8, 10**9]])
    assert functions.matthews(counts) == pytest.approx(9 / 11)


@pytest.mark.parametrize("counts", [[[0, 0], [0, 0]], [[5, 0], [0, 0]], [[0, 0], [0, 5]], [[3, 0], [2, 0]]])
def test_tag_metrics_that_are_not_defined_are_zero(counts):
    metrics = functions.tag_metrics(np.array(counts))
    assert metrics["MCC"] == metrics["F1_MULT"] == 0.0


SCORES = [
    ([0.1, 0.4, 0.4, 0.9], [0.2, 0.3, 0.5, 0.7]),
    ([0.0, 0.0, 0.0, 1.0, 0.5, 0.5], [0.3, 0.1, 0.1, 0.1, 0.9, 0.3]),
    ([1, 2, 3], [3, 2, 1]),
    ([1, 2], [5, 9]),
    ([1, 2], [9, 5]),
    ([1000000.1, 1000000.2, 1000000.4], [0.0, 1.0, 1.5]),
    ([-3.0, 0.0, 8.0, 8.0], [1e-9, 3e-9, 2e-9, 2e-9]),
]


@pytest.mark.parametrize(("gold", "predicted"), SCORES)
def test_correlations_agree_with_scipy(gold, predicted):
    assert functions.pearson(gold, predicted) == pytest.approx(scipy.stats.pearsonr(gold, predicted).statistic)
    assert functions.spearman(gold, predicted) == pytest.approx(scipy.stats.spearmanr(gold, predicted).statistic)


def test_scores_by_hand():
    gold, predicted = SCORES[0]
    assert functions.pearson(gold, predicted) == pytest.approx(0.205 / (0.33 * 0.1475) ** 0.5)
    assert functions.spearman(gold, predicted) == pytest.approx(4.5 / 22.5**0.5)
    assert functions.mae(gold, predicted) == pytest.approx(0.125)
    assert functions.rmse(gold, predicted) == pytest.approx(0.0175**0.5)


def test_ties_do_not_depend_on_the_order_of_the_file():
    gold, predicted = SCORES[1]
    backwards = functions.spearman(gold[::-1], predicted[::-1])
    assert functions.spearman(gold, predicted) == pytest.approx(backwards)
    assert functions.spearman([1, 1, 2, 2], [1, 2, 3, 4]) == pytest.approx(
        functions.spearman([1, 1, 2, 2], [2, 1, 4, 3])
    )


@pytest.mark.parametrize("correlation", [functions.pearson, functions.spearman])
@pytest.mark.parametrize(
    ("gold", "predicted"),
    [
        ([], []),
        ([0.5], [0.7]),
        ([0.1] * 7, [1, 2, 3, 4, 5, 6, 7]),
        ([1, 2, 3, 4, 5, 6, 7], [0.1] * 7),
        ([1e9 + 0.1] * 3, [1, 2, 3]),
        ([0.1] * 7, [0.7] * 7),
        ([0.1] * 7, [0.1, 0.3, 0.7, 1.1, 0.2, 0.9, 0.4]),
        ([0.1, 0.3, 0.7, 1.1, 0.2, 0.9, 0.4], [0.1] * 7),
        ([0, 0], [0, 0]),
    ],
)
def test_correlations_that_are_not_defined_are_zero(correlation, gold, predicted):
    assert correlation(gold, predicted) == 0.0


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e30, 1e200])
def test_correlations_do_not_depend_on_the_scale(scale):
    gold, predicted = np.array([0.0, 1.0, 2.0]), [0.0, 2.0, 1.0]
    assert functions.pearson(gold * scale, predicted) == pytest.approx(0.5)
    assert functions.spearman(gold * scale, predicted) == pytest.approx(0.5)


@pytest.mark.parametrize("error", [functions.rmse, functions.mae])
def test_errors_of_nothing_are_zero(error):
    assert error([], []) == 0.0


def test_a_correlation_stays_within_one():
    values = [0.1, 0.2, 0.3, 0.7]
    assert functions.pearson(values, values) <= 1.0
    assert functions.pearson(values, [-value for value in values]) >= -1.0


@settings(database=None, deadline=None)
@given(st.lists(st.integers(-4, 4) | st.floats(-1e6, 1e6), min_size=1))
def test_ranks_agree_with_scipy(values):
    np.testing.assert_array_equal(functions.ranks(values), scipy.stats.rankdata(values))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RMSE", False),
        ("MAE", False),
        ("val_RMSE", False),
        ("target_PERP", False),
        ("pe_ExpErr", False),
        ("PEARSON", True),
        ("target_tags_MCC", True),
        ("target_tags_F1_MULT", True),
        ("target_CORRECT", True),
        ("WMT19_F1_BAD", True),
    ],
)
def test_direction(name, expected):
    assert functions.higher_is_better(name) is expected


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("PEARSONS", "'PEARSON'"),
        ("val_RMSEs", "'RMSE'"),
        ("", "known: AP, "),
        ("mcc", "known: AP, "),
        ("MCC_", "'MCC'"),
    ],
)
def test_direction_of_an_unknown_metric(name, suggestion):
    with pytest.raises(ValueError, match=f"unknown metric '{name}'; .*{suggestion}"):
        functions.higher_is_better(name)


def two_mt_systems():
    index = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
    scores = np.arange(4.0)
    return Aligned("sentence_scores", scores, {"a": scores}, None, scores, mt_system=index[0], source_segment=index[1])


def test_every_metric_has_a_direction():
    counts = np.array([[3, 1], [0, 1]])
    names = {*count_metrics(counts), *score_metrics([1, 2], [1, 2]), *critical_metrics([0, 1], [0, 1])}
    names |= {*FIGURES, *SpanCounts().metrics, *measure_mt_systems(two_mt_systems())[0].figures()}
    for accumulator in (
        TagMetrics("gap_tags"),
        VerdictMetrics("pe"),
        ScoreMetrics("sentence_scores"),
        ScoreMetrics("mqm"),
        LanguageModelMetrics("target"),
    ):
        names |= {f"val_{name}" for name in accumulator.names}
    assert len(names) > 30
    assert {functions.find_metric(name) for name in names} == set(functions.HIGHER_IS_BETTER)

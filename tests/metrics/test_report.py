import json

import numpy as np
import pytest

from kiwi.metrics import functions
from kiwi.metrics.aligned import Aligned
from kiwi.metrics.measured import count_metrics, measure
from kiwi.metrics.rendering import as_latex, as_markdown, as_text
from kiwi.metrics.report import ENSEMBLE, Report, Row, Settings, build_report

REPORT = Report(
    [
        Row("target_tags", "a", 7, {"MCC": 0.1, "F1_MULT": 0.9}),
        Row("target_tags", "longer/b", 7, {"MCC": 0.3, "F1_MULT": 0.2}),
        Row("target_tags", ENSEMBLE, 7, {"MCC": -0.2, "F1_MULT": 0.3}),
        Row("sentence_scores", "a", 4, {"PEARSON": 0.5, "RMSE": 0.125}),
    ]
)


def test_outputs_in_order():
    assert REPORT.outputs == ["target_tags", "sentence_scores"]


def test_best_system_first():
    assert [row.system for row in REPORT.of("target_tags")] == ["longer/b", "a", ENSEMBLE]
    assert REPORT.of("gap_tags") == []


def test_one_figure():
    assert REPORT.metric("sentence_scores", "RMSE") == 0.125
    assert REPORT.metric("target_tags", "F1_MULT", ENSEMBLE) == 0.3


@pytest.mark.parametrize(
    ("output", "name", "system"),
    [
        ("target_tags", "MCC", None),
        ("target_tags", "MCC", "c"),
        ("gap_tags", "MCC", None),
        ("sentence_scores", "MAE", None),
    ],
)
def test_a_figure_that_is_not_there_or_not_one(output, name, system):
    with pytest.raises(KeyError):
        REPORT.metric(output, name, system)


def test_json():
    content = json.loads(REPORT.to_json())
    assert len(content["rows"]) == 4
    row = {"output": "sentence_scores", "system": "a", "n": 4, "metrics": {"PEARSON": 0.5, "RMSE": 0.125}}
    assert content["rows"][3] == {**row, "intervals": {}, "signature": "", "left_out": 0}


def test_text():
    lines = as_text(REPORT).splitlines()
    assert lines[0].split() == ["target_tags", "n", "MCC", "F1_MULT"]
    assert [line.split() for line in lines[1:4]] == [
        ["longer/b", "7", "0.3000", "0.2000"],
        ["a", "7", "0.1000", "0.9000"],
        [ENSEMBLE, "7", "-0.2000", "0.3000"],
    ]
    assert lines[5].split() == ["sentence_scores", "n", "PEARSON", "RMSE"]
    assert lines[6].split() == ["a", "4", "0.5000", "0.1250"]


def test_columns_of_the_text_are_aligned():
    for block in as_text(REPORT).strip().split("\n\n"):
        assert len({len(line) for line in block.splitlines()}) == 1


def test_figures_of_tags():
    metrics = count_metrics(functions.confusion([0, 0, 1, 0, 0], [0, 1, 1, 0, 0]))
    assert next(iter(metrics)) == "MCC"
    assert metrics == pytest.approx(
        {
            "MCC": 3 / 24**0.5,
            "F1_MULT": 6 / 7 * 2 / 3,
            "CORRECT": 0.8,
            "F1_OK": 6 / 7,
            "F1_BAD": 2 / 3,
            "precision_OK": 1.0,
            "recall_OK": 0.75,
            "precision_BAD": 0.5,
            "recall_BAD": 1.0,
        }
    )


@pytest.mark.parametrize(
    "aligned",
    [
        Aligned("sentence_scores", np.array([0.5]), {"a": np.array([0.2])}, None, np.array([1])),
        Aligned("sentence_scores", np.full(5, 0.5), {"a": np.full(5, 0.2), "b": np.full(5, 0.3)}, None, np.arange(5)),
        Aligned("target_tags", np.zeros(3, dtype=int), {"a": np.zeros(3)}, np.array([0, 1, 3]), np.array([1, 2])),
        Aligned(
            "target_tags", np.ones(1, dtype=int), {"a": np.ones(1), "b": np.zeros(1)}, np.array([0, 1]), np.array([1])
        ),
        Aligned("binary", np.ones(2, dtype=int), {"a": np.array([0.1, 0.9])}, np.arange(3), np.array([1, 2])),
    ],
)
def test_degenerate_data_has_defined_figures(aligned):
    report = build_report(measure(aligned), Settings(50, 1), {})
    for row in report.rows:
        assert np.isfinite(list(row.metrics.values())).all()
        assert np.isfinite(list(row.intervals.values())).all()
    assert all(0 <= p <= 1 for each in report.comparisons for p in each.p.values())


def test_markdown_and_latex_escape_names():
    report = Report([Row("target_tags", "a|b_c & 50%", 7, {"MCC": 0.1}, {"MCC": (0.05, 0.2)}, "sig|n:7")])
    assert r"| a\|b_c & 50% | 7 | 0.1000 [0.050, 0.200] |" in as_markdown(report)
    latex = as_latex(report)
    assert r"a|b\_c \& 50\% & 7 & $0.1000$ {\scriptsize [0.050, 0.200]}" in latex

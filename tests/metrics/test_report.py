import json

import pytest

from kiwi.metrics.report import ENSEMBLE, Report, Row, score_row, tag_row

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
    rows = json.loads(REPORT.to_json())
    assert len(rows) == 4
    assert rows[3] == {
        "output": "sentence_scores",
        "system": "a",
        "n": 4,
        "metrics": {"PEARSON": 0.5, "RMSE": 0.125},
        "intervals": {},
        "signature": "",
    }


def test_text():
    lines = REPORT.to_text().splitlines()
    assert lines[0].split() == ["target_tags", "n", "MCC", "F1_MULT"]
    assert [line.split() for line in lines[1:4]] == [
        ["longer/b", "7", "0.3000", "0.2000"],
        ["a", "7", "0.1000", "0.9000"],
        [ENSEMBLE, "7", "-0.2000", "0.3000"],
    ]
    assert lines[5].split() == ["sentence_scores", "n", "PEARSON", "RMSE"]
    assert lines[6].split() == ["a", "4", "0.5000", "0.1250"]


@pytest.mark.parametrize("report", [REPORT, Report([tag_row("gap_tags", "predictions/nuqe", [0, 1], [0, 1])])])
def test_columns_of_the_text_are_aligned(report):
    for block in report.to_text().strip().split("\n\n"):
        assert len({len(line) for line in block.splitlines()}) == 1


def test_tag_row():
    row = tag_row("gap_tags", "a", [0, 0, 1, 0, 0], [0, 1, 1, 0, 0])
    assert (row.output, row.system, row.n) == ("gap_tags", "a", 5)
    assert next(iter(row.metrics)) == "MCC"
    assert row.metrics == pytest.approx(
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


def test_score_row():
    row = score_row("sentence_scores", "a", [0.1, 0.4, 0.4, 0.9], [0.2, 0.3, 0.5, 0.7])
    assert (row.output, row.system, row.n) == ("sentence_scores", "a", 4)
    assert next(iter(row.metrics)) == "PEARSON"
    assert row.metrics == pytest.approx(
        {"PEARSON": 0.205 / (0.33 * 0.1475) ** 0.5, "SPEARMAN": 4.5 / 22.5**0.5, "MAE": 0.125, "RMSE": 0.0175**0.5}
    )

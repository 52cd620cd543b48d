"""The values of error-free segments that ``kiwi evaluate`` compares."""

import json

import pytest

from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.evaluate import evaluate_from_configuration


def write(path, *lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def evaluate(gold_files, *predicted, **options):
    given = {"gold_files": gold_files, "predicted_files": list(predicted), "bootstrap": 0, **options}
    return evaluate_from_configuration(given).of("error_free")


@pytest.fixture
def labels(tmp_path):
    return write(tmp_path / "labels", 1, 0, 1, 0)


@pytest.mark.parametrize("n", [1, 3, 5])
@pytest.mark.parametrize("name", ["error_free", "sentence_scores", "span_submission"])
def test_other_numbers_of_values_are_refused(tmp_path, labels, name, n):
    row = "en-de\tx\t{}\tja\t-1\t-1\tno-error" if name == "span_submission" else "1"
    path = write(tmp_path / "short", *(row.format(number) for number in range(n)))
    with pytest.raises(DataError, match=f"short: found {n} lines; expected 4, as .*labels has"):
        evaluate({"error_free": labels}, {name: path})
    with pytest.raises(DataError, match=f"short: found {n} lines; expected 4, as .*labels has"):
        evaluate({"error_free": labels}, {"error_free": labels}, {name: path})


def test_gold_labels_are_1_or_0(tmp_path):
    soft = write(tmp_path / "soft", 1, 0.7, 0)
    with pytest.raises(DataError, match=r"soft, line 2: found the gold label 0\.7; expected 1 or 0\."):
        evaluate({"error_free": soft}, {"error_free": soft})
    line = {"item_id": "official_###_en_###_de_###_1", "task3_pred": {"A": 1, "B": 0.7}}
    unified = write(tmp_path / "soft.jsonl", json.dumps(line))
    with pytest.raises(DataError, match=r"soft\.jsonl: found the gold label 0\.7; expected 1 or 0\."):
        evaluate({"error_free": unified}, {"error_free": unified})


@pytest.mark.parametrize("missing", ["", "nan", "None", "null", "NaN"])
def test_segments_of_which_nothing_is_said_are_left_out(tmp_path, labels, missing, caplog):
    (row,) = evaluate({"error_free": labels}, {"error_free": write(tmp_path / "ours", 1, missing, 0.2, 0.1)})
    assert (row.n, row.left_out, row.metrics["recall"]) == (3, 1, 0.5)
    assert "error_free: 1 segment(s), of which a system does not say it, are left out" in caplog.text
    (row,) = evaluate({"error_free": write(tmp_path / "gold", 1, missing, 1, 0)}, {"error_free": labels})
    assert (row.n, row.left_out, row.metrics["recall"]) == (3, 0, 1.0)
    assert "|excluded:1|" in row.signature


@pytest.mark.parametrize("missing", ["null", '"None"', "NaN"])
def test_translations_of_which_nothing_is_said_are_left_out(tmp_path, missing):
    form = '{{"item_id": "official_###_en_###_de_###_{}", "task3_pred": {{"A": {}, "B": 0}}}}'
    gold = write(tmp_path / "gold.jsonl", form.format(1, 1), form.format(2, 1))
    ours = write(tmp_path / "ours.jsonl", form.format(1, missing), form.format(2, 1))
    (row,) = evaluate({"error_free": gold}, {"error_free": ours})
    assert (row.n, row.left_out) == (3, 1)


def test_scores_of_another_scale_are_warned_of(tmp_path, labels, caplog):
    rows = [f"en-de\tx\t{number}\tja\t-1\t-1\tno-error" for number in range(4)]
    gold = {
        "sentence_scores": write(tmp_path / "gold", 90, 50, 95, 20),
        "spans": write(tmp_path / "spans", *rows),
    }
    shares = {"sentence_scores": write(tmp_path / "shares", 0.9, 0.5, 0.95, 0.2)}
    evaluate(gold, shares, error_free=True)
    assert (
        "all predicted scores (0.2 to 0.95) are below error_free_score (85), so that the system takes no "
        in caplog.text
    )
    assert "the gold scores are 20 to 95. If the scales differ, convert the predicted scores, or give" in caplog.text
    caplog.clear()
    evaluate({"error_free": labels}, shares, error_free_score=0.1)
    assert "(0.2 to 0.95) are at least error_free_score (0.1), so that the system takes every segment" in caplog.text
    assert "Set it to the score of a good translation on their scale, or give probabilities" in caplog.text
    caplog.clear()
    evaluate({"error_free": labels}, shares, error_free_score=0.9)
    evaluate({"error_free": labels}, shares | {"error_free": write(tmp_path / "none", 0, 0, 0, 0)})
    assert "error_free_score" not in caplog.text


def test_a_border_without_effect_is_refused(tmp_path):
    scores = {"sentence_scores": write(tmp_path / "scores", 90, 50)}
    with pytest.raises(ConfigError, match="error_free_score: has no effect without error_free: true"):
        evaluate(scores, scores, error_free_score=70)

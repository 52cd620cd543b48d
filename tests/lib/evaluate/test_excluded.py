"""Segments without gold labels, which ``kiwi evaluate`` leaves out by the word in the place of the label."""

import json

import pytest

from kiwi.exceptions import DataError
from kiwi.lib.evaluate import evaluate_from_configuration


def write(path, *lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def evaluate(gold_files, *predicted, **options):
    given = {"gold_files": gold_files, "predicted_files": list(predicted), "bootstrap": 0, **options}
    return {row.output: row for row in evaluate_from_configuration(given).rows}


def table(path, **columns):
    return {"table": {"path": path, "columns": columns}}


@pytest.mark.parametrize("word", ["None", "null", "NaN"])
@pytest.mark.parametrize("missing", [None, "None", float("nan"), "", "null"])
def test_all_words_for_a_missing_gold_label_are_one(tmp_path, missing, word, caplog):
    rows = [("A", 0, 1.5, "OK"), ("B", 0, missing, missing), ("C", 0, 2.5, "BAD"), ("D", 0, 0.5, "OK")]
    gold = write(
        tmp_path / "gold.jsonl", *(json.dumps(dict(zip(("system", "seg", "s", "b"), row, strict=True))) for row in rows)
    )
    ours = write(tmp_path / "ours.tsv", "system\tseg\ts", *(f"{name}\t0\t{ord(name)}" for name in "DCBA"))
    keys = {"system": "system", "seg": "seg"}
    gold_files = table(gold, sentence_scores="s", binary="b", **keys)
    predicted = table(ours, sentence_scores="s", binary="s", **keys)
    rows = evaluate(gold_files, predicted, exclude=word)
    assert {name: row.n for name, row in rows.items()} == {"sentence_scores": 3, "binary": 3, "mt_systems": 1}
    assert all("|excluded:1|" in row.signature for row in rows.values())
    assert "no gold label or score is" not in caplog.text
    assert evaluate(gold_files, predicted, exclude=[1])["sentence_scores"].n == 3
    with pytest.raises(DataError, match=r"line 2: found '.*'; expected a finite number\. exclude: None leaves out seg"):
        evaluate(gold_files, predicted)


def test_a_blank_line_of_tags_is_no_missing_label(tmp_path, caplog):
    tags = write(tmp_path / "tags", "OK BAD", "", "BAD")
    assert evaluate({"target_tags": tags}, {"target_tags": tags}, exclude="None")["target_tags"].n == 3
    assert "exclude: no gold label or score is 'none'" in caplog.text


@pytest.mark.parametrize("missing", ["None", "null", "nan", ""])
def test_missing_predictions(tmp_path, missing, caplog):
    """They are left out in plain files and tables, as in score files of mt-metrics-eval."""
    gold = table(write(tmp_path / "gold.tsv", "s\tb", "1\tOK", "2\tBAD", "3\tOK"), sentence_scores="s", binary="b")
    ours = table(write(tmp_path / "ours.tsv", "s\tx", "1\t0.5", f"{missing}\t{missing}", "3\t0.4"), binary="x")
    ours["sentence_scores"] = write(tmp_path / "ours", 1, missing, 2)
    rows = evaluate(gold, ours)
    assert {name: (row.n, row.left_out) for name, row in rows.items()} == {"sentence_scores": (2, 1), "binary": (2, 1)}


SCORES = ["A 1", "A 2", "A 4", "B 3", "B 5", "B 1"]


@pytest.mark.parametrize("number", [0, 4])
@pytest.mark.parametrize("word", ["hallucination", "None"])
@pytest.mark.parametrize("name", ["x.seg.score", "x"])
def test_words_in_scores_of_several_mt_systems(tmp_path, number, word, name, caplog):
    """They leave out a translation, not the segment of every MT system."""
    lines = [*SCORES]
    lines[number] = f"{lines[number][0]} {word}"
    gold = {"sentence_scores": write(tmp_path / name, *lines, "")}
    ours = {"sentence_scores": write(tmp_path / "ours.seg.score", *SCORES)}
    row = evaluate(gold, ours, exclude=word)["sentence_scores"]
    assert row.n == 5
    assert "|excluded:1|" in row.signature
    assert "no gold label or score is" not in caplog.text
    with (
        pytest.raises(DataError, match=f"line {number + 1}: found '. {word}'")
        if word != "None"
        else caplog.at_level(10)
    ):
        evaluate(gold, ours)
    evaluate(gold, ours, exclude=["other", word])
    assert "no gold label or score is" not in caplog.text


def test_a_word_of_no_translation_is_warned_of(tmp_path, caplog):
    gold = {"sentence_scores": write(tmp_path / "x.seg.score", *SCORES)}
    evaluate(gold, gold, exclude="hallucination")
    assert "no gold label or score is 'hallucination'" in caplog.text


def test_missing_scores_of_the_unified_tasks_are_always_left_out(tmp_path, caplog):
    scores = {"A": 1, "B": None, "C": 3}
    line = json.dumps({"item_id": "official_###_en_###_de_###_1", "task2_pred": scores})
    files = {"sentence_scores": write(tmp_path / "x.jsonl", line)}
    ours = {"sentence_submission": write(tmp_path / "y.jsonl", line.replace("null", "2"))}
    assert evaluate(files, ours, exclude="None")["sentence_scores"].n == 2
    assert "no gold label or score is" not in caplog.text


def test_words_among_labels_of_error_free_segments(tmp_path):
    gold = {"error_free": write(tmp_path / "gold", 1, "hallucination", 0)}
    ours = {"error_free": write(tmp_path / "ours", 1, 0, 0)}
    assert evaluate(gold, ours, exclude="hallucination")["error_free"].n == 2
    assert evaluate(gold, ours, exclude=[1])["error_free"].n == 2


@pytest.mark.parametrize("names", [("1", "2"), ("nan", "3")])
def test_mt_systems_may_have_any_names(tmp_path, names):
    lines = [f"{name} {score}" for name in names for score in (1, 2)]
    gold = {"sentence_scores": write(tmp_path / "x.seg.score", *lines)}
    assert evaluate(gold, gold)["mt_systems"].n == 2
    plain = {"sentence_scores": write(tmp_path / "x", *lines)}
    message = r"line 1: found '.* 1'; expected a finite number\. A file of SYSTEM SCORE needs the name \*\.seg\.score"
    with pytest.raises(DataError, match=message):
        evaluate(plain, gold)
    with pytest.raises(DataError, match=message):
        evaluate({"sentence_scores": write(tmp_path / "y", 1, 2)}, plain)


@pytest.mark.parametrize("line", ["0.1 0.2", "-1 2", "1e-3 None", "A x", "1 x"])
def test_two_cells_that_are_no_mt_system_and_score(tmp_path, line):
    gold, ours = (
        {"sentence_scores": write(tmp_path / name, *lines)} for name, lines in (("x", [1, 2]), ("y", [1, line]))
    )
    message = rf"line 2: found '{line}'; expected a finite number\.$"
    for files in ((gold, ours), (ours, gold)):
        with pytest.raises(DataError, match=message):
            evaluate(*files)


def test_a_line_with_names_of_columns_is_no_score(tmp_path):
    gold = {"sentence_scores": write(tmp_path / "gold", "system score", *SCORES)}
    with pytest.raises(DataError, match="line 1: found 'system score'; expected the name of an MT system and a score"):
        evaluate(gold, gold)


@pytest.mark.parametrize("text", ["-inf", "1,5"])
def test_no_word_is_advised_that_exclude_would_refuse(tmp_path, text):
    gold = {"sentence_scores": write(tmp_path / "gold", 1, text)}
    with pytest.raises(DataError, match=r"line 2: found '.*'; expected a finite number\.$"):
        evaluate(gold, gold)


def test_no_gold_score_at_all(tmp_path):
    """The file is named, rather than an option that is not given."""
    gold = {"sentence_scores": write(tmp_path / "x.seg.score", "A None", "B None")}
    with pytest.raises(DataError, match=r"x\.seg\.score: found no gold label or score; expected some to compare"):
        evaluate(gold, gold)
    gold = {"sentence_scores": write(tmp_path / "x.seg.score", "A 1", "A None", "B 1", "B None")}
    with pytest.raises(DataError, match=r"found no gold label or score of the segments that are not excluded"):
        evaluate(gold, gold, exclude=[0])
    with pytest.raises(DataError, match=r"exclude: found every segment"):
        evaluate(
            {"sentence_scores": write(tmp_path / "y", 1, 2)}, {"sentence_scores": str(tmp_path / "y")}, exclude=[0, 1]
        )


def test_a_single_mt_system_is_said_not_to_be_compared(tmp_path, caplog):
    caplog.set_level("INFO")
    gold = {"sentence_scores": write(tmp_path / "x.seg.score", "A 1", "A 2", "B None", "B None")}
    assert evaluate(gold, gold).keys() == {"sentence_scores"}
    message = "sentence_scores: all compared segments are of one MT system, so that there is no table mt_systems"
    assert message in caplog.text
    caplog.clear()
    gold = {"sentence_scores": write(tmp_path / "y.seg.score", "A 1", "A 2", "B None", "B 3")}
    assert evaluate(gold, gold).keys() == {"sentence_scores", "mt_systems"}
    assert message not in caplog.text

"""Comparison of MT systems, error-free segments, and segments that are left out by a word, in ``kiwi evaluate``."""

import json
import random

import numpy as np
import pytest

from kiwi.data.labels.error_spans import ErrorSpan, spans_cell, spans_line
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.evaluate import evaluate_from_configuration
from kiwi.metrics.mt_systems import TieCalibration, soft_pairwise_accuracy

SYSTEMS = ["A", "B", "C"]
KEYS = {"system": "system", "doc": "doc", "seg": "seg"}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return str(path)


def seg_scores(path, scores, systems=SYSTEMS):
    rows = [(name, value) for name, own in zip(systems, scores, strict=True) for value in own]
    return write(path, "".join(f"{name}\t{value}\n" for name, value in rows))


def evaluate(gold_files, *predicted, **options):
    given = {"gold_files": gold_files, "predicted_files": list(predicted), "bootstrap": 0, **options}
    return {(row.output, row.system): row for row in evaluate_from_configuration(given).rows}


GOLD = np.random.default_rng(0).integers(-9, 1, (3, 20)).astype(np.float64)
PREDICTED = GOLD + np.random.default_rng(1).normal(size=GOLD.shape) * 3


def test_score_files_of_mt_metrics_eval(tmp_path, caplog):
    caplog.set_level("INFO")
    gold = [["None" if j % 5 == 0 else value for j, value in enumerate(own)] for own in GOLD.tolist()]
    files = {"sentence_scores": seg_scores(tmp_path / "en-de.mqm.seg.score", gold)}
    # The metric has another order of systems, and a reference without gold scores.
    scores = [[1.0] * 20, *PREDICTED[::-1].tolist()]
    metric = seg_scores(tmp_path / "COMET-src.seg.score", scores, ["refA", *SYSTEMS[::-1]])
    rows = evaluate(files, {"sentence_scores": metric})
    row = rows["mt_systems", "COMET-src"]
    kept = np.arange(20) % 5 != 0
    assert row.metrics["acc_eq"] == pytest.approx(TieCalibration(GOLD[:, kept], PREDICTED[:, kept]).best()[0])
    assert row.metrics["SPA"] == soft_pairwise_accuracy(GOLD[:, kept], PREDICTED[:, kept])
    means = GOLD[:, kept].mean(axis=1), PREDICTED[:, kept].mean(axis=1)
    assert row.metrics["SYS_PEARSON"] == pytest.approx(np.corrcoef(*means)[0, 1])
    assert row.n == 16
    assert "|excluded:12|mt_systems:3|epsilon:" in row.signature
    assert "|permutations:1000|spa_seed:4|" in row.signature
    assert rows["sentence_scores", "COMET-src"].n == 48
    assert "12 of 60 lines have no gold score" in caplog.text
    assert "1 MT system(s) without gold scores are not compared" in caplog.text
    # A list of segments counts within each MT system.
    assert evaluate(files, {"sentence_scores": metric}, exclude=[1, 5])["mt_systems", "COMET-src"].n == 15
    # Lines of plain scores are in the order of the gold file.
    plain = write(tmp_path / "us" / "scores", "".join(f"{value}\n" for value in PREDICTED.ravel().tolist()))
    assert evaluate(files, {"sentence_scores": plain})["mt_systems", str(tmp_path / "us")].metrics == row.metrics


@pytest.mark.parametrize(
    ("scores", "systems", "message"),
    [
        (PREDICTED[:2], SYSTEMS[:2], "found no line of the MT system 'C' for segment 0"),
        (PREDICTED[:, :9], SYSTEMS, "found no line of the MT system 'A' for segment 9"),
    ],
)
def test_translations_without_a_score_are_refused(tmp_path, scores, systems, message):
    files = {"sentence_scores": seg_scores(tmp_path / "gold.seg.score", GOLD.tolist())}
    metric = seg_scores(tmp_path / "x.seg.score", scores.tolist(), systems)
    with pytest.raises(DataError, match=message):
        evaluate(files, {"sentence_scores": metric})
    plain = {"sentence_scores": write(tmp_path / "gold", "1\n2\n")}
    with pytest.raises(DataError, match="found scores of several MT systems; expected one score per line"):
        evaluate(plain, {"sentence_scores": metric})


def test_tables_of_several_systems_and_language_pairs(tmp_path):
    names = ["lp", "system", "doc", "seg", "gold", "ours"]
    rows = [
        (pair, system, f"d{segment // 8}", segment % 8, GOLD[index, segment], PREDICTED[index, segment] + shift)
        for shift, pair in enumerate(("en-de", "en-ru"))
        for index, system in enumerate(SYSTEMS)
        for segment in range(20)
    ]
    shuffled = random.Random(0).sample(rows, len(rows))
    paths = [
        write(tmp_path / name, "".join("\t".join(map(str, row)) + "\n" for row in (names, *own)))
        for name, own in (("gold.tsv", rows), ("other.tsv", shuffled))
    ]
    keys = {**KEYS, "lp": "lp"}
    files = {"table": {"path": paths[0], "columns": {"sentence_scores": "gold", **keys}}}
    given = [{"table": {"path": path, "columns": {"sentence_scores": "ours", **keys}}} for path in paths]
    by_name = evaluate(files, *given)
    whole = TieCalibration(GOLD, PREDICTED).best()[0]
    for system in {system for _, system in by_name}:
        for pair in ("en-de", "en-ru", "mean"):
            row = by_name[f"{pair} mt_systems", system]
            assert row.metrics["acc_eq"] == pytest.approx(whole)
            assert row.metrics["SPA"] == soft_pairwise_accuracy(GOLD, PREDICTED)
    in_any_order = {"table": {"path": paths[1], "columns": {"sentence_scores": "gold", **keys}}}
    found = evaluate(in_any_order, *given)
    assert {name: row.metrics["SPA"] for name, row in found.items() if "mt_systems" in name[0]} == {
        name: row.metrics["SPA"] for name, row in by_name.items() if "mt_systems" in name[0]
    }
    # Several raters of one translation are averaged, and each matches the one prediction.
    twice = [*rows[:60], *((*row[:4], row[4] + 2 * (row[1] == "A"), row[5]) for row in rows[:60])]
    path = write(tmp_path / "raters.tsv", "".join("\t".join(map(str, row)) + "\n" for row in (names, *twice)))
    files = {"table": {"path": path, "columns": {"sentence_scores": "gold", **KEYS}}}
    path = write(tmp_path / "once.tsv", "".join("\t".join(map(str, row)) + "\n" for row in (names, *rows[:60])))
    (row,) = (
        row
        for (output, _), row in evaluate(
            files, {"table": {"path": path, "columns": {"sentence_scores": "ours", **KEYS}}}
        ).items()
        if output == "mt_systems"
    )
    gold = GOLD + np.array([[1.0], [0.0], [0.0]])
    assert row.metrics["acc_eq"] == pytest.approx(TieCalibration(gold, PREDICTED).best()[0])


def test_columns_that_do_not_say_which_translation_a_row_is(tmp_path):
    path = write(tmp_path / "t.tsv", "system\tseg\tx\nA\t1\t0.5\n")

    def columns(**keys):
        return {"table": {"path": path, "columns": {"sentence_scores": "x", **keys}}}

    with pytest.raises(ConfigError, match=r"gold_files\.table\.columns\.seg: required with system"):
        evaluate(columns(system="system"), columns())
    with pytest.raises(ConfigError, match=r"say which translation a row is; gold_files\.table has none"):
        evaluate(columns(), columns(system="system", seg="seg"))


def test_intervals_and_tests_of_the_accuracy_alone(tmp_path):
    files = {"sentence_scores": seg_scores(tmp_path / "gold.seg.score", GOLD.tolist())}
    metrics = [
        {"sentence_scores": seg_scores(tmp_path / f"{name}.seg.score", scores.tolist())}
        for name, scores in (("good", PREDICTED), ("bad", -PREDICTED))
    ]
    given = {"gold_files": files, "predicted_files": metrics, "bootstrap": 50}
    output = {"report": tmp_path / "r.html", "figures": tmp_path / "r.json", "markdown": tmp_path / "r.md"}
    report = evaluate_from_configuration({**given, "output": {name: str(path) for name, path in output.items()}})
    rows = report.of("mt_systems")
    assert rows[0].system == "good"
    assert set(rows[0].intervals) == {"acc_eq", "SYS_PEARSON", "SYS_CORRECT"}
    low, high = rows[0].intervals["acc_eq"]
    assert low <= rows[0].metrics["acc_eq"] <= high + 0.1
    assert any(each.output == "mt_systems" and each.metric == "acc_eq" for each in report.comparisons)
    assert "Comparison of MT systems" in output["report"].read_text(encoding="utf-8")
    assert "SPA" in output["markdown"].read_text(encoding="utf-8")
    assert json.loads(output["figures"].read_text(encoding="utf-8"))["rows"][-1]["metrics"]["SPA"] >= 0.0


@pytest.mark.parametrize("word", ["hallucination", "None", ["HALLUCINATION", 3]])
def test_a_word_leaves_segments_out(tmp_path, word):
    text = "hallucination" if word != "None" else "None"
    files = {
        "sentence_scores": write(tmp_path / "gold" / "scores", f"0.1\n{text}\n0.5\n0.9\n"),
        "target_tags": write(tmp_path / "gold" / "tags", f"OK BAD\n{text}\nOK\nBAD BAD\n"),
    }
    ours = {
        "sentence_scores": write(tmp_path / "us" / "scores", "0.1\n0.2\n0.5\n0.8\n"),
        "target_tags": write(tmp_path / "us" / "tags", "0.1 0.9\n0.4 0.1 0.3\n0.2\n0.9 0.4\n"),
    }
    rows = evaluate(files, ours, exclude=word)
    n = 1 + isinstance(word, list)
    assert {output: row.n for (output, _), row in rows.items()} == {
        "sentence_scores": 4 - n,
        "target_tags": 5 - 2 * (n > 1),
    }
    assert all(f"|excluded:{n}|" in row.signature for row in rows.values())
    with pytest.raises(DataError, match=f"line 2: found '{text}'"):
        evaluate(files, ours)


def test_a_word_of_the_gold_files_of_wmt_2023(tmp_path, caplog):
    scores = (
        "lp\tmethod\tsegment\tscore\nen-de\tg\t0\t0.1\nen-de\tg\t1\thallucination\nen-de\tg\t2\t0.5\nen-mr\tg\t0\tx\n"
    )
    files = {"sentence_scores": write(tmp_path / "gold", scores)}
    ours = {"sentence_submission": write(tmp_path / "s", "".join(f"en-de\tus\t{n}\t0.{n}\n" for n in range(3)))}
    (row,) = evaluate(files, ours, exclude="hallucination", language_pair="en-de").values()
    assert row.n == 2
    assert "|excluded:1|" in row.signature
    with pytest.raises(DataError, match="found the SCORE 'hallucination'"):
        evaluate(files, ours, exclude="other", language_pair="en-de")
    assert "no gold label or score is 'other'" in caplog.text


def spans(path, *rows):
    return write(path, "".join(f"en-de\tx\t{number}\t{row}\n" for number, row in enumerate(rows)))


FREE = "-1\t-1\tno-error"


def test_error_free_segments(tmp_path):
    # Error-free are segments 1 and 2: 0 has a span, 3 a low score; 4 has no gold score.
    gold = {
        "sentence_scores": write(tmp_path / "g" / "scores", "90\n95\n85\n84.9\nNone\n"),
        "spans": spans(tmp_path / "g" / "spans", "ein\t0\t3\tminor", *(f"ja\t{FREE}" for _ in range(4))),
    }
    given = {"error_free": True, "exclude": "None"}
    cases = {
        # Two of three that are taken as free are, and both are found.
        "error_free": (write(tmp_path / "a" / "f", "0\n0.9\n1\n0.5\n1\n"), (2 / 3, 1.0, 0.8)),
        # Scores: only 1 is at least 85.
        "sentence_scores": (write(tmp_path / "b" / "f", "80\n88\n84\n1\n99\n"), (1.0, 0.5, 2 / 3)),
        "span_submission": (
            spans(tmp_path / "c" / "f", f"ein\t{FREE}", f"ja\t{FREE}", "ja\t0\t2\tmajor", f"ja\t{FREE}", f"ja\t{FREE}"),
            (1 / 3, 0.5, 0.4),
        ),
    }
    for name, (path, (precision, recall, f1)) in cases.items():
        rows = evaluate(gold, {name: path}, **given)
        (row,) = (row for (output, _), row in rows.items() if output == "error_free")
        found = {key: row.metrics[key] for key in ("precision", "recall", "F1")}
        assert found == pytest.approx({"precision": precision, "recall": recall, "F1": f1})
        assert "error_free|segments:4|excluded:1|gold:score>=85,no_span|" in row.signature
        assert list(row.metrics) == ["MCC", "F1", "precision", "recall", "AP"]
    path = cases["sentence_scores"][0]
    # By score, the two error-free segments come first.
    assert evaluate(gold, {"sentence_scores": path}, **given)["error_free", str(tmp_path / "b")].metrics["AP"] == 1.0
    lower = evaluate(gold, {"sentence_scores": path}, **given, error_free_score=80)["error_free", str(tmp_path / "b")]
    assert (lower.metrics["recall"], "gold:score>=80,no_span" in lower.signature) == (2 / 3, True)
    labels = {"error_free": write(tmp_path / "labels", "0\n1\n1\n0\n0\n")}
    assert evaluate(labels, {"sentence_scores": path})["error_free", str(tmp_path / "b")].n == 5


def test_error_free_segments_that_cannot_be_evaluated(tmp_path, caplog):
    scores = {"sentence_scores": write(tmp_path / "scores", "1\n2\n")}
    with pytest.raises(ConfigError, match=r"error_free: gold_files\.spans not given"):
        evaluate(scores, scores, error_free=True)
    gold = {**scores, "spans": spans(tmp_path / "spans", f"a\t{FREE}", f"b\t{FREE}")}
    with pytest.raises(DataError, match=r"line 2: found 2; expected 1 or 0, a probability.*error_free_score"):
        evaluate(gold, {"error_free": scores["sentence_scores"]}, error_free=True)
    evaluate(gold, scores, error_free=True)
    assert "no segment is free of errors" in caplog.text


def test_submissions_to_the_unified_tasks(tmp_path):
    names = ["doc_id", "segment_id", "source_lang", "target_lang", "set_id", "system_id"]
    keys = [("d", number, "en", "cs_CZ", "official", system) for system in "AB" for number in (1, 2)]

    def table(path, more, rows):
        lines = [[*names, *more], *([*key, *row] for key, row in rows)]
        return write(path, "".join("\t".join(map(str, line)) + "\n" for line in lines))

    spans_names = ["start_indices", "end_indices", "error_types"]
    gold_spans = [("-1", "-1", "no-error"), ("missing 0", "missing 4", "major minor"), *[("0", "2", "critical")] * 2]
    gold = {
        "spans": table(
            tmp_path / "g" / "refs.tsv",
            ["hypothesis_segment", *spans_names],
            [(key, ['"so ""zu"""', *row]) for key, row in zip(keys, gold_spans, strict=True)],
        ),
        "sentence_scores": table(
            tmp_path / "g" / "s.tsv", ["overall"], list(zip(keys, [[90], [80], [70], [60]], strict=True))
        ),
    }
    # The rows of a submission are in another order.
    ours = {
        "span_submission": table(
            tmp_path / "us" / "p.tsv", spans_names, list(zip(keys, gold_spans, strict=True))[::-1]
        ),
        "sentence_submission": table(
            tmp_path / "us" / "s.tsv", ["overall"], list(zip(keys, [[9], [8], [7], [6]], strict=True))[::-1]
        ),
    }
    rows = {output: row for (output, _), row in evaluate(gold, ours, error_free=True, language_pair="en-cs_CZ").items()}
    assert [rows[name].metrics["F1"] for name in ("spans", "spans_WMT25", "spans_MPP")] == [1.0, 1.0, 1.0]
    # Of 4 translations with 7 characters, 4 + 2 + 2 are in error; the constant finds them with the better severity.
    assert rows["spans_WMT25"].metrics["constant_F1"] == pytest.approx(2 * (6 / 28) * (6 / 8) / (6 / 28 + 6 / 8))
    assert rows["mt_systems"].metrics["acc_eq"] == 1.0
    assert rows["sentence_scores"].metrics["PEARSON"] == pytest.approx(1.0)
    assert rows["error_free"].n == 4
    without = write(tmp_path / "w.jsonl", '{"item_id": "official_###_a_###_b", "task1_pred": {"A": {"errors": []}}}\n')
    with pytest.raises(DataError, match="found no translation; expected translations beside the gold spans"):
        evaluate({"spans": without}, {"span_submission": without})


MQM = "lp\tsystem\tdoc\tseg\trater\tsource\ttarget\tstarts\tends\tseverities\n"


def test_annotations_of_several_raters(tmp_path, caplog):
    rows = [
        ("en-de", "A", "d", 0, "r1", "s", "ein Haus", "0", "3", "minor"),
        ("en-de", "A", "d", 0, "r2", "s", "ein Haus", "-1", "-1", "no-error"),
        ("en-de", "B", "d", 0, "r1", "s", "ja", "0 0", "9 1", "major neutral"),
        ("en-ru", "B", "d", 0, "r1", "s", "da", "0", "1", "major"),
    ]
    gold = write(tmp_path / "gold.tsv", MQM + "".join("\t".join(map(str, row)) + "\n" for row in rows))
    ours = [{"system": name, "doc": "d", "seg": 0, "lp": "en-de"} for name in "BA"]
    for line, (start, end) in zip(ours, ((0, 2), (0, 3)), strict=True):
        line["error_spans"] = [{"start": start, "end": end, "severity": "major" if end == 2 else "minor"}]
    path = write(tmp_path / "us" / "p.jsonl", "".join(json.dumps(line) + "\n" for line in ours))
    rows = evaluate({"spans": gold}, {"span_submission": path}, language_pair="en-de")
    (row,) = (row for (output, _), row in rows.items() if output == "spans")
    # Of 5 characters in gold all are marked; 3 more are marked in the row of the rater who found no error.
    assert (row.metrics["recall"], row.metrics["precision"]) == (1.0, 5 / 8)
    assert "1 span(s) do not fit their text" in caplog.text
    with pytest.raises(DataError, match="found no line of the MT system 'B' for segment en-ru d 0"):
        evaluate({"spans": gold}, {"span_submission": path})  # pair by pair
    with pytest.raises(DataError, match="found language pairs en-de, en-ru; expected en-zh"):
        evaluate({"spans": gold}, {"span_submission": gold}, language_pair="en-zh")


@pytest.mark.parametrize("form", ["spans.txt", "spans.jsonl", "error_spans"])
def test_spans_of_predictions(tmp_path, form, caplog):
    gold = {"spans": write(tmp_path / "gold.tsv", "starts\tends\tseverities\n0\t3\tminor\n-1\t-1\tno-error\n")}
    texts = {"source": write(tmp_path / "src", "one\ntwo\n"), "target": write(tmp_path / "mt", "ein Haus\nja\n")}
    spans = [[ErrorSpan(0, 3, "minor", 0.9)], [ErrorSpan(0, 1, "major", 0.5), ErrorSpan(1, 9, "minor", 0.7)]]
    lines = map(spans_line, spans)
    if form == "spans.jsonl":
        lines = (json.dumps({"error_spans": spans_cell(own)}) for own in spans)
    path = write(tmp_path / "us" / form, "".join(f"{line}\n" for line in lines))
    given = {"predicted_files": {"span_submission": path}}
    if form == "error_spans":
        given = {"predicted_dir": str(tmp_path / "us")}
    options = {"gold_files": gold, "texts": texts, "bootstrap": 0, **given}
    rows = {row.output: row for row in evaluate_from_configuration(options).rows}
    assert rows["spans_WMT25"].metrics["precision"] == 3 / 5
    assert rows["spans_MPP"].metrics == pytest.approx(
        {"F1": 0.5, "precision": 1 / 3, "recall": 1.0, "constant_F1": 2 * (3 / 16) / (3 / 16 + 1)}
    )
    assert "1 span(s) lie beyond the end of their text" in caplog.text
    with pytest.raises(DataError, match="found no translation; expected translations beside the gold spans"):
        evaluate_from_configuration({**options, "texts": None})


def test_a_file_of_predictions_that_has_other_text(tmp_path):
    gold = {"spans": write(tmp_path / "gold.tsv", "target\tstarts\tends\tseverities\nja\t-1\t-1\tno-error\n")}
    write(tmp_path / "us" / "error_spans", "0\tx\tminor\t0.5\n")
    with pytest.raises(DataError, match="error_spans"):
        evaluate_from_configuration({"gold_files": gold, "predicted_dir": str(tmp_path / "us"), "bootstrap": 0})


@pytest.mark.parametrize("name", ["error_spans", "esa_spans"])
def test_objects_with_spans_of_any_name(tmp_path, name):
    span = {"start": 0, "end": 3, "severity": "minor"}
    if name == "esa_spans":
        span = {"start_i": 0, "end_i": 3, "severity": "Minor"}
    rows = [{"system": system, "seg": 1, "target": "Das Haus", name: [span]} for system in SYSTEMS]
    path = write(tmp_path / name / "spans.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert evaluate({"spans": path}, {"span_submission": path})["spans", str(tmp_path / name)].metrics["F1"] == 1.0


def test_spans_in_a_column_of_a_table(tmp_path):
    rows = "system\tseg\ttarget\terror_spans\nA\t1\tDas Haus\t0:3:minor\nA\t2\tJa\t[]\n"
    path = write(tmp_path / "us" / "spans.tsv", rows)
    assert evaluate({"spans": path}, {"span_submission": path})["spans", str(tmp_path / "us")].metrics["F1"] == 1.0


@pytest.mark.parametrize("line", ["lp\tmethod\tseg\tscore", "en-de\tm\t0\t0.5", '{"item_id": "x"}'])
def test_submissions_as_plain_scores_are_refused_with_advice(tmp_path, line):
    path = write(tmp_path / "s.txt", line + "\n")
    gold = write(tmp_path / "gold", "1\n")
    with pytest.raises(DataError, match=r"expected a score on each line\..*Give submissions as sentence_submission"):
        evaluate({"sentence_scores": gold}, {"sentence_scores": path})


@pytest.mark.parametrize("suffix", ["tsv", "csv", "jsonl"])
def test_errors_in_tables_name_the_line(tmp_path, suffix):
    """The header is a line, and a cell of CSV may have several."""
    wrong = {"tsv": "score\ttext\n1\ta\nx\tb\n", "csv": 'score,text\n1,"a\nb"\nx,c\n', "jsonl": ""}[suffix]
    wrong = wrong or "".join(f"{json.dumps({'score': value})}\n" for value in ("1", "x"))
    right = write(tmp_path / "right.tsv", "score\n1\n2\n")
    path = write(tmp_path / f"wrong.{suffix}", wrong)
    line = {"tsv": 3, "csv": 4, "jsonl": 2}[suffix]
    wrong_table, right_table = (
        {"table": {"path": each, "columns": {"sentence_scores": "score"}}} for each in (path, right)
    )
    for gold, predicted in ((wrong_table, right_table), (right_table, wrong_table)):
        with pytest.raises(DataError, match=rf"wrong\.{suffix}, line {line}: found 'x'; expected a finite number"):
            evaluate(gold, predicted)


SPAN_CELLS = {"wrong": "cccc\t0\t4\tmajor", "right": "cccc\t-1\t-1\tno-error"}
"""A translation with an error, and with none."""


def named_spans(path, names, marks):
    """Write a table of spans, whose rows are named by the keys."""
    rows = [f"{names}\ttarget\tstarts\tends\tseverities".replace(" ", "\t")]
    return write(path, "\n".join([*rows, *(f"{name}\t{SPAN_CELLS[mark]}" for name, mark in marks)]) + "\n")


def spans_beside(tmp_path, gold, names, keys, *, one, **options):
    """Evaluate spans that are right but for one translation, which is to be left out, beside gold scores."""
    marks = [(key, "wrong") for key in keys]
    wrong = [(key, "right" if key == one else mark) for key, mark in marks]
    given = {**gold, "spans": named_spans(tmp_path / "gold.spans", names, marks)}
    ours = {"span_submission": named_spans(tmp_path / "us" / "spans", names, wrong)}
    return evaluate(given, ours, **options)["spans", str(tmp_path / "us")]


@pytest.mark.parametrize(
    ("names", "keys", "one", "n"),
    [
        ("system seg", ["B\t0", "B\t1", "A\t1", "A\t0"], "B\t0", 2),
        # A language pair that all rows have tells nothing apart, and each annotation of a translation is left out.
        ("lp system seg", ["x-y\tA\t1", "x-y\tB\t0", "x-y\tB\t0", "x-y\tB\t1"], "x-y\tB\t0", 2),
        # Without names, rows are in the order of the scores.
        ("source", ["a0", "a1", "b0", "b1"], "b0", 2),
    ],
)
def test_segments_are_excluded_from_scores_and_spans_alike(tmp_path, names, keys, one, n):
    gold = {"sentence_scores": write(tmp_path / "gold.seg.score", "A 90\nA 50\nB 95\nB 1\n")}
    row = spans_beside(tmp_path, gold, names, keys, one=one, exclude=[0])
    assert row.metrics["F1"] == 1.0
    assert f"|segments:{n}|excluded:{len(keys) - n}" in row.signature


def test_a_word_excludes_translations_by_name(tmp_path):
    scores = write(tmp_path / "g.tsv", "system\tseg\tx\nA\t1\t90\nA\t2\tNone\nB\t1\t50\nB\t2\t3\n")
    gold = {"table": {"path": scores, "columns": {"sentence_scores": "x", "system": "system", "seg": "seg"}}}
    keys = ["B\t1", "A\t2", "A\t1"]
    row = spans_beside(tmp_path, gold, "system seg", keys, one="A\t2", exclude="None")
    assert row.metrics["F1"] == 1.0
    assert "|segments:2|excluded:1|" in row.signature


def test_a_word_in_seg_scores_excludes_the_translation_from_spans_too(tmp_path):
    gold = {"sentence_scores": write(tmp_path / "gold.seg.score", "A 90\nA 50\nB hallucination\nB 1\n")}
    keys = ["B\t0", "A\t1", "A\t0"]
    row = spans_beside(tmp_path, gold, "system seg", keys, one="B\t0", exclude="hallucination")
    assert row.metrics["F1"] == 1.0
    assert "|segments:2|excluded:1|" in row.signature


@pytest.mark.parametrize(
    ("scores", "names", "keys", "message"),
    [
        # Segments that are counted from 1 are not those of the scores, which have no names.
        ("A 90\nA 50\n", "system seg", ["A\t1", "A\t2"], r"spans: found row 2 of the MT system 'A' for segment 2; exp"),
        ("90\n50\n", "system seg", ["A\t1", "A\t0"], r"gold: found none to exclude by; expected the MT system and"),
        ("A 90\nA 50\n", "source", ["a", "b", "c"], r"spans: found 3 lines; expected 2, as .*gold has"),
    ],
)
def test_exclusions_that_cannot_be_found_in_another_file(tmp_path, scores, names, keys, message):
    gold = {"sentence_scores": write(tmp_path / "gold", scores)}
    with pytest.raises(DataError, match=message):
        spans_beside(tmp_path, gold, names, keys, one=keys[0], exclude=[0])


def test_labels_of_error_free_segments_are_excluded_by_name(tmp_path):
    names = "doc_id\tsegment_id\tsource_lang\ttarget_lang\tsystem_id"

    def labels(path, *cells):
        return write(path, "".join(f"{line}\n" for line in (f"{names}\terror_free", *cells)))

    keys = {number: f"d\t{number}\ten\tde\tA" for number in (1, 2, 3)}
    scores = write(
        tmp_path / "s.tsv",
        "".join(
            f"{line}\n"
            for line in (
                f"{names}\toverall",
                *(f"{key}\t{value}" for key, value in zip(keys.values(), (90, 80, 70), strict=True)),
            )
        ),
    )
    gold = {
        "sentence_scores": scores,
        "error_free": labels(tmp_path / "g.tsv", *(f"{keys[number]}\t1" for number in (3, 2, 1))),
    }
    ours = {"error_free": labels(tmp_path / "p" / "p.tsv", *(f"{keys[n]}\t{int(n != 1)}" for n in (1, 2, 3)))}
    (row,) = (row for (output, _), row in evaluate(gold, ours, exclude=[0]).items() if output == "error_free")
    assert (row.metrics["F1"], row.n) == (1.0, 2)

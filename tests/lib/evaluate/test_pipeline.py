import json
import re
from pathlib import Path

import numpy as np
import pytest

from kiwi.data.files.table_writers import write_table
from kiwi.data.labels.ragged import read_probabilities
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.evaluate import evaluate_from_configuration, evaluate_from_file
from kiwi.metrics.report import ENSEMBLE

# Two segments, of two target words and of one.
INTERLEAVED = "OK BAD OK OK BAD\nOK OK OK\n"
WORDS = "BAD OK\nOK\n"
SOURCE = "OK BAD\nOK OK BAD\n"
SCORES = "0.1\n0.4\n0.4\n0.9\n"


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return str(path)


def gold(directory, **files):
    return {name: write(directory / "gold" / name, content) for name, content in files.items()}


def system(directory, name, **files):
    for output, content in files.items():
        write(directory / name / output, content)
    return str(directory / name)


def evaluate(gold_files, *directories):
    return evaluate_from_configuration({"gold_files": gold_files, "predicted_dir": list(directories)})


def test_words(tmp_path):
    name = system(tmp_path, "a", target_tags="0.9 0.2\n0.6\n")
    for content in (WORDS, INTERLEAVED):
        report = evaluate(gold(tmp_path, target_tags=content), name)
        (row,) = report.rows
        assert (row.output, row.system, row.n) == ("target_tags", name, 3)
        # One BAD of one is found, one OK of two is called BAD.
        expected = {"MCC": 0.5, "F1_MULT": 4 / 9, "CORRECT": 2 / 3, "precision_BAD": 0.5, "recall_OK": 0.5}
        assert {key: row.metrics[key] for key in expected} == pytest.approx(expected)


def test_gaps(tmp_path):
    report = evaluate(gold(tmp_path, target_tags=INTERLEAVED), system(tmp_path, "a", gap_tags="0.1 0.7 0.8\n0.2 0.3\n"))
    (row,) = report.rows
    assert (row.output, row.n) == ("gap_tags", 5)
    expected = {"MCC": 3 / 24**0.5, "F1_OK": 6 / 7, "F1_BAD": 2 / 3, "CORRECT": 0.8}
    assert {key: row.metrics[key] for key in expected} == pytest.approx(expected)


def test_words_and_gaps_together(tmp_path):
    name = system(tmp_path, "a", targetgaps_tags="0.1 0.9 0.7 0.2 0.8\n0.2 0.4 0.3\n")
    (row,) = evaluate(gold(tmp_path, target_tags=INTERLEAVED), name).rows
    assert (row.output, row.n) == ("WMT19", 8)
    expected = {"MCC": 10 / 180**0.5, "F1_BAD": 4 / 5, "F1_OK": 10 / 11, "F1_MULT": 8 / 11, "CORRECT": 7 / 8}
    assert {key: row.metrics[key] for key in expected} == pytest.approx(expected)


def test_source_words(tmp_path):
    report = evaluate(gold(tmp_path, source_tags=SOURCE), system(tmp_path, "a", source_tags="0 1\n0 0.5 1\n"))
    assert report.rows[0].n == 5
    assert report.metric("source_tags", "MCC") == 1.0


def test_scores(tmp_path):
    name = system(tmp_path, "a", sentence_scores="0.2\n0.3\n0.5\n0.7\n")
    (row,) = evaluate(gold(tmp_path, sentence_scores=SCORES), name).rows
    assert (row.output, row.system, row.n) == ("sentence_scores", name, 4)
    assert row.metrics == pytest.approx(
        {
            "PEARSON": 0.205 / (0.33 * 0.1475) ** 0.5,
            "SPEARMAN": 4.5 / 22.5**0.5,
            "KENDALL": 5 / 30**0.5,
            "MAE": 0.125,
            "RMSE": 0.0175**0.5,
            "DELTA_AVG": 0.2,
        }
    )
    assert list(row.intervals) == list(row.metrics)
    assert row.intervals["MAE"][0] < 0.125 < row.intervals["MAE"][1]
    assert row.signature.startswith("sentence_scores|segments:4|bootstrap:1000|seed:42|kiwi:")


def test_labels_as_predictions(tmp_path):
    name = system(tmp_path, "a", target_tags="BAD OK\nBAD\n", source_tags="OK BAD\nOK OK BAD\n")
    report = evaluate(gold(tmp_path, target_tags=WORDS, source_tags=SOURCE), name)
    assert report.metric("target_tags", "MCC") == pytest.approx(0.5)
    assert report.metric("source_tags", "CORRECT") == 1.0


def test_a_gold_file_predicted_by_itself_is_perfect(tmp_path):
    files = gold(tmp_path, target_tags=INTERLEAVED, source_tags=SOURCE, sentence_scores=SCORES)
    name = system(tmp_path, "a", targetgaps_tags=INTERLEAVED, source_tags=SOURCE, sentence_scores=SCORES)
    report = evaluate(files, name)
    assert [row.output for row in report.rows] == ["sentence_scores", "WMT19", "source_tags"]
    for row in report.rows:
        assert next(iter(row.metrics.values())) == pytest.approx(1.0)


def test_several_systems_and_their_average(tmp_path):
    a = system(tmp_path, "a", target_tags="0.9 0.6\n0.1\n", sentence_scores="0\n1\n0.2\n0.6\n")
    b = system(tmp_path, "b", target_tags="0.4 0.1\n0.3\n", sentence_scores="0.2\n-0.2\n0.6\n1.2\n")
    report = evaluate(gold(tmp_path, target_tags=WORDS, sentence_scores=SCORES), a, b)
    assert [(row.output, row.system) for row in report.rows] == [
        (output, name) for output in ("sentence_scores", "target_tags") for name in (a, b, ENSEMBLE)
    ]
    assert ENSEMBLE == "*ensemble*"
    figures = [report.metric("target_tags", "MCC", name) for name in (a, b, ENSEMBLE)]
    assert figures == pytest.approx([0.5, 0.0, 1.0])
    # The averages are the gold scores themselves.
    assert report.metric("sentence_scores", "RMSE", ENSEMBLE) == pytest.approx(0.0)
    assert report.metric("sentence_scores", "RMSE", a) == pytest.approx(((0.01 + 0.36 + 0.04 + 0.09) / 4) ** 0.5)


def test_one_system_alone_has_no_average(tmp_path):
    a = system(tmp_path, "a", target_tags=WORDS, sentence_scores=SCORES)
    b = system(tmp_path, "b", target_tags=WORDS)
    report = evaluate(gold(tmp_path, target_tags=WORDS, sentence_scores=SCORES), a, b)
    assert [row.system for row in report.of("sentence_scores")] == [a]
    assert {row.system for row in report.of("target_tags")} == {a, b, ENSEMBLE}


def test_files_of_one_directory_are_several_systems(tmp_path):
    files = [{"target_tags": write(tmp_path / "p" / name, WORDS)} for name in ("one", "two")]
    files.append(
        {"target_tags": write(tmp_path / "q" / "t", WORDS), "source_tags": write(tmp_path / "r" / "s", SOURCE)}
    )
    options = {"gold_files": gold(tmp_path, target_tags=WORDS, source_tags=SOURCE), "predicted_files": files}
    report = evaluate_from_configuration(options)
    names = [row.system for row in report.rows if row.output == "target_tags"]
    assert len(names) == len(set(names)) == 4
    assert names[0] == str(tmp_path / "p")
    assert [row.system for row in report.of("source_tags")] == [names[2]]


@pytest.mark.parametrize("key", ["predicted_dir", "predicted_files"])
def test_one_system_may_stand_without_a_list(tmp_path, key):
    directory = system(tmp_path, "a", target_tags=WORDS)
    value = directory if key == "predicted_dir" else {"target_tags": f"{directory}/target_tags"}
    report = evaluate_from_configuration({"gold_files": gold(tmp_path, target_tags=WORDS), key: value})
    assert report.metric("target_tags", "MCC") == 1.0


def test_from_a_file(tmp_path):
    system(tmp_path, "a", target_tags=WORDS)
    gold(tmp_path, target_tags=WORDS)
    content = f"gold_files: {{target_tags: {tmp_path}/gold/target_tags}}\npredicted_dir: [{tmp_path}/a]\n"
    path = write(tmp_path / "evaluate.yaml", content)
    assert evaluate_from_file(path).metric("target_tags", "MCC") == 1.0


def test_segments_without_words(tmp_path):
    report = evaluate(
        gold(tmp_path, target_tags="BAD OK\n\nOK\n"), system(tmp_path, "a", target_tags="0.9 0.2\n\n0.1\n")
    )
    assert report.rows[0].n == 3
    assert report.metric("target_tags", "MCC") == 1.0


def test_gaps_of_a_directory_are_left_out_when_the_gold_has_words_alone(tmp_path):
    name = system(
        tmp_path,
        "a",
        target_tags="0.9 0.2\n0.1\n",
        gap_tags="0.1 0.1 0.1\n0.1 0.1\n",
        targetgaps_tags="0.1 0.9 0.1 0.2 0.1\n0.1 0.1 0.1\n",
    )
    report = evaluate(gold(tmp_path, target_tags=WORDS), name)
    assert report.outputs == ["target_tags"]
    assert report.metric("target_tags", "MCC") == 1.0


@pytest.mark.parametrize(
    ("output", "content"), [("gap_tags", "0.1 0.1 0.1\n0.1 0.1\n"), ("targetgaps_tags", INTERLEAVED)]
)
def test_gaps_asked_for_by_name_are_refused_when_the_gold_has_words_alone(tmp_path, output, content):
    files = gold(tmp_path, target_tags=WORDS)
    predicted = write(tmp_path / "a" / output, content)
    with pytest.raises(DataError) as caught:
        evaluate_from_configuration({"gold_files": files, "predicted_files": [{output: predicted}]})
    assert files["target_tags"] in str(caught.value)
    assert predicted in str(caught.value)


@pytest.mark.parametrize(
    ("output", "gold_content", "content", "place", "found", "expected"),
    [
        ("target_tags", WORDS, "0.9 0.2\n", "", "found 1 lines", "expected 2"),
        ("target_tags", WORDS, "0.9 0.2\n0.1\n0.1\n", "", "found 3 lines", "expected 2"),
        ("target_tags", WORDS, "0.9 0.2\n0.1 0.1\n", ", line 2", "found 2 tags", "expected 1"),
        ("target_tags", WORDS, "0.9 0.2 0.1\n0.1\n", ", line 1", "found 3 tags", "expected 2"),
        ("target_tags", INTERLEAVED, "0.9\n0.1\n", ", line 1", "found 1 tags", "expected 2"),
        ("target_tags", INTERLEAVED, "0.9 0.2\n\n", ", line 2", "found 0 tags", "expected 1"),
        ("gap_tags", INTERLEAVED, "0.9 0.2 0.1\n0.1 0.1 0.1\n", ", line 2", "found 3 tags", "expected 2"),
        ("gap_tags", INTERLEAVED, "0.9 0.2\n0.1 0.1\n", ", line 1", "found 2 tags", "expected 3"),
        ("targetgaps_tags", INTERLEAVED, "0 0 0 0 0\n0 0\n", ", line 2", "found 2 tags", "expected 3"),
        ("targetgaps_tags", INTERLEAVED, "0 0 0 0\n0 0 0\n", ", line 1", "found 4 tags", "expected 5"),
        ("source_tags", SOURCE, "0 0\n0 0\n", ", line 2", "found 2 tags", "expected 3"),
        ("source_tags", SOURCE, "0 0 0\n0 0 0\n", ", line 1", "found 3 tags", "expected 2"),
        ("sentence_scores", SCORES, "0\n0\n0\n", "", "found 3 lines", "expected 4"),
        ("sentence_scores", SCORES, "0\n0\ninf\n0\n", ", line 3", "found 'inf'", "expected a finite number"),
        ("target_tags", WORDS, "0.9 0.2\nx\n", ", line 2", "'x'", "expected probabilities of BAD"),
        ("target_tags", WORDS, "0.9 1.2\n0\n", ", line 1", "found 0.9 1.2", "expected probabilities between 0 and 1"),
        ("target_tags", WORDS, "0.9 -0.2\n0\n", ", line 1", "found 0.9 -0.2", "between 0 and 1"),
        ("target_tags", WORDS, "0.9 0.2\nnan\n", ", line 2", "found nan", "between 0 and 1"),
        ("target_tags", WORDS, "", "", "found no line", "expected one segment per line"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(tmp_path, output, gold_content, content, place, found, expected):
    gold_name = {"gap_tags": "target_tags", "targetgaps_tags": "target_tags"}.get(output, output)
    files = gold(tmp_path, **{gold_name: gold_content})
    name = system(tmp_path, "a", **{output: content})
    with pytest.raises(DataError) as caught:
        evaluate(files, name)
    parts = [f"{name}/{output}{place}:", found, expected]
    assert [part for part in parts if part not in str(caught.value)] == []
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("output", "content", "place", "found", "expected"),
    [
        ("target_tags", "BAD OK\nok\n", ", line 2", "found tag 1 'ok'", "expected OK or BAD"),
        ("source_tags", "OK 0.5\nOK\n", ", line 1", "found tag 2 '0.5'", "expected OK or BAD"),
        ("sentence_scores", "0\ninf\n", ", line 2", "found 'inf'", "expected a finite number"),
        ("target_tags", "", "", "found no line", "expected one segment per line"),
    ],
)
def test_wrong_gold_is_refused(tmp_path, output, content, place, found, expected):
    files = gold(tmp_path, **{output: content})
    name = system(tmp_path, "a", target_tags=WORDS, source_tags=SOURCE, sentence_scores="0\n1\n")
    with pytest.raises(DataError) as caught:
        evaluate(files, name)
    parts = [f"{files[output]}{place}:", found, expected]
    assert [part for part in parts if part not in str(caught.value)] == []


def test_a_gold_file_of_both_forms_is_refused(tmp_path):
    files = gold(tmp_path, target_tags="OK BAD OK OK BAD\nOK\n")
    with pytest.raises(DataError) as caught:
        evaluate(files, system(tmp_path, "a", target_tags="0.9 0.2\n0.1\n"))
    assert files["target_tags"] in str(caught.value)
    assert "line 2" in str(caught.value)


def test_configuration_errors_come_together(tmp_path):
    files = gold(tmp_path, target_tags=WORDS)
    options = {
        "gold_files": files | {"source_tag": files["target_tags"], "sentence_scores": str(tmp_path / "missing")},
        "predicted_dir": [str(tmp_path / "gold"), str(tmp_path / "nowhere")],
        "quit": True,
    }
    with pytest.raises(ConfigError) as caught:
        evaluate_from_configuration(options)
    message = str(caught.value)
    for part in (
        "4 mistakes",
        "gold_files.source_tag: unknown key; did you mean 'source_tags'?",
        "gold_files.sentence_scores:",
        str(tmp_path / "missing"),
        "predicted_dir.1:",
        str(tmp_path / "nowhere"),
        "quit: unknown key; did you mean 'quiet'?",
    ):
        assert part in message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("gold_names", "keys", "parts"),
    [
        (["target_tags"], [], ["at least one of predicted_dir and predicted_files"]),
        ([], ["predicted_dir"], ["gold_files: at least one file"]),
        (
            ["source_tags"],
            ["predicted_files"],
            [
                "2 mistakes",
                "predicted_files.0.target_tags: given, but gold_files.target_tags is not",
                "predicted_files.0.sentence_scores: given, but gold_files.sentence_scores is not",
            ],
        ),
    ],
)
def test_nothing_sensible_to_compare_is_refused(tmp_path, gold_names, keys, parts):
    contents = {"target_tags": WORDS, "source_tags": SOURCE, "sentence_scores": SCORES}
    files = gold(tmp_path, **{name: contents[name] for name in gold_names})
    directory = system(tmp_path, "a", **contents)
    predicted = {"predicted_dir": [directory], "predicted_files": [{name: f"{directory}/{name}" for name in contents}]}
    with pytest.raises(ConfigError) as caught:
        evaluate_from_configuration({"gold_files": files} | {key: predicted[key] for key in keys})
    assert [part for part in parts if part not in str(caught.value)] == []


def test_directories_without_predictions_for_the_gold_are_refused(tmp_path):
    name = system(tmp_path, "a", source_tags=SOURCE, target_tags_labels=WORDS)
    with pytest.raises(ConfigError) as caught:
        evaluate(gold(tmp_path, target_tags=WORDS), name)
    assert "Nothing to compare" in str(caught.value)
    assert name in str(caught.value)
    assert caught.value.exit_code == 2


def test_systems_without_files_are_refused_by_their_key(tmp_path):
    with pytest.raises(ConfigError) as caught:
        evaluate_from_configuration({"gold_files": gold(tmp_path, target_tags=WORDS), "predicted_files": [{}]})
    assert "predicted_files" in str(caught.value)


def test_read_probabilities(tmp_path):
    path = tmp_path / "tags"
    path.write_bytes(b"\xef\xbb\xbf0.25 OK BAD 1e-3\r\n\r\n1\r\n")
    rows = read_probabilities(path)
    assert [row.tolist() for row in rows] == [[0.25, 0.0, 1.0, 0.001], [], [1.0]]
    assert {row.dtype for row in rows} == {np.dtype(np.float64)}


def test_empty_segments_are_left_out(tmp_path, caplog):
    files = gold(tmp_path, sentence_scores="0.5\n0.0\n0.1\n", target_tags="OK BAD OK\nOK\nOK OK OK\n")
    name = system(tmp_path, "a", sentence_scores="0.5\nnan\n0.3\n", target_tags="0.9\n\n0.1\n", gap_tags="0 0\n\n0 0\n")
    report = evaluate(files, name)
    assert report.metric("sentence_scores", "MAE") == pytest.approx(0.1)
    assert [row.n for row in report.rows] == [2, 2, 4]
    assert "1 empty segment(s)" in caplog.text


def test_gold_that_nothing_is_compared_with_is_named(tmp_path, caplog):
    files = gold(tmp_path, sentence_scores="0.5\n0.0\n", source_tags="OK\nOK\n")
    evaluate(files, system(tmp_path, "a", sentence_scores="0.5\n0.1\n"))
    assert "source_tags is not compared with anything" in caplog.text


def test_an_empty_line_for_a_segment_of_one_word_is_refused(tmp_path):
    files = gold(tmp_path, target_tags="OK BAD\nOK\n")
    with pytest.raises(DataError, match="line 2: found 0 tags; expected 1"):
        evaluate(files, system(tmp_path, "a", target_tags="0.9 0.1\n\n"))


def test_systems_that_differ_on_an_empty_segment_are_compared_on_the_others(tmp_path):
    files = gold(tmp_path, target_tags="OK BAD OK\nOK\n")
    names = [system(tmp_path, "a", gap_tags="0 0\n\n"), system(tmp_path, "b", gap_tags="0 1\n0.9\n")]
    assert [row.n for row in evaluate(files, *names).rows] == [2, 2, 2]


RANDOM = np.random.default_rng(5)


def lines_of(values):
    return "".join(f"{value:.6f}\n" for value in values)


@pytest.fixture
def three(tmp_path):
    """Gold, and three systems of which two are alike and one is noise."""
    scores = RANDOM.random(300)
    noises = {"good": 0.1, "alike": 0.1, "noise": 5.0}
    tags = RANDOM.random((300, 6)) < 0.3
    for name, noise in noises.items():
        probabilities = np.clip(0.5 + (tags - 0.5) / (1 + noise) + RANDOM.normal(0, 0.1 * noise, tags.shape), 0, 1)
        system(
            tmp_path,
            name,
            sentence_scores=lines_of(scores + noise * RANDOM.normal(size=300)),
            target_tags="".join(" ".join(f"{value:.4f}" for value in row) + "\n" for row in probabilities),
        )
    gold_tags = "".join(" ".join("BAD" if tag else "OK" for tag in row) + "\n" for row in tags)
    files = gold(tmp_path, sentence_scores=lines_of(scores), target_tags=gold_tags)
    return {"gold_files": files, "predicted_dir": [str(tmp_path / name) for name in noises], "bootstrap": 200}


def test_systems_that_cannot_be_told_apart(three, tmp_path):
    report = evaluate_from_configuration(three)
    for output in ("sentence_scores", "target_tags"):
        groups = [{Path(name).name for name in group} for group in report.clusters[output]]
        assert groups[-1] == {"noise"}
        assert {"good", "alike"} <= set.union(*groups[:-1])
    tests = {(each.output, each.metric): set(each.p) for each in report.comparisons}
    assert tests == {
        ("sentence_scores", "PEARSON"): {"Williams", "paired bootstrap"},
        ("sentence_scores", "SPEARMAN"): {"paired bootstrap"},
        ("target_tags", "MCC"): {"approximate randomization"},
    }
    assert all(each.difference >= 0 and each.better != each.worse for each in report.comparisons)
    assert len(report.comparisons) == 3 * 6  # of three systems and their average
    assert evaluate_from_configuration(three) == report
    assert evaluate_from_configuration({**three, "seed": 1}).rows[0].intervals != report.rows[0].intervals


def test_without_samples_there_are_neither_intervals_nor_tests(three):
    report = evaluate_from_configuration({**three, "bootstrap": 0})
    assert not report.comparisons
    assert not report.clusters
    assert all(not row.intervals and "bootstrap" not in row.signature for row in report.rows)


def test_thresholds_are_asked_for(three):
    plain = evaluate_from_configuration({**three, "bootstrap": 0})
    higher = evaluate_from_configuration({**three, "bootstrap": 0, "threshold": 0.9})
    noise = three["predicted_dir"][2]
    assert plain.metric("target_tags", "recall_BAD", noise) > higher.metric("target_tags", "recall_BAD", noise)
    assert {name for each in plain.calibration for name in each.figures} == {"ECE", "Brier"}
    best = evaluate_from_configuration({**three, "bootstrap": 0, "best_threshold": True})
    for each in best.calibration:
        assert each.figures["MCC_at_best"] >= plain.metric(each.output, "MCC", each.system)
    assert [row.metrics for row in best.rows] == [row.metrics for row in plain.rows]


def test_explanations(three, tmp_path):
    report = evaluate_from_configuration({**three, "bootstrap": 50, "explanations": True})
    assert report.metric("explanations", "AUC", three["predicted_dir"][0]) > 0.9
    assert 0.3 < report.metric("explanations", "AUC", three["predicted_dir"][2]) < 0.7
    without = {**three, "gold_files": {"sentence_scores": three["gold_files"]["sentence_scores"]}, "explanations": True}
    with pytest.raises(ConfigError, match="explanations: no system has target_tags"):
        evaluate_from_configuration(without)


def test_critical_errors(tmp_path):
    files = gold(tmp_path, binary="BAD\nOK\nOK\nBAD\n")
    report = evaluate(files, system(tmp_path, "a", binary="0.4\n0.1\n0.2\n0.3\n"))
    (row,) = report.rows
    assert (row.output, row.n) == ("binary", 4)
    assert row.metrics["MCC"] == 0.0  # nothing is above a half
    assert (row.metrics["MCC_at_K"], row.metrics["AUC"], row.metrics["recall_at_K"]) == (1.0, 1.0, 1.0)


def test_deviations(tmp_path):
    gold_scores = RANDOM.normal(size=500)
    means = gold_scores + RANDOM.normal(size=500)
    extras = "".join(f"{mean:.5f}\t1.0\n" for mean in means)
    files = gold(tmp_path, sentence_scores=lines_of(gold_scores))
    name = system(tmp_path, "a", sentence_scores=lines_of(means), sentence_scores_extras=extras)
    (calibration,) = evaluate(files, name).calibration
    assert calibration.figures["within_80"] == pytest.approx(0.8, abs=0.05)
    assert calibration.figures["miscalibration"] < 0.05
    assert calibration.figures["UPS"] == 0.0  # all deviations are equal
    assert calibration.figures["sharpness"] == 1.0
    assert calibration.figures["ECE"] < 0.05
    assert calibration.figures["NLL"] == pytest.approx(0.5 * np.log(2 * np.pi) + 0.5, abs=0.1)
    (tmp_path / "a" / "sentence_scores_extras").write_text("0.5\n" * 500)
    with pytest.raises(DataError) as caught:
        evaluate(files, name)
    assert "sentence_scores_extras, line 1: found 0.5; expected mean, tab, deviation" in str(caught.value)


def test_intervals_of_all_and_of_each_language_pair(tmp_path):
    files = gold(tmp_path, sentence_scores="1\n2\n3\n4\n", lp="en-de\nen-de\nen-de\nen-fr\n")
    ends = "1\t2\n0\t1.5\n2\t3\n3\t3.5\n"
    name = system(tmp_path, "a", sentence_scores="1\n1\n2\n3\n", sentence_intervals=ends)
    found = {each.output: each.figures for each in evaluate(files, name).calibration}
    assert found["sentence_scores"] == {"coverage": 0.5, "width": 1.0}
    assert found["en-de sentence_scores"] == {"coverage": pytest.approx(2 / 3), "width": pytest.approx(3.5 / 3)}
    assert found["en-fr sentence_scores"] == {"coverage": 0.0, "width": 0.5}
    for line, expected in (("1", "expected lower end, tab, upper end"), ("2\t1", "which is not below it")):
        (tmp_path / "a" / "sentence_intervals").write_text(f"{line}\n" * 4)
        with pytest.raises(DataError, match=f"sentence_intervals, line 1: .*{expected}"):
            evaluate(files, name)


def test_files_of_figures(three, tmp_path):
    places = {name: str(tmp_path / "out" / name) for name in ("figures", "markdown", "latex")}
    report = evaluate_from_configuration({**three, "output": places})
    content = json.loads((tmp_path / "out" / "figures").read_text())
    assert content["rows"][0]["metrics"] == report.rows[0].metrics
    assert len(content["comparisons"]) == len(report.comparisons)
    markdown = (tmp_path / "out" / "markdown").read_text()
    assert "## sentence_scores" in markdown
    assert "do not differ significantly" in markdown
    assert report.rows[0].signature in markdown
    latex = (tmp_path / "out" / "latex").read_text()
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 2
    assert r"target\_tags" in latex
    assert "\\toprule" in latex


def test_a_page(three, tmp_path):
    texts = {}
    for name in ("source", "target"):
        (tmp_path / name).write_text("Was ist <das> für eine Zeile?\n" * 300, encoding="utf-8")
        texts[name] = str(tmp_path / name)
    evaluate_from_configuration({**three, "texts": texts, "output": {"report": str(tmp_path / "report.html")}})
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "&lt;das&gt;" in page
    assert "<das>" not in page


def test_the_checkpoint_is_in_the_signature(tmp_path):
    files = gold(tmp_path, sentence_scores=SCORES)
    name = system(tmp_path, "a", sentence_scores=SCORES)
    (tmp_path / "a" / "predictions.json").write_text(json.dumps({"checkpoint": "0123456789abcdef" * 4}))
    (row,) = evaluate(files, name).rows
    assert row.signature.endswith("|checkpoint:0123456789ab")


def test_several_language_pairs(tmp_path):
    options = {}
    for pair, shift in (("en-de", 0.0), ("en-zh", 0.1)):
        place = tmp_path / pair
        place.mkdir()
        files = gold(place, sentence_scores=SCORES, target_tags=WORDS)
        one = system(place, "a", sentence_scores="0.2\n0.3\n0.5\n0.7\n", target_tags=WORDS)
        two = system(place, "b", sentence_scores=lines_of(np.array([0.5, 0.3, 0.1, 0.2]) + shift))
        options[pair] = {"gold_files": files, "predicted_dir": [one, two]}
    report = evaluate_from_configuration({"language_pairs": options, "bootstrap": 20})
    assert report.outputs[:2] == ["en-de sentence_scores", "en-de target_tags"]
    assert report.outputs[-2:] == ["mean sentence_scores", "mean target_tags"]
    maes = [report.metric(f"{pair} sentence_scores", "MAE", options[pair]["predicted_dir"][1]) for pair in options]
    assert maes[0] != maes[1]
    assert report.metric("mean sentence_scores", "MAE", "system 2") == pytest.approx(np.mean(maes))
    assert {each.output for each in report.comparisons} == {"en-de sentence_scores", "en-zh sentence_scores"}


def test_language_pairs_have_files_of_their_own(tmp_path):
    files = gold(tmp_path, sentence_scores=SCORES)
    name = system(tmp_path, "a", sentence_scores=SCORES)
    pair = {"gold_files": files, "predicted_dir": [name]}
    for options, expected in (
        ({"language_pairs": {"en-de": pair}, **pair}, "gold_files: given, but language_pairs has files of its own"),
        ({"language_pairs": {}}, "language_pairs: expected at least one"),
        ({"language_pairs": {"a": pair, "b": {**pair, "predicted_dir": [name, name]}}}, "found 1 and 2 systems"),
        (
            {"language_pairs": {"en-de": {"predicted_dir": [name]}}},
            "language_pairs.en-de.gold_files: at least one file",
        ),
    ):
        with pytest.raises(ConfigError) as caught:
            evaluate_from_configuration(options)
        assert expected in str(caught.value)


def files_of(tmp_path, **contents):
    paths = {}
    for name, content in contents.items():
        paths[name] = tmp_path / f"{name}.tsv"
        paths[name].write_text(content, encoding="utf-8")
    return paths


def test_submissions(tmp_path):
    files = gold(tmp_path, sentence_scores="0.2\n0.8\n", target_tags="OK BAD OK OK BAD\nOK OK OK\n")
    paths = files_of(
        tmp_path,
        scores="1\n2\n1\nen-de\tus\t1\t0.7\nen-de\tus\t0\t0.1\n",
        words="".join(
            f"en-de\tus\t{kind}\t{segment}\t{index}\t{word}\t{tag}\n"
            for kind, segment, words in (
                ("mt", 0, ["ein/BAD", "Haus/OK"]),
                ("gap", 0, ["gap/OK", "gap/OK", "gap/BAD"]),
                ("mt", 1, ["ja/BAD"]),
                ("gap", 1, ["gap/OK", "gap/OK"]),
            )
            for index, (word, tag) in enumerate(item.split("/") for item in words)
        ),
    )
    options = {"sentence_submission": str(paths["scores"]), "word_submission": str(paths["words"])}
    options = {"gold_files": files, "predicted_files": [options], "bootstrap": 0}
    report = evaluate_from_configuration(options)
    assert report.metric("sentence_scores", "MAE") == pytest.approx(0.1)
    # Gold is BAD OK / OK for words, and OK OK BAD / OK OK for gaps.
    assert report.metric("gap_tags", "MCC") == 1.0
    assert report.metric("target_tags", "precision_BAD") == 0.5
    with pytest.raises(DataError, match="en-zh"):
        evaluate_from_configuration({**options, "language_pair": "en-zh"})


@pytest.mark.parametrize("interleaved", [True, False])
def test_submissions_with_eos(tmp_path, interleaved):
    # Something is missing before "Haus" and at the end.
    tags = "OK OK BAD OK BAD\n" if interleaved else "OK BAD BAD\n"
    files = gold(tmp_path, target_tags=tags)
    rows = [("ein", "OK"), ("Haus", "BAD"), ("<EOS>", "OK")]
    lines = "".join(f"en-de\tus\tmt\t0\t{index}\t{word}\t{tag}\n" for index, (word, tag) in enumerate(rows))
    paths = files_of(tmp_path, words="1\n2\n1\n" + lines, plain="en-de\tus\tmt\t0\t0\tein\tOK\n")
    submission = {"word_submission": str(paths["words"])}
    report = evaluate_from_configuration({"gold_files": files, "predicted_files": [submission]})
    assert report.metric("target_tags", "recall_BAD") == 0.5
    assert report.metric("target_tags", "precision_BAD") == 1.0
    assert report.rows[0].n == 3


def test_spans(tmp_path):
    rows = {
        "gold": ["0\tein Haus\t0\t3\tminor", "1\tja\t-1\t-1\tno-error"],
        "mine": ["0\tein Haus\t0 4\t3 8\tmajor minor", "1\tja\t-1\t-1\tno-error"],
        "other": ["0\tein Hund\t-1\t-1\tno-error", "1\tja\t-1\t-1\tno-error"],
    }
    paths = files_of(tmp_path, **{name: "".join(f"en-de\tx\t{row}\n" for row in own) for name, own in rows.items()})

    def options(name):
        return {"gold_files": {"spans": str(paths["gold"])}, "predicted_files": [{"span_submission": str(paths[name])}]}

    report = evaluate_from_configuration(options("mine"))
    assert report.metric("spans", "precision") == pytest.approx(1.5 / 7)
    assert report.metric("spans", "recall") == pytest.approx(0.5)
    assert evaluate_from_configuration(options("gold")).metric("spans", "F1") == 1.0
    with pytest.raises(DataError) as caught:
        evaluate_from_configuration(options("other"))
    place = f"in the place of segment 1 of {paths['gold']}"
    assert f"found the translation 'ein Hund' {place}; expected 'ein Haus'. The spans are" in str(caught.value)


@pytest.mark.parametrize("suffix", ["tsv", "jsonl", "parquet"])
def test_tables(tmp_path, suffix):
    path = tmp_path / f"table.{suffix}"
    columns = {"hter": [0.1, 0.5], "score": [0.2, 0.4], "tags": ["OK BAD", "OK"], "bad": ["0.1 0.9", "0.2"]}
    write_table(path, [columns])
    options = {
        "gold_files": {"table": {"path": str(path), "columns": {"sentence_scores": "hter", "target_tags": "tags"}}},
        "predicted_files": {
            "table": {"path": str(path), "columns": {"sentence_scores": "score", "target_tags": "bad"}}
        },
        "bootstrap": 0,
    }
    report = evaluate_from_configuration(options)
    assert report.metric("sentence_scores", "MAE") == pytest.approx(0.1)
    assert report.metric("target_tags", "MCC") == 1.0
    options["gold_files"]["table"]["columns"]["sentence_score"] = "hter"
    with pytest.raises(ConfigError, match="sentence_score: not a field; did you mean 'sentence_scores'"):
        evaluate_from_configuration(options)


def test_only_segments_with_an_empty_side_may_have_no_score(tmp_path, caplog):
    files = gold(tmp_path, sentence_scores="0.1\n0.4\n0.4\n0.9\n", source_tags="OK BAD\n\nOK\nOK\n")
    texts = {
        "source": write(tmp_path / "source", "a b\n\nc\nd\n"),
        "target": write(tmp_path / "target", "x\n\n\ny z\n"),
    }
    name = system(tmp_path, "a", sentence_scores="0.1\nnan\n\n0.8\n", source_tags="0 1\n\n\n0\n")
    options = {"gold_files": files, "predicted_dir": name, "texts": texts, "bootstrap": 0}
    report = evaluate_from_configuration(options)
    assert [(row.output, row.n, row.left_out) for row in report.rows] == [
        ("sentence_scores", 2, 2),
        ("source_tags", 3, 1),
    ]
    assert "|left_out:2|" in report.rows[0].signature
    assert "2 empty segment(s) of 4" in caplog.text
    assert "1 segment(s) of the texts have one empty side" in caplog.text
    for scores, expected in (
        ("nan\nnan\n0.1\n0.8\n", "line 1: found no value; expected a number, since neither source nor target"),
        ("0.1\nnan\n0.1\ninf\n", "line 4: found 'inf'; expected a finite number"),
    ):
        system(tmp_path, "a", sentence_scores=scores)
        with pytest.raises(DataError, match=re.escape(f"{name}/sentence_scores, {expected}")):
            evaluate_from_configuration(options)
    system(tmp_path, "a", sentence_scores="0.1\n\n\n0.8\n", source_tags="0 1\n\n\n\n")
    with pytest.raises(DataError, match="source_tags, line 4: found 0 tags; expected 1"):
        evaluate_from_configuration(options)


def test_missing_scores_are_counted_where_the_texts_are_not_known(tmp_path, caplog):
    files = gold(tmp_path, sentence_scores=SCORES)
    name = system(tmp_path, "a", sentence_scores="nan\n0.4\nNaN\n0.9\n")
    (row,) = evaluate(files, name).rows
    assert (row.n, row.left_out) == (2, 2)
    assert "|left_out:2|" in row.signature
    assert "2 empty segment(s) of 4, which have no value, are left out; texts is not given" in caplog.text
    with pytest.raises(DataError, match="no segment to compare for sentence_scores"):
        evaluate(files, system(tmp_path, "b", sentence_scores="nan\n" * 4))


@pytest.mark.parametrize("value", ["nan", "inf", "", "-inf"])
def test_gold_scores_are_never_missing(value, tmp_path):
    files = gold(tmp_path, sentence_scores=f"0.5\n{value}\n0.1\n")
    with pytest.raises(DataError, match="gold/sentence_scores, line 2"):
        evaluate(files, system(tmp_path, "a", sentence_scores="0.5\n0.5\n0.5\n"))
    path = tmp_path / "table.jsonl"
    path.write_text('{"hter": 0.1}\n{"hter": null}\n')
    files = {"table": {"path": str(path), "columns": {"sentence_scores": "hter"}}}
    with pytest.raises(DataError, match=r"line 2: found 'null'; expected a finite number\. exclude: None leaves out"):
        evaluate(files, system(tmp_path, "b", sentence_scores="0.5\n0.5\n"))


def test_a_nan_among_probabilities_is_refused(tmp_path):
    files = gold(tmp_path, target_tags=WORDS)
    with pytest.raises(DataError, match=r"line 1: found 0\.5 nan; expected probabilities between 0 and 1"):
        evaluate(files, system(tmp_path, "a", target_tags="0.5 nan\n0.1\n"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("target", "x y\nz u v\n", "line 2: found 3 words; expected 2, as"),
        ("target", "x\nz u\n", "line 1: found 1 words; expected 2, as"),
        ("source", "a\nb c\n", "line 2: found 2 words; expected 1, as"),
    ],
)
def test_texts_that_are_not_those_of_the_tags(name, content, message, tmp_path):
    tags = {"target_tags": "OK BAD\nOK OK\n", "source_tags": "OK\nBAD\n"}
    texts = {"source": "a\nb\n", "target": "x y\nz u\n"}
    predicted = {each: lines.replace("OK", "0.1").replace("BAD", "0.9") for each, lines in tags.items()}
    options = {"gold_files": gold(tmp_path, **tags), "bootstrap": 0}
    options["predicted_dir"] = system(tmp_path, "a", **predicted)
    for own, is_refused in ((texts, False), (texts | {name: content}, True)):
        options["texts"] = {each: write(tmp_path / f"{each}.txt", lines) for each, lines in own.items()}
        if is_refused:
            with pytest.raises(DataError, match=f"{name}.txt, {message} .*texts must name the texts"):
                evaluate_from_configuration(options)
        else:
            evaluate_from_configuration(options)


LONGER = "OK BAD OK OK BAD\nOK OK OK OK OK OK OK\n"


@pytest.mark.parametrize("tags", [LONGER, INTERLEAVED])
def test_interleaved_predictions_are_split(tags, tmp_path, caplog):
    words = {"source": "a\na\n", "target": "x y\nz u v\n" if tags == LONGER else "x y\nz\n"}
    texts = {name: write(tmp_path / name, content) for name, content in words.items()}
    options = {"gold_files": gold(tmp_path, target_tags=tags), "bootstrap": 0}
    options["predicted_files"] = [{"target_tags": write(tmp_path / "p", tags.replace("BAD", "0.9"))}]
    for known in ({"texts": texts}, {}):
        caplog.clear()
        report = evaluate_from_configuration(options | known)
        assert [row.output for row in report.rows] == ["target_tags", "gap_tags", "WMT19"]
        assert [row.n for row in report.rows] == ([5, 7, 12] if tags == LONGER else [3, 5, 8])
        assert ("may be of words or of gaps and words" in caplog.text) == (not known)
    texts["target"] = write(tmp_path / "target", tags)  # as many words as tags
    assert [row.output for row in evaluate_from_configuration(options | {"texts": texts}).rows] == ["target_tags"]
    # Gold tags of words alone: the gaps have nothing to be compared with.
    only = gold(tmp_path, target_tags="BAD OK\nOK OK OK\n" if tags == LONGER else WORDS)
    assert [row.output for row in evaluate_from_configuration(options | {"gold_files": only}).rows] == ["target_tags"]


def test_explanations_of_any_scale(tmp_path, caplog):
    files = gold(tmp_path, target_tags="OK BAD OK\nOK OK BAD\n")
    name = system(tmp_path, "a", target_tags="-0.013 0.43 0.02\n0.1 2.3 1.7\n")
    with pytest.raises(DataError, match="expected probabilities between 0 and 1"):
        evaluate(files, name)
    options = {"gold_files": files, "predicted_dir": name, "explanations": True, "bootstrap": 0}
    (row,) = evaluate_from_configuration(options).rows
    assert row.output == "explanations"
    assert row.metrics == {"AUC": 0.75, "AP": 0.75, "recall_at_K": 0.5}
    assert "figures that need probabilities are left out" in caplog.text
    system(tmp_path, "a", target_tags="-0.013 nan 0.02\n0.1 2.3 1.7\n")
    with pytest.raises(DataError, match=r"line 1: found -0\.013 nan 0\.02; expected finite numbers"):
        evaluate_from_configuration(options)


@pytest.mark.parametrize("labels", ["OK\nBAD\nOK\nOK\n", "0\n1\n0\n0\n", "NOT\nERR\nNOT\nNOT\n"])
def test_critical_errors_of_any_scale(labels, tmp_path, caplog):
    files = gold(tmp_path, binary=labels)
    expected = {"MCC_at_K": 1.0, "recall_at_K": 1.0, "AUC": 1.0, "AP": 1.0}
    (row,) = evaluate(files, system(tmp_path, "a", binary="-0.8\n0.2\n-1.5\n-0.3\n")).rows
    assert (row.output, row.n, row.metrics) == ("binary", 4, expected)
    assert "not all between 0 and 1" in caplog.text
    rows = "".join(f"en-de\tus\t{index}\t{score}\n" for index, score in enumerate((0.1, 0.9, 0.8, 0.7)))
    path = write(tmp_path / "submission", rows)
    options = {"gold_files": files, "predicted_files": {"sentence_submission": path}, "bootstrap": 50}
    (row,) = evaluate_from_configuration(options).rows
    assert (row.output, row.metrics, row.signature.split("|")[2]) == ("binary", expected, "order")
    (row,) = evaluate_from_configuration(options | {"low_is_bad": True}).rows
    assert row.metrics == {"MCC_at_K": pytest.approx(-1 / 3), "recall_at_K": 0.0, "AUC": 0.0, "AP": 0.25}


def test_verdicts_that_are_refused(tmp_path):
    name = system(tmp_path, "a", binary="0.4\n0.1\n")
    for labels, message in (("OK\nmaybe\n", "line 2: found 'maybe'; expected OK or BAD"), ("OK\n", "found 2 lines")):
        with pytest.raises(DataError, match=message):
            evaluate(gold(tmp_path, binary=labels), name)


def test_alike_systems_are_not_significantly_different(three):
    report = evaluate_from_configuration(three)
    for each in report.comparisons:
        assert each.significant == (max(each.p.values()) < 0.05)
    assert {each.significant for each in report.comparisons} == {True, False}


def test_scores_of_opposite_direction_are_warned_of(tmp_path, caplog):
    values = [index / 20 for index in range(20)]
    gold_files = gold(tmp_path, sentence_scores="".join(f"{value}\n" for value in values))
    same = system(tmp_path, "same", sentence_scores="".join(f"{value}\n" for value in values))
    opposite = system(tmp_path, "opposite", sentence_scores="".join(f"{-value}\n" for value in values))
    evaluate(gold_files, same)
    assert not caplog.records
    evaluate(gold_files, opposite)
    assert "fall where the gold scores rise (PEARSON -1.000, 20 segments)" in caplog.text


HALLUCINATIONS = "lp\tsid\nen-de\t1\nen-mr\t0\nen-mr\t7\n"


def gold_2023(directory):
    """Gold files in the form of WMT 2023, whose segment 1 of en-de is a hallucination."""
    scores = "lp\tgold\tsid\tscore\n" + "".join(
        f"en-de\tgold\t{number}\t{score}\n" for number, score in enumerate(["0.1", "hallucination", "0.4", "0.9"])
    )
    rows = [("a b", "a b <EOS>", "OK BAD OK"), ("c", "c <EOS>", "hallucination"), ("d", "d <EOS>", "BAD OK")]
    words = "lp\tgold\tsid\tmt\tmttok\ttags\n" + "".join(
        f"en-de\tgold\t{number}\t" + "\t".join(row) + "\n" for number, row in enumerate(rows)
    )
    return gold(directory, sentence_scores=scores + "en-mr\tgold\t0\t0.5\n", target_tags=words)


def test_excluded_segments_of_wmt_2023(tmp_path):
    files = gold_2023(tmp_path)
    submission = "".join(f"en-de\tus\t{number}\t{score}\n" for number, score in enumerate([0.2, 9, 0.3, 0.8]))
    tags = ["OK BAD OK", "BAD BAD", "OK OK"]
    rows = "".join(
        f"en-de\tus\tMT\t{number}\t{place}\tw\t{tag}\n"
        for number, line in enumerate(tags)
        for place, tag in enumerate(line.split())
    )
    given = {
        "gold_files": files,
        "predicted_files": {
            "sentence_submission": write(tmp_path / "us" / "scores", submission),
            "word_submission": write(tmp_path / "us" / "words", rows),
        },
        "language_pair": "en-de",
        "bootstrap": 0,
    }
    with pytest.raises(DataError, match=r"line 3: found the SCORE 'hallucination'.*exclude"):
        evaluate_from_configuration(given)
    for exclude in (1, [1], write(tmp_path / "idx.tsv", HALLUCINATIONS), write(tmp_path / "numbers", "1\n\n1\n")):
        report = evaluate_from_configuration({**given, "exclude": exclude})
        scores, words = report.rows
        assert (scores.n, words.n) == (3, 5)
        assert scores.metrics["MAE"] == pytest.approx(0.1)
        assert words.metrics["recall_BAD"] == 0.5
        assert all("|excluded:1|" in row.signature for row in report.rows)


def test_excluded_verdicts_and_explanations(tmp_path):
    name = system(tmp_path, "a", binary="0.9\n0.9\n0.1\n", target_tags="0.9 0.1\n0.5\n0.1 0.9\n")
    files = gold(tmp_path, binary="BAD\nOK\nOK\n", target_tags="BAD OK\nOK\nBAD OK\n")
    given = {"gold_files": files, "predicted_dir": name, "explanations": True, "bootstrap": 0, "exclude": [1, 2]}
    by_output = {row.output: row for row in evaluate_from_configuration(given).rows}
    assert by_output["binary"].n == 1
    assert by_output["explanations"].metrics["AUC"] == 1.0
    assert all("|excluded:2|" in row.signature for row in by_output.values())


def test_excluded_spans(tmp_path):
    rows = ["en-de\tgold\t0\ta bad\t2\t5\tmajor\n", "en-de\tgold\t1\tb\t-1\t-1\tno-error\n"]
    ours = ["en-de\tus\t0\ta bad\t2\t5\tmajor\n", "en-de\tus\t1\tb\t0\t1\tmajor\n"]
    given = {
        "gold_files": {"spans": write(tmp_path / "gold", "".join(rows))},
        "predicted_files": {"span_submission": write(tmp_path / "us" / "spans", "".join(ours))},
        "bootstrap": 0,
    }
    assert evaluate_from_configuration(given).rows[0].metrics["F1"] < 1.0
    rows = evaluate_from_configuration({**given, "exclude": [1]}).rows
    assert [(row.output, row.metrics["F1"], row.n) for row in rows] == [
        ("spans", 1.0, 6),
        ("spans_WMT25", 1.0, 6),
        ("spans_MPP", 1.0, 1),
    ]


@pytest.mark.parametrize(
    ("exclude", "message"),
    [
        ([4], "exclude: found segment 4; expected less than 4"),
        ([0, 1, 2, 3], "exclude: found every segment"),
        ("1\nx\n", "line 2: found 'x'; expected a segment number"),
        ("en-de\t-1\n", "line 1: found 'en-de.-1'"),
        ("en-de\t1\nen-mr\t1\n", "found segments of en-de, en-mr; expected one language pair"),
    ],
)
def test_segments_that_cannot_be_excluded(exclude, message, tmp_path):
    if isinstance(exclude, str):
        exclude = write(tmp_path / "idx", exclude)
    given = {"gold_files": gold(tmp_path, sentence_scores=SCORES), "exclude": exclude}
    with pytest.raises(DataError, match=message):
        evaluate_from_configuration({**given, "predicted_dir": system(tmp_path, "a", sentence_scores=SCORES)})


def test_predictions_given_twice_are_one_system(tmp_path, caplog):
    files = gold(tmp_path, target_tags=WORDS, sentence_scores=SCORES)
    name = system(tmp_path, "a", target_tags="0.9 0.2\n0.6\n", sentence_scores=SCORES)
    tags = f"{name}/target_tags"
    given = {"gold_files": files, "bootstrap": 0}
    both = evaluate_from_configuration(
        {**given, "predicted_dir": [name, f"{name}/../a"], "predicted_files": {"target_tags": [tags, tags]}}
    )
    assert {row.system for row in both.rows} == {name}
    assert caplog.text.count("given twice, and evaluated once") == 3
    # Columns of a table are files of their own.
    table = tmp_path / "t.tsv"
    write(table, "x\ty\n" + "".join(f"{value}\t{value}\n" for value in SCORES.split()))
    columns = [{"table": {"path": str(table), "columns": {"sentence_scores": column}}} for column in "xyx"]
    report = evaluate_from_configuration({**given, "predicted_files": columns})
    assert len({row.system for row in report.rows}) == 3  # x, y and their average


def test_the_page_says_what_scores_mean(tmp_path):
    scores = "0.9\n0.6\n0.2\n0.1\n"
    for name, expected in (("test.da", "direct assessment (DA), higher is better, 0 to 1"), ("scores", None)):
        page = tmp_path / f"{name}.html"
        gold_file = write(tmp_path / name / name, scores)
        given = {"gold_files": {"sentence_scores": gold_file}, "output": {"report": str(page)}, "bootstrap": 0}
        predicted = system(tmp_path / name, "p", sentence_scores=scores)
        evaluate_from_configuration({**given, "predicted_dir": [predicted]})
        content = page.read_text(encoding="utf-8")
        if expected is None:
            assert "Higher scores mean more errors" in content
        else:
            assert f"predicted score ({expected})" in content
            assert f"tells what scores mean: {expected}." in content


@pytest.mark.parametrize(
    ("words", "tags", "message"),
    [
        (
            (("Das", "Haus", "<EOS>"), ("Gut", "<EOS>")),
            "OK BAD\nOK\n",
            r"found 3 tags for SEG 0; expected 2.* end with <EOS>",
        ),
        ((("Das", "Haus"), ("Gut",)), "OK BAD\nOK OK\n", r"found 1 tags for SEG 1; expected 2, as \S+, line 2, has"),
        (
            (("Das", "Haus", "."), ("Gut",)),
            "OK BAD OK\nOK OK OK\n",
            r"found 1 tags for SEG 1; expected 3, as \S+, line 2",
        ),
    ],
)
def test_submissions_with_other_numbers_of_words(words, tags, message, tmp_path):
    rows = [
        f"en-de\tmine\tMT\t{number}\t{place}\t{word}\tOK\n"
        for number, segment in enumerate(words)
        for place, word in enumerate(segment)
    ]
    header = "1000\n200\n1\n" if words[0][-1] == "<EOS>" else "1000\n200\n"
    path = write(tmp_path / "submission", header + "".join(rows))
    options = {"gold_files": gold(tmp_path, target_tags=tags), "language_pair": "en-de", "bootstrap": 0}
    with pytest.raises(DataError, match=f"submission: {message}"):
        evaluate_from_configuration(options | {"predicted_files": [{"word_submission": path}]})


@pytest.mark.parametrize(("label", "is_one"), [("OK", True), ("BAD", True), ("", False)])
def test_gold_labels_of_one_class(label, is_one, tmp_path, caplog):
    tags = f"{label or 'OK'} {label or 'BAD'}\n"
    evaluate(gold(tmp_path, target_tags=tags), system(tmp_path, "a", target_tags="0.1 0.9\n"))
    assert (f"target_tags: all gold labels are {label}" in caplog.text) == is_one

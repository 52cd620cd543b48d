"""``kiwi evaluate`` on segments of several language pairs: figures of each pair, and their means."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kiwi.cli import app, run
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.evaluate import evaluate_from_configuration
from kiwi.metrics.aligned import Aligned, split_by_pair
from kiwi.metrics.functions import pearson
from kiwi.metrics.report import Report

PAIRS = ["en-de", "et-en", "en-de", "et-en", "en-de", "en-de", "et-en"]
GOLD = [0.1, 0.9, 0.4, 0.3, 0.8, 0.2, 0.5]
SCORES = [0.3, 0.7, 0.2, 0.4, 0.9, 0.1, 0.3]


def write(path: Path, lines: list[Any]) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    write(tmp_path / "a" / "sentence_scores", SCORES)
    gold = {"sentence_scores": write(tmp_path / "hter", GOLD), "lp": write(tmp_path / "test.lp", PAIRS)}
    return {"gold_files": gold, "predicted_dir": [str(tmp_path / "a")], "bootstrap": 0}


def check(report: Report) -> None:
    german = pearson([0.1, 0.4, 0.8, 0.2], [0.3, 0.2, 0.9, 0.1])
    estonian = pearson([0.9, 0.3, 0.5], [0.7, 0.4, 0.3])
    assert report.metric("en-de sentence_scores", "PEARSON") == pytest.approx(german)
    assert report.metric("et-en sentence_scores", "PEARSON") == pytest.approx(estonian)
    assert report.metric("mean sentence_scores", "PEARSON") == pytest.approx((german + estonian) / 2)
    assert [row.n for row in report.rows] == [4, 3, 7]


def test_pairs_of_a_file(options: dict[str, Any]) -> None:
    report = evaluate_from_configuration(options)
    check(report)
    assert report.rows[1].signature.startswith("sentence_scores|segments:3|kiwi:")


def test_a_pair_that_no_file_names(options: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    evaluate_from_configuration({**options, "language_pair": "et-en"})
    assert not caplog.messages
    options["gold_files"].pop("lp")
    report = evaluate_from_configuration({**options, "language_pair": "et-en"})
    assert [row.n for row in report.rows] == [7]
    (message,) = caplog.messages
    assert message.startswith("language_pair: found et-en, but no file names language pairs, so all segments")
    caplog.clear()
    rows = [f"et-en\tQE\t{index}\t{score}" for index, score in enumerate(SCORES)]
    files = [{"sentence_submission": write(tmp_path / "submission", rows)}]
    options = {"gold_files": options["gold_files"], "predicted_files": files, "bootstrap": 0}
    evaluate_from_configuration({**options, "language_pair": "et-en"})
    assert not caplog.messages


def test_pairs_beside_the_predictions(options: dict[str, Any], tmp_path: Path) -> None:
    options["gold_files"].pop("lp")
    assert [row.output for row in evaluate_from_configuration(options).rows] == ["sentence_scores"]
    write(tmp_path / "a" / "lp", PAIRS)
    check(evaluate_from_configuration(options))


def test_spans_of_each_pair(options: dict[str, Any], tmp_path: Path) -> None:
    names = "starts\tends\tseverities\ttarget"
    gold = [f"{start}\t{start + 2}\tminor\tein Text" for start in range(7)]
    options["gold_files"] = {"spans": write(tmp_path / "gold.tsv", [names, *gold])}
    write(tmp_path / "a" / "error_spans", ["0\t4\tminor\t0.7"] * 7)
    write(tmp_path / "a" / "lp", PAIRS)
    report = evaluate_from_configuration({**options, "exclude": [2]})
    german, estonian = (2 + 0 + 0, 12, 6), (2 + 1 + 0, 12, 6)  # in both, predicted, gold
    for pair, (hits, predicted, marked) in (("en-de", german), ("et-en", estonian)):
        assert report.metric(f"{pair} spans", "F1") == pytest.approx(2 * hits / (predicted + marked))
    assert [row.output for row in report.rows if "WMT25" in row.output] == [
        *(f"{pair} spans_WMT25" for pair in ("en-de", "et-en", "mean"))
    ]
    signatures = [row.signature for row in report.rows if row.output.endswith(" spans")]
    assert ["excluded:1" in signature for signature in signatures[:2]] == [True, False]
    page = tmp_path / "page.html"
    report = evaluate_from_configuration({**options, "language_pair": "et-en", "output": {"report": str(page)}})
    assert report.metric("spans", "F1") == pytest.approx(1 / 3)
    assert "3 segments</p>" in page.read_text(encoding="utf-8")
    write(tmp_path / "a" / "lp", PAIRS[:6])
    with pytest.raises(DataError, match=r"gold.tsv: found 7 lines; expected 6, as .*lp has"):
        evaluate_from_configuration(options)


def test_pairs_of_a_table_and_of_the_command_line(options: dict[str, Any], tmp_path: Path) -> None:
    rows = ["hter\tpair", *(f"{score}\t{pair}" for score, pair in zip(GOLD, PAIRS, strict=True))]
    table = {"path": write(tmp_path / "gold.tsv", rows), "columns": {"sentence_scores": "hter", "lp": "pair"}}
    check(evaluate_from_configuration({**options, "gold_files": {"table": table}}))
    config = tmp_path / "evaluate.yaml"
    config.write_text(
        f"gold_files: {{sentence_scores: {tmp_path}/hter}}\npredicted_dir: [{tmp_path}/a]\nbootstrap: 0\n"
    )
    arguments = ["evaluate", str(config), "--lp", str(tmp_path / "test.lp"), "--markdown", str(tmp_path / "tables.md")]
    assert run(lambda: app(arguments, standalone_mode=False)) == 0
    assert "## mean sentence_scores" in (tmp_path / "tables.md").read_text(encoding="utf-8")


def numbered(cells: list[str]) -> list[str]:
    """Return rows of a submission: the language pair, the method, the number within the pair, and other cells."""
    counts = dict.fromkeys(PAIRS, 0)
    rows = []
    for pair, own in zip(PAIRS, cells, strict=True):
        rows.append(f"{pair}\tme\t{counts[pair]}\t{own}")
        counts[pair] += 1
    return sorted(rows, reverse=True)  # in another order than the lines


MARKED = {"en-de": ["0\t1\tminor", "-1\t-1\tno-error"], "et-en": ["0\t4\tmajor", "2\t4\tmajor"]}
"""Gold and predicted spans of each language pair."""


def span_rows(which: int, form: str) -> list[str]:
    cells = [f"text\t{MARKED[pair][which]}" for pair in PAIRS]
    if form == "submission":
        return numbered(cells)
    if form == "numbered":
        rows = ["\t".join(row.split("\t")[:1] + row.split("\t")[2:]) for row in numbered(cells)]
        return ["lp\tseg\ttarget\tstarts\tends\tseverities", *rows]
    return ["target\tstarts\tends\tseverities", *cells]


@pytest.mark.parametrize("gold", ["submission", "numbered", "in order"])
@pytest.mark.parametrize("own", ["submission", "in order"])
@pytest.mark.parametrize("asked", [None, "et-en"])
def test_spans_beside_a_file_of_pairs(tmp_path: Path, gold: str, own: str, asked: str | None) -> None:
    given = {
        "gold_files": {
            "spans": write(tmp_path / "gold.tsv", span_rows(0, gold)),
            "lp": write(tmp_path / "test.lp", PAIRS),
        },
        "predicted_files": [{"span_submission": write(tmp_path / "own.tsv", span_rows(1, own))}],
        "bootstrap": 0,
        "language_pair": asked,
    }
    report = evaluate_from_configuration(given)
    if asked is not None:
        assert report.metric("spans", "F1") == pytest.approx(2 / 3)
        return
    assert report.metric("en-de spans", "F1") == 0.0
    assert report.metric("et-en spans", "F1") == pytest.approx(2 / 3)
    assert report.metric("mean spans", "F1") == pytest.approx(1 / 3)
    assert report.metric("et-en spans_WMT25", "recall") == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (span_rows(0, "submission")[1:], r"own.tsv: found 2 segments of et-en; expected 3, the lines of et-en in"),
        (
            span_rows(0, "numbered")[:-1],
            r"own.tsv: found no row for the translation in line 1 of .*test.lp, and 0 more",
        ),
        (
            [*span_rows(0, "numbered"), span_rows(0, "numbered")[-1]],
            r"own.tsv, line 9: found a second annotation of the translation in line 1 of .*; expected one\. Compare",
        ),
        (span_rows(0, "in order")[:-1], r"own.tsv: found 6 lines; expected 7"),
    ],
)
def test_spans_of_other_segments_than_the_pairs(tmp_path: Path, rows: list[str], expected: str) -> None:
    given = {
        "gold_files": {
            "spans": write(tmp_path / "gold.tsv", span_rows(0, "submission")),
            "lp": write(tmp_path / "test.lp", PAIRS),
        },
        "predicted_files": [{"span_submission": write(tmp_path / "own.tsv", rows)}],
        "bootstrap": 0,
    }
    with pytest.raises(DataError, match=expected):
        evaluate_from_configuration(given)


def test_annotations_that_name_their_pairs(tmp_path: Path) -> None:
    names = "lp\tsystem\tdoc\tseg\trater\ttarget\tstarts\tends\tseverities"
    gold = [
        "en-de\tA\td\t1\tr1\ttext\t0\t4\tminor",
        "en-de\tA\td\t1\tr2\ttext\t-1\t-1\tno-error",
        "et-en\tA\td\t1\tr1\ttext\t0\t4\tmajor",
    ]
    own = ["et-en\tA\td\t1\tme\ttext\t0\t4\tmajor", "en-de\tA\td\t1\tme\ttext\t0\t4\tminor"]
    given: dict[str, Any] = {
        "gold_files": {"spans": write(tmp_path / "gold.tsv", [names, *gold])},
        "predicted_files": [{"span_submission": write(tmp_path / "own.tsv", [names, *own])}],
        "bootstrap": 0,
    }
    report = evaluate_from_configuration(given)
    assert report.metric("en-de spans", "precision") == pytest.approx(0.5)  # each rater counts
    assert report.metric("et-en spans", "F1") == 1.0
    assert report.metric("mean spans", "recall") == 1.0
    assert evaluate_from_configuration({**given, "language_pair": "et-en"}).metric("spans", "F1") == 1.0


def test_a_submission_of_scores_beside_a_file_of_pairs(options: dict[str, Any], tmp_path: Path) -> None:
    options.pop("predicted_dir")
    path = write(tmp_path / "submission", numbered(list(map(str, SCORES))))
    check(evaluate_from_configuration({**options, "predicted_files": [{"sentence_submission": path}]}))
    rows = [row for row in numbered(list(map(str, SCORES))) if row.startswith("et")]
    own = {"sentence_submission": write(tmp_path / "submission", rows)}
    report = evaluate_from_configuration({**options, "predicted_files": [own], "language_pair": "et-en"})
    assert report.metric("sentence_scores", "PEARSON") == pytest.approx(pearson([0.9, 0.3, 0.5], [0.7, 0.4, 0.3]))


def test_a_submission_of_tags_beside_a_file_of_pairs(tmp_path: Path) -> None:
    tags = ["OK BAD", "BAD", "OK", "BAD OK", "BAD", "OK", "OK"]
    rows, counts = [], dict.fromkeys(PAIRS, 0)
    for pair, line in zip(PAIRS, tags, strict=True):
        number = counts[pair]
        counts[pair] += 1
        own = line.split() if pair == "en-de" else ["OK"] * len(line.split())
        rows += [f"{pair}\tme\tmt\t{number}\t{index}\tw\t{tag}" for index, tag in enumerate(own)]
    given = {
        "gold_files": {"target_tags": write(tmp_path / "tags", tags), "lp": write(tmp_path / "test.lp", PAIRS)},
        "predicted_files": [{"word_submission": write(tmp_path / "submission", rows)}],
        "bootstrap": 0,
    }
    report = evaluate_from_configuration(given)
    assert report.metric("en-de target_tags", "MCC") == pytest.approx(1.0)
    assert report.metric("et-en target_tags", "MCC") == pytest.approx(0.0)


@pytest.mark.parametrize("asked", ["en-de", "EN-DE"])
def test_one_pair_of_several(options: dict[str, Any], tmp_path: Path, asked: str) -> None:
    page = tmp_path / "page.html"
    report = evaluate_from_configuration({**options, "language_pair": asked, "output": {"report": str(page)}})
    (row,) = report.rows
    assert (row.output, row.n) == ("sentence_scores", 4)
    assert row.metrics["PEARSON"] == pytest.approx(pearson([0.1, 0.4, 0.8, 0.2], [0.3, 0.2, 0.9, 0.1]))
    assert "4 segments</p>" in page.read_text(encoding="utf-8")
    with pytest.raises(DataError, match=r"test.lp: found no segment of en-zh to compare; expected one of en-de, et-en"):
        evaluate_from_configuration({**options, "language_pair": "en-zh"})


def test_segments_without_a_prediction(options: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path / "a" / "sentence_scores", ["nan", *SCORES[1:3], "nan", *SCORES[4:]])
    rows = {row.output: row for row in evaluate_from_configuration(options).rows}
    assert [rows[f"{pair} sentence_scores"].left_out for pair in ("en-de", "et-en")] == [1, 1]
    assert rows["et-en sentence_scores"].n == 2


def test_a_pair_without_predictions_has_no_mean(
    options: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    scores = [score if pair == "en-de" else "nan" for score, pair in zip(SCORES, PAIRS, strict=True)]
    write(tmp_path / "a" / "sentence_scores", scores)
    assert [row.output for row in evaluate_from_configuration(options).rows] == ["en-de sentence_scores"]
    assert "et-en: no segment to compare for sentence_scores, so there is no mean." in caplog.text


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (PAIRS[:6], r"hter: found 7 lines; expected 6, as .*test.lp has"),
        ([*PAIRS[:6], ""], r"test.lp, line 7: found no language pair; expected one such as en-de per segment"),
        ([*PAIRS[:6], "german"], r"test.lp, line 7: found 'german'; expected two language codes joined by '-'"),
    ],
)
def test_bad_pairs(lines: list[str], expected: str, options: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path / "test.lp", lines)
    with pytest.raises(DataError, match=expected):
        evaluate_from_configuration(options)


def test_contradictions(options: dict[str, Any]) -> None:
    files = {name: options[name] for name in ("gold_files", "predicted_dir")}
    with pytest.raises(ConfigError, match=r"language_pairs.en-de.gold_files.lp: given, but these are files of en-de"):
        evaluate_from_configuration({"language_pairs": {"en-de": files}})


def test_tags_of_each_pair() -> None:
    # Lines 1 to 4 have 2, 1, 0 and 3 tags; line 3 is left out.
    tags = Aligned(
        "target_tags",
        np.array([0, 1, 1, 0, 0, 1]),
        {"a": np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])},
        np.array([0, 2, 3, 6]),
        np.array([1, 2, 4]),
        left_out=1,
    )
    found = split_by_pair([tags], ["x-y", "a-b", "a-b", "x-y"])
    assert list(found) == ["a-b", "x-y"]
    (one,), (other,) = found.values()
    assert (one.gold.tolist(), one.predicted["a"].tolist(), one.offsets.tolist()) == ([1], [0.3], [0, 1])
    assert (one.numbers.tolist(), one.left_out) == ([2], 1)
    assert other.gold.tolist() == [0, 1, 0, 0, 1]
    assert other.predicted["a"].tolist() == [0.1, 0.2, 0.4, 0.5, 0.6]
    assert (other.offsets.tolist(), other.numbers.tolist(), other.left_out) == ([0, 2, 5], [1, 4], 0)


def test_excluded_segments_of_a_pair_are_not_numbers_of_lines(options: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "exclude").write_text("en-de\t2\n")
    with pytest.raises(DataError, match="exclude: found segments of en-de; expected numbers of lines alone"):
        evaluate_from_configuration({**options, "exclude": str(tmp_path / "exclude")})


def test_excluded_segments_count_in_their_pair(options: dict[str, Any]) -> None:
    report = evaluate_from_configuration({**options, "exclude": [2, 3]})
    german, estonian, mean = report.rows
    assert [row.n for row in report.rows] == [3, 2, 5]
    assert german.metrics["PEARSON"] == pytest.approx(pearson([0.1, 0.8, 0.2], [0.3, 0.9, 0.1]))
    assert "|excluded:1|" in german.signature
    assert "|excluded:1|" in estonian.signature
    assert "left" not in german.signature + estonian.signature
    assert mean.metrics["PEARSON"] == pytest.approx((german.metrics["PEARSON"] + estonian.metrics["PEARSON"]) / 2)


NONE = "-1\t-1\tno-error"

SPANS_OF_PAIRS = {
    "zh-en A 0": ("0\t2\tminor",) * 2,
    "zh-en B 0": ("0\t2\tminor",) * 2,
    "en-de A 1": ("0\t4\tmajor", NONE),
}
"""Gold and predicted spans of translations: those of zh-en are right."""


def spans_of_pairs(path: Path, which: int, names: str, keys: list[str]) -> str:
    """Write the gold or the predicted spans of these translations, named by some of lp, system and seg."""
    rows = ["\t".join([*names.split(), "target", "starts", "ends", "severities"])]
    for key in keys:
        cells = dict(zip(("lp", "system", "seg"), key.split(), strict=True))
        rows.append("\t".join([*(cells[name] for name in names.split()), "text", SPANS_OF_PAIRS[key][which]]))
    return write(path, rows)


def scored_pairs(path: Path, keys: list[str], names: str = "lp system seg") -> dict[str, Any]:
    rows = ["lp\tsystem\tseg\tscore", *(f"{key}\t{n}".replace(" ", "\t") for n, key in enumerate(keys))]
    columns = {"sentence_scores": "score", **{name: name for name in names.split()}}
    return {"table": {"path": write(path, rows), "columns": columns}}


@pytest.mark.parametrize("names", ["lp system seg", "system seg"])
def test_spans_are_of_their_own_pairs_beside_a_table_in_another_order(tmp_path: Path, names: str) -> None:
    keys = [*SPANS_OF_PAIRS]
    scored = scored_pairs(tmp_path / "g.tsv", keys[::-1])
    given = {
        "gold_files": {**scored, "spans": spans_of_pairs(tmp_path / "spans", 0, names, keys)},
        "predicted_files": [{**scored, "span_submission": spans_of_pairs(tmp_path / "own", 1, names, keys)}],
        "bootstrap": 0,
    }
    report = evaluate_from_configuration(given)
    assert [report.metric(f"{pair} spans", "F1") for pair in ("zh-en", "en-de")] == [1.0, 0.0]
    report = evaluate_from_configuration({**given, "language_pair": "ZH-EN"})
    assert report.metric("spans", "F1") == 1.0
    if names.startswith("lp"):  # capitals do not matter
        path = tmp_path / "spans"
        write(path, [line.replace("zh-en", "ZH-EN") for line in path.read_text().splitlines()])
        write(
            tmp_path / "own", [line.replace("zh-en", "ZH-EN") for line in (tmp_path / "own").read_text().splitlines()]
        )
        assert evaluate_from_configuration(given).metric("zh-en spans", "F1") == 1.0
        spans_of_pairs(tmp_path / "own", 1, names, keys)
    # Several annotations of a translation are all of its pair.
    twice = spans_of_pairs(tmp_path / "twice", 0, names, [keys[2], keys[0], keys[0], keys[1]])
    report = evaluate_from_configuration({**given, "gold_files": {**scored, "spans": twice}})
    assert [report.metric(f"{pair} spans", "F1") for pair in ("zh-en", "en-de")] == [1.0, 0.0]


def test_spans_of_a_pair_without_scores(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys = [*SPANS_OF_PAIRS]
    scored = scored_pairs(tmp_path / "g.tsv", keys[2:])
    given = {
        "gold_files": {**scored, "spans": spans_of_pairs(tmp_path / "spans", 0, "lp system seg", keys)},
        "predicted_files": [{**scored, "span_submission": spans_of_pairs(tmp_path / "own", 1, "lp system seg", keys)}],
        "bootstrap": 0,
    }
    report = evaluate_from_configuration(given)
    assert [report.metric(f"{pair} spans", "F1") for pair in ("zh-en", "en-de", "mean")] == [1.0, 0.0, 0.5]
    assert "zh-en: no segment to compare for" in caplog.text


@pytest.mark.parametrize(
    ("scores", "names", "keys", "message"),
    [
        (
            ["zh-en A 0", "en-de A 0"],
            "system seg",
            ["zh-en A 0"],
            r"row 1 of the MT system 'A' for segment 0, which is of sev",
        ),
        (
            ["zh-en B 0", "en-de A 1"],
            "system seg",
            ["zh-en A 0"],
            r"row 1 of the MT system 'A' for segment 0, which is not in",
        ),
        # Rows without names are in the order of the lines, and may not be of other pairs.
        (
            ["zh-en A 0", "en-de A 1"],
            "lp",
            ["en-de A 1", "zh-en A 0"],
            r"spans: found 'en-de' in row 1; expected 'zh-en', as line 1",
        ),
        (["zh-en A 0", "en-de A 1"], "", ["zh-en A 0"], r"spans: found 1 lines; expected 2, as .*g\.tsv has"),
    ],
)
def test_spans_whose_pairs_are_not_known(
    tmp_path: Path, scores: list[str], names: str, keys: list[str], message: str
) -> None:
    scored = scored_pairs(tmp_path / "g.tsv", scores)
    given = {
        "gold_files": {**scored, "spans": spans_of_pairs(tmp_path / "spans", 0, names, keys)},
        "predicted_files": [{"span_submission": spans_of_pairs(tmp_path / "own", 1, names, keys)}],
        "bootstrap": 0,
    }
    with pytest.raises(DataError, match=message):
        evaluate_from_configuration(given)

"""Files of the unified tasks of WMT25 and WMT26, and score files of mt-metrics-eval."""

import json
from pathlib import Path

import numpy as np
import pytest

from kiwi.data.wmt.seg_scores import is_seg_scores, parse_seg_scores
from kiwi.data.wmt.unified import END, read_unified
from kiwi.data.wmt.unified_forms import check_form, is_unified
from kiwi.exceptions import DataError

NAMES = ["doc_id", "segment_id", "source_lang", "target_lang", "set_id", "system_id", "hypothesis_segment"]
SPANS = [*NAMES, "start_indices", "end_indices", "error_types"]


def table(path, names, *rows):
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in (names, *rows)), encoding="utf-8")
    return path


def row(*cells, target="ein Haus", pair=("en", "de_DE"), set_id="official", segment=1):
    return ["d", segment, *pair, set_id, "A", target, *cells]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("-1", "-1", "no-error"), []),
        (("-1", "-1", "No-error", "", ""), []),
        (("0 4", "3 8", "neutral Minor", ""), [(4, 8, "minor")]),
        (("0 4", "3 8", "minor critical"), [(0, 3, "minor"), (4, 8, "critical")]),
        # An omission has no place: it counts at the end.
        (("missing", "missing", "major"), [(8, 8, "major")]),
        (("2", "5", "undecided"), [(2, 5, "undecided")]),
        # As the official scorer reads them: cut at the end, and nothing where nothing remains.
        (("4 8 9", "99 99 99", "minor minor minor"), [(4, 8, "minor"), (8, 8, "minor")]),
        (("5 -1", "2 3", "minor minor"), []),
        (("0", "-1", "major"), []),
        (("", "", ""), []),
        (("0 4", "3 8", "minor"), [(0, 3, "minor")]),
    ],
)
def test_spans_of_wmt25(tmp_path, cells, expected):
    path = table(tmp_path / "p.tsv", SPANS, row(*cells))
    found = read_unified(path, "spans")
    assert [tuple(span[:3]) for span in found.spans[0]] == expected
    assert (found.systems, found.segments, found.targets) == (["A"], [("d", "1")], ["ein Haus"])


def test_objects_that_are_no_errors(tmp_path):
    errors = [
        {"start": -1, "end": -1, "severity": "no-error"},
        {"start": 0, "end": 1, "severity": "neutral"},
        {"start": 0, "end": 2, "severity": "minor"},
    ]
    line = {"item_id": "official_###_en_###_de_###_x", "task1_pred": {"A": {"errors": errors}}}
    assert read_unified(lines(tmp_path / "p.jsonl", line), "spans").spans == [[(0, 2, "minor", 1.0)]]


def test_what_is_odd_is_counted(tmp_path, caplog):
    rows = [row("4", "99", "minor"), row("", "", "", segment=2), row("3", "1", "minor", set_id="challenge_x")]
    read_unified(table(tmp_path / "p.tsv", SPANS, *rows), "spans")
    assert "1 spans that end beyond their text; read as the official scorer does" in caplog.text
    assert "1 rows without positions or severities; read as the official scorer does" in caplog.text


def test_negative_positions_are_not_said_to_be_read_as_officially(tmp_path, caplog):
    """The official scorer would mark all but the last character."""
    assert read_unified(table(tmp_path / "p.tsv", SPANS, row("0", "-1", "major")), "spans").spans == [[]]
    assert "1 spans that end before they start, or have a negative position; they mark nothing." in caplog.text
    assert "official" not in caplog.text


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row("0", "x", "minor")], r"line 2: found the span '0' to 'x'; expected whole numbers, or missing"),
        (
            [row("0", "1", "odd")],
            r"line 2: found the severity 'odd'; expected one of minor, major, critical, undecided",
        ),
        ([row("0", "1")], r"line 2: found 9 columns; expected 10, as line 1 has"),
        (
            [row("-1", "-1", "no-error"), row("-1", "-1", "no-error", pair=("en", "et_EE"))],
            r"found several language pairs: en-de_DE, en-et_EE.*Set language_pair",
        ),
        ([row("-1", "-1", "no-error", set_id="challenge_x")], r"expected a translation of the official set"),
    ],
)
def test_spans_that_are_refused(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        read_unified(table(tmp_path / "p.tsv", SPANS, *rows), "spans")


def test_scores_of_wmt25(tmp_path):
    names = [*NAMES[:-1], "overall"]
    rows = [row("5"), row("NaN", segment=2), row("", segment=3), row("7", pair=("en", "et_EE"))]
    path = table(tmp_path / "s.tsv", names, *([*cells[:6], cells[7]] for cells in rows))
    assert is_unified("\t".join(names))
    assert not is_unified("lp\tmethod\tseg\tscore")
    assert np.array_equal(read_unified(path, "scores", "en-DE_de").scores, [5.0, np.nan, np.nan], equal_nan=True)
    with pytest.raises(DataError, match=r"no column start_indices, end_indices, error_types"):
        read_unified(path, "spans")
    with pytest.raises(DataError, match=r"no column overall.*Corrections \(task 3 of WMT25\) cannot be evaluated"):
        read_unified(table(tmp_path / "e.tsv", [*NAMES, "post_edit"], row("x")), "scores")


def lines(path, *rows):
    path.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    return path


def test_submissions_to_wmt26(tmp_path):
    error = {"start": 0, "end": 2, "severity": "major", "category": "fluency"}
    first = {
        "item_id": "official_###_eng_Latn_###_deu_Latn_###_social_###_7_###_0",
        "task1_pred": {"A": {"errors": [error], "omission": "minor", "instruction_fault": None}, "B": {"errors": []}},
        "task2_pred": {"A": 60.5, "B": None},
        "task3_pred": {"A": 0, "B": True, "C": None},
    }
    path = lines(tmp_path / "p.jsonl", first, {**first, "item_id": "challenge_###_en_###_de_###_x_###_0_###_0"})
    assert is_unified(path.read_text().splitlines()[0])
    spans = read_unified(path, "spans", "eng_Latn-deu_Latn")
    assert [[tuple(span[:3]) for span in own] for own in spans.spans] == [[(0, 2, "major"), (END, END, "minor")], []]
    assert spans.systems == ["A", "B"]
    assert spans.segments == [(first["item_id"],)] * 2
    assert np.array_equal(read_unified(path, "scores").scores, [60.5, np.nan], equal_nan=True)
    assert np.array_equal(read_unified(path, "error_free").error_free, [0.0, 1.0, np.nan], equal_nan=True)


def test_annotations_of_wmt25(tmp_path):
    annotations = [
        {"score": 90, "errors": []},
        {"score": 70, "errors": [{"start_i": 1, "end_i": 3, "severity": "minor"}]},
    ]
    line = {"doc_id": "en-et_EE_#_news_#_1", "src_text": "x", "tgt_text": {"A": "abc"}, "scores": {"A": annotations}}
    path = lines(tmp_path / "h.jsonl", line)
    found = read_unified(path, "spans", "en-et_EE")
    assert [[tuple(span[:3]) for span in own] for own in found.spans] == [[], [(1, 3, "minor")]]
    assert found.targets == ["abc", "abc"]
    assert read_unified(path, "scores").scores == [90.0, 70.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"item_id": 1}', r"line 1: found no item_id"),
        ('{"item_id": "a_###_b_###_c"', r"line 1: found .*expected a JSON object"),
        ('{"item_id": "official_###_b_###_c"}', r"line 1: found no task3_pred; expected task3_pred by MT system"),
        ('{"item_id": "official_###_b_###_c", "task3_pred": {"A": 2}}', r"line 1: found '2'; expected 1 or 0"),
        (
            '{"item_id": "official_###_b_###_c", "task3_pred": {"A": "yes"}}',
            r"line 1: found 'yes'; expected 1 or 0, .*or none",
        ),
        ('{"item_id": "official_###_b_###_c", "task3_pred": {"A": Infinity}}', r"line 1: found 'inf'; expected 1 or 0"),
    ],
)
def test_json_that_is_refused(tmp_path, text, message):
    (tmp_path / "p.jsonl").write_text(text + "\n")
    with pytest.raises(DataError, match=message):
        read_unified(tmp_path / "p.jsonl", "error_free")


def test_objects_with_one_translation_each(tmp_path):
    rows = [
        {"doc_id": "cs-de_DE_#_news_#_7", "lp": "cs-de_DE", "system": "A", "error_free": 1, "score": 91.5},
        {"doc_id": "cs-de_DE_#_news_#_7", "lp": "cs-de_DE", "system": "B", "error_free": 0, "score": None},
        {"doc_id": "en-et_EE_#_news_#_7", "lp": "en-et_EE", "system": "A", "error_free": 0, "score": 3},
    ]
    path = lines(tmp_path / "task3.jsonl", *rows)
    assert is_unified(path.read_text().splitlines()[0])
    found = read_unified(path, "error_free", "cs-de_DE")
    assert (found.error_free, found.systems) == ([1.0, 0.0], ["A", "B"])
    assert found.segments == [("cs-de_DE_#_news_#_7",)] * 2  # as human evaluations name them
    assert np.array_equal(read_unified(path, "scores", "cs-de_DE").scores, [91.5, np.nan], equal_nan=True)
    with pytest.raises(DataError, match=r"line 1: found no task1_pred by MT system; expected task1_pred"):
        read_unified(path, "spans", "cs-de_DE")
    numbered = lines(tmp_path / "n.jsonl", {"doc_id": "d", "segment_id": 3, "lp": "en-de", "system": "A", "score": 1})
    assert read_unified(numbered, "scores").segments == [("d", "3")]  # as in the tables of WMT25
    lacking = lines(tmp_path / "l.jsonl", rows[0], {"doc_id": "x", "lp": "cs-de_DE", "system": "A"})
    with pytest.raises(DataError, match=r"line 2: found no error_free; expected error_free of each translation"):
        read_unified(lacking, "error_free", "cs-de_DE")


def test_means_of_systems_are_refused(tmp_path):
    names = [*NAMES[:-1], "domain_name", "method", "overall"]
    path = table(tmp_path / "systems.tsv", names, ["all", "all", "en", "de_DE", "official", "A", "all", "ESA", "47.5"])
    with pytest.raises(DataError, match=r"line 2: found the mean of a whole MT system.*; expected a row for each"):
        read_unified(path, "scores")


def test_json_of_other_forms_is_refused(tmp_path):
    path = lines(tmp_path / "p.jsonl", {"id": 1, "prediction": 0.5})
    expected = r"line 1: found JSON with id, prediction; expected a number, or TSV with doc_id, .*task3_pred \(WMT26\)"
    with pytest.raises(DataError, match=expected):
        check_form(path, path.read_text(), "a number")
    check_form(path, "0.5", "a number")


def test_errors_that_are_no_list_are_refused(tmp_path):
    path = lines(tmp_path / "p.jsonl", {"item_id": "official_###_b_###_c", "task1_pred": {"A": {"errors": [3]}}})
    with pytest.raises(DataError, match=r"line 1: found .*; expected a list of errors"):
        read_unified(path, "spans")


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("x", ["A\t0.5"], True),
        ("x", ["A None"], True),
        ("x", ["A nan"], True),
        ("x", ["sys-1   -3e2"], True),
        ("x", ["", "A hallucination", "A 0.5"], True),
        ("x", ["system score", "A 0.5"], True),
        ("x", ["0.5"], False),
        ("x", ["None", "0.5", "A 0.5"], False),
        ("x", ["0.5 0.6"], False),
        ("x", ["a b"], False),
        ("x", ["en-de m 0 0.5", "A 0.5"], False),
        ("x.seg.score", ["1 0.6"], True),
        ("x.seg.score", ["A hallucination"], True),
        ("x.seg.score", ["0.5"], False),
    ],
)
def test_seg_scores_are_recognized(name, given, expected):
    assert is_seg_scores(Path(name), given) is expected


def test_seg_scores(tmp_path):
    found = parse_seg_scores(["A\t1", "A None", "B 2", "B 3", "", " "], tmp_path)
    assert (found.systems, found.segments) == (["A", "A", "B", "B"], [0, 1, 0, 1])
    assert np.array_equal(found.scores, [1.0, np.nan, 2.0, 3.0], equal_nan=True)
    assert np.isnan(parse_seg_scores(["A nan", "A NaN", "A none", "A null"], tmp_path).scores).all()
    assert np.isnan(parse_seg_scores(["A Hallucination"], tmp_path, {"hallucination"}).scores).all()
    for lines_, message in (
        (["A 1", "x"], "line 2: found 'x'"),
        (
            ["system score", "A 1"],
            "line 1: found 'system score'; expected the name of an MT system and a score, or None",
        ),
        (["A 1", "A 2", "B 1"], "found 1 segments of 'B'"),
    ):
        with pytest.raises(DataError, match=message):
            parse_seg_scores(lines_, tmp_path)

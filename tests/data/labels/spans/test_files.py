from __future__ import annotations

import gzip
import json
import logging
import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from kiwi import constants as const
from kiwi.data.files.table_writers import write_table
from kiwi.data.labels.error_spans import SEVERITIES, ErrorSpan, Spans, parse_error_spans, spans_cell, spans_line
from kiwi.data.labels.spans.checks import SpanChecker, SpanDataConfig, majority_of
from kiwi.data.labels.spans.files import SpanReader, read_severities
from kiwi.data.labels.spans.raw import RawSpan, quoted, unquoted
from kiwi.exceptions import ConfigError, DataError

MINOR, MAJOR, CRITICAL = SEVERITIES

TARGETS = ["Das ist gut.", "Ein Apfel"]

TWO_RATERS = [((ErrorSpan(0, 3, MINOR),), ()), ((ErrorSpan(4, 9, MAJOR), ErrorSpan(9, 9, MINOR)),)]


def write(directory: Path, *rows: str, name: str = "spans.tsv") -> Path:
    """A file whose columns are written with | for the tab."""
    path = directory / name
    path.write_text("".join(f"{row}\n" for row in rows).replace("|", "\t"), encoding="utf-8")
    return path


def read(path: Path, targets: list[str] = TARGETS, pairs: list[str] | None = None, **options: Any) -> list[Any]:
    columns = {const.TARGET: targets} | ({const.LANGUAGE_PAIR: pairs} if pairs else {})
    found = SpanReader(SpanDataConfig(**options)).read(path, columns, {const.TARGET: "target.txt"})
    return [parse_error_spans(line) for line in found[const.ERROR_SPANS]]


PLAIN = [((ErrorSpan(0, 3, MINOR), ErrorSpan(8, 8, MAJOR)),), ((),)]


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        (["starts|ends|severities", "0 8|3 8|minor major", "-1|-1|no-error"], "a.tsv"),
        (["Ends|Starts|Types|comment", "3 8|0 8|Minor MAJOR|x", "-1|-1|No-Error|"], "a.txt"),
        (["0 8|3 8|minor major", "-1|-1|no-error"], "a.tsv"),
        (["0 8|3 8|minor major", "||", ""], "a.tsv"),
        (
            [
                "LP|METHOD|SEG|TARGET|STARTS|ENDS|TYPES",
                "a-b|x|1|Ein Apfel|-1|-1|no-error",
                "a-b|x|0|Das ist gut.|0 8|3 8|minor major",
            ],
            "a",
        ),
        (["12", "34", "5", "a-b|x|0|Das ist gut. |0 8|3 8|minor major", "a-b|x|1|Ein\u00a0Apfel|-1|-1|no-error"], "a"),
        (
            [
                "system|doc|seg|target|starts|ends|severities",
                "s|d|7|Das ist gut.|0 8|3 8|minor major",
                "s|d|9|Ein Apfel|-1|-1|no-error",
            ],
            "a",
        ),
        (
            [
                "doc_id|segment_id|source_lang|hypothesis_segment|start_indices|end_indices|error_types",
                "d|1|en|Das ist gut.|0 missing 8|3 missing 8|minor major major",
                "d|2|en|Ein Apfel|-1|-1|no-error",
            ],
            "a",
        ),
        (
            [
                '{"starts": [0, 8], "ends": [3, 8], "severities": ["minor", "major"]}',
                '{"starts": "", "ends": "", "severities": ""}',
            ],
            "a.jsonl",
        ),
        (
            [
                '{"error_spans": [{"start": 0, "end": 3, "text": "Das", "severity": "minor"}, '
                '{"start": 8, "end": 8, "text": "", "severity": "Major", "confidence": 1}]}',
                '{"error_spans": []}',
            ],
            "a.jsonl",
        ),
        # Tabs at the end of lines.
        (["starts|ends|severities|", "0 8|3 8|minor major", "-1|-1|no-error||"], "a"),
        # JSON in a table, as pandas writes it.
        (
            [
                "seg|error_spans",
                '0|"[{""start"": 0, ""end"": 3, ""severity"": ""minor""}, '
                '{""start"": 8, ""end"": 8, ""severity"": ""major""}]"',
                "1|[]",
            ],
            "a",
        ),
        # ESA of WMT24 and WMT25.
        (
            [
                '{"esa_spans": [{"start_i": 0, "end_i": 3, "severity": "minor"}, '
                '{"start_i": 8, "end_i": 8, "severity": "major "}, '
                '{"start_i": "missing", "end_i": "missing", "severity": "major"}]}',
                '{"mqm_spans": [{"start": -1, "end": -1, "severity": "No-error"}]}',
            ],
            "a.jsonl",
        ),
    ],
)
def test_the_forms_of_files(tmp_path: Path, rows: list[str], name: str) -> None:
    assert read(write(tmp_path, *rows, name=name)) == PLAIN


def test_compressed_files(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl.gz"
    rows = [{"starts": [0, 8], "ends": [3, 8], "severities": [MINOR, MAJOR]}, {"error_spans": []}]
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    assert read(path) == PLAIN


def test_confidences_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path, "0|3|minor|0.25", "-1|-1|no-error|-1")
    assert read(path) == [((ErrorSpan(0, 3, MINOR, 0.25),),), ((),)]


def test_what_kiwi_predicts_is_read_as_labels(tmp_path: Path) -> None:
    """The files and tables of predictions: labels from a larger system, for a smaller one."""
    spans = [ErrorSpan(0, 3, MINOR, 0.25), ErrorSpan(8, 8, MAJOR, 0.5)]
    plain = tmp_path / "error_spans"
    plain.write_text(f"{spans_line(spans)}\n{spans_line([])}\n")
    cells = {"target": TARGETS, "error_spans": [spans_cell(spans, TARGETS[0]), spans_cell([], TARGETS[1])]}
    for path in (tmp_path / "a.tsv", tmp_path / "a.jsonl"):
        write_table(path, [cells])
    for path in (plain, tmp_path / "a.tsv", tmp_path / "a.jsonl"):
        assert read(path) == [(tuple(spans),), ((),)]
    with pytest.raises(DataError, match="line 2: found '0:3' in error_spans; expected spans such as 0:4:minor"):
        read(write(tmp_path, "error_spans", "0:3", "-"))


def test_several_raters(tmp_path: Path) -> None:
    rows = ["rater|seg|starts|ends|severities", "a|0|0|3|minor", "a|1|4 9|9 9|major minor", "b|0|-1|-1|no-error"]
    assert read(write(tmp_path, *rows)) == TWO_RATERS
    lists = [
        {"error_spans": [[{"start": 0, "end": 3, "severity": MINOR}], []]},
        {"starts": [4, 9], "ends": [9, 9], "severities": [MAJOR, MINOR]},
    ]
    assert read(write(tmp_path, *map(json.dumps, lists), name="a.jsonl")) == TWO_RATERS
    assert read(write(tmp_path, *rows), raters="majority") == [((),), TWO_RATERS[1]]


def test_segments_are_counted_within_each_pair(tmp_path: Path) -> None:
    rows = [
        "LP|METHOD|SEG|TARGET|STARTS|ENDS|TYPES",
        "en-de|x|0|Ein Apfel|0|3|minor",
        "en-fr|x|0|Das ist gut.|0|3|major",
    ]
    path = write(tmp_path, *rows)
    assert read(path, pairs=["en-fr", "en-de"]) == [((ErrorSpan(0, 3, MAJOR),),), ((ErrorSpan(0, 3, MINOR),),)]
    with pytest.raises(DataError, match=r"line 3: found the language pair after en-de; .* input\.lp\."):
        read(path)


@pytest.mark.parametrize(
    ("rows", "name", "message"),
    [
        (["0|3|minor", "0|3"], "a", "line 2: found 2 columns; expected 3, as before"),
        (["x|y", "0|3"], "a", "line 1: found 'x\ty'; expected columns starts, ends and severities"),
        (["starts|ends|severities|starts", "0|3|minor|0"], "a", "line 1: found several columns 'starts'; expected one"),
        (["starts|ends|severities"], "a", "found no row; expected one row for each annotated translation"),
        (["0 1|3|minor"], "a", "line 1: found 2 starts, 1 ends and 1 severities; expected the same number of each"),
        (
            ["0 1|3 4|minor no-error"],
            "a",
            "line 1: found the span '1' to '4', 'no-error'; expected whole numbers, or -1,",
        ),
        (["0|3.5|minor"], "a", "line 1: found the span '0' to '3.5', 'minor'; expected whole numbers"),
        (
            ["0|3|bad", "0|3|minor"],
            "a",
            "line 1: found the severity 'bad'; expected one of minor, major, critical, neutral, undecided",
        ),
        (["0|3|minor|2", "0|3|minor|1"], "a", "line 1: found the confidences '2'; expected 1 number(s) from 0 to 1"),
        (["0|3|minor"], "a", "found 1 rows; expected 2, one for each line of target.txt"),
        (["seg|starts|ends|severities", "0|0|3|minor"], "a", "found no row for segment 1 (counted from 0); expected"),
        (
            ["seg|starts|ends|severities", "2|0|3|minor"],
            "a",
            "line 2: found the segment '2'; expected a whole number from 0 to 1",
        ),
        (
            ["seg|starts|ends|severities", "0|0|3|minor", "0|0|3|minor", "1|0|3|minor"],
            "a",
            "line 3: found a second row for a translation; expected one for each rater and translation. Annotations",
        ),
        (
            ["target|starts|ends|severities", "Das ist gut|0|3|minor", "x|0|3|minor"],
            "a",
            "line 2: found the translation 'Das ist gut'; expected 'Das ist gut.' (target.txt, line 1)",
        ),
        (["0|3|minor"], "a.csv", "found '.csv'; expected TSV (.tsv, .txt) or JSON Lines (.jsonl)"),
        (["{}"], "a.jsonl", "line 1: found no 'starts'; expected starts, ends and severities, or error_spans"),
        (
            ['{"starts": 0, "ends": 1, "severities": "minor"}'],
            "a.jsonl",
            "line 1: found 0 as 'starts'; expected a list",
        ),
        (
            ['{"error_spans": [{"start": "0"}]}'],
            "a.jsonl",
            "line 1: found {'start': '0'} in error_spans; expected objects with",
        ),
    ],
)
def test_rows_that_are_refused(tmp_path: Path, rows: list[str], name: str, message: str) -> None:
    path = write(tmp_path, *rows, name=name)
    with pytest.raises(DataError, match=re.escape(message.replace("|", "\t"))) as caught:
        read(path)
    assert str(path) in str(caught.value)


FITTING = (
    "expected 0 ≤ start ≤ end ≤ 12, in code points of the translation. Correct it, or set "
    "data.spans.on_bad_span (kiwi thresholds: --on-bad-span) to"
)


@pytest.mark.parametrize(
    ("cells", "message", "clipped", "dropped"),
    [
        ("0 4|3 13|minor major", "line 1: found the span 4 to 13, major; ", ((0, 3), (4, 12)), ((0, 3),)),
        ("8 4|3 8|minor major", "line 1: found the span 8 to 3, minor; ", ((4, 8),), ((4, 8),)),  # reversed
        ("12|14|minor", "line 1: found the span 12 to 14, minor; ", (), ()),  # nothing is left
        ("20|24|minor", "line 1: found the span 20 to 24, minor; ", (), ()),
        ("13|13|minor", "line 1: found the span 13 to 13, minor; ", (), ()),  # an omission beyond the text
        ("-1 -2|-1 3|minor minor", "line 1: found the span -1 to -1, minor; ", ((0, 3),), ()),
    ],
)
def test_spans_that_do_not_fit(
    tmp_path: Path, cells: str, message: str, clipped: Any, dropped: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, cells, "-1|-1|no-error")
    with pytest.raises(DataError, match=re.escape(f"{path}, {message}{FITTING}")):
        read(path)
    with caplog.at_level(logging.WARNING):
        for policy, expected in (("clip", clipped), ("drop", dropped)):
            assert tuple(span[:2] for span in read(path, on_bad_span=policy)[0][0]) == expected
            assert f"span(s) do not fit their text, the first in line 1 (found {message[14:-2]}" in caplog.text


def test_counts_of_spans_that_do_not_fit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, "0 4 9|13 13 2|minor major major", "0 1|8 99|minor neutral")
    with pytest.raises(DataError, match=r"2 more span\(s\) of the file do not fit\.$"):
        read(path)
    with caplog.at_level(logging.INFO):
        read(path, on_bad_span="clip")
    assert f"{path}: 3 span(s) do not fit their text" in caplog.text
    assert "cut 2 of them, and left out 1." in caplog.text
    assert f"{path}: left out 1 span(s), neutral, undecided, or without a position." in caplog.text


# 10 code points, 11 units of UTF-16, and 16 bytes of UTF-8.
EMOJI = "é \U0001f600 für ß!"


@pytest.mark.parametrize(
    ("start", "end", "advice"),
    [
        (
            10,
            11,
            "Perhaps they count UTF-16 units, as Java and JavaScript do: convert them to code points. Or set data.",
        ),
        (13, 16, "Perhaps they count bytes of UTF-8: convert them to code points. Or set data.spans.on_bad_span"),
        (14, 16, "Correct it, or set"),  # within a character in any encoding
        (13, 99, "Correct it, or set"),
        (9, 4, "Correct it, or set"),
    ],
)
def test_positions_in_other_units(tmp_path: Path, start: int, end: int, advice: str) -> None:
    assert [len(EMOJI), len(EMOJI.encode("utf-16-le")) // 2, len(EMOJI.encode())] == [10, 11, 16]
    path = write(tmp_path, f"{start}|{end}|minor", "0|2|minor")
    with pytest.raises(DataError, match=re.escape(advice)):
        read(path, [EMOJI, "ab"])


def test_one_line_can_show_that_positions_are_not_in_other_units(tmp_path: Path) -> None:
    path = write(tmp_path, "10|11|minor", "0|3|minor")
    with pytest.raises(DataError, match="Correct it, or set"):
        read(path, [EMOJI, "ab"])


def test_the_text_of_a_span_is_checked(tmp_path: Path) -> None:
    rows = ['{"error_spans": [{"start": 1, "end": 3, "severity": "minor", "text": "Da"}]}', '{"error_spans": []}']
    path = write(tmp_path, *rows, name="a.jsonl")
    with pytest.raises(
        DataError, match="line 1: found the span 1 to 3, minor; expected the text 'Da' there, rather than 'as'"
    ):
        read(path)
    assert read(path, on_bad_span="clip") == [((),), ((),)]


def test_texts_in_the_quotes_of_csv(tmp_path: Path) -> None:
    targets = ['Er sagt "ja".', "Ein Apfel"]
    rows = ["target|starts|ends|severities", '"Er sagt ""ja""."|8|12|minor', "Ein Apfel|-1|-1|no-error"]
    path = write(tmp_path, *rows)
    assert read(path, targets) == [((ErrorSpan(8, 12, MINOR),),), ((),)]
    with pytest.raises(DataError, match=r"Positions count the plain text: remove the quotes of CSV from target\.txt\."):
        read(path, ['"Er sagt ""ja""."', "Ein Apfel"])


def test_positions_that_count_the_quotes_of_csv(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # In "Er sagt ""ja"" laut.", with its quotes, ja is at 11 to 13 and laut at 16 to 20.
    names, row, plain = "target|starts|ends|severities", '"Er sagt ""ja"" laut."|11 16|13 20|minor major', "Ein Apfel"
    targets = [*['Er sagt "ja" laut.'] * 3, plain]
    path = write(tmp_path, names, row, row, row, "Ein Apfel|0|3|minor")
    with caplog.at_level(logging.INFO):
        (first,), *_, last = read(path, targets)
    assert [targets[0][span.start : span.end] for span in first] == ["ja", "laut"]
    assert last == ((ErrorSpan(0, 3, MINOR),),)
    assert "positions count the quotes of CSV" in caplog.text
    # What is beyond the text remains beyond the plain text.
    beyond = write(tmp_path, names, row, row, row, '"Ein ""Apfel"" ."|6|99|minor', name="b.tsv")
    with pytest.raises(DataError, match=r"line 5: found the span 5 to 95, minor; expected 0 ≤ start ≤ end ≤ 13"):
        read(beyond, [*targets[:3], 'Ein "Apfel" .'])
    # A few positions do not say so.
    ((few,),) = read(write(tmp_path, names, '"Er sagt ""ja"" laut."|11|13|minor', name="c.tsv"), targets[:1])
    assert few == (ErrorSpan(11, 13, MINOR),)


def test_one_text_can_show_that_positions_do_not_count_bytes(tmp_path: Path) -> None:
    # All positions of the first line are between characters of UTF-8, and one of the second line is not.
    path = write(tmp_path, "13|16|minor", "2|3|minor", "0|1|minor")
    with pytest.raises(DataError, match="Correct it, or set"):
        read(path, [EMOJI, "aßb", "ab"])


@given(st.text())
def test_quotes_of_csv_are_removed_again(text: str) -> None:
    assert unquoted(quoted(text)) == text


TABLE = [
    "lp|system|doc|seg|rater|source|target|starts|ends|severities",
    "en-de|s|d|1|a|That is good.|Das ist gut.|0|3|minor",
    'en-de|s|d|2|a|"Say ""yes""."|"Sag ""ja""."|4|8|critical',
    "en-de|s|d|1|b|That is good.|Das ist gut.|-1|-1|no-error",
    "en-de|t|d|1|a|That is good.|Das ist gut.|8 0|8 3|major neutral",
]


def test_tables_with_texts(tmp_path: Path) -> None:
    path = write(tmp_path, *TABLE)
    found = SpanReader(SpanDataConfig(as_scores=True)).read_table(path, ["source", "target", "lp"])
    assert found == {
        "source": ["That is good.", 'Say "yes".', "That is good."],
        "target": ["Das ist gut.", 'Sag "ja".', "Das ist gut."],
        "lp": ["en-de"] * 3,
        "error_spans": ["0:3:minor|-", "4:8:critical", "8:8:major"],
        "sentence_scores": ["0.5", "10.0", "5.0"],
    }


def test_rows_without_raters_are_segments(tmp_path: Path) -> None:
    path = write(tmp_path, "source|target|starts|ends|severities", "a|b|0|1|minor", "a|b|-1|-1|no-error")
    found = SpanReader(SpanDataConfig()).read_table(path, ["source", "target"])
    assert found["error_spans"] == ["0:1:minor", "-"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("en-de|s|d|9|a||Das|-1|-1|no-error", "line 6: found an empty source; expected text. Remove the row."),
        ("EN_DE|s|d|9|a|That|Das|-1|-1|no-error", "line 6: found 'EN_DE'; expected two language codes joined by '-'"),
        ("en-de|s|d|1|b|That is good.|Das ist gut.|-1|-1|no-error", "line 6: found a second row by rater 'b'"),
        ("en-de|s|d|9|a|That|Das|2|4|minor", "line 6: found the span 2 to 4, minor; expected 0 ≤ start ≤ end ≤ 3"),
    ],
)
def test_rows_of_tables_that_are_refused(tmp_path: Path, row: str, message: str) -> None:
    path = write(tmp_path, *TABLE, row)
    with pytest.raises(DataError, match=re.escape(f"{path}, {message}")):
        SpanReader(SpanDataConfig()).read_table(path, ["source", "target", "lp"])


def test_a_table_without_a_text(tmp_path: Path) -> None:
    path = write(tmp_path, "target|starts|ends|severities", "b|0|1|minor")
    with pytest.raises(DataError, match="line 2: found no column 'source'; expected one with that name"):
        SpanReader(SpanDataConfig()).read_table(path, ["source", "target"])


def test_scores_count_severities_whose_positions_are_wrong(tmp_path: Path) -> None:
    path = write(tmp_path, "0 9|3 99|minor major", "0|1|neutral")
    reader = SpanReader(SpanDataConfig(as_scores=True, on_bad_span="drop", mqm_weights={"minor": 0.5}))
    found = reader.read(path, {const.TARGET: TARGETS}, {const.TARGET: "target.txt"})
    assert found == {"error_spans": ["0:3:minor", "-"], "sentence_scores": ["5.5", "0.0"]}


@pytest.mark.parametrize(
    ("raters", "expected"),
    [
        ([], []),
        ([[(0, 3, MINOR)]], [(0, 3, MINOR)]),
        ([[(0, 3, MINOR)], []], []),
        ([[(0, 6, MAJOR)], [(3, 9, MINOR)]], [(3, 6, MINOR)]),
        ([[(0, 6, MAJOR)], [(3, 9, CRITICAL)], [(0, 9, MINOR)]], [(0, 3, MINOR), (3, 6, MAJOR), (6, 9, MINOR)]),
        ([[(0, 6, MINOR), (2, 4, MAJOR)], [(0, 6, MAJOR)]], [(0, 2, MINOR), (2, 4, MAJOR), (4, 6, MINOR)]),
        ([[(4, 4, MAJOR)], [(4, 4, MINOR)], [(5, 5, MAJOR)]], [(4, 4, MINOR)]),
        ([[(4, 4, MAJOR)], [(4, 4, MINOR)], [], []], []),
    ],
)
def test_the_majority_of_raters(raters: list[list[Any]], expected: list[Any]) -> None:
    found = majority_of([tuple(ErrorSpan(*span) for span in spans) for spans in raters], 10)
    assert [span[:3] for span in found] == expected


RAW = st.builds(
    lambda start, end, severity: RawSpan(start, end, severity),
    st.integers(-2, 8),
    st.integers(-2, 8),
    st.sampled_from([*SEVERITIES, "neutral"]),
)


@given(st.lists(RAW, max_size=5), st.text(max_size=6), st.sampled_from(["clip", "drop"]))
def test_what_is_kept_fits_the_text(spans: list[RawSpan], target: str, policy: Any) -> None:
    kept = SpanChecker(Path("a"), policy).check(1, spans, target)
    assert all(0 <= span.start <= span.end <= len(target) for span in kept)
    fitting = [span[:3] for span in spans if 0 <= span.start <= span.end <= len(target) and span.severity != "neutral"]
    # A span that was clipped may equal one that fits, so those that fit are a subsequence.
    rest = iter(span[:3] for span in kept)
    assert all(span in rest for span in fitting)
    assert policy == "clip" or len(kept) == len(fitting)


@given(
    st.lists(
        st.lists(
            st.builds(
                lambda a, n, s: ErrorSpan(a, a + n, s),
                st.integers(0, 6),
                st.integers(0, 4),
                st.sampled_from(SEVERITIES),
            ),
            max_size=3,
        ).map(tuple),
        min_size=1,
        max_size=4,
    )
)
def test_the_majority_by_its_definition(raters: list[Spans]) -> None:
    found = majority_of(raters, 10)

    def rank(spans: Spans, place: int, is_omission: bool) -> int:
        found = [
            span
            for span in spans
            if (span.start == span.end == place if is_omission else span.start <= place < span.end)
        ]
        return max((1 + SEVERITIES.index(span.severity) for span in found), default=0)

    for place, is_omission in product(range(11), (False, True)):
        ranks = [rank(spans, place, is_omission) for spans in raters]
        agreed = max(level for level in range(4) if sum(each >= level for each in ranks) > len(raters) / 2)
        assert rank(found, place, is_omission) == agreed


def test_options_without_effect() -> None:
    with pytest.raises(ConfigError, match="mqm_weights has no effect without as_scores: true"):
        SpanDataConfig.from_dict({"mqm_weights": {"minor": 2}})
    weights = SpanDataConfig.from_dict({"mqm_weights": {"minor": 2}, "as_scores": True}).mqm_weights
    assert weights == {"minor": 2.0, "major": 5.0, "critical": 10.0}


@pytest.mark.parametrize("form", ["tsv", "jsonl"])
def test_an_omission_without_a_position_counts_as_an_error(tmp_path: Path, form: str) -> None:
    """It marks no place, but it has its severity, in scores and for whoever asks how severe errors are."""
    if form == "tsv":
        path = write(
            tmp_path, "starts|ends|severities", "missing 0|missing 3|major minor", "-1|-1|no-error", name="a.tsv"
        )
    else:
        spans = [
            {"start_i": "missing", "end_i": "missing", "severity": "Major"},
            {"start": 0, "end": 3, "severity": MINOR},
        ]
        path = write(tmp_path, json.dumps({"esa_spans": spans}), '{"esa_spans": []}', name="a.jsonl")
    assert read(path) == [((ErrorSpan(0, 3, MINOR),),), ((),)]
    assert read_severities(path, 2, "target.txt") == [[[MAJOR, MINOR]], [[]]]
    columns, places = {const.TARGET: TARGETS}, {const.TARGET: "target.txt"}
    scores = SpanReader(SpanDataConfig(as_scores=True)).read(path, columns, places)[const.SENTENCE_SCORES]
    assert scores == ["6.0", "0.0"]
    unknown = write(tmp_path, "starts|ends|severities", "missing|missing|awful", "-1|-1|no-error", name="b.tsv")
    with pytest.raises(DataError, match="line 2: found the severity 'awful'"):
        read(unknown)


def test_texts_of_json_have_no_quotes_of_csv(tmp_path: Path) -> None:
    text = '"Er sagte ""ja"" da"'
    row = {"target": text, "error_spans": [{"start": 1, "end": 3, "severity": MINOR, "text": "Er"}]}
    assert read(write(tmp_path, json.dumps(row), name="a.jsonl"), [text]) == [((ErrorSpan(1, 3, MINOR),),)]


def test_numbers_of_segments_in_later_objects(tmp_path: Path) -> None:
    path = write(tmp_path, '{"error_spans": []}', '{"seg": 0, "error_spans": []}', name="a.jsonl")
    with pytest.raises(DataError, match="line 1: found the segment ''; expected a whole number from 0 to 1"):
        read(path)


def test_gold_labels_of_wmt23(tmp_path: Path) -> None:
    names = "lp|gold|sid|mt|start_id|end_id|error"
    rows = [f"en-de|gold|{index}|{text}|0|3|minor" for index, text in enumerate(TARGETS)]
    assert read(write(tmp_path, names, *rows[::-1], name="a.tsv")) == [((ErrorSpan(0, 3, MINOR),),)] * 2


def test_what_may_be_wrong_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, "starts|ends|severities", "||", "0|3|minor", name="a.tsv")
    assert read(path) == [((),), ((ErrorSpan(0, 3, MINOR),),)]
    assert f"{path}: 1 row(s) have no positions and severities, the first in line 2" in caplog.text
    text = '"Er sagte ""ja"" da"'
    few = write(tmp_path, "target|starts|ends|severities", f"{text}|1|3|minor", name="b.tsv")
    assert read(few, [text[1:-1].replace('""', '"')]) == [((ErrorSpan(1, 3, MINOR),),)]
    assert f"{few}: positions are read as if the quotes of CSV were not there, which makes 1 more" in caplog.text


@pytest.mark.parametrize("severity", ["null", '"no-error"', '"neutral"'])
def test_an_omission_that_is_no_error(tmp_path: Path, severity: str) -> None:
    span = f'{{"start": "missing", "end": "missing", "severity": {severity}}}'
    path = write(tmp_path, f'{{"error_spans": [{span}]}}', '{"error_spans": []}', name="a.jsonl")
    assert read(path) == [((),), ((),)]
    assert read_severities(path, 2, "target.txt") == [[[]], [[]]]


COMPOSED, DECOMPOSED = "\N{LATIN SMALL LETTER E WITH ACUTE}a", "e\N{COMBINING ACUTE ACCENT}a"


@pytest.mark.parametrize("end", [1, 2])
def test_texts_of_spans_in_another_normalization(tmp_path: Path, end: int) -> None:
    row = {"error_spans": [{"start": 0, "end": end, "severity": "minor", "text": COMPOSED[0]}], "target": DECOMPOSED}
    path = write(tmp_path, json.dumps(row), name="a.jsonl")
    reader = SpanReader(SpanDataConfig())
    with pytest.raises(
        DataError, match=r"The texts differ in their Unicode normalization alone, .* NFC.* Or set data\.spans\."
    ):
        reader.read_table(path, ["target"])


def test_translations_in_another_normalization(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps({"error_spans": [], "target": COMPOSED}), name="a.jsonl")
    for target, advice in (
        (DECOMPOSED, "The texts differ in their Unicode normalization alone"),
        ("e", "in another order"),
    ):
        with pytest.raises(DataError, match=advice):
            SpanReader(SpanDataConfig()).read(path, {"target": [target]}, {"target": "mt"})

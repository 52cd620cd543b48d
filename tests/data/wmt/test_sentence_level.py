from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from kiwi.data.labels.error_spans import SEVERITIES, ErrorSpan
from kiwi.data.wmt.sentence_level import (
    Header,
    SentenceSubmission,
    SpanSubmission,
    read_sentence_submission,
    read_span_submission,
    write_sentence_submission,
    write_span_submission,
)
from kiwi.exceptions import DataError

HEADERS = [Header(), Header(1000, 20), Header(1000, 20, 3)]

ROUND_TRIP = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

FIELDS = st.text(st.characters(codec="utf-8", exclude_characters="\t\r\n\ufeff\0"), min_size=1).filter(str.strip)


def write(directory: Path, *rows: str) -> Path:
    """A file whose columns are written with | for the tab."""
    path = directory / "submission.tsv"
    path.write_text("".join(row.replace("|", "\t") + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("header", HEADERS, ids=["wmt20", "wmt21", "wmt22"])
def test_scores_are_read_after_any_header(header: Header, tmp_path: Path) -> None:
    path = write(tmp_path, *map(str, header.figures), "en-de|kiwi|0|0.5", "en-de|kiwi|1|-1e-3", "en-de|kiwi|2|7")
    found = read_sentence_submission(path, "EN-de", 3)
    assert found == SentenceSubmission(header, "en-de", "kiwi", [0.5, -0.001, 7.0])


def test_segments_are_put_in_order(tmp_path: Path) -> None:
    path = write(tmp_path, "en-de|kiwi|2|3", "en-de|kiwi|0|1", "en-de|kiwi|1|2")
    assert read_sentence_submission(path).scores == [1.0, 2.0, 3.0]


def test_line_ends_and_blank_lines_at_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "submission.tsv"
    path.write_bytes("\ufeff12\r\n3\r\nen-de\tk\u2028iwi\t0\t1\r\n\r\n\n".encode())
    with caplog.at_level(logging.WARNING, logger="kiwi"):
        found = read_sentence_submission(path)
    assert found == SentenceSubmission(Header(12, 3), "en-de", "k\u2028iwi", [1.0])
    assert f"{path}: dropped the blank line(s) at the end, from line 4 on" in caplog.text


@pytest.mark.parametrize(
    ("rows", "line", "message"),
    [
        (["en-de|kiwi|0"], 1, "found 3 columns; expected 4: LP METHOD SEG SCORE"),
        (["en-de|kiwi|0|1|2"], 1, "found 5 columns; expected 4"),
        (
            ["en-de|kiwi|0|1", "en-fr|kiwi|0|1", "he-en|kiwi|0|1"],
            2,
            "found rows of several language pairs: en-de, en-fr, he-en; expected one language pair. Set language_pair",
        ),
        (["en-de|kiwi|0|1", "en-de|wiki|1|1"], 2, "found the method 'wiki'; expected 'kiwi', as before"),
        (["|kiwi|0|1"], 1, "found an empty LP"),
        (["en-de| |0|1"], 1, "found an empty METHOD"),
        (["en-de|kiwi|0|1", "en-de|kiwi|0|1"], 2, "found SEG 0 again; expected each segment once"),
        (["en-de|kiwi|-1|1"], 1, "found the SEG '-1'; expected a whole number, counted from 0"),
        (["en-de|kiwi|1.0|1"], 1, "found the SEG '1.0'"),
        (["en-de|kiwi|" + "9" * 5000 + "|1"], 1, "found the SEG"),
        (["en-de|kiwi|0|high"], 1, "found the SCORE 'high'; expected a finite number"),
        (["en-de|kiwi|0|nan"], 1, "found the SCORE 'nan'"),
        (["en-de|kiwi|0|inf"], 1, "found the SCORE 'inf'"),
        (["en-de|kiwi|0|1_0"], 1, "found the SCORE '1_0'"),
        (["en-de|kiwi|0|1", "en-de|kiwi|2|1"], 2, "found SEG 2, but no SEG 1; expected each of 2 segments"),
        (["en-de|kiwi|1|1", "en-de|kiwi|2|1"], 1, "found SEG 1, but no SEG 0"),
        (["en-de|kiwi|0|1", "", "en-de|kiwi|1|1"], 2, "found a blank line between rows"),
        (["12", "en-de|kiwi|0|1"], 1, "found 1 line(s) before the first row; expected none, two or three"),
        (["12", "3.5", "en-de|kiwi|0|1"], 2, "found '3.5'; expected its number of parameters, a whole number"),
        (["12", "3", "two", "en-de|kiwi|0|1"], 3, "found 'two'; expected the number of ensembled models"),
        (["en-de kiwi 0 1", "en-de kiwi 1 1"], None, "found no row; expected LP METHOD SEG SCORE, separated by tabs"),
        (["1", "2", "3", "4", "en-de|kiwi|0|1"], 4, "found '4', without a tab"),
    ],
)
def test_scores_that_are_refused(tmp_path: Path, rows: list[str], line: int | None, message: str) -> None:
    path = write(tmp_path, *rows)
    with pytest.raises(DataError) as error:
        read_sentence_submission(path)
    place = f"{path}: " if line is None else f"{path}, line {line}: "
    assert str(error.value).startswith(place + message)


def test_what_the_caller_expects(tmp_path: Path) -> None:
    path = write(tmp_path, "en-de|kiwi|0|1", "en-de|kiwi|1|1")
    for asked, count, message in (
        ("en-fr", None, f"{path}, line 1: found the language pair 'en-de'; expected 'en-fr'"),
        (None, 1, f"{path}, line 2: found SEG 1; expected less than 1, the number of segments"),
        (None, 3, f"{path}: found 2 segments; expected each of 3 segments, counted from 0"),
    ):
        with pytest.raises(DataError, match=re.escape(message)):
            read_sentence_submission(path, asked, count)


def test_the_rows_of_one_language_pair(tmp_path: Path) -> None:
    rows = ["he-en|other|0|9", "en-de|kiwi|1|1", "en-de|kiwi|0|2", "he-en|other|1|8", "he-en|other|2|7"]
    path = write(tmp_path, "1", "2", "3", *rows)
    assert read_sentence_submission(path, "en-DE", 2) == SentenceSubmission(Header(1, 2, 3), "en-de", "kiwi", [2, 1])
    assert read_sentence_submission(path, "he-en").scores == [9, 8, 7]
    with pytest.raises(DataError, match=re.escape(f"{path}, line 4: found the language pairs he-en, en-de; expected")):
        read_sentence_submission(path, "en-zh")
    with pytest.raises(DataError, match=re.escape(f"{path}, line 5: found SEG 1; expected less than 1")):
        read_sentence_submission(path, "en-de", 1)


@pytest.mark.parametrize("line", ["12 models", "12(3 models of average size)", "12|models", "12\t# ensemble"])
def test_of_a_header_line_the_number_counts(line: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, "1", "2", line, "en-de|kiwi|0|0.5|")
    assert read_sentence_submission(path).header == Header(1, 2, 12)
    assert f"{path}, line 3: read 12 as the number of ensembled models; ignored" in caplog.text


def test_a_line_of_names_is_skipped(tmp_path: Path) -> None:
    path = write(tmp_path, "lp|method|seg|score", "en-de|kiwi|0|0.5")
    assert read_sentence_submission(path, "en-de").scores == [0.5]
    path = write(tmp_path, "lp|gold|sid|mt|start_id|end_id|error", "en-de|kiwi|0|Haus|0|2|minor")
    assert read_span_submission(path).spans == [[ErrorSpan(0, 2, "minor")]]
    path = write(tmp_path, "en-de|kiwi|0|0.5", "lp|method|seg|score")
    with pytest.raises(DataError, match="several language pairs"):
        read_sentence_submission(path)


def test_files_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "submission.tsv"
    path.write_bytes(b"en-de\tkiwi\t0\t1\nen-de\tki\xffwi\t1\t1\n")
    with pytest.raises(DataError, match=re.escape(f"{path}, line 2: found byte 0xff at position 9; expected UTF-8")):
        read_sentence_submission(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=re.escape(f"{path}: found no line")):
        read_sentence_submission(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_sentence_submission(tmp_path)


@ROUND_TRIP
@given(
    header=st.sampled_from(HEADERS),
    names=st.tuples(FIELDS, FIELDS),
    scores=st.lists(st.floats(allow_nan=False, allow_infinity=False, max_value=3e38, min_value=-3e38), min_size=1),
)
def test_scores_come_back(tmp_path: Path, header: Header, names: tuple[str, str], scores: list[float]) -> None:
    submission = SentenceSubmission(header, *names, scores)
    write_sentence_submission(tmp_path / "a", submission)
    assert read_sentence_submission(tmp_path / "a") == submission


def test_what_is_written(tmp_path: Path) -> None:
    write_sentence_submission(tmp_path / "a", SentenceSubmission(Header(9, 8, 7), "en-de", "kiwi", [0.1, 2.0]))
    assert (tmp_path / "a").read_text() == "9\n8\n7\nen-de\tkiwi\t0\t0.1\nen-de\tkiwi\t1\t2.0\n"
    spans = [[ErrorSpan(0, 1, "minor"), ErrorSpan(2, 3, "major")], []]
    write_span_submission(tmp_path / "b", SpanSubmission(Header(), "en-de", "kiwi", ["a b", "c"], spans))
    expected = "en-de\tkiwi\t0\ta b\t0 2\t1 3\tminor major\nen-de\tkiwi\t1\tc\t-1\t-1\tno-error\n"
    assert (tmp_path / "b").read_text() == expected


@pytest.mark.parametrize(
    ("submission", "message"),
    [
        (SentenceSubmission(Header(), "en-de", "kiwi", [0.0, float("nan")]), "Segment 1 (from 0): found the score nan"),
        (SentenceSubmission(Header(), "en\tde", "kiwi", [0.0]), "language_pair: found 'en\\tde'"),
        (SentenceSubmission(Header(), "en-de", "", [0.0]), "method: found ''"),
    ],
)
def test_scores_that_are_not_written(tmp_path: Path, submission: SentenceSubmission, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        write_sentence_submission(tmp_path / "a", submission)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("figures", [(1, None, None), (None, None, 1), (None, 1, 1), (1, None, 1)])
def test_a_header_of_no_year(figures: tuple[int | None, ...]) -> None:
    with pytest.raises(DataError, match="expected no figure, disk_bytes and parameters, or all three"):
        Header(*figures)


def test_spans_are_read(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "9",
        "8",
        "1",
        "en-de|kiwi|1|Ein Haus .|0 4|3 8|Minor CRITICAL",
        "en-de|kiwi|0|Eins|-1|-1|No-error",
        "en-de|kiwi|2|zwei|4|4|major",
    )
    found = read_span_submission(path, "en-de", ["Eins ", "Ein Haus .", "zwei"])
    assert found.targets == ["Eins", "Ein Haus .", "zwei"]
    assert found.spans == [[], [ErrorSpan(0, 3, "minor"), ErrorSpan(4, 8, "critical")], [ErrorSpan(4, 4, "major")]]
    assert found.header == Header(9, 8, 1)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("0|Ein Haus|0 4|3|minor", "found 2 STARTS, 1 ENDS, 1 TYPES; expected the same number of each"),
        ("0|Ein Haus|||", "found '', '', ''; expected positions and severities, or -1, -1, no-error"),
        ("0|Ein Haus|0|3|no-error", "found '0', '3', 'no-error'; expected positions and severities"),
        ("0|Ein Haus|-1|-1|minor", "found '-1', '-1', 'minor'"),
        ("0|Ein Haus|0 -1|3 -1|minor no-error", "found '0 -1'"),
        ("0|Ein Haus|4|3|minor", "found the span 4 to 3, minor; expected 0 ≤ start ≤ end ≤ 8, the characters"),
        ("0|Ein Haus|99|9|minor", "found the span 99 to 9"),
        ("0|Ein Haus|a|3|minor", "found the span 'a' to '3'; expected whole numbers"),
        ("0|Ein Haus|0|3|neutral", "found the span 0 to 3, neutral; expected a severity of minor, major, critical"),
        ("0|Ein Baum|0|3|minor", "found the TARGET 'Ein Baum' of SEG 0; expected 'Ein Haus'"),
        ("1|Ein Haus|0|3|minor", "found SEG 1; expected less than 1"),
        ("0|Ein Haus|0|3", "found 6 columns; expected 7: LP METHOD SEG TARGET STARTS ENDS TYPES"),
    ],
)
def test_spans_that_are_refused(tmp_path: Path, cells: str, message: str) -> None:
    path = write(tmp_path, f"en-de|kiwi|{cells}")
    with pytest.raises(DataError) as error:
        read_span_submission(path, targets=["Ein Haus"])
    assert str(error.value).startswith(f"{path}, line 1: {message}")


def test_spans_beyond_the_end_are_clipped_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(
        tmp_path,
        "en-de|kiwi|0|Das Haus .|4 10 12|99 11 13|major minor minor",
        "en-de|kiwi|1|Gut .|0|5|minor",
    )
    assert read_span_submission(path).spans == [
        [ErrorSpan(4, 10, "major"), ErrorSpan(10, 10, "minor")],
        [ErrorSpan(0, 5, "minor")],
    ]
    assert f"{path}: 3 span(s) lie beyond the end of their text, the first in line 1" in caplog.text


def test_further_columns_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(
        tmp_path,
        "en-de|kiwi|0|Haus|-1|-1|no-error|",
        "en-de|kiwi|1|Haus|-1|-1|no-error|0.7|x",
        "en-de|kiwi|2|Haus|0|1|major",
    )
    assert read_span_submission(path).spans == [[], [], [ErrorSpan(0, 1, "major")]]
    assert f"{path}, line 2: ignored column 8, which has '0.7'; submissions of this form have 7" in caplog.text
    assert f"{path}, line 2: ignored column 9, which has 'x'" in caplog.text
    assert len(caplog.messages) == 2


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('"Ich nenne es ""Haus""."', 'Ich nenne es "Haus".'),
        ('"""Haus"" ist gut"', '"Haus" ist gut'),
        ('"Haus"', '"Haus"'),
        ('"Haus" und "Hof"', '"Haus" und "Hof"'),
        ('das "Haus"', 'das "Haus"'),
    ],
)
def test_texts_in_the_quotes_of_csv(cell: str, text: str, tmp_path: Path) -> None:
    path = write(tmp_path, f"en-de|kiwi|0|{cell}|-1|-1|no-error")
    assert read_span_submission(path).targets == [text]


@ROUND_TRIP
@given(
    data=st.data(),
    targets=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\t\r\n\ufeff\0")) | st.text('"a', max_size=8),
        min_size=1,
    ),
)
def test_spans_come_back(tmp_path: Path, data: st.DataObject, targets: list[str]) -> None:
    spans = []
    for target in targets:
        places = st.tuples(st.integers(0, len(target)), st.integers(0, len(target))).map(sorted)
        one = st.tuples(places, st.sampled_from(SEVERITIES)).map(lambda drawn: ErrorSpan(*drawn[0], drawn[1]))
        spans.append(data.draw(st.lists(one, max_size=3)))
    submission = SpanSubmission(data.draw(st.sampled_from(HEADERS)), "en-de", "kiwi", targets, spans)
    write_span_submission(tmp_path / "a", submission)
    assert read_span_submission(tmp_path / "a", "en-de", targets) == submission


@pytest.mark.parametrize(
    ("targets", "spans", "message"),
    [
        (
            ["ab"],
            [[ErrorSpan(0, 3, "minor")]],
            "Segment 0 (from 0): found ErrorSpan(start=0, end=3, severity='minor', confidence=1.0); expected 0 ≤",
        ),
        (["ab"], [[ErrorSpan(0, 1, "bad")]], "expected a severity of minor, major, critical"),
        (["a\tb"], [[]], "found a tab or line end in 'a\\tb'"),
        (["ab"], [], "Found 1 translations and spans of 0; expected the same number"),
    ],
)
def test_spans_that_are_not_written(
    tmp_path: Path, targets: list[str], spans: list[list[ErrorSpan]], message: str
) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        write_span_submission(tmp_path / "a", SpanSubmission(Header(), "en-de", "kiwi", targets, spans))
    assert list(tmp_path.iterdir()) == []


def test_translations_in_another_normalization(tmp_path: Path) -> None:
    path = tmp_path / "s.txt"
    path.write_text("en-de\tm\t0\t\u00e9a\t-1\t-1\tno-error\n", encoding="utf-8")
    with pytest.raises(DataError, match="The texts differ in their Unicode normalization alone"):
        read_span_submission(path, targets=["e\N{COMBINING ACUTE ACCENT}a"])

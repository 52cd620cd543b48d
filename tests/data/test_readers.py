import logging

import pytest

from kiwi.data.files.lines import read_lines, stream_lines
from kiwi.data.labels.scores import check_scores, parse_score
from kiwi.data.readers import (
    check_alignments,
    check_columns,
    check_segments,
    check_word_counts,
    parse_alignment,
    read_columns,
    read_labelled,
    read_scores,
)
from kiwi.data.text.words import words
from kiwi.exceptions import DataError

PLACES = {
    field: f"file.{field}"
    for field in (
        "source",
        "target",
        "alignments",
        "source_pos",
        "target_pos",
        "target_tags",
        "source_tags",
        "sentence_scores",
    )
}


def assert_refused(check, *parts):
    with pytest.raises(DataError) as caught:
        check()
    message = str(caught.value)
    assert [part for part in parts if part not in message] == []
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a b", ["a", "b"]),
        (" a \t  b\t", ["a", "b"]),
        ("", []),
        (" \t ", []),
        ("1\u00a0000 x", ["1\u00a0000", "x"]),
        ("a\u2028b\u2029c\u0085d", ["a\u2028b\u2029c\u0085d"]),
        ("a\u3000b\u2009c", ["a\u3000b\u2009c"]),
        ("\u00a0", ["\u00a0"]),
    ],
)
def test_words(line, expected):
    assert words(line) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\r\nb\nc", ["a", "b", "c"]),
        (b"a\rb\n", ["a\rb"]),
        (b"\xef\xbb\xbfa\nb\n", ["a", "b"]),
        (b"\xef\xbb\xbfa\r\nb\r\n", ["a", "b"]),
        ("a\ufeff\n".encode(), ["a\ufeff"]),
        ("a\u2028b\nc\u0085d\u2029\ne\u00a0f\n".encode(), ["a\u2028b", "c\u0085d\u2029", "e\u00a0f"]),
        (b"a\x0cb\x1cc\x0bd\n", ["a\x0cb\x1cc\x0bd"]),
        (b"a\n\nb\n", ["a", "", "b"]),
        (b"a\n\n", ["a", ""]),
        (b"\n", [""]),
        (b" a b \n", [" a b "]),
    ],
)
def test_read_lines(tmp_path, content, expected):
    path = tmp_path / "file"
    path.write_bytes(content)
    assert read_lines(path) == expected


@pytest.mark.parametrize(
    ("content", "place", "parts"),
    [
        (b"", "", ["found no line", "expected one segment per line"]),
        (b"\xef\xbb\xbf", "", ["found no line", "expected one segment per line"]),
        (b"a\nb\xfc\nc\n", ", line 2", ["found byte 0xfc at position 2", "expected UTF-8"]),
        (b"\xff", ", line 1", ["found byte 0xff at position 1", "expected UTF-8"]),
        (b"\xef\xbb\xbfab\r\nx\r\n\r\nc\xc3\r\n", ", line 4", ["found byte 0xc3 at position 2", "expected UTF-8"]),
        (None, "", ["cannot be read", "No such file"]),
    ],
)
def test_read_lines_refuses(tmp_path, content, place, parts):
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    assert_refused(lambda: read_lines(path), f"{path}{place}:", *parts)


def test_read_lines_refuses_a_directory(tmp_path):
    assert_refused(lambda: read_lines(tmp_path), f"{tmp_path}:", "cannot be read")


def written(directory, **contents):
    files = {}
    for field, content in contents.items():
        files[field] = directory / field
        files[field].write_text(content, encoding="utf-8")
    return files


@pytest.mark.parametrize(
    ("source", "target", "dropped"),
    [
        ("a\nb\n", "x\ny\n", {}),
        ("a\nb\n\n", "x\ny\n", {"source": 1}),
        ("a\nb\n", "x\ny\n\n", {"target": 1}),
        ("a\nb\n", "x\ny\n \t\n\n", {"target": 2}),
        ("a\nb", "x\r\ny\r\n\r\n", {"target": 1}),
    ],
)
def test_blank_lines_at_the_end_of_one_file_are_dropped_with_a_warning(tmp_path, caplog, source, target, dropped):
    files = written(tmp_path, source=source, target=target)
    with caplog.at_level(logging.WARNING, logger="kiwi"):
        assert read_columns(files) == {"source": ["a", "b"], "target": ["x", "y"]}
    assert caplog.messages == [
        f"{files[field]}: dropped {count} blank line(s) at the end." for field, count in dropped.items()
    ]


def test_a_blank_line_at_the_end_of_all_files_is_a_segment(tmp_path, caplog):
    files = written(tmp_path, source="a\n\n", target="x\n\n")
    assert read_columns(files) == {"source": ["a", ""], "target": ["x", ""]}
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("source", "target", "lengths"),
    [
        ("a\nb\n", "x\n", (2, 1)),
        ("a\n", "x\ny\nz\n", (1, 3)),
        ("a\n", "x\n\nz\n", (1, 3)),
        ("a\nb\n", "x\ny\n\u00a0\n", (2, 3)),
    ],
)
def test_files_of_different_length_are_refused(tmp_path, source, target, lengths):
    files = written(tmp_path, source=source, target=target)
    listing = [f"{files[field]} has {n}" for field, n in zip(("source", "target"), lengths, strict=True)]
    assert_refused(lambda: read_columns(files), *listing, "one line per segment")


def test_the_length_of_a_file_counts_its_blank_lines(tmp_path):
    files = written(tmp_path, source="a\nb\n", target="x\n\n\n", alignments="0-0\n0-0\n")
    assert read_columns(files)["target"] == ["x", ""]
    files = written(tmp_path, source="a\nb\n", target="x\ny\n", alignments="0-0\n")
    assert_refused(lambda: read_columns(files), f"{files['alignments']} has 1", f"{files['source']} has 2")


@pytest.mark.parametrize(
    ("source", "target", "allow_empty", "parts"),
    [
        (["a", ""], ["x", "y"], False, ["file.source, line 2", "found an empty source", "at least one word"]),
        (["a", "b"], [" \t", "y"], False, ["file.target, line 1", "found an empty target", "at least one word"]),
        (["a", ""], ["x", ""], False, ["line 2", "found an empty", "at least one word", "Remove the segment"]),
        (["a", ""], ["x", "y"], True, ["file.source, line 2", "found an empty source", "at least one word"]),
        (["a", "b"], ["x", ""], True, ["file.target, line 2", "found an empty target", "at least one word"]),
    ],
)
def test_empty_sides_are_refused(source, target, allow_empty, parts):
    columns = {"source": source, "target": target}
    assert_refused(lambda: check_segments(columns, PLACES, allow_empty=allow_empty), *parts)


def test_valid_segments():
    check_segments({"source": ["a", "b c"], "target": ["x", "\u00a0"]}, PLACES)
    check_segments({"source": ["a", "", "c"], "target": ["x", " ", "z"]}, PLACES, allow_empty=True)


@pytest.mark.parametrize(
    ("columns", "parts"),
    [
        ({"source_pos": ["N", "N V"]}, ["file.source_pos, line 2", "found 2 part-of-speech tags", "expected 3"]),
        ({"target_pos": ["N V", "N N"]}, ["file.target_pos, line 1", "found 2 part-of-speech tags", "expected 1"]),
        ({"target_pos": ["N", ""]}, ["file.target_pos, line 2", "found 0 part-of-speech tags", "expected 2"]),
    ],
)
def test_part_of_speech_counts(columns, parts):
    text = {"source": ["a", "b c d"], "target": ["x", "y z\u00a0z"]}
    check_word_counts(text, PLACES)
    check_word_counts(text | {"source_pos": ["N", "N V N"], "target_pos": ["N", "V\tN"]}, PLACES)
    assert_refused(lambda: check_word_counts(text | columns, PLACES), *parts)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        ("0-0", [(0, 0)]),
        ("0-1 12-3\t4-4", [(0, 1), (12, 3), (4, 4)]),
        ("1-0 1-0", [(1, 0), (1, 0)]),
    ],
)
def test_parse_alignment(line, expected):
    assert parse_alignment(line) == expected


MALFORMED = ["0", "0-", "-0", "a-b", "0-1-2", "0--1", "0:1", "0.0-1", "-1-0", "\u0661-0", "0-\u00b2", "0-0\u00a01-1"]


@pytest.mark.parametrize("item", MALFORMED)
def test_malformed_alignments_are_refused(item):
    columns = {"source": ["a", "a b"], "target": ["x", "x y"], "alignments": ["0-0", f"0-0 {item} 1-1"]}
    with pytest.raises(ValueError, match=item):
        parse_alignment(f"0-0 {item} 1-1")
    parts = ["file.alignments, line 2", f"found '{item}'", "expected pairs like 0-0"]
    assert_refused(lambda: check_alignments(columns, PLACES), *parts)


@pytest.mark.parametrize(
    ("lines", "parts"),
    [
        (["0-0", "0-0 2-1"], ["line 2", "found source index 2 in '2-1'", "less than 2, the number of source words"]),
        (["0-0", "1-3"], ["line 2", "found target index 3 in '1-3'", "less than 3, the number of target words"]),
        (["0-1", ""], ["line 1", "found target index 1 in '0-1'", "less than 1, the number of target words"]),
    ],
)
def test_alignments_out_of_range_are_refused(lines, parts):
    text = {"source": ["a", "a b"], "target": ["x", "x y z"]}
    check_alignments({**text, "alignments": ["", "1-2 0-0"]}, PLACES)
    assert_refused(lambda: check_alignments({**text, "alignments": lines}, PLACES), "file.alignments", *parts)


@pytest.mark.parametrize(
    ("text", "expected"), [("0.5", 0.5), ("-1", -1.0), ("1e-3", 0.001), (".25", 0.25), (" 1 ", 1.0), ("0", 0.0)]
)
def test_parse_score(text, expected):
    assert parse_score(text) == expected


@pytest.mark.parametrize("text", ["nan", "NaN", "inf", "-Infinity", "1e999", "", "high", "0,5", "1 2", "1_0", "\u0661"])
def test_scores_that_are_no_numbers_are_refused(tmp_path, text):
    parts = ["line 2", f"found '{text}'", "expected a finite number"]
    assert_refused(lambda: check_scores(["0.1", text], "file.hter"), "file.hter, ", *parts)
    files = written(tmp_path, scores=f"0.1\n{text}\n0.2\n")
    assert_refused(lambda: read_scores(files["scores"]), f"{files['scores']}, ", *parts)


def test_read_scores(tmp_path):
    files = written(tmp_path, scores="0.1\r\n1\r\n-2e-1")
    assert read_scores(files["scores"]) == [0.1, 1.0, -0.2]


TEXT = {"source": ["a b", "c"], "target": ["x y", "z\u00a0z"]}


def test_tags_of_words_alone():
    columns = TEXT | {"target_tags": ["OK BAD", "BAD"], "source_tags": ["BAD OK", "OK"], "sentence_scores": ["0", "1"]}
    assert read_labelled(columns, PLACES) == columns


def test_interleaved_tags_are_split_into_words_and_gaps():
    columns = TEXT | {"target_tags": ["OK BAD BAD OK OK", "BAD OK BAD"]}
    assert read_labelled(columns, PLACES) == TEXT | {
        "target_tags": ["BAD OK", "OK"],
        "gap_tags": ["OK BAD OK", "BAD BAD"],
    }
    assert columns["target_tags"] == ["OK BAD BAD OK OK", "BAD OK BAD"]


@pytest.mark.parametrize(
    ("field", "lines", "parts"),
    [
        ("target_tags", ["OK", "OK"], ["line 1", "found 1 tags", "expected 2", "5 (interleaved"]),
        ("target_tags", ["OK OK", ""], ["line 2", "found 0 tags", "expected 1"]),
        ("target_tags", ["OK OK", "OK OK OK"], ["line 2", "found 3 tags", "expected 1"]),
        ("target_tags", ["OK OK OK OK OK", "OK"], ["line 2", "found 1 tags", "expected 3"]),
        ("target_tags", ["OK OK", "ok"], ["line 2", "found tag 1 'ok'", "expected OK or BAD"]),
        ("target_tags", ["OK OK OK OK GOOD", "OK OK OK"], ["line 1", "found tag 5 'GOOD'", "expected OK or BAD"]),
        ("source_tags", ["OK OK OK OK OK", "OK OK OK"], ["line 1", "found 5 tags", "expected 2"]),
        ("source_tags", ["OK OK", "OK OK"], ["line 2", "found 2 tags", "expected 1", "source words"]),
        ("source_tags", ["OK 1", "OK"], ["line 1", "found tag 2 '1'", "expected OK or BAD"]),
        ("sentence_scores", ["0.5", "nan"], ["line 2", "found 'nan'", "expected a finite number"]),
    ],
)
def test_wrong_labels_are_refused(field, lines, parts):
    assert_refused(lambda: read_labelled(TEXT | {field: lines}, PLACES), f"file.{field}, ", *parts)


@pytest.mark.parametrize(
    "content",
    ["a\nb\n", "a\nb", "\ufeffa\r\nb\r\n", "a\u2028b\u0085\n\nc\rd\n\n", "\n", " "],
)
def test_streamed_lines_are_those_that_are_read(tmp_path, content):
    (tmp_path / "file").write_bytes(content.encode())
    assert list(stream_lines(tmp_path / "file")) == read_lines(tmp_path / "file")


@pytest.mark.parametrize(
    ("content", "place"),
    [(b"", ": found no line"), (b"\xef\xbb\xbfa\nb\xe4\n", ", line 2: found byte 0xe4 at position 2; expected UTF-8")],
)
def test_streamed_lines_that_are_refused(tmp_path, content, place):
    path = tmp_path / "file"
    path.write_bytes(content)
    for read in (read_lines, lambda file: list(stream_lines(file))):
        assert_refused(lambda read=read: read(path), f"{path}{place}")
    assert_refused(lambda: list(stream_lines(tmp_path / "none")), f"{tmp_path / 'none'}: cannot be read")


@pytest.mark.parametrize(("character", "found"), [("\0", "a NUL character"), ("\ud800", r"half of .* \(U\+D800\)")])
@pytest.mark.parametrize("field", ["source", "target", "alignments"])
def test_columns_are_text(field: str, character: str, found: str) -> None:
    columns = {"source": ["ä", "b"], "target": ["c", "d"], "alignments": ["0-0", "0-0"]}
    columns[field][1] += character
    message = rf"^{field}, line 8: found {found} at position \d; expected text without it\.$"
    with pytest.raises(DataError, match=message):
        check_columns(columns, {name: name for name in columns}, first=7)

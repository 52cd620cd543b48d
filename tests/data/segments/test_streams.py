from __future__ import annotations

import logging
from pathlib import Path

import pytest

from kiwi.data.readers import read_columns
from kiwi.data.segments.bad_rows import BadRows
from kiwi.data.segments.streams import SegmentStream
from kiwi.exceptions import DataError

TEXTS = {"source": "a\nb\nc\n", "target": "A\nB\nC\n"}


def files(directory: Path, **content: str) -> dict[str, Path]:
    for name, text in content.items():
        (directory / name).write_bytes(text.encode())
    return {name: directory / name for name in content}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 100])
@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_the_parts_are_the_whole(tmp_path: Path, size: int, end: str) -> None:
    there = files(tmp_path, source="a\r\nb b\n\nd\u2028d", target="A\nB\n\nD" + end)
    stream = SegmentStream(there, size)
    parts = list(stream)
    assert stream.check() == 4
    assert all(len(part["source"]) == size for part in parts[:-1])
    assert {field: [line for part in parts for line in part[field]] for field in there} == read_columns(there)


def test_language_pairs_have_one_form(tmp_path: Path) -> None:
    stream = SegmentStream(files(tmp_path, **TEXTS, lp="en-de \nen_US-de\nEN\n"), 2, BadRows("nan"))
    assert [pair for part in stream for pair in part["lp"]] == ["en-de", "en-US-de", "EN"]
    assert [pair for _, part in stream.checked() for pair in part["lp"]] == ["en-de", "en-US-de", ""]
    assert stream.bad.reasons.keys() == {3}


def test_surplus_blank_lines_are_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stream = SegmentStream(files(tmp_path, source="a\nb\n", target="A\nB\n\n \n"), 2)
    with caplog.at_level(logging.WARNING, logger="kiwi"):
        assert stream.check() == 2
        assert list(stream) == [{"source": ["a", "b"], "target": ["A", "B"]}]
    assert caplog.messages == [f"{tmp_path / 'target'}: dropped 2 blank line(s) at the end."]


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_files_of_different_length(tmp_path: Path, size: int) -> None:
    there = files(tmp_path, source="a\nb\nc\n", target="A\nB\nC\nD\n\n")
    for read in (lambda: SegmentStream(there, size).check(), lambda: list(SegmentStream(there, size))):
        with pytest.raises(DataError, match=r"source has 3, .*target has 5 lines"):
            read()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**TEXTS, "target": "A\nB\n\n"}, "target, line 3: found an empty target"),
        (
            {**TEXTS, "alignments": "0-0\n\n0-1\n"},
            "alignments, line 3: found target",
        ),
        (
            {**TEXTS, "target_pos": "X\nX\nX X\n"},
            "target_pos, line 3: found 2 part",
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_errors_name_the_line(tmp_path: Path, content: dict[str, str], message: str, size: int) -> None:
    with pytest.raises(DataError) as error:
        SegmentStream(files(tmp_path, **content), size).check()
    assert str(error.value).startswith(f"{tmp_path}/{message}")


@pytest.mark.parametrize("size", [1, 3, 10])
def test_damaged_lines_beyond_the_end_are_not_blank(tmp_path: Path, size: int) -> None:
    there = files(tmp_path, source="a\nb\nc\n", target="A\nB\nC\n\0\n\n")
    with pytest.raises(DataError, match=r"source has 3, .*target has 4 lines"):
        SegmentStream(there, size, BadRows("nan")).check()


def test_a_damaged_first_line_is_not_taken_for_the_whole_file(tmp_path: Path) -> None:
    bad = BadRows("nan")
    there = files(tmp_path, source="a\nb\nc\n", target="\ufeffA\0\nB\nC\n")
    stream = SegmentStream(there, 2, bad)
    assert stream.joined(screened for _, screened in stream.checked())["target"] == ["", "B", "C"]
    assert bad.reasons[1].startswith("found a NUL byte at position 2")

"""Segments from a pipe."""

from __future__ import annotations

import io

import pytest

from kiwi.data.segments.piped import read_pipe
from kiwi.exceptions import MissingColumnError


def test_names_of_columns_are_no_segment(caplog: pytest.LogCaptureFixture) -> None:
    for first, is_noted in (("source\ttarget", True), ("a source\ttarget", False)):
        caplog.clear()
        pipe = io.BytesIO(f"{first}\nClose it.\tSchließen.\n".encode())
        chunks = list(read_pipe(pipe, "tsv", {"source": "source", "target": "target"}, 10))
        assert len(chunks[0][1]["source"]) == 2
        assert ("the names of the columns are scored as a segment. Add --header." in caplog.text) is is_noted


def test_the_first_object_has_the_names_of_the_columns() -> None:
    noted: list[int] = []
    columns = {"source": "source", "target": "mt"}
    content = b'no object\n{"source": "a", "target": "b"}\n'
    with pytest.raises(MissingColumnError, match="line 2: found no column 'mt'"):
        list(read_pipe(io.BytesIO(content), "jsonl", columns, 10, lambda number, error, row: noted.append(number)))
    later = b'{"source": "a", "mt": "b"}\n{"source": "a"}\n'
    list(read_pipe(io.BytesIO(later), "jsonl", columns, 1, lambda number, error, row: noted.append(number)))
    assert noted == [2]

"""Segments from a pipe."""

from __future__ import annotations

import io

import pytest

from kiwi.data.segments.piped import read_pipe


def test_names_of_columns_are_no_segment(caplog: pytest.LogCaptureFixture) -> None:
    for first, is_noted in (("source\ttarget", True), ("a source\ttarget", False)):
        caplog.clear()
        pipe = io.BytesIO(f"{first}\nClose it.\tSchließen.\n".encode())
        chunks = list(read_pipe(pipe, "tsv", {"source": "source", "target": "target"}, 10))
        assert len(chunks[0][1]["source"]) == 2
        assert ("the names of the columns are scored as a segment. Add --header." in caplog.text) is is_noted

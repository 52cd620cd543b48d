"""The segments of a scored file."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiwi.data.documents.parts import Segment
from kiwi.exceptions import DataError
from kiwi.lib.score.scale import Scale
from kiwi.serve.views.segments import SegmentWriter, Wanted, read_segments, summarize


def test_segments_are_stored_and_found(tmp_path: Path) -> None:
    path = tmp_path / "segments"
    given = [Segment({"source": text, "target": text, "domain": "x"}, 1) for text in "abc"]
    found = {
        "sentence_scores": [0.2, float("nan"), 0.9],
        "sentence_scores_low": [0.1, float("nan"), 0.8],
        "sentence_scores_high": [0.4, float("nan"), 1.0],
        "flags": [["copied"], [], []],
        "decision": ["review", "review", "approve"],
        "decision_reason": ["flags: copied", "no score", "score at most 1"],
    }
    with SegmentWriter(path) as writer:
        writer.add(given, ["en-de", "", "en-fr"], found, Scale())
    wanted = read_segments(path, Wanted("highest"))
    assert (wanted.total, wanted.scale["kind"]) == (3, "unknown")
    assert [segment.number for segment in wanted.segments] == [3, 1, 2]
    assert wanted.segments[0].texts == {"source": "c", "target": "c"}
    assert [segment.pair for segment in wanted.segments] == ["en-fr", "en-de", ""]
    assert wanted.segments[1].describe() == {
        **{"id": 1, "score": 0.2, "interval": (0.1, 0.4), "flags": ["copied"]},
        **{"decision": "review", "decision_reason": "flags: copied"},
    }
    assert read_segments(path, Wanted(low=0.2, decision="review")).total == 1
    assert read_segments(path, Wanted(flagged=True)).total == 1
    summary = summarize(path, 4)
    assert (summary.segments, summary.flagged, summary.decided, summary.approved) == (3, 1, 3, 1)
    assert summary.mean == pytest.approx(0.55)
    assert summary.counts == []  # the range is not known


def test_penalties_of_a_system_without_scores_are_stored(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path / "segments") as writer:
        writer.add([Segment({"source": "a", "target": "b"}, 1)], None, {"mqm_score": [5.0]}, Scale())
    found = read_segments(tmp_path / "segments", Wanted())
    assert (found.segments[0].score, found.scale["kind"], found.segments[0].flags) == (5.0, "mqm", None)


def test_a_full_disk(tmp_path: Path) -> None:
    text = "x" * 100_000
    with SegmentWriter(tmp_path / "segments") as writer:
        writer._database.execute("PRAGMA max_page_count = 4")
        with pytest.raises(DataError, match="no room"):
            writer.add([Segment({"source": text, "target": text}, 1)], None, {"sentence_scores": [0.5]}, Scale())
        writer._database.execute("PRAGMA max_page_count = 100")

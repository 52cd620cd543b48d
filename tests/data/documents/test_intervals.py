"""Intervals of scores in documents: beside the scores, replaced and removed with everything else as it was."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import lxml.etree
import polib
import pytest

from kiwi.data.documents.formats import HowToRead, require_format
from kiwi.data.documents.parts import Segment
from kiwi.data.documents.rating import INTERVALS, Rating
from kiwi.data.labels.policy import DECISION, REASON
from kiwi.data.post_edits.files import stream_units
from tests.data.documents.test_flags import DOCUMENTS, PO, TMX, XLIFF1, XLIFF2

Score = Callable[[Sequence[Segment]], list[dict[str, Any]]]

INTERVAL = {"sentence_scores_low": 12.25, "sentence_scores_high": 60.0}
KIWI = f"{{{INTERVALS}}}"


def scored(*others: Mapping[str, Any], score: float = 50.0) -> Score:
    row = {"sentence_scores": score}
    for each in others:
        row |= each
    return lambda segments: [dict(row) for _ in segments]


def copied(content: str | bytes, name: str, folder: Path, score: Score, **rating: Any) -> bytes:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    output = io.BytesIO()
    require_format(path).copy(path, output, HowToRead(Rating("sha256:1f", **rating)), score, 100)
    return output.getvalue()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_intervals_are_replaced_and_removed(name: str, tmp_path: Path) -> None:
    """Whatever was written before, the copy has the interval of its score, or none."""
    other = {"sentence_scores_low": -1.5, "sentence_scores_high": 100.0}
    kinds = [(scored(), False), (scored(INTERVAL), True), (scored(other), True)]
    once = [copied(DOCUMENTS[name], name, tmp_path, kind, has_intervals=has) for kind, has in kinds]
    assert len({*once}) == 3
    for first in once:
        for (kind, has), expected in zip(kinds, once, strict=True):
            again = copied(first, name, tmp_path, kind, has_intervals=has)
            assert again.replace(f' xmlns:kiwi="{INTERVALS}"'.encode(), b"") == expected.replace(
                f' xmlns:kiwi="{INTERVALS}"'.encode(), b""
            )
    assert b"12.25" not in once[0]
    assert INTERVALS.encode() not in once[0]
    if name.endswith((".xlf", ".tmx")):
        for content in once:
            lxml.etree.fromstring(content)


def ends(content: bytes) -> list[tuple[str, str, str]]:
    """Return the element of each interval, and its ends."""
    found = lxml.etree.fromstring(content).iter()
    return [
        (each.tag.rpartition("}")[2], each.attrib[f"{KIWI}scoreLow"], each.attrib[f"{KIWI}scoreHigh"])
        for each in found
        if f"{KIWI}scoreLow" in each.attrib
    ]


def test_places(tmp_path: Path) -> None:
    found = copied(XLIFF1, "a.xlf", tmp_path, scored(INTERVAL), has_intervals=True)
    elements = ["trans-unit", "alt-trans", "mrk", "mrk", "trans-unit"]
    assert ends(found) == [(element, "12.25", "60") for element in elements]
    assert b' kiwi:scoreLow="12.25" kiwi:scoreHigh="60"' in found
    found = copied(XLIFF2, "b.xlf", tmp_path, scored(INTERVAL), has_intervals=True)
    assert ends(found) == [(element, "12.25", "60") for element in ["unit", "mrk", "mrk"]]
    text = copied(TMX, "a.tmx", tmp_path, scored(INTERVAL), has_intervals=True).decode()
    props = ["x-kiwi-score", "x-kiwi-score-low", "x-kiwi-score-high"]
    written = "".join(f'<prop type="{kind}">{{}}</prop>\n  ' for kind in props).format("50", "12.25", "60")
    assert f"  {written}<seg>Seite" in text
    first, second = polib.pofile(copied(PO, "a.po", tmp_path, scored(INTERVAL), has_intervals=True).decode())
    assert first.tcomment == "kiwi score: 50\nkiwi interval: 12.25 to 60\nby hand"
    assert second.tcomment == "kiwi score: 50 50\nkiwi interval: 12.25 to 60; 12.25 to 60"


def test_a_prefix_that_is_taken(tmp_path: Path) -> None:
    taken = XLIFF1.replace("<xliff ", '<xliff xmlns:kiwi="urn:of-somebody-else" ')
    found = copied(taken, "a.xlf", tmp_path, scored(INTERVAL), has_intervals=True)
    assert b'kiwi-qe:scoreLow="12.25"' in found
    assert copied(found, "a.xlf", tmp_path, scored(INTERVAL), has_intervals=True) == found


def test_a_segment_without_a_score_has_no_interval(tmp_path: Path) -> None:
    nothing = dict.fromkeys(INTERVAL, float("nan"))
    for name, content in DOCUMENTS.items():
        found = copied(content, name, tmp_path, scored(nothing, score=float("nan")), has_intervals=True)
        assert b"scoreLow" not in found
        assert b"kiwi-score" not in found
        assert b"kiwi interval" not in found


def test_a_former_threshold_is_removed(tmp_path: Path) -> None:
    before = copied(XLIFF1, "a.xlf", tmp_path, scored(), threshold=30.0)
    assert before.count(b"locQualityRatingScoreThreshold") == 4
    assert copied(before, "a.xlf", tmp_path, scored()) == copied(XLIFF1, "a.xlf", tmp_path, scored())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_units_are_read_as_before(name: str, tmp_path: Path) -> None:
    """Beside scores and decisions, intervals do not change what is read."""
    decided = {DECISION: "approve", REASON: "score at least 3"}
    path = tmp_path / f"read-{name}"
    units = []
    for others in ([decided], [decided, INTERVAL]):
        path.write_bytes(copied(DOCUMENTS[name], name, tmp_path, scored(*others), has_intervals=len(others) > 1))
        units.append([replace(each, line=0) for each in stream_units(path)])
    assert units[0] == units[1]
    assert "score at least 3" in str(units[0])

"""Decisions in documents: added, replaced and removed, beside flags and scores, with everything else as it was."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lxml.etree
import polib
import pytest

from kiwi.data.documents.formats import HowToRead, require_format
from kiwi.data.documents.marks.decisions import decisions_text, parse_decisions
from kiwi.data.documents.parts import Segment
from kiwi.data.documents.rating import Rating
from kiwi.data.flags import COLUMN
from kiwi.data.labels.policy import DECISION, REASON
from tests.data.documents.test_flags import DOCUMENTS, PO, TMX, XLIFF1, XLIFF2

Score = Callable[[Sequence[Segment]], list[dict[str, Any]]]

REASON_TEXT = "the policy has no domain '<ж> & co; x'"
READ = REASON_TEXT.replace("; ", ", ")


def scored(decision: str | None = None, reason: str = "", flags: Sequence[str] = (), score: float = 50.0) -> Score:
    row: dict[str, Any] = {"sentence_scores": score, COLUMN: list(flags)}
    row |= {} if decision is None else {DECISION: decision, REASON: reason}
    return lambda segments: [dict(row) for _ in segments]


def copied(content: str | bytes, name: str, folder: Path, score: Score, *, set_state: bool = False) -> bytes:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    output = io.BytesIO()
    how = HowToRead(Rating("sha256:abcdef0123456789", set_state=set_state))
    require_format(path).copy(path, output, how, score, 100)
    return output.getvalue()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_decisions_are_replaced_and_removed(name: str, tmp_path: Path) -> None:
    """Whatever was written before, the copy is the same as that of the original."""
    kinds = [
        scored(),
        scored("approve", "score at least 3"),
        scored("review", REASON_TEXT, ["numbers"]),
        scored(flags=["numbers"]),
    ]
    once = [copied(DOCUMENTS[name], name, tmp_path, kind) for kind in kinds]
    assert len({*once}) == 4
    for first in once:
        for kind, expected in zip(kinds, once, strict=True):
            again = copied(first, name, tmp_path, kind)
            # One that is added beside another note comes after it.
            assert sorted(again.splitlines()) == sorted(expected.splitlines()) or set(again) == set(expected)
            assert len(again) == len(expected)
    assert b"decision" not in once[0]
    if name.endswith((".xlf", ".tmx")):
        for content in once:
            lxml.etree.fromstring(content)


def test_places(tmp_path: Path) -> None:
    score = scored("review", REASON_TEXT, ["numbers"])
    text = copied(XLIFF1, "a.xlf", tmp_path, score).decode()
    note = '<note from="kiwi-decision" annotates="target">decision: '
    assert f"numbers</note>\n  {note}review (the policy has no domain '&lt;&#1078;&gt; &amp; co, x')</note>" in text
    assert f"{note}a review (" in text
    text = copied(XLIFF2, "b.xlf", tmp_path, score).decode()
    assert 'numbers</note><note category="kiwi-decision" appliesTo="target">decision: review (' in text
    assert '</note>\n    <note category="kiwi-decision" appliesTo="target">decision: 1 review (' in text
    text = copied(TMX, "a.tmx", tmp_path, scored("approve", "score at least 3")).decode()
    assert '</prop>\n  <prop type="x-kiwi-decision">approve (score at least 3)</prop>\n  <seg>Seite' in text
    first, second = polib.pofile(copied(PO, "a.po", tmp_path, scored("review", REASON_TEXT)).decode())
    assert first.tcomment == f"kiwi score: 50\nkiwi decision: review ({READ})\nby hand"
    assert second.tcomment.endswith(f"kiwi decision: 0 review ({READ}); 1 review ({READ})")


def test_states(tmp_path: Path) -> None:
    """With --set-state, the decision marks a translation for review, and not its score, which may be missing."""
    reviewed, approved = scored("review", "no score", score=float("nan")), scored("approve", "score at least 3")
    marks = {
        "a.xlf": b'state="needs-review-translation"',
        "b.xlf": b'subState="kiwi:needs-review-translation"',
        "a.po": b"#, fuzzy",
    }
    for name, mark in marks.items():
        assert mark in copied(DOCUMENTS[name], name, tmp_path, reviewed, set_state=True)
        assert mark not in copied(DOCUMENTS[name], name, tmp_path, approved, set_state=True)
        assert mark not in copied(DOCUMENTS[name], name, tmp_path, reviewed)


def test_text_and_back() -> None:
    segments = [Segment({}, 1, name=name) for name in ("1", None, "b c")]
    rows = [{DECISION: "approve", REASON: "score at most 0.3"}, {}, {DECISION: "review", REASON: "audit"}]
    text = decisions_text(segments, rows)
    assert text == "decision: 1 approve (score at most 0.3); b c review (audit)"
    assert parse_decisions(text) == {"1": ("approve", "score at most 0.3"), "b c": ("review", "audit")}
    assert parse_decisions("review (flags: numbers, tags)") == {"": ("review", "flags: numbers, tags")}
    assert parse_decisions("a comment") == {}
    assert decisions_text(segments, [{}, {}, {}]) == ""

"""Decisions about translations as text in documents: which are approved, and which need a person."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape

from kiwi.data.documents.parts import Row, Segment
from kiwi.data.labels.policy import APPROVE, DECISION, REASON, REVIEW

PREFIX = "decision: "
"""What the text of a note begins with."""

WRITTEN = re.compile(rf"(?:(?P<name>.*) )?(?P<decision>{APPROVE}|{REVIEW}) \((?P<reason>.*)\)")
"""The form of the decision about a segment; the name tells it from others of its unit."""


def decision_text(row: Row) -> str:
    """Return the decision about a segment, such as ``review (audit)``; empty if there is none."""
    if (decision := row.get(DECISION)) is None:
        return ""
    # A reason may name a group, which can be any text. Notes of several segments are separated by "; ".
    reason = "".join(c if c.isprintable() else " " for c in str(row[REASON])).replace("; ", ", ")
    return f"{decision} ({reason})"


def decisions_text(segments: Sequence[Segment], rows: Sequence[Row]) -> str:
    """Return the decisions about the segments of a unit as text; empty if there are none.

    Args:
        segments: the segments, and candidates for them, which are left out.
        rows: their predictions.
    """
    texts = [(each.name, decision_text(row)) for each, row in zip(segments, rows, strict=True)]
    found = [f"{name} {text}".strip() for name, text in texts if name is not None and text]
    return f"{PREFIX}{'; '.join(found)}" if found else ""


def escaped(text: str) -> str:
    """Return a text as the content of an element of XML, in ASCII."""
    return escape(text).encode("ascii", "xmlcharrefreplace").decode()


def parse_decisions(text: str) -> dict[str, tuple[str, str]]:
    """Return the decision and the reason for each segment of a unit by its name; what is none is left out.

    Args:
        text: the text of a note, the inverse of :func:`decisions_text`.
    """
    found = {}
    for part in text.strip().removeprefix(PREFIX.strip()).split("; "):
        if (match := WRITTEN.fullmatch(part.strip())) is not None:
            found[match["name"] or ""] = (match["decision"], match["reason"])
    return found

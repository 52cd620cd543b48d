"""Units of XLIFF 2.0, 2.1 and 2.2."""

from __future__ import annotations

import re
from collections.abc import Mapping

from typing_extensions import override

from kiwi.data.documents.marks.its import rated_by
from kiwi.data.documents.marks.notes import XLIFF2Notes
from kiwi.data.documents.parts import Part, one_line
from kiwi.data.documents.rating import Rating
from kiwi.data.documents.xliff_2 import REVIEW, XLIFF2, Pair, Unit as Element
from kiwi.data.post_edits.units import Candidate, Unit, columns_of, is_unconfirmed, names_of, quality_of

OPEN_TYPES = ("", "mt", "other")
"""The types of candidates that may be a machine's; others are those of translation memories and terms."""

UNIT = "u"
"""What stands before the id of a unit in a reference; that of a segment or an element inside of it has nothing."""


class XLIFF2Units(XLIFF2):
    """A document in XLIFF 2, of which the units are collected."""

    def __init__(self) -> None:
        super().__init__(Rating())
        self.units: list[Unit] = []
        self._notes = XLIFF2Notes(self)
        self.marks = [self._notes]
        self._root: Mapping[str, str] = {}
        self._file = ""

    @override
    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if not self.depth:
            self._root = attributes
        elif local == "file":
            self._file = attributes.get("original") or attributes.get("id", "")
        super().start(name, attributes)

    @override
    def end_unit(self, unit: Element) -> None:
        identifier = unit.attributes.get("id", "")
        decisions = self._notes.former_decisions()
        for number, each in enumerate(unit.segments, start=1):
            segment = each.attributes.get("id", str(number)) if len(unit.segments) > 1 else ""
            candidates = [_candidate(other) for other in unit.candidates if _concerns(other, each, unit)]
            self.units.append(
                Unit(
                    unit.line,
                    (self._file, identifier, segment),
                    one_line(each.source.text),
                    one_line(each.target.text),
                    (self._root.get("srcLang", ""), self._root.get("trgLang", "")),
                    candidates,
                    unit.is_to_translate,
                    _unconfirmed(each),
                    columns_of(file=self._file, id=f"{identifier}#{segment}" if segment else identifier),
                    decisions.get(str(number) if segment else ""),
                    rated_by(self._root),
                )
            )
        self.add(Part(self.at))


def _candidate(candidate: Pair) -> Candidate:
    attributes = candidate.attributes
    kind = attributes.get("type", "")
    quality = attributes.get("matchQuality", attributes.get("matchSuitability", attributes.get("similarity", "")))
    names = names_of(attributes, ("origin", "type"))
    return Candidate(one_line(candidate.target.text), names, quality_of(quality), kind not in OPEN_TYPES)


def _concerns(candidate: Pair, segment: Pair, unit: Element) -> bool:
    """Return whether a candidate is for the whole of a segment: it refers to it or has its source.

    One that refers to a unit, or has no source, is for its only segment. One that refers to an element inside of a
    segment is for the text of that element, which may be a part.
    """
    kind, _, name = re.split("[#/]", candidate.attributes.get("ref", ""))[-1].rpartition("=")
    if name and not kind and name == segment.attributes.get("id"):
        return True
    source, is_inside = one_line(candidate.source.text), kind != UNIT and name in segment.identifiers
    if len(unit.segments) == 1 and not is_inside and (not source or kind == UNIT or name == unit.attributes.get("id")):
        return True
    return source == one_line(segment.source.text)


def _unconfirmed(segment: Pair) -> str:
    attributes = segment.attributes
    if attributes.get("subState") == REVIEW["subState"]:
        return f'subState="{REVIEW["subState"]}"'
    state = attributes.get("state", "")
    return f'state="{state}"' if is_unconfirmed(state) else ""

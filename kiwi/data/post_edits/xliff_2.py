"""Units of XLIFF 2.0, 2.1 and 2.2."""

from __future__ import annotations

import re
from collections.abc import Mapping

from typing_extensions import override

from kiwi.data.documents.marks.its import rated_by
from kiwi.data.documents.marks.notes import XLIFF2Notes
from kiwi.data.documents.parts import Part, one_line
from kiwi.data.documents.rating import Rating
from kiwi.data.documents.xliff_2 import REVIEW, XLIFF2, Pair, ReferableText, Unit as Element
from kiwi.data.post_edits.units import Candidate, Unit, columns_of, is_unconfirmed, names_of, quality_of
from kiwi.data.text.normal_form import normal_form

OPEN_TYPES = ("", "mt", "other")
"""The types of candidates that may be a machine's; others are those of translation memories and terms."""

UNIT = "u"
"""What stands before the id of a unit in a reference; that of a segment or an element inside of it has nothing."""

TARGET = "t"
"""What stands before the id of an element in a translation."""


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
    """Return whether a candidate is for the whole of a segment.

    It is if it has the source of the segment, or refers to it or to an element around all of its text. In a unit with
    one segment it also is if it does not refer to a part of the segment.
    """
    if normal_form(candidate.source.text) == normal_form(segment.source.text):
        return True
    kind, _, name = re.split("[#/]", candidate.attributes.get("ref", ""))[-1].rpartition("=")
    if name and not kind and name == segment.attributes.get("id"):
        return True
    sides = [(segment.source, candidate.source.text), (segment.target, candidate.target.text)]
    for text, own in {UNIT: [], TARGET: [(segment.target, "")]}.get(kind, sides):
        if (enclosed := _enclosed(name, text, own)) is not None:
            return normal_form(enclosed) == normal_form(text.text)
    return len(unit.segments) == 1


def _enclosed(name: str, text: ReferableText, own: str) -> str | None:
    """Return the part of a text that a candidate refers to; None if the name is that of something else.

    The specification has annotations for this. A name such as ``1`` may be that of a pair of codes and, for some tools,
    of the segment: it is the pair's if the candidate has nothing else than the text in it.

    Args:
        name: the id in the reference.
        text: the source of a segment, or its translation.
        own: that of the candidate; empty if the name can only be that of an element.
    """
    if name in text.annotated:
        return text.annotated[name]
    formatted = text.formatted.get(name)
    return formatted if formatted is not None and normal_form(own) in ("", normal_form(formatted)) else None


def _unconfirmed(segment: Pair) -> str:
    attributes = segment.attributes
    if attributes.get("subState") == REVIEW["subState"]:
        return f'subState="{REVIEW["subState"]}"'
    state = attributes.get("state", "")
    return f'state="{state}"' if is_unconfirmed(state) else ""

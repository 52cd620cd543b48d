"""Units of XLIFF 1.2, sdlxliff, mqxliff and mxliff."""

from __future__ import annotations

from collections.abc import Mapping

from typing_extensions import override

from kiwi.data.documents.inline import InlineText
from kiwi.data.documents.marks.its import rated_by
from kiwi.data.documents.marks.notes import XLIFF1Notes
from kiwi.data.documents.parts import Part, one_line
from kiwi.data.documents.rating import Rating
from kiwi.data.documents.xliff_1 import XLIFF1, Candidate as Suggestion, TransUnit
from kiwi.data.post_edits.units import Candidate, Unit, columns_of, is_machine, is_unconfirmed, names_of, quality_of

SDL, MEMOQ, PHRASE = "http://sdl.com/FileTypes/SdlXliff/1.0", "MQXliff", "http://www.memsource.com/mxlf/2.0"
"""The namespaces of Trados, memoQ and Phrase."""

INSERTED = f"{MEMOQ} insertedmatch"
"""The element in which memoQ keeps what it inserted before a person edited it."""

NAMES = ("origin", "tool", "tool-id", "source", f"{PHRASE} trans-origin")
"""Attributes of a candidate that say where it comes from; ``source`` is that of memoQ."""

OTHER_TYPES = ("previous-version", "rejected", "reference", "accepted")
"""Types of ``alt-trans`` that are no suggestions."""

CONFIRMED = ("Translated", "ApprovedTranslation", "ApprovedSignOff")
"""The levels of confirmation of Trados at which a person has confirmed a translation."""

USERS = (f"{MEMOQ} translatorcommitusername", f"{MEMOQ} lastchanginguser", f"{PHRASE} modified-by")


class XLIFF1Units(XLIFF1):
    """A document in XLIFF 1.2, of which the units are collected."""

    def __init__(self) -> None:
        super().__init__(Rating())
        self.units: list[Unit] = []
        self._notes = XLIFF1Notes(self)
        self.marks = [self._notes]
        self._system = ""
        self._file: Mapping[str, str] = {}
        self._tools: dict[str, str] = {}
        self._segments: dict[str, Mapping[str, str]] = {}
        """What Trados says of each segment of a unit."""

    @override
    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if not self.depth:
            self._system = rated_by(attributes)
        elif local == "file":
            self._file, self._tools = attributes, {}
        elif local == "tool":
            self._tools[attributes.get("tool-id", "")] = attributes.get("tool-name", "")
        super().start(name, attributes)

    @override
    def start_inside(self, unit: TransUnit, local: str, attributes: Mapping[str, str]) -> None:
        if local == f"{SDL} seg":
            self._segments[attributes.get("id", "")] = attributes
        elif local == INSERTED:
            unit.candidates.append(Suggestion(self.at, attributes))
        elif local == "target" and self.parent == INSERTED:
            self.read_text(unit.candidates[-1].text)
        else:
            super().start_inside(unit, local, attributes)

    @override
    def end_unit(self, unit: TransUnit) -> None:
        marked, target = unit.source_segments, unit.target
        if marked and (target.segments or not one_line(target.whole.text)) and not _has_whole_candidate(unit):
            for name, source in marked.items():
                own = target.segments.get(name)
                self._add(unit, name, source.text, "" if own is None else own.text)
        else:
            self._add(unit, "", unit.source.whole.text, target.whole.text)
        self._segments = {}
        self.add(Part(self.at))

    def _candidates(self, unit: TransUnit, segment: str) -> list[Candidate]:
        """Return the candidates for a segment, or those for the whole unit if its name is empty."""
        marked, found = unit.source_segments, []
        for each in unit.candidates:
            text: InlineText | None = each.text.segments.get(segment)
            if not segment or each.segment == segment:
                text = each.text.whole if not segment or text is None else text
            elif text is None and not each.segment and len(marked) == 1:
                text = each.text.whole
            if text is None or (not segment and each.segment in marked):
                continue
            names = names_of(each.attributes, NAMES) + names_of(each.target_attributes, ("state-qualifier",))
            names += names_of(self._tools, (each.attributes.get("tool-id", ""),))
            kind = each.attributes.get("alttranstype", "")
            quality = quality_of(each.attributes.get("match-quality", each.attributes.get("matchrate", "")))
            found.append(Candidate(one_line(text.text), names, quality, kind in OTHER_TYPES and not names))
        return found

    def _add(self, unit: TransUnit, segment: str, source: str, target: str) -> None:
        document, identifier = self._file.get("original", ""), unit.attributes.get("id", "")
        user = next(iter(names_of(unit.attributes, USERS)), "")
        self.units.append(
            Unit(
                unit.line,
                (document, identifier, segment),
                one_line(source),
                one_line(target),
                (self._file.get("source-language", ""), self._file.get("target-language", "")),
                self._candidates(unit, segment),
                unit.is_to_translate,
                self._unconfirmed(unit, segment),
                columns_of(file=document, id=f"{identifier}#{segment}" if segment else identifier, user=user),
                self._notes.former_decisions().get(segment),
                self._system,
            )
        )

    def _unconfirmed(self, unit: TransUnit, segment: str) -> str:
        """Return why nobody seems to have confirmed a translation; empty if somebody has, or nothing tells."""
        attributes = unit.attributes
        if self._segments:
            own = [self._segments.get(segment, {})] if segment else self._segments.values()
            found = (each.get("conf", "Unspecified") for each in own)
            return next((f'conf="{conf}"' for conf in found if conf not in CONFIRMED), "")
        if (status := attributes.get(f"{MEMOQ} status")) is not None:
            is_done = status.endswith("Confirmed") or status == "Proofread"
            return "" if is_done else f'mq:status="{status}"'
        if (confirmed := attributes.get(f"{PHRASE} confirmed")) is not None:
            return f'm:confirmed="{confirmed}"' if confirmed in ("0", "false") else ""
        if (state := unit.target_attributes.get("state")) is not None:
            return f'state="{state}"' if is_unconfirmed(state) else ""
        if is_machine([qualifier := unit.target_attributes.get("state-qualifier", "")]):
            return f'state-qualifier="{qualifier}"'
        return 'approved="no"' if attributes.get("approved") == "no" else ""


def _has_whole_candidate(unit: TransUnit) -> bool:
    """Return whether a candidate is for the whole of a unit with several segments, and is not split into them."""
    whole = [each.text for each in unit.candidates if not each.segment and not each.text.segments]
    return len(unit.source_segments) > 1 and any(one_line(text.whole.text) for text in whole)

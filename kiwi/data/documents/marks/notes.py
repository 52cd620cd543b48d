"""Flags and decisions as notes in the units of documents in XML, which people see in their tools."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape

from typing_extensions import override

from kiwi.data.documents.marks.decisions import decision_text, decisions_text, escaped, parse_decisions
from kiwi.data.documents.marks.its import in_order
from kiwi.data.documents.markup import MarkupDocument
from kiwi.data.documents.parts import Edit, Part, Row, Segment
from kiwi.data.flags import COLUMN

FLAGS, DECISIONS = "flags", "decision"
"""The kinds of notes."""

AUTHORS = {"kiwi": FLAGS, "kiwi-decision": DECISIONS}
"""The kind of notes by their author, by which they are found again."""

CATEGORIES = {"kiwi-flags": FLAGS, "kiwi-decision": DECISIONS}
"""The same by the category of notes in XLIFF 2."""

PROPERTIES = {"x-kiwi-flags": FLAGS, "x-kiwi-decision": DECISIONS}
"""The same by the type of ``prop`` in TMX."""


def flags_text(segments: Sequence[Segment], rows: Sequence[Row]) -> str:
    """Return the flags of the segments of a unit as text; empty if there are none.

    Args:
        segments: the segments, and candidates for them, which are left out.
        rows: their predictions.
    """
    pairs = [(each.name, row.get(COLUMN)) for each, row in zip(segments, rows, strict=True) if each.name is not None]
    found = [f"{name} {', '.join(flags)}".strip() for name, flags in pairs if flags]
    return f"flags: {'; '.join(found)}" if found else ""


@dataclass
class Place:
    """A place for notes in a unit, and the elements of before that are replaced."""

    added: int = 0
    """The offset at which an element is added."""

    sibling: int = 0
    """The offset of the start tag of the element beside it, which has the same indentation and prefix."""

    former: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """The offsets of each element of before, of its end tag, and behind it, by kind."""

    removed: tuple[int, int] | None = None
    """The offsets of what is removed together with them, if that would be empty otherwise."""


class Notes(ABC):
    """Writes flags and decisions of each unit of a document into notes, in the place of those of before.

    Args:
        document: the document.
    """

    def __init__(self, document: MarkupDocument) -> None:
        self.document = document
        self.languages: tuple[str | None, str | None] = (None, None)
        """The languages of source and translation, where the document says them."""
        self.place = Place()
        """The place for the notes of the current unit."""
        self._former: tuple[str, int] | None = None

    @abstractmethod
    def start(self, name: str, parent: str, attributes: Mapping[str, str]) -> None:
        """Take a start tag of the document.

        Args:
            name: the name of the element, without its namespace.
            parent: that of the element around it.
            attributes: the attributes.
        """

    @abstractmethod
    def end(self, name: str, parent: str) -> None:
        """Take an end tag."""

    @abstractmethod
    def element(self, prefix: str, kind: str, text: str) -> str:
        """Return the element with flags or decisions.

        Args:
            prefix: the prefix of the names of elements, with its colon.
            kind: what they are.
            text: their text, as the content of an element.
        """

    def joined(self, prefix: str, elements: Sequence[str], place: Place, space: str) -> str:
        """Return the markup that is added to a unit.

        Args:
            prefix: the prefix of the names of elements, with its colon.
            elements: the elements.
            place: the place where they are added.
            space: the line end and the indentation of elements there.
        """
        return space.join(elements)

    def complete(self, part: Part) -> Part:
        """Return a part with the changes that the notes of its segments need."""
        if not part.segments:
            return part
        place, self.place = self.place, Place()

        def edits(rows: Sequence[Row]) -> list[Edit]:
            texts = {FLAGS: flags_text(part.segments, rows), DECISIONS: decisions_text(part.segments, rows)}
            return in_order([*part.edits(rows), *self.edits_of(place, texts)])

        for each in part.segments:
            each.languages = self.languages
        return Part(part.end, part.segments, edits)

    def start_former(self, kind: str) -> None:
        """Take the start of the element of before of a kind."""
        self._former = (kind, self.document.at)

    def end_former(self) -> None:
        """Take its end."""
        if self._former is not None:
            kind, start = self._former
            at = self.document.at
            self.place.former[kind] = (start, at, self.document.behind_end_tag(at))
            self._former = None

    def former_decisions(self) -> dict[str, tuple[str, str]]:
        """Return the decisions of before about the segments of the current unit, by their names."""
        if DECISIONS not in self.place.former:
            return {}
        start, inside_end, _ = self.place.former[DECISIONS]
        return parse_decisions(unescape(self.document.text_between(self.document.tag(start).end, inside_end)))

    def edits_of(self, place: Place, texts: Mapping[str, str]) -> list[Edit]:
        """Return the changes that write texts by kind, or remove those of before."""
        document, found = self.document, []
        given = {kind: escaped(text) for kind, text in texts.items() if text}
        if place.removed is not None and not given:
            return [document.removal(*place.removed)]
        for kind, (start, inside_end, end) in place.former.items():
            if kind in given:
                found.append(Edit(document.tag(start).end, inside_end, given[kind].encode(document.codec)))
            else:
                found.append(document.removal(start, end))
        if added := {kind: text for kind, text in given.items() if kind not in place.former}:
            space, prefix = document.space_before(place.sibling), document.tag(place.sibling).prefix
            elements = [self.element(prefix, kind, text) for kind, text in added.items()]
            markup = self.joined(prefix, elements, place, space)
            is_before = place.added == place.sibling
            found.append(document.encoded(place.added, markup + space if is_before else space + markup))
        return in_order(found)


class XLIFF1Notes(Notes):
    """Notes of XLIFF 1.2: ``<note from="kiwi">`` and ``<note from="kiwi-decision">`` behind the target."""

    @override
    def start(self, name: str, parent: str, attributes: Mapping[str, str]) -> None:
        if name == "file":
            self.languages = (attributes.get("source-language"), attributes.get("target-language"))
        elif name == "trans-unit":
            self.place = Place()
        elif parent == "trans-unit" and name == "target":
            self.place.sibling = self.document.at
        elif parent == "trans-unit" and name == "note" and attributes.get("from") in AUTHORS:
            self.start_former(AUTHORS[attributes["from"]])

    @override
    def end(self, name: str, parent: str) -> None:
        if parent == "trans-unit" and name == "target":
            self.place.added = self.document.behind_end_tag(self.document.at)
        elif parent == "trans-unit" and name == "note":
            self.end_former()

    @override
    def element(self, prefix: str, kind: str, text: str) -> str:
        return f'<{prefix}note from="{_name(AUTHORS, kind)}" annotates="target">{text}</{prefix}note>'


class XLIFF2Notes(Notes):
    """Notes of XLIFF 2, such as ``<note category="kiwi-flags">``, the last ones in the ``notes`` of the unit."""

    def __init__(self, document: MarkupDocument) -> None:
        super().__init__(document)
        self._notes = self._n_notes = self._last = 0

    @override
    def start(self, name: str, parent: str, attributes: Mapping[str, str]) -> None:
        if name == "xliff":
            self.languages = (attributes.get("srcLang"), attributes.get("trgLang"))
        elif name == "unit":
            self.place, self._n_notes = Place(), 0
        elif parent == "unit" and name == "notes":
            self._notes = self.document.at
        elif parent == "unit" and name in ("originalData", "segment", "ignorable") and not self.place.sibling:
            self.place.sibling = self.place.added = self.document.at
        elif parent == "notes":
            self._last = self.document.at
            self._n_notes += 1
            if attributes.get("category") in CATEGORIES:
                self.start_former(CATEGORIES[attributes["category"]])

    @override
    def end(self, name: str, parent: str) -> None:
        if parent == "notes":
            self.place.sibling, self.place.added = self._last, self.document.behind_end_tag(self.document.at)
            self.end_former()
        elif parent == "unit" and name == "notes" and 0 < self._n_notes == len(self.place.former):
            self.place.removed = (self._notes, self.document.behind_end_tag(self.document.at))

    @override
    def element(self, prefix: str, kind: str, text: str) -> str:
        return f'<{prefix}note category="{_name(CATEGORIES, kind)}" appliesTo="target">{text}</{prefix}note>'

    @override
    def joined(self, prefix: str, elements: Sequence[str], place: Place, space: str) -> str:
        if place.added != place.sibling:
            return super().joined(prefix, elements, place, space)
        return f"<{prefix}notes>{''.join(elements)}</{prefix}notes>"


class TMXProperties(Notes):
    """Flags and decisions of TMX, such as ``<prop type="x-kiwi-flags">``, before the text of each variant."""

    def __init__(self, document: MarkupDocument) -> None:
        super().__init__(document)
        self._places: dict[str, Place] = {}
        """The place in each variant, by the offset of its text, which is the name of its segment."""

    @override
    def start(self, name: str, parent: str, attributes: Mapping[str, str]) -> None:
        if name == "tu":
            self._places = {}
        elif name == "tuv":
            self.place = Place()
        elif name == "seg" and parent == "tuv":
            self.place.sibling = self.place.added = self.document.at
            self._places[str(self.document.at)] = self.place
        elif name == "prop" and parent == "tuv" and attributes.get("type") in PROPERTIES:
            self.start_former(PROPERTIES[attributes["type"]])

    @override
    def end(self, name: str, parent: str) -> None:
        if name == "prop" and parent == "tuv":
            self.end_former()

    @override
    def element(self, prefix: str, kind: str, text: str) -> str:
        return f'<{prefix}prop type="{_name(PROPERTIES, kind)}">{text}</{prefix}prop>'

    @override
    def complete(self, part: Part) -> Part:
        if not part.segments:
            return part
        places = [self._places[str(each.name)] for each in part.segments]

        def edits(rows: Sequence[Row]) -> list[Edit]:
            texts = [{FLAGS: ", ".join(row.get(COLUMN) or []), DECISIONS: decision_text(row)} for row in rows]
            own = [self.edits_of(place, each) for place, each in zip(places, texts, strict=True)]
            return in_order([*part.edits(rows), *(edit for found in own for edit in found)])

        return Part(part.end, part.segments, edits)


def _name(names: Mapping[str, str], kind: str) -> str:
    return next(name for name, each in names.items() if each == kind)

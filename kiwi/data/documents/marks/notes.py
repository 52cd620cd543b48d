"""Flags as notes in the units of documents in XML, which people see in their tools."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from typing_extensions import override

from kiwi.data.documents.marks.its import in_order
from kiwi.data.documents.markup import MarkupDocument
from kiwi.data.documents.parts import Edit, Part, Row, Segment
from kiwi.data.flags import COLUMN

AUTHOR = "kiwi"
"""The author of notes with flags, by which they are found again."""

CATEGORY = "kiwi-flags"
"""The category of notes with flags in XLIFF 2."""

PROPERTY = "x-kiwi-flags"
"""The type of the ``prop`` with flags in TMX."""


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
    """A place for flags in a unit, and the element of before that has them."""

    added: int = 0
    """The offset at which an element is added."""

    sibling: int = 0
    """The offset of the start tag of the element beside it, which has the same indentation and prefix."""

    former: tuple[int, int, int] | None = None
    """The offsets of the element of before, of its end tag, and behind it."""

    removed: tuple[int, int] | None = None
    """The offsets of what is removed together with it, if that would be empty otherwise."""


class Notes(ABC):
    """Writes the flags of each unit of a document into a note, in the place of one that was there before.

    Args:
        document: the document.
    """

    def __init__(self, document: MarkupDocument) -> None:
        self.document = document
        self.languages: tuple[str | None, str | None] = (None, None)
        """The languages of source and translation, where the document says them."""
        self.place = Place()
        """The place for the note of the current unit."""
        self._former_start: int | None = None

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
    def markup(self, prefix: str, text: str, place: Place) -> str:
        """Return the element with flags.

        Args:
            prefix: the prefix of the names of elements, with its colon.
            text: the flags.
            place: the place where it is added.
        """

    def complete(self, part: Part) -> Part:
        """Return a part with the changes that the flags of its segments need."""
        if not part.segments:
            return part
        place, self.place = self.place, Place()

        def edits(rows: Sequence[Row]) -> list[Edit]:
            return in_order([*part.edits(rows), *self.edits_of(place, flags_text(part.segments, rows))])

        for each in part.segments:
            each.languages = self.languages
        return Part(part.end, part.segments, edits)

    def start_former(self) -> None:
        """Take the start of the element of before."""
        self._former_start = self.document.at

    def end_former(self) -> None:
        """Take its end."""
        if self._former_start is not None:
            at = self.document.at
            self.place.former = (self._former_start, at, self.document.behind_end_tag(at))
            self._former_start = None

    def edits_of(self, place: Place, text: str) -> list[Edit]:
        """Return the changes that write flags, or remove those of before."""
        document = self.document
        if place.former is not None:
            start, inside_end, end = place.former
            if text:
                return [Edit(document.tag(start).end, inside_end, text.encode(document.codec))]
            start, end = place.removed or (start, end)
            return [Edit(start - len(document.space_before(start).encode(document.codec)), end, b"")]
        if not text:
            return []
        space = document.space_before(place.sibling)
        added = self.markup(document.tag(place.sibling).prefix, text, place)
        return [document.encoded(place.added, added + space if place.added == place.sibling else space + added)]


class XLIFF1Notes(Notes):
    """Notes of XLIFF 1.2: ``<note from="kiwi">`` behind the target."""

    @override
    def start(self, name: str, parent: str, attributes: Mapping[str, str]) -> None:
        if name == "file":
            self.languages = (attributes.get("source-language"), attributes.get("target-language"))
        elif name == "trans-unit":
            self.place = Place()
        elif parent == "trans-unit" and name == "target":
            self.place.sibling = self.document.at
        elif parent == "trans-unit" and name == "note" and attributes.get("from") == AUTHOR:
            self.start_former()

    @override
    def end(self, name: str, parent: str) -> None:
        if parent == "trans-unit" and name == "target":
            self.place.added = self.document.behind_end_tag(self.document.at)
        elif parent == "trans-unit" and name == "note":
            self.end_former()

    @override
    def markup(self, prefix: str, text: str, place: Place) -> str:
        return f'<{prefix}note from="{AUTHOR}" annotates="target">{text}</{prefix}note>'


class XLIFF2Notes(Notes):
    """Notes of XLIFF 2: ``<note category="kiwi-flags">``, the last one in the ``notes`` of the unit."""

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
            if attributes.get("category") == CATEGORY:
                self.start_former()

    @override
    def end(self, name: str, parent: str) -> None:
        if parent == "notes":
            self.place.sibling, self.place.added = self._last, self.document.behind_end_tag(self.document.at)
            self.end_former()
        elif parent == "unit" and name == "notes" and self._n_notes == 1:
            self.place.removed = (self._notes, self.document.behind_end_tag(self.document.at))

    @override
    def markup(self, prefix: str, text: str, place: Place) -> str:
        note = f'<{prefix}note category="{CATEGORY}" appliesTo="target">{text}</{prefix}note>'
        return note if place.added != place.sibling else f"<{prefix}notes>{note}</{prefix}notes>"


class TMXProperties(Notes):
    """Flags of TMX: ``<prop type="x-kiwi-flags">`` before the text of each variant."""

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
        elif name == "prop" and parent == "tuv" and attributes.get("type") == PROPERTY:
            self.start_former()

    @override
    def end(self, name: str, parent: str) -> None:
        if name == "prop" and parent == "tuv":
            self.end_former()

    @override
    def markup(self, prefix: str, text: str, place: Place) -> str:
        return f'<{prefix}prop type="{PROPERTY}">{text}</{prefix}prop>'

    @override
    def complete(self, part: Part) -> Part:
        if not part.segments:
            return part
        places = [self._places[str(each.name)] for each in part.segments]

        def edits(rows: Sequence[Row]) -> list[Edit]:
            texts = [", ".join(row.get(COLUMN) or []) for row in rows]
            own = [self.edits_of(place, text) for place, text in zip(places, texts, strict=True)]
            return in_order([*part.edits(rows), *(edit for found in own for edit in found)])

        return Part(part.end, part.segments, edits)

"""XLIFF 1.2, and the formats of tools that extend it: sdlxliff, mqxliff and mxliff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from typing_extensions import override

from kiwi import constants as const
from kiwi.data.documents.inline import InlineText
from kiwi.data.documents.marks.its import FormerMarks, IssueMarkup, RatingMarkup, in_order
from kiwi.data.documents.markup import MarkupDocument
from kiwi.data.documents.parts import Edit, Part, Row, Segment, marked_pair, one_line, pair
from kiwi.data.documents.rating import Rating
from kiwi.data.labels.error_spans import spans_of_cell

NAMESPACES = ("urn:oasis:names:tc:xliff:document:1.2", "urn:oasis:names:tc:xliff:document:1.1", "")

CODES = frozenset({"x", "bx", "ex", "ph", "bpt", "ept", "it"})
"""Elements whose content is code. That of ``g`` and ``mrk`` is text."""

REVIEW = "needs-review-translation"


@dataclass
class MarkedText:
    """A source or a translation, and the segments that ``mrk`` marks in it."""

    whole: InlineText = field(default_factory=lambda: InlineText(CODES))
    segments: dict[str, InlineText] = field(default_factory=dict)
    """The text of each segment by its ``mid``."""

    places: dict[str, int] = field(default_factory=dict)
    """The offset of the ``mrk`` of each segment."""

    ends: dict[str, int] = field(default_factory=dict)
    """The offset of the end tag of each segment."""

    end_of_whole: int = 0
    """The offset of the end tag of the text."""

    open: list[str | None] = field(default_factory=list)
    """For each open element, the segment that it marks, if any."""

    def start(self, name: str, attributes: Mapping[str, str], at: int) -> None:
        """Take the start of an element at an offset."""
        segment = attributes.get("mid") if name == "mrk" and attributes.get("mtype") == "seg" else None
        for text in self._open_texts():
            text.start(name, attributes)
        if segment is not None:
            self.segments[segment] = InlineText(CODES)
            self.places[segment] = at
        self.open.append(segment)

    def end(self, name: str, at: int) -> None:
        """Take the end of an element, whose end tag is at an offset."""
        if (segment := self.open.pop()) is not None:
            self.ends[segment] = at
        for text in self._open_texts():
            text.end(name)

    def add(self, text: str) -> None:
        """Take the next text."""
        for each in self._open_texts():
            each.add(text)

    def _open_texts(self) -> list[InlineText]:
        return [self.whole, *(self.segments[name] for name in self.open if name is not None)]


@dataclass
class Candidate:
    """A translation that a tool has suggested for a unit."""

    start: int
    """The offset of the element."""

    attributes: Mapping[str, str]
    text: MarkedText = field(default_factory=MarkedText)
    target_attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def segment(self) -> str:
        """The ``mid`` of the segment that it is for; empty if it is for the whole unit."""
        return self.attributes.get("mid", "")


@dataclass
class TransUnit:
    """A ``trans-unit``."""

    start: int
    line: int
    attributes: Mapping[str, str]
    is_to_translate: bool
    former: FormerMarks
    texts: dict[str, MarkedText] = field(default_factory=dict)
    """The texts by element: ``source``, ``seg-source`` and ``target``."""

    target_start: int = 0
    target_attributes: Mapping[str, str] = field(default_factory=dict)
    candidates: list[Candidate] = field(default_factory=list)

    @property
    def source(self) -> MarkedText:
        """The source."""
        return self.texts.get("source") or MarkedText()

    @property
    def source_segments(self) -> Mapping[str, InlineText]:
        """The text of each segment of the source by its ``mid``."""
        return self.texts.get("seg-source", self.source).segments

    @property
    def target(self) -> MarkedText:
        """The translation."""
        return self.texts.get("target") or MarkedText()


class XLIFF1(MarkupDocument):
    """A document in XLIFF 1.2."""

    def __init__(self, rating: Rating) -> None:
        super().__init__(rating)
        self._unit: TransUnit | None = None
        self._text: MarkedText | None = None
        self._text_depth = 0
        self._seen: set[int] = set()
        self._translate = [True]

    @override
    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        if not self.depth:
            self._markup = RatingMarkup(self, attributes)
            self._issues = IssueMarkup(self, self._markup, "#")
        self._translate.append({"yes": True, "no": False}.get(attributes.get("translate", ""), self._translate[-1]))
        if namespace not in NAMESPACES:
            local = name
        if self._unit is not None:
            self._unit.former.start(local, attributes)
        if self._text is not None:
            self._text.start(local, attributes, self.at)
        elif local == "file":
            self._seen = set()
        elif local == "trans-unit":
            self._start_unit(attributes)
        elif self._unit is not None:
            self.start_inside(self._unit, local, attributes)

    def _start_unit(self, attributes: Mapping[str, str]) -> None:
        identifier = attributes.get("id", "")
        if hash(identifier) in self._seen:  # a number takes less memory
            raise self.error(
                f"a second trans-unit with the id '{identifier}'",
                "each id once in a <file>",
                "Give it another id; the tool that wrote the file can say which one.",
            )
        if identifier:
            self._seen.add(hash(identifier))
        self._unit = TransUnit(self.at, self.line, attributes, self._translate[-1], FormerMarks(self))
        self.is_inside = True

    def start_inside(self, unit: TransUnit, local: str, attributes: Mapping[str, str]) -> None:
        """Take the start of an element of a unit, outside of its texts.

        Args:
            unit: the unit.
            local: the name of the element; with its namespace, if that is not one of XLIFF.
            attributes: its attributes.
        """
        parent = self.parent.rpartition(" ")[2]
        if local == "alt-trans":
            unit.candidates.append(Candidate(self.at, attributes))
        elif parent == "trans-unit" and local in ("source", "seg-source", "target"):
            unit.texts[local] = MarkedText()
            self.read_text(unit.texts[local])
            if local == "target":
                unit.target_start, unit.target_attributes = self.at, attributes
        elif parent == "alt-trans" and local == "target":
            self.read_text(unit.candidates[-1].text)
            unit.candidates[-1].target_attributes = attributes

    def read_text(self, text: MarkedText) -> None:
        """Collect the text of the element that starts."""
        self._text, self._text_depth = text, self.depth

    @override
    def end(self, name: str) -> None:
        self._translate.pop()
        namespace, _, local = name.rpartition(" ")
        if namespace not in NAMESPACES:
            local = name
        if self._text is not None:
            if self.depth > self._text_depth:
                self._text.end(local, self.at)
            else:
                self._text.end_of_whole = self.at
                self._text = None
        elif local == "trans-unit" and self._unit is not None:
            self.end_unit(self._unit)
            self._unit, self.is_inside = None, False
        if self._unit is not None:
            self._unit.former.end()

    @override
    def text(self, text: str) -> None:
        if self._text is not None:
            self._text.add(text)

    def end_unit(self, unit: TransUnit) -> None:
        """Take a unit that is complete."""
        if not unit.is_to_translate:
            self.add(unit.former.part(self.at))
            return
        source, target, marked = unit.source, unit.target, unit.source_segments
        segments: list[Segment] = []
        places: list[int] = []
        # The offsets of the element of each translation and of its end tag, and its text.
        texts: list[tuple[int, int, str]] = []
        common = [name for name in target.segments if name in marked]
        if common:
            for name in common:
                segments.append(marked_pair(marked[name], target.segments[name], unit.line, name))
                places.append(target.places[name])
                texts.append((target.places[name], target.ends[name], target.segments[name].text))
        else:
            segments.append(marked_pair(source.whole, target.whole, unit.line))
            places.append(unit.start)
            texts.append((unit.target_start, target.end_of_whole, target.whole.text))
        own = [index for index, segment in enumerate(segments) if segment.texts["target"]]
        self.n_without_target += not own
        segments = [segments[index] for index in own]
        places = [places[index] for index in own]
        texts = [texts[index] for index in own]
        candidates = []
        for each in unit.candidates:
            if one_line(each.text.whole.text):
                origin = marked.get(each.segment, source.whole)
                candidates.append(each.start)
                segments.append(pair(origin.text, each.text.whole.text, unit.line))
        target_start, end_of_unit = unit.target_start, self.at

        def edits(rows: Sequence[Row]) -> list[Edit]:
            found = unit.former.removals()
            for place, row in zip(places, rows, strict=False):
                found += self.tag(place).edits(self._markup.values(row))
            lists = ""
            for translation, row in zip(texts, rows, strict=False):
                marks, own_lists = self._mark(unit, translation, row)
                found += marks
                lists += own_lists
            if lists:
                found.append(self.encoded(end_of_unit, lists))
            if any(map(self.rating.is_marked, rows[: len(places)])):
                found += self.tag(target_start).edits({"state": REVIEW})
            for place, row in zip(candidates, rows[len(places) :], strict=True):
                found += self.tag(place).edits(self._markup.candidate("match-quality", row))
            return in_order(found)

        self.add(Part(self.at, segments, edits))

    def _mark(self, unit: TransUnit, text: tuple[int, int, str], row: Row) -> tuple[list[Edit], str]:
        """Return the changes that mark the error spans of a segment, and the lists of errors that go behind it."""
        if const.ERROR_SPANS not in row:
            return [], ""
        start, end, expected = text
        prefix, tag = self.tag(unit.target_start).prefix, self.tag(start)
        root = self.nodes(tag.end, end, expected, CODES, prefix=prefix, removed=unit.former.tags)
        spans = spans_of_cell(row[const.ERROR_SPANS])
        return self._issues.edits(root, spans, lambda: f'{prefix}mrk mtype="x-its"')

"""XLIFF 1.2, and the formats of tools that extend it: sdlxliff, mqxliff and mxliff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from typing_extensions import override

from kiwi.data.documents.inline import InlineText
from kiwi.data.documents.marks.its import RatingMarkup, in_order
from kiwi.data.documents.markup import MarkupDocument
from kiwi.data.documents.parts import Edit, Part, Row, Segment, marked_pair, one_line, pair
from kiwi.data.documents.rating import Rating

NAMESPACES = ("urn:oasis:names:tc:xliff:document:1.2", "urn:oasis:names:tc:xliff:document:1.1", "")

CODES = frozenset({"x", "bx", "ex", "ph", "bpt", "ept", "it"})
"""Elements whose content is code. That of ``g`` and ``mrk`` is text."""

REVIEW = "needs-review-translation"


@dataclass
class _Text:
    """A source or a translation, and the segments that ``mrk`` marks in it."""

    whole: InlineText = field(default_factory=lambda: InlineText(CODES))
    segments: dict[str, InlineText] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    """The offset of the ``mrk`` of each segment."""

    open: list[str | None] = field(default_factory=list)
    """For each open element, the segment that it marks, if any."""

    def start(self, name: str, attributes: Mapping[str, str], at: int) -> None:
        segment = attributes.get("mid") if name == "mrk" and attributes.get("mtype") == "seg" else None
        for text in self._open_texts():
            text.start(name, attributes)
        if segment is not None:
            self.segments[segment] = InlineText(CODES)
            self.places[segment] = at
        self.open.append(segment)

    def end(self, name: str) -> None:
        self.open.pop()
        for text in self._open_texts():
            text.end(name)

    def add(self, text: str) -> None:
        for each in self._open_texts():
            each.add(text)

    def _open_texts(self) -> list[InlineText]:
        return [self.whole, *(self.segments[name] for name in self.open if name is not None)]


@dataclass
class _Unit:
    start: int
    line: int
    identifier: str
    is_to_translate: bool
    texts: dict[str, _Text] = field(default_factory=dict)
    """The texts by element: ``source``, ``seg-source`` and ``target``."""

    target_start: int = 0
    candidates: list[tuple[int, str, _Text]] = field(default_factory=list)
    """The offset of each ``alt-trans``, the segment that it is for, and its translation."""


class XLIFF1(MarkupDocument):
    """A document in XLIFF 1.2."""

    def __init__(self, rating: Rating) -> None:
        super().__init__(rating)
        self._unit: _Unit | None = None
        self._text: _Text | None = None
        self._text_depth = 0
        self._seen: set[int] = set()
        self._translate = [True]

    @override
    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        if not self.depth:
            self._markup = RatingMarkup(self, attributes)
        self._translate.append({"yes": True, "no": False}.get(attributes.get("translate", ""), self._translate[-1]))
        if namespace not in NAMESPACES:
            local = name
        if self._text is not None:
            self._text.start(local, attributes, self.at)
        elif local == "file":
            self._seen = set()
        elif local == "trans-unit":
            self._start_unit(attributes)
        elif self._unit is not None:
            self._start_inside(self._unit, local, attributes)

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
        self._unit = _Unit(self.at, self.line, identifier, self._translate[-1])
        self.is_inside = True

    def _start_inside(self, unit: _Unit, local: str, attributes: Mapping[str, str]) -> None:
        parent = self.parent.rpartition(" ")[2]
        if local == "alt-trans":
            unit.candidates.append((self.at, attributes.get("mid", ""), _Text()))
        elif parent == "trans-unit" and local in ("source", "seg-source", "target"):
            self._text = unit.texts[local] = _Text()
            self._text_depth = self.depth
            if local == "target":
                unit.target_start = self.at
        elif parent == "alt-trans" and local == "target":
            self._text, self._text_depth = unit.candidates[-1][2], self.depth

    @override
    def end(self, name: str) -> None:
        self._translate.pop()
        namespace, _, local = name.rpartition(" ")
        if namespace not in NAMESPACES:
            local = name
        if self._text is not None:
            if self.depth > self._text_depth:
                self._text.end(local)
            else:
                self._text = None
        elif local == "trans-unit" and self._unit is not None:
            self._end_unit(self._unit)
            self._unit, self.is_inside = None, False

    @override
    def text(self, text: str) -> None:
        if self._text is not None:
            self._text.add(text)

    def _end_unit(self, unit: _Unit) -> None:
        if not unit.is_to_translate:
            self.add(Part(self.at))
            return
        source, target = unit.texts.get("source", _Text()), unit.texts.get("target", _Text())
        marked = unit.texts.get("seg-source", source).segments
        segments: list[Segment] = []
        places: list[int] = []
        common = [name for name in target.segments if name in marked]
        if common:
            for name in common:
                segments.append(marked_pair(marked[name], target.segments[name], unit.line, name))
                places.append(target.places[name])
        else:
            segments.append(marked_pair(source.whole, target.whole, unit.line))
            places.append(unit.start)
        own = [index for index, segment in enumerate(segments) if segment.texts["target"]]
        self.n_without_target += not own
        segments = [segments[index] for index in own]
        places = [places[index] for index in own]
        candidates = []
        for place, name, text in unit.candidates:
            if one_line(text.whole.text):
                origin = marked.get(name, source.whole)
                candidates.append(place)
                segments.append(pair(origin.text, text.whole.text, unit.line))
        target_start = unit.target_start

        def edits(rows: Sequence[Row]) -> list[Edit]:
            found: list[Edit] = []
            for place, row in zip(places, rows, strict=False):
                found += self.tag(place).edits(self._markup.values(row))
            if any(map(self.rating.is_marked, rows[: len(places)])):
                found += self.tag(target_start).edits({"state": REVIEW})
            for place, row in zip(candidates, rows[len(places) :], strict=True):
                if (text := self.rating.text(row)) is not None:
                    found += self.tag(place).edits({"match-quality": text})
            return in_order(found)

        self.add(Part(self.at, segments, edits))

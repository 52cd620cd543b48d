"""XLIFF 2.0, 2.1 and 2.2, with the modules for ITS and for translation candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from typing_extensions import override

from kiwi import constants as const
from kiwi.data.documents.inline import InlineText
from kiwi.data.documents.marks.its import SCORE, FormerMarks, IssueMarkup, RatingMarkup, in_order
from kiwi.data.documents.markup import MarkupDocument
from kiwi.data.documents.parts import Edit, Part, Row, Segment, marked_pair, one_line, pair
from kiwi.data.documents.rating import Rating
from kiwi.data.labels.error_spans import spans_of_cell

CORE = ("urn:oasis:names:tc:xliff:document:2.0", "urn:oasis:names:tc:xliff:document:2.2")
MATCHES = "urn:oasis:names:tc:xliff:matches:2.0"

CODES = frozenset({"ph", "sc", "ec", "sm", "em"})
"""Elements without text. That of ``pc`` and ``mrk`` is text, and ``cp`` is a character."""

REVIEW = {"state": "translated", "subState": "kiwi:needs-review-translation"}
"""The state of a translation that nobody has reviewed; 2.x has no state of its own for those that need it."""


class ReferableText(InlineText):
    """Collects the text of one element, and the text that elements in it enclose, to which others may refer."""

    def __init__(self) -> None:
        super().__init__(CODES)
        self._opened: list[tuple[str, int]] = []
        self._starts: dict[str, int] = {}
        self.annotated: dict[str, str] = {}
        """The text of each annotation (``mrk``, or ``sm`` to ``em``), by its id."""

        self.formatted: dict[str, str] = {}
        """The text of each pair of codes (``pc``, or ``sc`` to ``ec``), by its id."""

    @override
    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        super().start(name, attributes)
        if name in ("mrk", "pc"):
            self._opened.append((attributes.get("id", ""), len(self._pieces)))
        elif name in ("sm", "sc"):
            self._starts[attributes.get("id", "")] = len(self._pieces)
        elif name in ("em", "ec") and (identifier := attributes.get("startRef", "")) in self._starts:
            self._close(name, identifier, self._starts.pop(identifier))

    @override
    def end(self, name: str) -> None:
        super().end(name)
        if name in ("mrk", "pc"):
            self._close(name, *self._opened.pop())

    def _close(self, name: str, identifier: str, first: int) -> None:
        found = self.annotated if name in ("mrk", "em") else self.formatted
        if identifier:
            found[identifier] = "".join(self._pieces[first:])


@dataclass
class Pair:
    """A segment, or a candidate for one."""

    start: int
    attributes: Mapping[str, str]
    source: ReferableText = field(default_factory=ReferableText)
    target: ReferableText = field(default_factory=ReferableText)
    target_start: int = 0
    target_end: int = 0
    identifiers: set[str] = field(default_factory=set)
    """The ids of the elements in its texts."""

    rated: int | None = None
    """The offset of the ``mrk`` that has a score already."""


@dataclass
class Unit:
    """A ``unit``."""

    start: int
    line: int
    attributes: Mapping[str, str]
    former: FormerMarks
    segments: list[Pair] = field(default_factory=list)
    candidates: list[Pair] = field(default_factory=list)
    is_to_translate: bool = True

    def new_identifier(self, each: Pair) -> str:
        """Return an identifier for one of its texts, which no element of the unit has."""
        taken = self.identifiers
        identifier = next(name for n in range(1, len(taken) + 2) if (name := f"kiwi-{n}") not in taken)
        each.identifiers.add(identifier)
        return identifier

    @property
    def identifiers(self) -> set[str]:
        """The ids of the elements in its texts."""
        return set[str]().union(*(each.identifiers for each in (*self.segments, *self.candidates)))


class XLIFF2(MarkupDocument):
    """A document in XLIFF 2.0, 2.1 or 2.2."""

    def __init__(self, rating: Rating) -> None:
        super().__init__(rating)
        self._unit: Unit | None = None
        self._pair: Pair | None = None
        self._text: InlineText | None = None
        self._text_depth = 0
        self._seen: set[int] = set()
        self._translate = [True]

    @override
    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if not self.depth:
            self._markup = RatingMarkup(self, attributes)
            self._issues = IssueMarkup(self, self._markup, "#its=")
        namespace, _, local = name.rpartition(" ")
        self._translate.append({"yes": True, "no": False}.get(attributes.get("translate", ""), self._translate[-1]))
        own = self._unit is not None and self._unit.former.start(local if namespace in CORE else name, attributes)
        if self._text is not None:
            self._start_inline(self._text, local, attributes, is_removed=own)
        elif namespace in CORE and local == "file":
            self._seen = set()
        elif namespace in CORE and local == "unit":
            self._start_unit(attributes)
        elif self._unit is None:
            return
        elif namespace in CORE and local == "segment":
            self._pair = Pair(self.at, attributes)
            self._unit.segments.append(self._pair)
        elif namespace == MATCHES and local == "match":
            self._pair = Pair(self.at, attributes)
            self._unit.candidates.append(self._pair)
        elif self._pair is not None and namespace in CORE and local in ("source", "target"):
            self._text = self._pair.source if local == "source" else self._pair.target
            self._text_depth = self.depth
            if local == "target":
                self._pair.target_start = self.at

    def _start_unit(self, attributes: Mapping[str, str]) -> None:
        identifier = attributes.get("id", "")
        if identifier and hash(identifier) in self._seen:
            raise self.error(
                f"a second unit with the id '{identifier}'",
                "each id once in a <file>",
                "Give it another id; the tool that wrote the file can say which one.",
            )
        self._seen.add(hash(identifier))
        self._unit = Unit(self.at, self.line, attributes, FormerMarks(self), is_to_translate=self._translate[-1])
        self.is_inside = True

    def _start_inline(self, text: InlineText, local: str, attributes: Mapping[str, str], *, is_removed: bool) -> None:
        assert self._unit is not None
        assert self._pair is not None
        if local == "cp" and "hex" in attributes:
            text.add(_character(attributes["hex"]))
        text.start(local, attributes)
        if not is_removed:
            self._pair.identifiers.add(attributes.get("id", ""))
        if text is self._pair.target and SCORE in attributes and self._pair.rated is None:
            self._pair.rated = self.at

    @override
    def end(self, name: str) -> None:
        namespace, _, local = name.rpartition(" ")
        self._translate.pop()
        if self._unit is not None and not (namespace in CORE and local == "unit"):
            self._unit.former.end()
        if self._text is not None:
            if self.depth > self._text_depth:
                self._text.end(local)
                return
            if self._pair is not None and self._text is self._pair.target:
                self._pair.target_end = self.at
            self._text = None
        elif (namespace in CORE and local == "segment") or (namespace == MATCHES and local == "match"):
            self._pair = None
        elif namespace in CORE and local == "unit" and self._unit is not None:
            self.end_unit(self._unit)
            self._unit, self.is_inside = None, False

    @override
    def text(self, text: str) -> None:
        if self._text is not None:
            self._text.add(text)

    def end_unit(self, unit: Unit) -> None:
        """Take a unit that is complete."""
        if not unit.is_to_translate:
            self.add(unit.former.part(self.at))
            return
        own = [each for each in unit.segments if one_line(each.target.text)]
        self.n_without_target += not own
        candidates = [each for each in unit.candidates if one_line(each.target.text)]
        only = unit.segments[0].source if len(unit.segments) == 1 else None
        segments: list[Segment] = [
            marked_pair(each.source, each.target, unit.line, "" if only else str(unit.segments.index(each) + 1))
            for each in own
        ]
        segments += [pair((only or each.source).text, each.target.text, unit.line) for each in candidates]

        def edits(rows: Sequence[Row]) -> list[Edit]:
            found = unit.former.removals()
            lists = ""
            for each, row in zip(own, rows, strict=False):
                opening, closing = self._rate(unit, each, row)
                marks, own_lists = self._mark(unit, each, row)
                found += [*opening, *marks, *closing]
                lists += own_lists
                if self.rating.is_marked(row):
                    found += self.tag(each.start).edits(REVIEW)
            for each, row in zip(candidates, rows[len(own) :], strict=True):
                found += self.tag(each.start).edits(self._markup.candidate("matchQuality", row))
            if lists:
                found.append(self.encoded(self.tag(unit.start).end, lists))
            return in_order(found)

        self.add(Part(self.at, segments, edits))

    def _mark(self, unit: Unit, each: Pair, row: Row) -> tuple[list[Edit], str]:
        """Return the changes that mark the error spans of a segment, and the lists of errors that go before it."""
        if const.ERROR_SPANS not in row:
            return [], ""
        tag = self.tag(each.target_start)
        root = self.nodes(
            tag.end, each.target_end, each.target.text, CODES, character_of=_character_of, removed=unit.former.tags
        )
        opening = lambda: f'{tag.prefix}mrk id="{unit.new_identifier(each)}" type="its:generic"'  # noqa: E731
        return self._issues.edits(root, spans_of_cell(row[const.ERROR_SPANS]), opening)

    def _rate(self, unit: Unit, each: Pair, row: Row) -> tuple[list[Edit], list[Edit]]:
        """Return the changes that add the score of a segment: to its unit or, if that has several, around its text.

        Returns:
            The changes before the text, and those behind it.
        """
        values = self._markup.values(row)
        if not values:
            return [], []
        if len(unit.segments) == 1:
            return self.tag(unit.start).edits(values), []
        if each.rated is not None:
            return self.tag(each.rated).edits(values), []
        identifier = unit.new_identifier(each)
        tag = self.tag(each.target_start)
        written = "".join(f' {name}="{value}"' for name, value in values.items() if value is not None)
        name = f"{tag.prefix}mrk"
        opening = self.encoded(tag.end, f'<{name} id="{identifier}" type="its:generic"{written}>')
        return [opening], [self.encoded(each.target_end, f"</{name}>")]


def _character_of(name: str, attributes: Mapping[str, str]) -> str:
    return _character(attributes["hex"]) if name == "cp" and "hex" in attributes else ""


def _character(code: str) -> str:
    """Return the character that ``cp`` stands for; XML cannot have it, and text for systems does not need it."""
    try:
        character = chr(int(code, 16))
    except (ValueError, OverflowError):
        return " "
    return character if character.isprintable() else " "

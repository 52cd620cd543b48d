"""TMX 1.4: translation memories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from typing_extensions import override

from kiwi.data.documents.inline import InlineText
from kiwi.data.documents.marks.its import in_order
from kiwi.data.documents.markup import XML, MarkupDocument
from kiwi.data.documents.parts import Edit, Part, Row, marked_pair, one_line
from kiwi.data.documents.rating import Rating
from kiwi.exceptions import ConfigError

CODES = frozenset({"bpt", "ept", "it", "ph", "ut"})
"""Elements whose content is code. That of ``hi`` is text."""

SCORE, LOW, HIGH = "x-kiwi-score", "x-kiwi-score-low", "x-kiwi-score-high"
"""The types of ``prop`` with a score and with the ends of its interval."""


@dataclass
class Variant:
    """A ``tuv``: the text of a unit in one language."""

    language: str
    line: int
    attributes: Mapping[str, str]
    text: InlineText = field(default_factory=lambda: InlineText(CODES))
    seg_start: int = 0
    former: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """The offsets of each ``prop`` that it has already, of its end tag, and behind it, by type."""


class TMX(MarkupDocument):
    """A document in TMX.

    Args:
        rating: the form of scores.
        languages: the languages of source and target; by default, the source language of the document and the only
            other one of each unit.
    """

    def __init__(self, rating: Rating, languages: Sequence[str] = ()) -> None:
        super().__init__(rating)
        self._languages = languages
        self._source_language = ""
        self._variants: list[Variant] | None = None
        self._is_in_segment = False
        self._depth = 0
        self._estimate: tuple[str, int] | None = None

    @override
    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if self._is_in_segment:
            self._variants[-1].text.start(local, attributes)  # type: ignore[index]
        elif local == "header":
            self._source_language = attributes.get("srclang", "")
        elif local == "tu":
            self._variants, self.is_inside = [], True
            self._unit_source = attributes.get("srclang", self._source_language)
        elif local == "tuv" and self._variants is not None:
            language = attributes.get(f"{XML} lang", attributes.get("lang", ""))
            self._variants.append(Variant(language, self.line, attributes))
        elif self._variants and self.parent.rpartition(" ")[2] == "tuv":
            if local == "seg":
                self._is_in_segment, self._depth = True, self.depth
                self._variants[-1].seg_start = self.at
            elif local == "prop" and attributes.get("type") in (SCORE, LOW, HIGH):
                self._estimate = attributes["type"], self.at

    @override
    def end(self, name: str) -> None:
        local = name.rpartition(" ")[2]
        if self._is_in_segment and self._variants:
            if self.depth > self._depth:
                self._variants[-1].text.end(local)
            else:
                self._is_in_segment = False
        elif self._estimate is not None and self._variants:
            (kind, start), self._estimate = self._estimate, None
            self._variants[-1].former[kind] = (start, self.at, self.behind_end_tag(self.at))
        elif local == "tu" and self._variants is not None:
            self.end_unit(self._variants)
            self._variants, self.is_inside = None, False

    @override
    def text(self, text: str) -> None:
        if self._is_in_segment:
            self._variants[-1].text.add(text)  # type: ignore[index]

    def end_unit(self, variants: list[Variant]) -> None:
        """Take a unit that is complete."""
        source_language, target_language = self.choose(variants)
        sources = [each for each in variants if is_language(each.language, source_language)]
        targets = [each for each in variants if is_language(each.language, target_language) and each not in sources[:1]]
        targets = [each for each in targets if one_line(each.text.text)]
        if not sources or not targets:
            self.n_without_target += 1
            self.add(Part(self.at))
            return
        source = sources[0]
        segments = [
            marked_pair(source.text, each.text, each.line, str(each.seg_start), (source.language, each.language))
            for each in targets
        ]

        def edits(rows: Sequence[Row]) -> list[Edit]:
            return [edit for each, row in zip(targets, rows, strict=True) for edit in self._rate(each, row)]

        self.add(Part(self.at, segments, edits))

    def choose(self, variants: list[Variant]) -> tuple[str, str]:
        """Return the languages of the source and the target of a unit."""
        if self._languages:
            return self._languages[0], self._languages[1]
        found = sorted({each.language.lower() for each in variants})
        others = [language for language in found if not is_language(language, self._unit_source)]
        if len(others) > 1 or (others and len(others) == len(found)):
            advice = f"Add --languages SOURCE,TARGET, of {', '.join(found)}."
            source = self._unit_source or "no language"
            raise ConfigError(
                f"{self.tape.place}, line {self.line}: found a unit in {', '.join(found)}, in a document whose source "
                f"is {source}; expected the source and one other language. {advice}"
            )
        return self._unit_source, others[0] if others else ""

    def _rate(self, variant: Variant, row: Row) -> list[Edit]:
        score = self.rating.text(row)
        if score is None:
            return []
        low, high = self.rating.interval(row) or (None, None)
        prefix, space = self.tag(variant.seg_start).prefix, self.space_before(variant.seg_start)
        found: list[Edit] = []
        for kind, text in ((SCORE, score), (LOW, low), (HIGH, high)):
            if kind in variant.former:
                start, inside_end, end = variant.former[kind]
                found.append(
                    self.removal(start, end)
                    if text is None
                    else Edit(self.tag(start).end, inside_end, text.encode(self.codec))
                )
            elif text is not None:
                element = f'<{prefix}prop type="{kind}">{text}</{prefix}prop>'
                found.append(self.encoded(variant.seg_start, element + space))
        return in_order(found)


def is_language(language: str, wanted: str) -> bool:
    """Return whether a language is the wanted one: ``en-US`` is ``en``, but ``en`` is not ``en-US``."""
    language, wanted = language.lower().replace("_", "-"), wanted.lower().replace("_", "-")
    return bool(wanted) and (language == wanted or language.startswith(f"{wanted}-"))

"""Units of TMX, in which one ``tuv`` may be a machine's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from typing_extensions import override

from kiwi.data.documents.marks.decisions import parse_decisions
from kiwi.data.documents.marks.notes import DECISIONS, PROPERTIES
from kiwi.data.documents.parts import Part, one_line
from kiwi.data.documents.rating import Rating
from kiwi.data.documents.tmx import TMX, Variant, is_language
from kiwi.data.post_edits.units import Candidate, Decided, Unit, columns_of, is_machine, names_of

AUTHORS = ("changeid", "creationid")
"""Attributes that name who changed or created a text; the former has the last word."""

ORIGIN = re.compile(r"origin|engine|tool|translator", re.IGNORECASE)
"""The types of properties whose text says where a translation comes from."""

NO = ("no", "false", "0")


class TMXUnits(TMX):
    """A document in TMX, of which the units are collected.

    Args:
        languages: the languages of source and target; by default, the source language of the document and the only
            other one of each unit.
        wanted: a part of the name of the machine translation that is wanted.
    """

    def __init__(self, languages: Sequence[str] = (), wanted: str | None = None) -> None:
        super().__init__(Rating(), languages)
        self.units: list[Unit] = []
        self._wanted = wanted
        self._unit: Mapping[str, str] = {}
        self._line = self._n_units = 0
        self._properties: dict[int, list[tuple[str, str]]] = {}
        """The properties of each ``tuv``, by its number; those of the unit have the number 0."""
        self._n_variants = 0
        self._property: list[str] | None = None

    @override
    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        local, parent = name.rpartition(" ")[2], self.parent.rpartition(" ")[2]
        super().start(name, attributes)
        if local == "tu":
            self._unit, self._line = attributes, self.line
            self._properties, self._n_variants = {}, 0
            self._n_units += 1
        elif local == "tuv":
            self._n_variants += 1
        elif local == "prop" and parent in ("tu", "tuv"):
            self._property = [attributes.get("type", "")]

    @override
    def end(self, name: str) -> None:
        super().end(name)
        if name.rpartition(" ")[2] == "prop" and self._property is not None:
            number = self._n_variants if self.parent.rpartition(" ")[2] == "tuv" else 0
            kind, *pieces = self._property
            self._properties.setdefault(number, []).append((kind, "".join(pieces).strip()))
            self._property = None

    @override
    def text(self, text: str) -> None:
        if self._property is not None:
            self._property.append(text)
        super().text(text)

    @override
    def end_unit(self, variants: list[Variant]) -> None:
        of_unit = _names(self._unit, self._properties.get(0, []))
        names, decisions = {}, {}
        for number, each in enumerate(variants, start=1):
            decisions[id(each)] = _decision(self._properties.get(number, []))
            private = [each.language] if "-x-" in each.language.lower() else []
            names[id(each)] = private + _names(each.attributes, self._properties.get(number, [])) + of_unit
        machine = [each for each in variants if is_machine(names[id(each)], self._wanted)]
        people = [each for each in variants if each not in machine]
        source_language, target_language = self.choose(people if len(people) > 1 else variants)
        sources = [each for each in variants if is_language(each.language, source_language)][:1]
        targets = [each for each in people if is_language(each.language, target_language) and each not in sources]
        targets = [each for each in targets if one_line(each.text.text)]
        main = target_language.replace("_", "-").partition("-")[0]
        candidates = [
            Candidate(one_line(each.text.text), names[id(each)], decision=decisions[id(each)])
            for each in machine
            if is_language(each.language, main) and each not in sources
        ]
        unit_authors = names_of(self._unit, AUTHORS)
        found = [(each.text.text, each.attributes, decisions[id(each)]) for each in targets]
        for text, attributes, decision in found or [("", {}, None)]:
            authors = names_of(attributes, AUTHORS) + unit_authors
            user = next((author for author in authors if not is_machine([author])), "")
            self.units.append(
                Unit(
                    self._line,
                    (str(self._n_units),),
                    one_line(sources[0].text.text) if sources else "",
                    one_line(text),
                    (source_language if sources else "", target_language),
                    candidates,
                    columns=columns_of(id=self._unit.get("tuid", ""), user=user),
                    decision=decision,
                )
            )
        self.add(Part(self.at))


def _decision(properties: Sequence[tuple[str, str]]) -> Decided | None:
    texts = [value for kind, value in properties if PROPERTIES.get(kind) == DECISIONS]
    return parse_decisions(texts[0]).get("") if texts else None


def _names(attributes: Mapping[str, str], properties: Sequence[tuple[str, str]]) -> list[str]:
    """Return what says where a text comes from: who changed or else who created it, and some properties."""
    names = names_of(attributes, AUTHORS)[:1]
    names += [] if "changeid" in attributes else names_of(attributes, ("creationtool",))
    names += [value for kind, value in properties if ORIGIN.search(kind)]
    return names + [kind for kind, value in properties if is_machine([kind]) and value.lower() not in NO]

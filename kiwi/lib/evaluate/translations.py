"""Which translation each line of a file is, where the files have translations of several MT systems."""

from __future__ import annotations

import logging
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kiwi.constants import LANGUAGE_PAIR
from kiwi.exceptions import DataError

if TYPE_CHECKING:
    from kiwi.lib.evaluate.files import Table

logger = logging.getLogger(__name__)

Name = tuple[str, tuple[Hashable, ...]]
"""An MT system and a segment."""

KEYS = ("system", "doc", "seg")
"""The columns of a table that say which translation a row is: the MT system, the document and the segment."""


@dataclass(frozen=True)
class Translations:
    """The MT system and the segment of each line of a file."""

    path: Path
    systems: Sequence[str]

    segments: Sequence[Hashable]
    """What identifies the segment of each line: its number, or its document and number."""

    is_counted: bool = False
    """Whether segments are the numbers 0, 1, ... within each MT system."""

    targets: Sequence[str] = ()
    """The translation of each line; empty where the file does not have them."""

    raters: Sequence[str] = ()
    """The rater of each line; empty where the file does not say who."""

    columns: frozenset[str] = frozenset({"system", "seg"})
    """The columns that MT systems and segments are read from; systems are empty without a column."""

    @property
    def names(self) -> list[Name]:
        """The MT system and the segment of each line, whose number is as a column of numbers has it."""
        segments = (segment if isinstance(segment, tuple) else (str(segment),) for segment in self.segments)
        return list(zip(self.systems, segments, strict=True))

    def indices(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the index of the MT system and of the segment of each line, which do not depend on their order."""
        systems = _numbered(sorted(set(self.systems)))
        segments = _numbered(sorted(set(self.segments), key=_place))
        return (
            np.array([systems[name] for name in self.systems], dtype=np.int64),
            np.array([segments[segment] for segment in self.segments], dtype=np.int64),
        )

    def find(self, others: Translations) -> NDArray[np.int64]:
        """Return the line of each translation of another file.

        Several lines of one translation match by their raters, if both files name the same ones, and else in their
        order; a single line matches all of them. Where the other file has different translations under one name, the
        texts tell them apart.

        Raises:
            DataError: when a translation is missing, or has another number of lines.
        """
        unclear = others.ambiguous() - self._without_texts()
        lines: dict[tuple[Name, str], list[int]] = {}
        for index, key in enumerate(self._keys(unclear)):
            lines.setdefault(key, []).append(index)
        wanted: dict[tuple[Name, str], list[int]] = {}
        for index, key in enumerate(others._keys(unclear)):
            wanted.setdefault(key, []).append(index)
        found = np.empty(len(others.systems), dtype=np.int64)
        for key, indices in wanted.items():
            known = lines.get(key, [])
            if len(known) not in (1, len(indices)):
                what = f"{len(known) or 'no'} line{'s' if known else ''}"
                several = f", or {len(indices)} as {others.path} has" if len(indices) > 1 else ""
                expected = f"1{several}" if known else f"one, as row {indices[0] + 1} of {others.path}"
                text = f" with the text '{key[1]:.60}'" if key[1] else ""
                raise DataError.at(self.path, None, found=f"{what}{shown(key[0])}{text}", expected=expected)
            if len(known) > 1 and self.raters and others.raters:
                known, indices = _by_rater(known, self.raters, indices, others.raters)
            found[indices] = known
        if more := set(self.systems) - set(others.systems):
            logger.info("%s: %d MT system(s) without gold scores are not compared.", self.path, len(more))
        return found

    def lines_of(self, others: Translations, lines: Collection[int]) -> list[int]:
        """Return the lines of the translations that are in these lines of another file.

        Raises:
            DataError: when a translation is not in the other file, so that names may be others.
        """
        mine, others = self._without_pair_beside(others), others._without_pair_beside(self)
        unclear = mine.ambiguous() - others._without_texts()
        keys, own = others._keys(unclear), mine._keys(unclear)
        wanted, known = {keys[line] for line in lines}, {*keys}
        for number, key in enumerate(own, start=1):
            if key not in known:
                advice = f"Lines of {others.path} are excluded, and are found here by name."
                expected = f"a translation that {others.path} has too"
                found = f"row {number}{shown(key[0])}"
                raise DataError.at(self.path, None, found=found, expected=expected, advice=advice)
        return [line for line, key in enumerate(own) if key in wanted]

    def pairs_of(self, others: Translations, pairs: Sequence[str]) -> list[str]:
        """Return the language pair of each translation of another file, which does not say it.

        Args:
            others: the translations of the other file.
            pairs: the language pair of each line.

        Raises:
            DataError: when a translation is missing, or is one of several language pairs.
        """
        has_pairs = LANGUAGE_PAIR in self.columns and LANGUAGE_PAIR not in others.columns
        known: dict[Name, set[str]] = {}
        for (system, segment), pair in zip(self.names, pairs, strict=True):
            known.setdefault((system, segment[1:] if has_pairs else segment), set()).add(pair)
        for number, name in enumerate(others.names, start=1):
            if len(found := known.get(name, set())) != 1:
                what = f"row {number}{shown(name)}, which is {'of several pairs' if found else 'not'} in {self.path}"
                advice = "Name the language pair of each row in a column lp."
                raise DataError.at(others.path, None, found=what, expected="one language pair", advice=advice)
        return [pair for name in others.names for pair in known[name]]

    def _without_pair_beside(self, others: Translations) -> Translations:
        """Return names without a language pair that all lines have, where those of the other file have none."""
        is_more = LANGUAGE_PAIR in self.columns and LANGUAGE_PAIR not in others.columns
        if not is_more or len({segment[0] for _, segment in self.names}) > 1:
            return self
        return replace(self, segments=[segment[1:] for _, segment in self.names])

    def ambiguous(self) -> set[Name]:
        """Return the names under which there are different translations, all of them with their texts."""
        if not self.targets:
            return set()
        texts: dict[Name, set[str]] = {}
        for name, target in zip(self.names, self.targets, strict=True):
            texts.setdefault(name, set()).add(canonical(target))
        return {name for name, found in texts.items() if len(found) > 1} - self._without_texts()

    def _without_texts(self) -> set[Name]:
        """Return the names of lines whose texts are not known."""
        if not self.targets:
            return set(self.names)
        return {name for name, target in zip(self.names, self.targets, strict=True) if not target.strip()}

    def _keys(self, unclear: set[Name]) -> list[tuple[Name, str]]:
        names = self.names
        if not unclear:
            return [(name, "") for name in names]
        return [
            (name, canonical(target) if name in unclear else "")
            for name, target in zip(names, self.targets, strict=True)
        ]


QUOTES = set("\"'`´“”„‟‘’‚‛«»")
"""Characters that writers of tables exchange for each other."""


def canonical(text: str) -> str:
    """Return a text that differs from another's in its kinds of white space and quotes at most, as that one's."""
    return "".join(" " if c.isspace() else '"' if c in QUOTES else c for c in text.strip())


def _numbered(values: Sequence[Hashable]) -> dict[Hashable, int]:
    return {value: number for number, value in enumerate(values)}


def _place(segment: Hashable) -> list[tuple[int, int, str]]:
    """Return what segments are sorted by: numbers by their value, and other parts as text."""
    parts = segment if isinstance(segment, tuple) else (segment,)
    texts = [str(part) for part in parts]
    return [(0, int(text), text) if text.isascii() and text.isdigit() else (1, 0, text) for text in texts]


def shown(name: Name) -> str:
    """Return a name for an error, as in `` of the MT system 'A' for segment 3``."""
    system, segment = name
    of_system = f" of the MT system '{system:.60}'" if system else ""
    return f"{of_system} for segment {' '.join(map(str, segment))}"


def _by_rater(
    lines: list[int], raters: Sequence[str], others: list[int], other_raters: Sequence[str]
) -> tuple[list[int], list[int]]:
    """Return the lines of a translation in two files in the order of raters, if both name the same ones, each once."""
    first, second = (sorted(own, key=of.__getitem__) for own, of in ((lines, raters), (others, other_raters)))
    names, other_names = [raters[line] for line in first], [other_raters[line] for line in second]
    return (first, second) if names == other_names and len({*names}) == len(names) else (lines, others)


def wrong_keys(place: str, table: Table | None, gold: Table | None) -> dict[str, str]:
    """Return the mistakes in the columns that say which translation a row is."""
    given, of_gold = (set() if each is None else {*KEYS, LANGUAGE_PAIR} & set(each.columns) for each in (table, gold))
    option = f"{place}.table.columns"
    if not given or (table is gold and given == {LANGUAGE_PAIR}):
        return {}
    if missing := {"system", "seg"} - given:
        name = min(missing, key=KEYS.index)
        return {f"{option}.{name}": f"required with {', '.join(sorted(given))}, to tell which translation a row is"}
    if given != of_gold:
        expected = ", ".join(sorted(of_gold)) or "none"
        return {option: f"{', '.join(sorted(given))} say which translation a row is; gold_files.table has {expected}"}
    return {}

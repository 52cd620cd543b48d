"""Which translation each line of a file is, where the files have translations of several MT systems."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kiwi.constants import LANGUAGE_PAIR
from kiwi.exceptions import DataError

if TYPE_CHECKING:
    from kiwi.lib.evaluate.files import Table

logger = logging.getLogger(__name__)

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

    def indices(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the index of the MT system and of the segment of each line, in the order in which they appear."""
        return _indices(self.systems), _indices(self.segments)

    def find(self, others: Translations) -> NDArray[np.int64]:
        """Return the line of each translation of another file.

        Several lines of one translation, as of several raters, match in their order; a single line matches all of them.

        Raises:
            DataError: when a translation is missing.
        """
        lines: dict[tuple[str, Hashable], list[int]] = {}
        for index, key in enumerate(zip(self.systems, self.segments, strict=True)):
            lines.setdefault(key, []).append(index)
        seen: dict[tuple[str, Hashable], int] = {}
        found = []
        for number, key in enumerate(zip(others.systems, others.segments, strict=True), start=1):
            known = lines.get(key, [])
            place = seen.get(key, 0)
            seen[key] = place + 1
            if len(known) != 1 and place >= len(known):
                what = "no line" if not known else f"{len(known)} lines"
                expected = f"one, as line {number} of {others.path} has" if not known else f"1, or as {others.path} has"
                named = f"{what} of the MT system '{key[0]:.60}' for segment {_shown(key[1])}"
                raise DataError.at(self.path, None, found=named, expected=expected)
            found.append(known[place if len(known) > 1 else 0])
        if more := {key[0] for key in lines} - set(others.systems):
            logger.info("%s: %d MT system(s) without gold scores are not compared.", self.path, len(more))
        return np.array(found, dtype=np.int64)


def _indices(values: Sequence[Hashable]) -> NDArray[np.int64]:
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(value, len(known)) for value in values], dtype=np.int64)


def _shown(segment: Hashable) -> str:
    return " ".join(map(str, segment)) if isinstance(segment, tuple) else str(segment)


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

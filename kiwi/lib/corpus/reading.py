"""Reads the input of ``kiwi corpus``, a few segments at a time."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

from kiwi import constants as const
from kiwi.data.datasets.split import LANGUAGE
from kiwi.data.documents.tmx import is_language
from kiwi.data.files.cells import advising_columns
from kiwi.data.files.lines import Columns
from kiwi.data.languages import is_same_language
from kiwi.data.post_edits.beside import stream_beside
from kiwi.data.post_edits.files import stream_segments
from kiwi.data.post_edits.units import UNIT_RULES, Unit, choose_machine
from kiwi.data.segments.streams import SegmentStream
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.corpus.labelling import Chunk
from kiwi.lib.corpus.options import CorpusOptions, Input

logger = logging.getLogger(__name__)

CHUNK_SIZE = 1000
"""The number of segments that a process labels at a time."""

SIDES = ("source", "target")


class Reader(Protocol):
    """A reader of segments."""

    languages: tuple[str, str]
    """The languages that the input names, of what was read so far; empty where it names none."""

    origins: Counter[str]
    """The number of machine translations that were taken by their origin, for files of translators."""

    def chunks(self) -> Iterator[Chunk]:
        """Yield all segments."""


def open_input(segments: Input, options: CorpusOptions) -> Reader:
    """Return the reader of an input."""
    return UnitReader(segments, options) if segments.has_units else RowReader(segments)


@dataclass
class RowReader:
    """Reads files of one segment per line, or a table."""

    segments: Input
    languages: tuple[str, str] = ("", "")
    origins: Counter[str] = field(default_factory=Counter)

    def chunks(self) -> Iterator[Chunk]:
        """Yield all segments."""
        if self.segments.table is None:
            yield from self._line_chunks()
            return
        segments = self.segments
        names = {name: segments.columns.get(name, name) for name in segments.fields}
        rows = stream_segments(self.segments.table, names, has_header=segments.has_header, nullable=(const.POST_EDIT,))
        is_empty = True
        with advising_columns():
            while part := list(islice(rows, CHUNK_SIZE)):
                is_empty = False
                columns: Columns = {name: [texts[name] for _, texts in part] for name in names}
                yield Chunk([number for number, _ in part], columns)
        if is_empty:
            raise DataError.at(segments.table, None, found="no row", expected="one segment per row")

    def _line_chunks(self) -> Iterator[Chunk]:
        number = 1
        files = {name: self.segments.files[name] for name in self.segments.fields}
        for columns in SegmentStream(files, CHUNK_SIZE).unchecked():
            n_rows = len(columns[const.SOURCE])
            yield Chunk(list(range(number, number + n_rows)), columns)
            number += n_rows


@dataclass
class UnitReader:
    """Reads a file of translators, whose units are left out by rules of their own."""

    segments: Input
    options: CorpusOptions
    languages: tuple[str, str] = ("", "")
    origins: Counter[str] = field(default_factory=Counter)
    _left_out: Counter[str] = field(default_factory=Counter)
    _last_reason: str = ""
    _language_line: int = 0

    @property
    def path(self) -> Path:
        """The file."""
        assert self.segments.table is not None
        return self.segments.table

    def chunks(self) -> Iterator[Chunk]:
        """Yield all segments."""
        units = self._judged()
        while part := list(islice(units, CHUNK_SIZE)):
            columns: Columns = {name: [texts[name] for _, texts, _ in part] for name in self.segments.fields}
            yield Chunk([unit.line for unit, _, _ in part], columns, [verdict for _, _, verdict in part])
        if not self.origins:
            raise self._nothing_left()

    def _nothing_left(self) -> DataError:
        """Return the error for a file without a unit that can be used."""
        expected = "units with a machine translation and what a person made of it"
        if not self._left_out:
            return DataError.at(self.path, None, found="no unit", expected=expected)
        counts = ", ".join(f"{rule} {n:,}" for rule, n in self._left_out.most_common())
        advice = {
            "language": "Correct --languages.",
            "translate-no": "--keep translate-no takes them.",
            "untranslated": "Give the file as it is after post-editing.",
            "no-mt": "Name the origin of the machine translation with --mt-origin, or give it with --target, in a file "
            "with one line for each unit.",
            "unconfirmed": "--keep unconfirmed takes them.",
        }[self._left_out.most_common(1)[0][0]]
        found = f"{sum(self._left_out.values()):,} units, none of which can be used ({counts}; {self._last_reason})"
        return DataError.at(self.path, None, found=found, expected=expected, advice=advice)

    def _judged(self) -> Iterator[tuple[Unit, dict[str, str], tuple[str, str]]]:
        """Yield each unit with its texts, and the rule and the reason by which it is left out."""
        target, languages = self.segments.files.get(const.TARGET), self.segments.languages
        for unit, line in stream_beside(self.path, target, languages, self.segments.machine):
            self._take_languages(unit)
            machine, origin, missing = self._machine(unit, line)
            rule, reason = self._rule(unit, machine, missing)
            if rule:
                self._left_out[rule] += 1
                self._last_reason = reason
            else:
                self.origins[origin] += 1
            texts = {const.SOURCE: unit.source, const.TARGET: machine, const.POST_EDIT: unit.translation}
            for name, column in self.segments.columns.items():
                if column not in unit.columns and not rule:
                    found, advice = f"a unit without '{column}'", f"Remove --{name.replace('_', '-')}."
                    raise DataError.at(self.path, unit.line, found=found, expected="one", advice=advice)
                texts[name] = unit.columns.get(column, "")
            yield unit, texts, (rule, reason)

    def _machine(self, unit: Unit, line: str | None) -> tuple[str, str, str]:
        """Return the machine translation of a unit, its origin, and the reason why there is none."""
        if const.TARGET in self.segments.files:
            return line or "", self.segments.files[const.TARGET].name, "" if line else "a blank line of --target"
        found = choose_machine(unit.candidates, self.segments.machine)
        if isinstance(found, str):
            return "", "", found
        return found.text, found.names[0] if found.names else "a candidate of no origin", ""

    def _rule(self, unit: Unit, machine: str, missing: str) -> tuple[str, str]:
        """Return the rule and the reason by which a unit is left out; empty strings if it is kept."""
        reasons = {
            "language": "" if self._is_wanted(unit) else "from {} to {}".format(*(t or "?" for t in unit.languages)),
            "translate-no": "" if unit.is_to_translate else UNIT_RULES["translate-no"],
            "untranslated": "",
            "no-mt": "" if machine else missing,
            "unconfirmed": unit.unconfirmed,
        }
        if not unit.translation and not (machine and self.options.empty_is_unedited):
            reasons["untranslated"] = UNIT_RULES["untranslated"]
        found = ((rule, reason) for rule, reason in reasons.items() if reason and rule not in self.options.keep)
        return next(found, ("", ""))

    def _is_wanted(self, unit: Unit) -> bool:
        pairs = zip(unit.languages, self.segments.languages, strict=False)
        return all(is_language(language, wanted) for language, wanted in pairs)

    def _take_languages(self, unit: Unit) -> None:
        """Compare the languages of a unit with those of the units before it and with the options."""
        if not self._is_wanted(unit):
            return
        found = [_tag(language) for language in unit.languages]
        for number, side in enumerate(SIDES):
            own, known = found[number], self.languages[number]
            if own and known and not is_same_language(own, known):
                raise DataError.at(
                    self.path,
                    unit.line,
                    found=f"a unit whose {side} is in {own}",
                    expected=f"{known}, as in line {self._language_line}",
                    advice=f"Choose one pair with --languages, such as --languages {','.join(filter(None, found))}.",
                )
            given = getattr(self.options, f"{side}_language")
            if own and given and not is_same_language(own, given):
                raise ConfigError(
                    f"--{side}-language: found '{given}', but {self.path}, line {unit.line}, says {own}. Remove it."
                )
        if any(not known and own for known, own in zip(self.languages, found, strict=True)):
            self.languages = (self.languages[0] or found[0], self.languages[1] or found[1])
            self._language_line = unit.line


def _tag(language: str) -> str:
    """Return a language as a BCP 47 tag; empty if it is none."""
    tag = language.replace("_", "-")
    return tag if LANGUAGE.fullmatch(tag) else ""

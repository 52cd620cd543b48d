"""Units of a file of translators, beside the machine translations that another file has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from kiwi.data.documents.formats import find_format
from kiwi.data.documents.parts import one_line
from kiwi.data.files.lines import count_surplus, stream_lines
from kiwi.data.post_edits.files import stream_units
from kiwi.data.post_edits.units import Unit
from kiwi.exceptions import DataError


def stream_beside(
    path: Path, target: Path | None, languages: Sequence[str] = (), wanted: str | None = None
) -> Iterator[tuple[Unit, str | None]]:
    """Yield each unit of a file with its machine translation in another one; None without another one.

    Args:
        path: the file of translators.
        target: the file with the machine translations: the same one before it was post-edited, whose decisions of a
            policy the units get too, or one line for each unit.
        languages: the languages of source and target, for TMX.
        wanted: a part of the name of the machine translation that is wanted, for TMX.

    Raises:
        DataError: when a file is not what its format says, or the two have other units.
    """
    units = stream_units(path, languages, wanted)
    if target is None:
        yield from ((unit, None) for unit in units)
    elif (form := find_format(target)) is not None and not form.is_table:
        yield from _beside_units(units, path, target, languages)
    else:
        yield from _beside_lines(units, path, target)


def _beside_lines(units: Iterator[Unit], path: Path, target: Path) -> Iterator[tuple[Unit, str]]:
    n_units = n_lines = 0
    name: tuple[str, ...] | None = None
    line: str | None = None
    with closing(stream_lines(target)) as lines:
        for unit in units:
            if unit.name != name:
                n_units, name, line = n_units + 1, unit.name, next(lines, None)
                n_lines += line is not None
            if line is not None:
                yield unit, one_line(line)
        n_lines += count_surplus(lines, target)
    if n_lines != n_units:
        expected = f"{n_units}, one for each unit of {path}, with a translation or without"
        raise DataError.at(target, None, found=f"{n_lines} lines", expected=expected)


def _beside_units(
    units: Iterator[Unit], path: Path, target: Path, languages: Sequence[str]
) -> Iterator[tuple[Unit, str]]:
    others = stream_units(target, languages)
    other: Unit | None = None
    for unit in units:
        while other is None or other.name != unit.name:
            if (other := next(others, None)) is None or other.name != unit.name:
                break
        if other is None or (other.name, other.source) != (unit.name, unit.source):
            found = f"the unit {_named(other)}" if other else "no more units"
            raise DataError.at(
                target,
                other.line if other else None,
                found=found,
                expected=f"{_named(unit)}, as in {path}, line {unit.line}",
                advice="Give the same file as it was before post-editing, or a file with one line for each unit.",
            )
        if other.decision or other.rated_by:
            unit = replace(unit, decision=other.decision or unit.decision, rated_by=other.rated_by or unit.rated_by)
        yield unit, other.translation or next((each.text for each in other.candidates), "")


def _named(unit: Unit) -> str:
    return f"{'/'.join(filter(None, unit.name))} ({unit.source:.40})"

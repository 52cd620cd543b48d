"""Error spans with a row for each translation or annotation, and those that ``kiwi predict`` writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

from kiwi import constants as const
from kiwi.data.labels.spans.cells import NUMBER
from kiwi.data.labels.spans.checks import SpanChecker
from kiwi.data.labels.spans.files import has_numbers, segment_numbers
from kiwi.data.labels.spans.raw import RawSpan, unquoted
from kiwi.data.labels.spans.rows import (
    ALIASES,
    ENDS,
    RATER,
    SEGMENT,
    SEVERITIES,
    STARTS,
    Annotation,
    check_suffix,
    read_annotations,
)
from kiwi.data.text.language_pairs import pair_key
from kiwi.data.wmt.unified import END, Unified
from kiwi.data.wmt.unified_forms import SPAN_COLUMNS, is_unified
from kiwi.exceptions import DataError
from kiwi.lib.evaluate.language_pairs import PairLines
from kiwi.lib.evaluate.source import Source, first_line, spans_source
from kiwi.lib.evaluate.translations import KEYS, Translations

SYSTEM, DOCUMENT = "system", "doc"

SPANS_IN_JSON = (STARTS, const.ERROR_SPANS)
"""The fields by which objects with error spans are recognized."""

NO_NAMES = (3, 4)
"""The numbers of columns of a file without names of columns: starts, ends, severities and, perhaps, confidences."""


def any_spans_source(path: Path, language_pair: str | None, lines: PairLines | None = None) -> Source:
    """Return a file of error spans in any form.

    Args:
        path: the file.
        language_pair: the language pair to read from a file of several.
        lines: the language pair of each line of the files to compare, where it is known.
    """
    line = _first_line(path)
    if not _is_annotations(line):
        return spans_source(path, language_pair, lines)
    found = cache(lambda: _read(path, language_pair) if lines is None else _in_lines(path, lines))
    source, columns = Source(path, found), frozenset({*KEYS, const.LANGUAGE_PAIR} & _columns(line))

    def names() -> Translations:
        own = found()
        numbers = [segment[-1:] for segment in own.segments]
        is_counted = not {SYSTEM, DOCUMENT} & columns and (
            lines is not None or numbers == [(str(number),) for number in range(len(numbers))]
        )
        return Translations(path, own.systems, own.segments, is_counted, own.targets, own.raters, columns)

    if {SYSTEM, SEGMENT} <= columns:
        return replace(source, translations=names)
    return replace(source, partly_named=names) if {*KEYS} & columns else source


def pairs_of_annotations(path: Path) -> list[str] | None:
    """Return the language pair of each annotation of a file that says which translation each is; None for another file.

    Args:
        path: a file of error spans.
    """
    line = _first_line(path)
    if not _is_annotations(line) or not {SYSTEM, SEGMENT} <= _columns(line):
        return None
    pairs = [(row.cells.get(const.LANGUAGE_PAIR, "").strip(), len(row.raters)) for row in read_annotations(path)]
    return [pair for pair, n_raters in pairs for _ in range(n_raters)] if all(pair for pair, _ in pairs) else None


def _first_line(path: Path) -> str:
    """Return the first line of a file; refuse the suffixes of other tables, unless tabs separate the columns."""
    if path.suffix.lower() != ".parquet" and "\t" in (line := first_line(path)):
        return line
    check_suffix(path)
    return first_line(path)


def _columns(line: str) -> set[str]:
    """Return the names of the columns in a first line, or of the fields of its object."""
    if not line.startswith("{"):
        return {ALIASES.get(cell.strip().lower(), cell.strip().lower()) for cell in line.split("\t")}
    with suppress(ValueError, RecursionError):
        return {ALIASES.get(name, name) for name in json.loads(line)}
    return set()  # the reader says what is wrong


def _is_annotations(line: str) -> bool:
    """Return whether a first line is one of a file with a row for each translation or annotation."""
    if line.startswith("{"):
        names = [name for name in (*ALIASES, STARTS, const.ERROR_SPANS) if ALIASES.get(name, name) in SPANS_IN_JSON]
        return any(f'"{name}":' in line.replace(" ", "") for name in names)
    if is_unified(line) and {*SPAN_COLUMNS} <= {*line.split("\t")}:  # which has rules of its own
        return False
    names = [ALIASES.get(cell.strip().lower(), cell.strip().lower()) for cell in line.split("\t")]
    if {STARTS, ENDS, SEVERITIES} <= set(names) or const.ERROR_SPANS in names:
        return "method" not in line.lower().split("\t")
    return len(names) in NO_NAMES and all(cell.lstrip("-").isdigit() for cell in names[0].split() + names[1].split())


def _read(path: Path, language_pair: str | None) -> Unified:
    """Read the rows of a file; each rater of a translation is a line of its own."""
    rows = read_annotations(path)
    pairs = dict.fromkeys(pair for row in rows if (pair := row.cells.get(const.LANGUAGE_PAIR, "").strip()))
    if language_pair is None and len(pairs) > 1:
        advice = "Set language_pair to the one to read."
        raise DataError.at(
            path, None, found=f"several language pairs: {', '.join(pairs):.200}", expected="one", advice=advice
        )
    own = [row for row in rows if language_pair is None or not pairs or _is_pair(row.cells, language_pair)]
    if not own:
        raise DataError.at(path, None, found=f"language pairs {', '.join(pairs)}", expected=f"{language_pair}")
    return _check(path, _by_number(own) if has_numbers(own) else own)


def _by_number(rows: Sequence[Annotation]) -> Sequence[Annotation]:
    """Return rows in the order of their segments, if these are numbered from 0; else in their own order."""
    numbers = [row.cells.get(SEGMENT, "").strip() for row in rows]
    found = {int(number): row for number, row in zip(numbers, rows, strict=True) if NUMBER.fullmatch(number)}
    is_complete = found.keys() == {*range(len(rows))}
    return [found[number] for number in range(len(rows))] if is_complete else rows


def _in_lines(path: Path, lines: PairLines) -> Unified:
    """Read the rows of a file in the order of the lines to compare; where they have numbers, one for each line."""
    rows = read_annotations(path)
    if not has_numbers(rows):
        return _check(path, rows)
    places = {const.TARGET: lines.path}
    columns = {const.TARGET: [""] * len(lines.pairs), const.LANGUAGE_PAIR: [*lines.pairs]}
    by_line: dict[int, Annotation] = {}
    for row, index in zip(rows, segment_numbers(rows, columns, path, places), strict=True):
        if index in by_line or len(row.raters) != 1:
            advice = "Compare several annotations of a translation with language_pairs, and columns system and seg."
            found = f"a second annotation of the translation in line {index + 1} of {lines.path}"
            raise DataError.at(path, row.line, found=found, expected="one", advice=advice)
        by_line[index] = row
    if lacking := [index for index in range(len(lines.pairs)) if index not in by_line]:
        found = f"no row for the translation in line {lacking[0] + 1} of {lines.path}, and {len(lacking) - 1} more"
        raise DataError.at(path, None, found=found, expected="one for each line")
    return _check(path, [by_line[index] for index in range(len(lines.pairs))])


def _check(path: Path, rows: Sequence[Annotation]) -> Unified:
    """Check rows against their texts; each rater of a row is a line of its own."""
    found, checker = Unified(path), SpanChecker(path, "clip")
    for row in rows:
        for spans in row.raters:
            target = row.cells.get(const.TARGET)
            text = None if target is None else unquoted(target)
            # Without a text, whether they fit shows beside the gold spans.
            placed = [_placed(span, text) for span in spans]
            found.spans.append([*checker.check(row.line, placed, text)])
            found.targets.append(text or "")
            found.systems.append(row.cells.get(SYSTEM, ""))
            found.segments.append(_segment(row))
            found.pairs.append(row.cells.get(const.LANGUAGE_PAIR, "").strip())
            found.raters.append(row.cells.get(RATER, ""))
    checker.finish()
    return found


def _placed(span: RawSpan, text: str | None) -> RawSpan:
    """Return a span as the scorer of WMT23 takes it: an omission somewhere, and a span behind the end, count there."""
    size = END if text is None else len(text)
    if not span.is_placed:
        return span._replace(start=size, end=size, text=None, is_placed=True)
    return span._replace(end=size) if span.start == size < span.end else span


def _segment(row: Annotation) -> tuple[str, ...]:
    return tuple(row.cells[name] for name in (const.LANGUAGE_PAIR, DOCUMENT, SEGMENT) if name in row.cells)


def _is_pair(cells: Mapping[str, str], language_pair: str) -> bool:
    return pair_key(cells.get(const.LANGUAGE_PAIR, "")) == pair_key(language_pair)

"""Error spans with a row for each translation or annotation, and those that ``kiwi predict`` writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from kiwi import constants as const
from kiwi.data.labels.span_checks import SpanChecker, unquoted
from kiwi.data.labels.span_rows import ALIASES, ENDS, SEGMENT, SEVERITIES, STARTS, Annotation, read_annotations
from kiwi.data.wmt.unified import Unified
from kiwi.exceptions import DataError
from kiwi.lib.evaluate.source import Source, first_line, spans_source
from kiwi.lib.evaluate.translations import Translations

SYSTEM, DOCUMENT = "system", "doc"

NO_NAMES = (3, 4)
"""The numbers of columns of a file without names of columns: starts, ends, severities and, perhaps, confidences."""


def any_spans_source(path: Path, language_pair: str | None) -> Source:
    """Return a file of error spans in any form.

    Args:
        path: the file.
        language_pair: the language pair to read from a file of several.
    """
    line = first_line(path)
    if not _is_annotations(line):
        return spans_source(path, language_pair)
    found = cache(lambda: _read(path, language_pair))
    source = Source(path, found)
    cells = {ALIASES.get(cell.strip().lower(), cell.strip().lower()) for cell in line.split("\t")}
    is_keyed = f'"{SYSTEM}"' in line and f'"{SEGMENT}"' in line if line.startswith("{") else {SYSTEM, SEGMENT} <= cells
    if not is_keyed:
        return source
    return replace(source, translations=lambda: Translations(path, found().systems, found().segments))


def _is_annotations(line: str) -> bool:
    """Return whether a first line is one of a file with a row for each translation or annotation."""
    if line.startswith("{"):
        return f'"{STARTS}"' in line or f'"{const.ERROR_SPANS}"' in line
    names = [ALIASES.get(cell.strip().lower(), cell.strip().lower()) for cell in line.split("\t")]
    if {STARTS, ENDS, SEVERITIES} <= set(names):
        return "method" not in line.lower().split("\t")
    return len(names) in NO_NAMES and all(cell.lstrip("-").isdigit() for cell in names[0].split() + names[1].split())


def _read(path: Path, language_pair: str | None) -> Unified:
    """Read the rows of a file; each rater of a translation is a line of its own."""
    rows, found = read_annotations(path), Unified(path)
    pairs = dict.fromkeys(pair for row in rows if (pair := row.cells.get(const.LANGUAGE_PAIR, "").strip()))
    if language_pair is None and len(pairs) > 1:
        advice = "Set language_pair to the one to read."
        raise DataError.at(
            path, None, found=f"several language pairs: {', '.join(pairs):.200}", expected="one", advice=advice
        )
    checker = SpanChecker(path, "clip")
    for row in rows:
        if language_pair is not None and pairs and not _is_pair(row.cells, language_pair):
            continue
        for spans in row.raters:
            target = row.cells.get(const.TARGET)
            text = unquoted(target) if target is not None else ""
            if target is None:  # whether they fit shows beside the gold spans
                spans = [span._replace(text=None) for span in spans]
            known = text if target is not None else " " * max((span.end for span in spans), default=0)
            found.spans.append([*checker.check(row.line, spans, known)])
            found.targets.append(text)
            found.systems.append(row.cells.get(SYSTEM, ""))
            found.segments.append(_segment(row))
    checker.finish()
    if not found.spans:
        raise DataError.at(path, None, found=f"language pairs {', '.join(pairs)}", expected=f"{language_pair}")
    return found


def _segment(row: Annotation) -> tuple[str, ...]:
    return tuple(row.cells[name] for name in (const.LANGUAGE_PAIR, DOCUMENT, SEGMENT) if name in row.cells)


def _is_pair(cells: Mapping[str, str], language_pair: str) -> bool:
    return cells.get(const.LANGUAGE_PAIR, "").strip().lower() == language_pair.strip().lower()

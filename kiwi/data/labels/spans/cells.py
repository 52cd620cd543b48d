"""The cells of files of error spans: spans as text, as JSON, and as columns of positions and severities."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from kiwi import constants as const
from kiwi.data.labels.error_spans import NO_ERROR, NOWHERE, parse_error_spans
from kiwi.data.labels.spans.raw import MISSING, REMARKS, RawSpan, unquoted
from kiwi.exceptions import DataError

NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)
"""A position."""


def read_cell(path: Path, number: int, cell: str) -> list[list[RawSpan]]:
    """Parse the spans of a translation in a table: as text, such as ``0:4:minor``, or as JSON.

    Args:
        path: the table, for errors.
        number: the number of the line.
        cell: the cell.

    Returns:
        The spans of each rater.

    Raises:
        DataError: when the cell has another form.
    """
    cell = unquoted(cell.strip())
    if not cell.startswith("["):
        return _raters(path, number, cell)
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        expected = "a list of objects with start, end and severity, as JSON"
        raise DataError.at(path, number, found=f"'{cell:.60}'", expected=expected) from None
    return read_objects(path, number, found)


def _raters(path: Path, number: int, cell: str) -> list[list[RawSpan]]:
    """Parse the cell of a table of predictions."""
    try:
        raters = parse_error_spans(cell)
        if any(not 0.0 <= span.confidence <= 1.0 for spans in raters for span in spans):
            raise ValueError(cell)
    except (ValueError, TypeError):
        expected = "spans such as 0:4:minor 9:12:major:0.71, or - for none"
        raise DataError.at(path, number, found=f"'{cell:.60}' in {const.ERROR_SPANS}", expected=expected) from None
    return [[RawSpan(*span) for span in spans] for spans in raters or [()]]


def read_objects(path: Path, number: int, cell: Any) -> list[list[RawSpan]]:
    """Parse a list of objects with start, end and severity, or a list of such lists, one for each rater."""
    found = checked_list(path, number, const.ERROR_SPANS, cell)
    by_rater = found if found and all(isinstance(item, list) for item in found) else [found]
    raters = []
    for spans in by_rater:
        raters.append([_object(path, number, span) for span in spans if not _is_no_error(span)])
    return raters


def _is_no_error(span: Any) -> bool:
    """Return whether an object says that there is no error, as in tables."""
    return isinstance(span, dict) and [str(cell).lower() for cell in _places(span)] == [NOWHERE, NOWHERE, NO_ERROR]


def _places(span: Mapping[str, Any]) -> list[Any]:
    """Return the start, the end and the severity of a span, which ESA calls ``start_i``, ``end_i`` and ``severity``."""
    return [*(span.get(name, span.get(f"{name}_i")) for name in ("start", "end")), span.get("severity")]


def _object(path: Path, number: int, span: Any) -> RawSpan:
    found = span if isinstance(span, dict) else {}
    start, end, severity = _places(found)
    if MISSING in (start, end) and isinstance(severity, str | None):
        return _unplaced(severity or NO_ERROR)
    text, confidence = found.get("text"), found.get("confidence", 1.0)
    if (
        not _is_place(start)
        or not _is_place(end)
        or not isinstance(severity, str)
        or not (text is None or isinstance(text, str))
        or not (isinstance(confidence, int | float) and 0.0 <= confidence <= 1.0)
    ):
        expected = "objects with start and end (whole numbers) and severity; text and confidence (0 to 1) may follow"
        raise DataError.at(path, number, found=f"{span!r:.80} in {const.ERROR_SPANS}", expected=expected)
    return RawSpan(start, end, severity.strip().lower(), float(confidence), text)


def _unplaced(severity: str) -> RawSpan:
    """Return an omission somewhere in the translation."""
    name = severity.strip().lower()
    return RawSpan(0, 0, REMARKS[0] if name == NO_ERROR else name, is_placed=False)


def _is_place(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def checked_list(path: Path, number: int, name: str, cell: Any) -> list[Any]:
    """Return a list, and refuse anything else in its place."""
    if not isinstance(cell, list):
        raise DataError.at(path, number, found=f"{cell!r:.60} as '{name}'", expected="a list")
    return cell


def parse_spans(path: Path, number: int, starts: list[str], ends: list[str], severities: list[str]) -> list[RawSpan]:
    """Return the spans whose positions and severities stand in columns of their own.

    Args:
        path: the file, for errors.
        number: the number of the line.
        starts: the positions of the first characters.
        ends: the positions behind the last characters.
        severities: the severities.

    Raises:
        DataError: when these are of different numbers, or a position is no number.
    """
    severities = [severity.lower() for severity in severities]
    if not len(starts) == len(ends) == len(severities):
        found = f"{len(starts)} starts, {len(ends)} ends and {len(severities)} severities"
        raise DataError.at(path, number, found=found, expected="the same number of each")
    if not starts or (starts, ends, severities) == ([NOWHERE], [NOWHERE], [NO_ERROR]):
        return []
    spans = []
    for start, end, severity in zip(starts, ends, severities, strict=True):
        if MISSING in (start, end):
            spans.append(_unplaced(severity))
            continue
        if severity == NO_ERROR or not (NUMBER.fullmatch(start) and NUMBER.fullmatch(end)):
            raise DataError.at(
                path,
                number,
                found=f"the span '{start:.20}' to '{end:.20}', '{severity:.20}'",
                expected=f"whole numbers, or {NOWHERE}, {NOWHERE}, {NO_ERROR} for a translation without errors",
            )
        spans.append(RawSpan(int(start), int(end), severity))
    return spans


def with_confidences(path: Path, number: int, spans: list[RawSpan], cells: list[str]) -> list[RawSpan]:
    """Return spans with confidences that stand in a column of their own; see :func:`parse_spans`."""
    if not spans:
        return []
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        values = []
    if len(values) != len(spans) or not all(0.0 <= value <= 1.0 for value in values):
        expected = f"{len(spans)} number(s) from 0 to 1, one for each span"
        raise DataError.at(path, number, found=f"the confidences '{' '.join(cells):.40}'", expected=expected)
    return [span._replace(confidence=value) for span, value in zip(spans, values, strict=True)]

"""Error spans in their translation, for people: in colours on a terminal, else in brackets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from kiwi import constants as const
from kiwi.data.documents.rating import HIGH, LOW
from kiwi.data.files.table_writers import tsv_cell
from kiwi.data.flags import COLUMN
from kiwi.data.labels.error_spans import SEVERITIES, ErrorSpan, spans_of_cell
from kiwi.data.labels.policy import DECISION, REASON
from kiwi.utils.display import printable

COLOURS = {"minor": "33", "major": "31", "critical": "1;97;41"}
"""The codes of terminals for each severity: yellow, red, and bold white on red."""

OTHERS = (COLUMN, DECISION, REASON)
"""The columns that are shown beside the scores."""


def show_spans(number: int, target: str, row: Mapping[str, Any], *, coloured: bool, reason: str | None = None) -> str:
    """Return the lines for a segment: its scores, flags and decision, its text with the errors marked, and each error.

    Args:
        number: the number of the segment.
        target: the translation.
        row: the predictions by column.
        coloured: whether to mark by colours, for a terminal.
        reason: why the segment has no score.
    """
    known = {name: value for name, value in row.items() if isinstance(value, float) and not math.isnan(value)}
    scores = [f"{name} {value:.4g}" for name, value in known.items() if name not in (LOW, HIGH)]
    if scores and LOW in known and HIGH in known:
        scores[0] += f" ({known[LOW]:.3g} to {known[HIGH]:.3g})"  # columns begin with the score of the intervals
    shown = scores or ["no score" if reason is None else f"no score ({_shown(reason)})"]
    shown += [f"{name} {_shown(text)}" for name in OTHERS if (text := tsv_cell(row.get(name, "")))]
    spans = spans_of_cell(row[const.ERROR_SPANS])
    lines = [f"{number}  {', '.join(shown)}"]
    if target.strip():
        lines.append(f"   {mark_spans(target, spans, coloured=coloured)}")
    for span in spans:
        place = f"{span.start}-{span.end}" if span.start < span.end else f"{span.start}"
        text = f'"{_shown(target[span.start : span.end])}"' if span.start < span.end else "(omission)"
        lines.append(f"     {_coloured(span.severity, span.severity, coloured)} {span.confidence:.2f} {place} {text}")
    return "\n".join(lines)


def mark_spans(target: str, spans: Sequence[ErrorSpan], *, coloured: bool) -> str:
    """Return a translation in which errors are marked; where spans overlap, the most severe one counts.

    Args:
        target: the translation.
        spans: its error spans.
        coloured: whether to mark by colours rather than brackets.
    """
    ranks = [-1] * len(target)
    omissions: dict[int, int] = {}
    for span in spans:
        rank = SEVERITIES.index(span.severity)
        if span.start == span.end:
            omissions[span.start] = max(omissions.get(span.start, -1), rank)
        for place in range(span.start, span.end):
            ranks[place] = max(ranks[place], rank)
    parts, start = [], 0
    for place in range(len(target) + 1):
        ends = place == len(target) or ranks[place] != ranks[start] or place in omissions
        if ends and start < place:
            text = _shown(target[start:place])
            parts.append(_marked(text, ranks[start], coloured=coloured) if ranks[start] >= 0 else text)
            start = place
        if place in omissions:
            parts.append(_marked("_", omissions[place], coloured=coloured))
    return "".join(parts)


def _marked(text: str, rank: int, *, coloured: bool) -> str:
    severity = SEVERITIES[rank]
    return _coloured(text, severity, coloured) if coloured else f"[{text}|{severity}]"


def _coloured(text: str, severity: str, coloured: bool) -> str:
    return f"\x1b[{COLOURS[severity]}m{text}\x1b[0m" if coloured else text


def _shown(text: str) -> str:
    return printable(text, one_line=True)

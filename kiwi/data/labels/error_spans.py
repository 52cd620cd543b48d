"""Error spans: what they are, the string that a row of data holds, and the labels of units and gaps that follow.

**Positions** are counted in code points of the translation as given, from 0; the end is exclusive. A span may cut a
word, a combining mark from its letter, or a sequence of code points that is shown as one emoji; it never cuts a code
point. A span whose start is its end is an **omission** at that position.

**Units** (the pieces of an encoder, or words) are marked by every span that covers at least one of their characters,
so a span that cuts a unit marks it. A unit without characters, such as the mark of a word's beginning, is marked where
its position lies within a span. Spans may overlap and nest: the most severe one decides about a unit, not the last or
the shortest one. A span that covers only characters between units, such as white space, marks nothing; omissions mark
no unit.

**Gaps** are the places before, between and after units. An omission belongs to the gap at its position; within a unit,
to the gap before this unit.

**Severities** are minor, major and critical. A severity that a system does not have counts as the next less severe one
that it has, or else as its least severe one. ``neutral``, a remark that is no error (its weight in MQM is 0), is not a
severity: readers leave such spans out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SEVERITIES = ("minor", "major", "critical")
"""The severities of errors, the least severe first."""

MQM_WEIGHTS: Mapping[str, float] = {"minor": 1.0, "major": 5.0, "critical": 10.0}
"""The penalty points of an error of each severity."""

NO_SPANS = "-"
"""A rater who found no error, in the string of a row."""


class ErrorSpan(NamedTuple):
    """An error in a translation; an empty span is an omission at its position."""

    start: int
    """Position of the first code point, counted from 0."""

    end: int
    """Position after the last code point."""

    severity: str
    """One of :data:`SEVERITIES`."""

    confidence: float = 1.0
    """The probability that a system gives the span, in [0, 1]; 1 for annotations of people."""


Spans = tuple[ErrorSpan, ...]
"""The spans that one rater marked in one translation."""


def format_error_spans(raters: Iterable[Sequence[ErrorSpan]]) -> str:
    """Return the spans of each rater as the one string that a row of data holds, such as ``0:4:minor 9:9:major|-``.

    Raters are separated by ``|``, spans by spaces; ``-`` stands for a rater who found no error. Without raters the
    string is empty.
    """
    return "|".join(" ".join(map(_format, spans)) or NO_SPANS for spans in raters)


def parse_error_spans(text: str) -> tuple[Spans, ...]:
    """Parse the string of a row, the inverse of :func:`format_error_spans`.

    Returns:
        The spans of each rater.
    """
    if not text:
        return ()
    return tuple(
        () if spans == NO_SPANS else tuple(_parse(span) for span in spans.split(" ")) for spans in text.split("|")
    )


NOWHERE = "-1"
"""The start and the end of a translation without errors."""

NO_ERROR = "no-error"
"""The severity of a translation without errors."""


def spans_line(spans: Sequence[ErrorSpan]) -> str:
    """Return the spans of a translation as a line of four columns: starts, ends, severities and confidences."""
    if not spans:
        return f"{NOWHERE}\t{NOWHERE}\t{NO_ERROR}\t{NOWHERE}"
    columns = zip(*((str(s.start), str(s.end), s.severity, f"{s.confidence:.6f}") for s in spans), strict=True)
    return "\t".join(map(" ".join, columns))


def parse_spans_line(line: str) -> list[ErrorSpan]:
    """Invert :func:`spans_line`.

    Raises:
        ValueError: for another line.
    """
    starts, ends, severities, confidences = (cell.split(" ") for cell in line.split("\t"))
    if severities == [NO_ERROR]:
        return []
    rows = zip(starts, ends, severities, confidences, strict=True)
    return [ErrorSpan(int(start), int(end), severity, float(sure)) for start, end, severity, sure in rows]


def spans_cell(spans: Sequence[ErrorSpan], target: str | None = None, digits: int = 6) -> list[dict[str, Any]]:
    """Return the spans of a translation as a cell of a table: an object for each, with its text if that is known.

    Args:
        spans: the spans.
        target: the translation.
        digits: the number of digits of confidences after the decimal point.
    """
    return [
        {"start": span.start, "end": span.end}
        | ({} if target is None else {"text": target[span.start : span.end]})
        | {"severity": span.severity, "confidence": round(span.confidence, digits)}
        for span in spans
    ]


def spans_of_cell(cell: Iterable[Mapping[str, Any]]) -> list[ErrorSpan]:
    """Invert :func:`spans_cell`."""
    return [ErrorSpan(span["start"], span["end"], span["severity"], span["confidence"]) for span in cell]


def _format(span: ErrorSpan) -> str:
    text = f"{span.start}:{span.end}:{span.severity}"
    return text if span.confidence == 1.0 else f"{text}:{span.confidence!r}"


def _parse(text: str) -> ErrorSpan:
    start, end, severity, *confidence = text.split(":")
    return ErrorSpan(int(start), int(end), severity, *map(float, confidence))


def unit_labels(
    raters: Sequence[Sequence[ErrorSpan]], bounds: NDArray[np.int64], severities: Sequence[str] = SEVERITIES
) -> NDArray[np.float32]:
    """Return the share of raters who marked each unit of a translation as OK and with each severity.

    Confidences are ignored. Without raters, all shares are 0, so that a cross-entropy of them is 0 too.

    Args:
        raters: the spans of each rater.
        bounds: the positions of the first character of each unit and after its last one, (units, 2).
        severities: the severities of the labels, the least severe first.

    Returns:
        Shares, (units, 1 + severities); OK is column 0.
    """
    classes = _classes(severities)
    starts, ends = bounds[:, 0], bounds[:, 1]
    # A unit without characters is treated as the character at its position.
    stops = np.maximum(ends, starts + 1)
    marks = np.zeros((len(raters), len(bounds)), dtype=np.int64)
    for own, spans in zip(marks, raters, strict=True):
        for span in spans:
            if span.start < span.end:
                covered = (starts < span.end) & (span.start < stops)
                own[covered] = np.maximum(own[covered], classes[span.severity])
    return _shares(marks, 1 + len(severities))


def gap_labels(
    raters: Sequence[Sequence[ErrorSpan]], bounds: NDArray[np.int64], severities: Sequence[str] = SEVERITIES
) -> NDArray[np.float32]:
    """Return the share of raters who marked each gap between units as OK and with an omission of each severity.

    Args:
        raters: the spans of each rater.
        bounds: the positions of the first character of each unit and after its last one, in order, (units, 2).
        severities: the severities of the labels, the least severe first.

    Returns:
        Shares, (units + 1, 1 + severities); gap i lies before unit i, and OK is column 0.
    """
    classes = _classes(severities)
    starts, ends = bounds[:, 0], bounds[:, 1]
    marks = np.zeros((len(raters), len(bounds) + 1), dtype=np.int64)
    for own, spans in zip(marks, raters, strict=True):
        for span in spans:
            if span.start == span.end:
                gap = int(np.count_nonzero((starts < span.start) & (ends <= span.start)))
                own[gap] = max(own[gap], classes[span.severity])
    return _shares(marks, 1 + len(severities))


def _classes(severities: Sequence[str]) -> dict[str, int]:
    """Return the class of each of :data:`SEVERITIES` in labels with these severities; OK is class 0."""
    known = [SEVERITIES.index(severity) for severity in severities]
    return {name: max(1, sum(other <= rank for other in known)) for rank, name in enumerate(SEVERITIES)}


def _shares(marks: NDArray[np.int64], n_classes: int) -> NDArray[np.float32]:
    """Return the share of raters with each class, (units, classes), from their classes, (raters, units)."""
    counts: NDArray[np.int64] = np.sum(marks[:, :, None] == np.arange(n_classes), axis=0)
    return np.asarray(counts / max(len(marks), 1), dtype=np.float32)


def mqm_score(spans: Iterable[ErrorSpan], weights: Mapping[str, float] = MQM_WEIGHTS) -> float:
    """Return the penalty of the spans of a translation under MQM: the sum of their weights, where lower is better.

    Args:
        spans: the spans of one rater, or of a system. Each counts once, whether or not it overlaps with others.
        weights: the penalty of each severity.
    """
    return float(sum(weights[span.severity] for span in spans))

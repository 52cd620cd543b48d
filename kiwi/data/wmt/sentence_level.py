"""Submissions to the WMT quality estimation tasks with sentence scores or error spans.

Word-level submissions are in :mod:`kiwi.data.wmt.word_level`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kiwi.data.labels.error_spans import NO_ERROR, NOWHERE, ErrorSpan
from kiwi.data.labels.scores import parse_score
from kiwi.data.labels.spans.raw import NORMALIZATION, look_alike, quoted, unquoted
from kiwi.data.wmt.header import Header
from kiwi.data.wmt.rows import Rows, check_field, write_rows
from kiwi.data.wmt.spans import SpanParser, expected_span
from kiwi.exceptions import DataError

__all__ = [
    "NO_ERROR",
    "Header",
    "SentenceSubmission",
    "SpanSubmission",
    "read_sentence_submission",
    "read_span_submission",
    "write_sentence_submission",
    "write_span_submission",
]

SENTENCE_COLUMNS = ("LP", "METHOD", "SEG", "SCORE")

SPAN_COLUMNS = ("LP", "METHOD", "SEG", "TARGET", "STARTS", "ENDS", "TYPES")


@dataclass(frozen=True)
class SentenceSubmission:
    """A submission with a score for each segment."""

    header: Header
    """The figures of the model."""

    language_pair: str
    """The language pair, such as ``en-de``."""

    method: str
    """The name of the system."""

    scores: list[float]
    """The scores, in the order of the segments."""


@dataclass(frozen=True)
class SpanSubmission:
    """A submission with the error spans of each segment."""

    header: Header
    """The figures of the model."""

    language_pair: str
    """The language pair, such as ``en-de``."""

    method: str
    """The name of the system."""

    targets: list[str]
    """The translations, in whose characters positions are counted."""

    spans: list[list[ErrorSpan]]
    """The spans of each segment, in the order of the file."""


def read_sentence_submission(
    path: Path, language_pair: str | None = None, n_segments: int | None = None
) -> SentenceSubmission:
    """Read rows of ``LP METHOD SEG SCORE``, in any order of segments.

    Args:
        path: the file, with a header of no, two or three lines.
        language_pair: the language pair to read; None stands for the only pair of the file.
        n_segments: the expected number of segments; None allows any.

    Raises:
        DataError: at the first invalid line.
    """
    rows = Rows(path, SENTENCE_COLUMNS, language_pair, numbers=("SEG", "SCORE"))
    scores: dict[int, float] = {}
    for number, line in rows:
        row = rows.split(number, line)
        if row is None:
            continue
        segment = rows.new_segment(number, row, scores)
        try:
            scores[segment] = parse_score(row["SCORE"])
        except ValueError:
            rows.fail(number, f"the SCORE '{row['SCORE']}'", "a finite number")
    ordered = rows.in_order(scores, n_segments)
    return SentenceSubmission(rows.header, rows.language_pair, rows.method, ordered)


def write_sentence_submission(path: Path, submission: SentenceSubmission, *others: SentenceSubmission) -> None:
    """Write a submission that :func:`read_sentence_submission` reads back unchanged.

    Args:
        path: the file.
        submission: the submission, whose header is written.
        others: the submissions for further language pairs.

    Raises:
        DataError: for a score that is not a finite number.
    """
    for each in (submission, *others):
        check_field("language_pair", each.language_pair)
        check_field("method", each.method)
        for segment, score in enumerate(each.scores):
            if not math.isfinite(score):
                advice = "Submissions cannot have empty segments." if math.isnan(score) else ""
                raise DataError(
                    f"Segment {segment} (from 0): found the score {score}; expected a finite number. {advice}".strip()
                )
    write_rows(
        path,
        submission.header,
        (
            f"{each.language_pair}\t{each.method}\t{segment}\t{float(score)!r}"
            for each in (submission, *others)
            for segment, score in enumerate(each.scores)
        ),
    )


def read_span_submission(
    path: Path, language_pair: str | None = None, targets: Sequence[str] | None = None
) -> SpanSubmission:
    """Read rows of ``LP METHOD SEG TARGET STARTS ENDS TYPES``, in any order of segments.

    Spans are clipped to the end of their text, further columns are ignored (both with a warning), and the quotes of CSV
    around a text are removed.

    Args:
        path: the file, with a header of no, two or three lines.
        language_pair: the language pair to read; None stands for the only pair of the file.
        targets: the expected translations, compared without trailing white space; None allows any.

    Raises:
        DataError: at the first invalid line.
    """
    rows = Rows(path, SPAN_COLUMNS, language_pair, numbers=("SEG", "STARTS", "ENDS"), more=True)
    parser = SpanParser(rows)
    segments: dict[int, tuple[str, list[ErrorSpan]]] = {}
    for number, line in rows:
        row = rows.split(number, line)
        if row is None:
            continue
        segment, target = rows.new_segment(number, row, segments), unquoted(row["TARGET"])
        if targets is not None and segment < len(targets) and target.rstrip() != targets[segment].rstrip():
            rows.fail(
                number,
                f"the TARGET '{target:.60}' of SEG {segment}",
                f"'{targets[segment]:.60}'",
                NORMALIZATION
                if look_alike(target.rstrip(), targets[segment].rstrip())
                else "The submission is for other translations.",
            )
        segments[segment] = (target, parser.parse(number, row, target))
    parser.warn()
    ordered = rows.in_order(segments, None if targets is None else len(targets))
    return SpanSubmission(
        rows.header,
        rows.language_pair,
        rows.method,
        [target for target, _ in ordered],
        [spans for _, spans in ordered],
    )


def write_span_submission(path: Path, submission: SpanSubmission, *others: SpanSubmission) -> None:
    """Write a submission that :func:`read_span_submission` reads back unchanged.

    Args:
        path: the file.
        submission: the submission, whose header is written.
        others: the submissions for further language pairs.

    Raises:
        DataError: for a span outside of its translation, or with an unknown severity.
    """
    lines = []
    for each in (submission, *others):
        check_field("language_pair", each.language_pair)
        check_field("method", each.method)
        if len(each.targets) != len(each.spans):
            found = f"{len(each.targets)} translations and spans of {len(each.spans)}"
            raise DataError(f"Found {found}; expected the same number.")
        start = f"{each.language_pair}\t{each.method}"
        for segment, (target, spans) in enumerate(zip(each.targets, each.spans, strict=True)):
            lines.append("\t".join([start, str(segment), *_span_fields(segment, target, spans)]))
    write_rows(path, submission.header, lines)


def _span_fields(segment: int, target: str, spans: Sequence[ErrorSpan]) -> list[str]:
    """Return the fields of a row: the translation, starts, ends and types."""
    if any(character in target for character in "\t\n\r"):
        raise DataError(f"Segment {segment} (from 0): found a tab or line end in {target!r}; expected none.")
    for span in spans:
        if expected := expected_span(span, len(target)):
            raise DataError(f"Segment {segment} (from 0): found {span}; expected {expected}.")
    starts = " ".join(str(span.start) for span in spans) or NOWHERE
    ends = " ".join(str(span.end) for span in spans) or NOWHERE
    types = " ".join(span.severity for span in spans) or NO_ERROR
    return [quoted(target), starts, ends, types]


def for_official_scorer(target: str, spans: Sequence[ErrorSpan]) -> tuple[str, list[ErrorSpan]]:
    """Return a translation and its spans as the scorer of WMT23 reads them.

    It removes white space around a translation before it counts positions, and knows minor and major errors only, so
    that a critical one is major. Tabs and line ends, for which a row has no place, are written as spaces.

    Args:
        target: the translation.
        spans: its spans.
    """
    stripped = target.strip().translate(dict.fromkeys(map(ord, "\t\n\r"), " "))
    before, size = len(target) - len(target.lstrip()), len(stripped)
    moved = []
    for span in spans:
        start, end = (min(max(place - before, 0), size) for place in span[:2])
        if start < end or span.start == span.end:
            moved.append(ErrorSpan(start, end, "major" if span.severity == "critical" else span.severity))
    return stripped, moved

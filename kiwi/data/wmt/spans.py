"""Error spans and the texts whose characters they count, as the fine-grained task of WMT23 writes them."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from kiwi.data.labels.error_spans import NO_ERROR, NOWHERE, SEVERITIES, ErrorSpan
from kiwi.data.wmt.header import parse_count
from kiwi.data.wmt.rows import Rows

logger = logging.getLogger(__name__)


class SpanParser:
    """Parses spans, and clips those that lie beyond the end of their text as the official scorer does.

    Args:
        rows: the rows of the file, for errors.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._n_clipped = self._first = 0

    def parse(self, number: int, row: Mapping[str, str], target: str) -> list[ErrorSpan]:
        """Parse the spans of a row.

        Args:
            number: the number of the line.
            row: the cells by column.
            target: the text whose characters the positions count.

        Raises:
            DataError: when the spans are malformed, or end before they start.
        """
        starts, ends, types = (row[column].lower().split() for column in ("STARTS", "ENDS", "TYPES"))
        if not len(starts) == len(ends) == len(types):
            self._rows.fail(
                number,
                f"{len(starts)} STARTS, {len(ends)} ENDS, {len(types)} TYPES",
                "the same number of each, separated by spaces",
            )
        if (starts, ends, types) == ([NOWHERE], [NOWHERE], [NO_ERROR]):
            return []
        if not starts or NO_ERROR in types or NOWHERE in (*starts, *ends):
            self._rows.fail(
                number,
                f"'{row['STARTS']}', '{row['ENDS']}', '{row['TYPES']}'",
                f"positions and severities, or {NOWHERE}, {NOWHERE}, {NO_ERROR} for a segment without errors",
            )
        parsed = (self._parse(number, *cells, target) for cells in zip(starts, ends, types, strict=True))
        return [span for span in parsed if span is not None]

    def warn(self) -> None:
        """Log how many spans were clipped."""
        if self._n_clipped:
            logger.warning(
                "%s: %d span(s) lie beyond the end of their text, the first in line %d; as in the official scorer, "
                "they end where the text ends.",
                self._rows.path,
                self._n_clipped,
                self._first,
            )

    def _parse(self, number: int, start: str, end: str, severity: str, target: str) -> ErrorSpan | None:
        first, after, size = parse_count(start), parse_count(end), len(target)
        if first is None or after is None:
            self._rows.fail(number, f"the span '{start}' to '{end}'", "whole numbers, counted from 0")
        expected = expected_span(ErrorSpan(first, after, severity), max(after, size))
        if expected:
            self._rows.fail(number, f"the span {start} to {end}, {severity}", expected)
        if after > size:
            self._n_clipped += 1
            self._first = self._first or number
        # A span that starts beyond the end marks nothing.
        return ErrorSpan(first, min(after, size), severity) if first <= size else None


def expected_span(span: ErrorSpan, size: int) -> str:
    """Return what is expected of an invalid span of a text with ``size`` characters; empty for a valid one."""
    if not 0 <= span.start <= span.end <= size:
        return f"0 ≤ start ≤ end ≤ {size}, the characters of the translation"
    return "" if span.severity in SEVERITIES else f"a severity of {', '.join(SEVERITIES)}"

"""Submissions of error spans to WMT25: the table that the task releases, with three columns of errors added."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from kiwi.data.files.lines import stream_lines
from kiwi.data.labels.error_spans import NO_ERROR, NOWHERE, ErrorSpan
from kiwi.data.labels.spans.files import same_positions
from kiwi.exceptions import DataError
from kiwi.utils.io import staged

TARGET_COLUMN = "hypothesis_segment"

ADDED = ("start_indices", "end_indices", "error_types")
"""The columns of errors."""


def write_span_table(path: Path, release: Path, targets: Sequence[str], spans: Sequence[Sequence[ErrorSpan]]) -> None:
    """Write a released table with the errors of each row.

    Args:
        path: the file to write.
        release: the table, tab-separated in the quotes of CSV, with a column ``hypothesis_segment``.
        targets: the translations, in the order of the rows; they may differ from the table in the kind of white space.
        spans: the errors of each translation.

    Raises:
        DataError: when the table is not what it should be, or has other translations.
    """
    with staged(path) as stage, stage.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        rows = csv.reader((f"{line}\n" for line in stream_lines(release)), delimiter="\t", strict=True)
        try:
            names = next(rows)
            if names.count(TARGET_COLUMN) != 1 or set(ADDED) & {*names}:
                expected = f"a column {TARGET_COLUMN}, and none of {', '.join(ADDED)}"
                raise DataError.at(release, 1, found=f"the columns {', '.join(names):.200}", expected=expected)
            place = names.index(TARGET_COLUMN)
            writer.writerow([*names, *ADDED])
            n_rows = 0
            for row in rows:
                number = rows.line_num
                if len(row) != len(names):
                    raise DataError.at(release, number, found=f"{len(row)} columns", expected=f"{len(names)}")
                if n_rows < len(targets) and not same_positions(row[place], targets[n_rows]):
                    found, expected = f"the translation {row[place]!r:.60}", f"{targets[n_rows]!r:.60}, as in the data"
                    raise DataError.at(release, number, found=found, expected=expected)
                writer.writerow([*row, *_cells(spans[n_rows] if n_rows < len(spans) else ())])
                n_rows += 1
        except csv.Error as reason:
            expected = "a tab-separated table, with the quotes of CSV"
            raise DataError.at(release, rows.line_num, found=f"invalid CSV ({reason})", expected=expected) from reason
        if n_rows != len(targets):
            raise DataError.at(
                release, None, found=f"{n_rows} rows", expected=f"{len(targets)}, the segments of the data"
            )


def _cells(spans: Sequence[ErrorSpan]) -> list[str]:
    """Return the cells of a row; omissions are left out, since the task does not count them."""
    kept = [span for span in spans if span.start < span.end]
    if not kept:
        return [NOWHERE, NOWHERE, NO_ERROR]
    return [" ".join(column) for column in zip(*((str(s.start), str(s.end), s.severity) for s in kept), strict=True)]

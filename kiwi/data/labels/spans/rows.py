"""The rows of files of error spans, in all forms in which they are published.

A row has positions of the first character and after the last one, and severities. A file is TSV, with names of columns
or in the order of the shared tasks, or JSON Lines.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kiwi import constants as const
from kiwi.data.files.cells import cell_text, json_object
from kiwi.data.files.lines import read_lines
from kiwi.data.labels.error_spans import NO_ERROR, NOWHERE
from kiwi.data.labels.spans.cells import NUMBER, checked_list, parse_spans, read_cell, read_objects, with_confidences
from kiwi.data.labels.spans.raw import MISSING, RawSpan, count_quotes, quoted, without_quotes
from kiwi.exceptions import DataError
from kiwi.utils.compression import SUFFIXES as COMPRESSED

logger = logging.getLogger(__name__)

STARTS, ENDS, SEVERITIES, CONFIDENCES, RATER, SEGMENT = "starts", "ends", "severities", "confidences", "rater", "seg"

ALIASES = {
    "types": SEVERITIES,
    "error_types": SEVERITIES,
    "start_indices": STARTS,
    "end_indices": ENDS,
    "method": RATER,
    "segment_id": SEGMENT,
    "doc_id": "doc",
    "system_id": "system",
    "source_segment": const.SOURCE,
    "hypothesis_segment": const.TARGET,
    "esa_spans": const.ERROR_SPANS,
    "mqm_spans": const.ERROR_SPANS,
}
"""The other names of columns in the shared tasks."""

RELEASED = {
    "gold": RATER,
    "sid": SEGMENT,
    "mt": const.TARGET,
    "start_id": STARTS,
    "end_id": ENDS,
    "error": SEVERITIES,
}
"""The names of columns in the gold labels of WMT23."""

WITHOUT_NAMES = {
    3: (STARTS, ENDS, SEVERITIES),
    4: (STARTS, ENDS, SEVERITIES, CONFIDENCES),
    7: (const.LANGUAGE_PAIR, RATER, SEGMENT, const.TARGET, STARTS, ENDS, SEVERITIES),
}
"""The columns of a file that does not name them, by their number: those of predictions, and of WMT23."""

PLACES = ("system", "doc", SEGMENT, const.LANGUAGE_PAIR, const.SOURCE, const.TARGET)
"""The columns that identify a translation."""

MOST_FIGURES = 3
"""The number of lines that a submission may have before its rows."""


@dataclass(frozen=True)
class Annotation:
    """The spans of a row."""

    line: int
    """The number of the line."""

    cells: Mapping[str, str]
    """The other columns, by name."""

    raters: list[list[RawSpan]]
    """The spans of each rater; several in JSON Lines only."""


def read_annotations(path: Path) -> list[Annotation]:
    """Read the rows of a file of error spans.

    Args:
        path: the file: JSON Lines if its suffix is ``.jsonl`` or it begins with a brace, else TSV. A compression suffix
            may follow.

    Raises:
        DataError: at the first row whose form is wrong.
    """
    path = Path(path)
    suffix = check_suffix(path)
    lines = read_lines(path)
    while len(lines) > 1 and not lines[-1].strip(" \r"):
        lines.pop()
    if suffix == ".jsonl" or (lines and lines[0].startswith("{")):
        return list(_json_rows(lines, path))
    return _with_plain_positions(list(_table_rows(lines, path)), path)


def check_suffix(path: Path) -> str:
    """Return the suffix of a file of error spans in lower case, without that of a compression.

    Raises:
        DataError: for a suffix of tables that are not read.
    """
    suffix = (path.with_suffix("") if path.suffix.lower() in COMPRESSED else path).suffix.lower()
    if suffix in (".csv", ".parquet"):
        raise DataError.at(path, None, found=f"'{suffix}'", expected="TSV (.tsv, .txt) or JSON Lines (.jsonl)")
    return suffix


def _with_plain_positions(rows: list[Annotation], path: Path) -> list[Annotation]:
    """Return rows whose positions count plain texts, where those of the file count the quotes of CSV around them."""
    texts = [row.cells.get(const.TARGET, "") for row in rows]
    if not count_quotes(texts, [[span for spans in row.raters for span in spans] for row in rows], path):
        return rows
    logger.info("%s: positions count the quotes of CSV, and are those of the plain texts from here on.", path)
    return [
        replace(row, raters=[without_quotes(text, spans) for spans in row.raters])
        for row, text in zip(rows, texts, strict=True)
    ]


def _table_rows(lines: Sequence[str], path: Path) -> Iterator[Annotation]:
    first = next((index for index, line in enumerate(lines) if "\t" in line), 0)
    names = [cell.strip().lower() for cell in lines[first].split("\t")]
    known = ALIASES | RELEASED if {*RELEASED} <= {*names} else ALIASES
    names = [known.get(name, name) for name in names]
    if {STARTS, ENDS, SEVERITIES} <= {*names} or const.ERROR_SPANS in names:
        has_names = True
        while not names[-1]:  # tabs at the end
            names.pop()
    else:
        has_names = False
        found, names = names, list(WITHOUT_NAMES.get(len(names), ()))
        place = dict(zip(names, found, strict=True)) if names else {}
        if not all(NUMBER.fullmatch(cell) or cell == MISSING for cell in place.get(STARTS, "?").split()):
            expected = f"columns {STARTS}, {ENDS} and {SEVERITIES}, separated by tabs and named in the first line"
            raise DataError.at(path, first + 1, found=f"'{lines[first]:.60}'", expected=expected)
    if first > (0 if has_names else MOST_FIGURES):
        raise DataError.at(path, 1, found=f"'{lines[0]:.60}'", expected="the names of columns, separated by tabs")
    if repeated := [name for name in (*PLACES, STARTS, ENDS, SEVERITIES) if names.count(name) > 1]:
        raise DataError.at(path, first + 1, found=f"several columns '{repeated[0]}'", expected="one")
    start = first + has_names
    if start == len(lines):
        raise DataError.at(path, None, found="no row", expected="one row for each annotated translation")
    blank: list[int] = []
    for number, line in enumerate(lines[start:], start=start + 1):
        cells = line.split("\t")
        if not "".join(cells[len(names) :]).strip():
            cells = cells[: len(names)]  # tabs at the end
        if len(cells) != len(names):
            raise DataError.at(path, number, found=f"{len(cells)} columns", expected=f"{len(names)}, as before")
        row = dict(zip(names, cells, strict=True))
        if const.ERROR_SPANS in row:
            yield Annotation(number, row, read_cell(path, number, row.pop(const.ERROR_SPANS)))
            continue
        marked = [row.pop(name).split() for name in (STARTS, ENDS, SEVERITIES)]
        if not any(marked):
            blank.append(number)
        spans = parse_spans(path, number, *marked)
        if CONFIDENCES in row:
            spans = with_confidences(path, number, spans, row.pop(CONFIDENCES).split())
        yield Annotation(number, row, [spans])
    if blank:
        logger.warning(
            "%s: %d row(s) have no positions and severities, the first in line %d; their translations are taken as "
            "without errors, which %s, %s and %s say.",
            *(path, len(blank), blank[0], NOWHERE, NOWHERE, NO_ERROR),
        )


def _json_rows(lines: Sequence[str], path: Path) -> Iterator[Annotation]:
    for number, line in enumerate(lines, start=1):
        row = {ALIASES.get(name, name): cell for name, cell in json_object(line, path, number).items()}
        cells = {
            name: cell_text(row[name], path, number, name) for name in (*PLACES, RATER) if row.get(name) is not None
        }
        # The quotes of CSV have no meaning here; whoever reads the cells removes them.
        cells |= {name: quoted(cells[name]) for name in (const.SOURCE, const.TARGET) if name in cells}
        if const.ERROR_SPANS in row:
            yield Annotation(number, cells, read_objects(path, number, row[const.ERROR_SPANS]))
            continue
        if lacking := [name for name in (STARTS, ENDS, SEVERITIES) if name not in row]:
            expected = f"{STARTS}, {ENDS} and {SEVERITIES}, or {const.ERROR_SPANS}"
            raise DataError.at(path, number, found=f"no '{lacking[0]}'", expected=expected)
        parts = []
        for name in (STARTS, ENDS, SEVERITIES):
            cell = row[name]
            parts.append(
                cell.split() if isinstance(cell, str) else list(map(str, checked_list(path, number, name, cell)))
            )
        yield Annotation(number, cells, [parse_spans(path, number, *parts)])

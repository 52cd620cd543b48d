"""The XML of a sheet in a workbook, to which cells are added."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from typing_extensions import override

from kiwi.data.documents.markup import MarkupDocument
from kiwi.data.documents.parts import Edit, Part, Row, Segment, Tape, as_given, one_line
from kiwi.data.documents.rating import Rating
from kiwi.data.documents.tables.separated import already_there, present
from kiwi.data.files.cells import cell_text
from kiwi.data.files.headers import find_columns
from kiwi.data.files.table_writers import tsv_cell
from kiwi.exceptions import DataError

LAST_COLUMN = 16384
"""The number of columns that a sheet may have."""

Cells = Sequence[Any]


class Width(MarkupDocument):
    """Finds the last column that has a cell, even an empty one with a format.

    Args:
        path: the workbook, for errors.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(Rating())
        self._column = self._last = 0

    def measure(self, tape: Tape) -> int:
        """Return the number of the column."""
        for part in self.parts(tape):
            tape.drop(part.end)
        return self._last

    @override
    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if local == "row":
            self._column = 0
        elif local == "c":
            self._column = _column_number(attributes["r"]) if "r" in attributes else self._column + 1
            self._last = max(self._last, self._column)

    @override
    def end(self, name: str) -> None: ...

    @override
    def text(self, text: str) -> None: ...


class Sheet(MarkupDocument):
    """The XML of a sheet, and its rows as openpyxl reads them.

    Args:
        path: the workbook, for errors.
        rows: the cells of each row.
        columns: the column of each field: its name, or its number, counted from 1.
        optional: the fields that are read only if their columns are there.
        width: the number of the last column that has a cell.
        has_header: whether the first row has the names of the columns.
    """

    def __init__(
        self,
        path: Path,
        rows: Iterator[Cells],
        columns: Mapping[str, str],
        optional: Collection[str],
        width: int,
        *,
        has_header: bool,
    ) -> None:
        super().__init__(Rating())
        self._path, self._rows, self._columns, self._width = path, enumerate(rows, start=1), columns, width
        self._optional, self._has_header = optional, has_header
        self._headings: list[str] = []
        self._places: dict[str, int] = {}
        self._number = self._row_start = 0
        self._spans = ""
        self._is_first = True
        self._before: list[_RowPlace] = []
        """The row with the names of the columns, until they are written."""
        self._dimension: tuple[int, str] | None = None

    @override
    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if local == "row":
            number = attributes.get("r", str(self._number + 1))
            if not (number.isascii() and number.isdigit()):
                raise self.error(f"the number '{number:.20}' of a row", "a whole number")
            self._number = int(number[:9])
            self._row_start, self._spans = self.at, attributes.get("spans", "")
            self.is_inside = True
        elif local == "dimension" and ":" in attributes.get("ref", ""):
            self._dimension, self.is_inside = (self.at, attributes["ref"]), True

    @override
    def text(self, text: str) -> None: ...

    @override
    def end(self, name: str) -> None:
        if name.rpartition(" ")[2] != "row":
            return
        place = _RowPlace(self._number, self._row_start, self.at, self._spans)
        cells = next((cells for number, cells in self._rows if number == self._number), ())
        texts = [cell_as_text(cell) for cell in cells]
        if not self._places and any(texts):
            columns = present(self._columns, self._optional, texts if self._has_header else ())
            self._places = find_columns(columns, texts, self._path, self._number, has_header=self._has_header)
            if self._has_header:
                self._headings, self._before = texts, [place]
                return
        wanted = {field: cells[at] if at < len(cells) else None for field, at in self._places.items()}
        if not any(map(cell_as_text, wanted.values())):
            self._pass(place.end)
            return
        self.add(Part(place.end, [sheet_segment(wanted, self._path, self._number, self._columns)], self._edits(place)))
        self._is_first = self.is_inside = False

    def _pass(self, end: int) -> None:
        """Pass a row without a segment, unless what is before the first segment waits for it."""
        if not self._is_first:
            self.add(Part(end))
            self.is_inside = False

    def _edits(self, place: _RowPlace) -> Callable[[Sequence[Row]], list[Edit]]:
        before, self._before = self._before, []
        dimension, self._dimension = self._dimension, None

        def edits(rows: Sequence[Row]) -> list[Edit]:
            (row,) = rows
            last = self._width + len(row)
            if last > LAST_COLUMN:
                found = f"cells up to column {_letters(self._width)}"
                raise DataError.at(self._path, None, found=found, expected=f"room for {len(row)} columns behind them")
            found_edits: list[Edit] = []
            if dimension is not None:
                start, reference = dimension
                first, _, corner = reference.partition(":")
                corner = _letters(max(last, _column_number(corner))) + re.sub(r"[^0-9]", "", corner)
                found_edits += self.tag(start).edits({"ref": f"{first}:{corner}"})
            for header in before:
                if taken := [name for name in row if name in self._headings]:
                    raise already_there(self._path, header.number, taken[0])
                found_edits += self._cells(header, list(row), last)
            return found_edits + self._cells(place, list(row.values()), last)

        return edits

    def _cells(self, place: _RowPlace, values: Sequence[Any], last: int) -> list[Edit]:
        """Return the changes that add cells to a row."""
        tag = self.tag(place.start)
        found = []
        if re.fullmatch(r"\d+:\d+", place.spans):
            found += tag.edits({"spans": f"{place.spans.partition(':')[0]}:{last}"})
        p = tag.prefix
        written = ""
        for column, value in enumerate(values, start=self._width + 1):
            reference = f"{_letters(column)}{place.number}"
            if isinstance(value, float):
                if math.isfinite(value):
                    written += f'<{p}c r="{reference}"><{p}v>{value!r}</{p}v></{p}c>'
            else:
                text = escape(tsv_cell(value))
                written += f'<{p}c r="{reference}" t="inlineStr"><{p}is><{p}t>{text}</{p}t></{p}is></{p}c>'
        return [*found, self.encoded(place.end, written)]


@dataclass(frozen=True)
class _RowPlace:
    """A row in the XML of a sheet."""

    number: int
    start: int
    end: int
    """The offset of its end tag."""

    spans: str


def sheet_segment(cells: Mapping[str, Any], path: Path, number: int, columns: Mapping[str, str]) -> Segment:
    """Return the segment of a row.

    Args:
        cells: the cell of each field.
        path: the workbook, for errors.
        number: the number of the row.
        columns: the column of each field, for errors.
    """
    try:
        texts = {
            field: cell_text(one_line(cell_as_text(cell)), path, number, columns[field])
            for field, cell in cells.items()
        }
    except DataError as error:
        return Segment(dict.fromkeys(cells, ""), number, error, {k: str(v) for k, v in cells.items()})
    given = as_given({field: cell_as_text(cell) for field, cell in cells.items()})
    return Segment(texts, number, given=given)


def cell_as_text(cell: Any) -> str:
    """Return the text of a cell; a number as Python writes it, and nothing as an empty text."""
    return "" if cell is None else cell if isinstance(cell, str) else str(cell)


def _column_number(reference: str) -> int:
    """Return the number of the column of a cell, counted from 1: 28 for AB7."""
    number = 0
    for letter in re.sub(r"[^A-Z]", "", reference.upper()):
        number = 26 * number + ord(letter) - ord("A") + 1
    return number


def _letters(column: int) -> str:
    """Return the name of a column: AB for 28."""
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return name

"""The XML of a sheet in a workbook, to which cells are added."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from typing_extensions import override

from kiwi import constants as const
from kiwi.data.documents.markup import MarkupDocument
from kiwi.data.documents.parts import Edit, Part, Row, Tape
from kiwi.data.documents.rating import Rating
from kiwi.data.documents.tables.former import FormerColumns
from kiwi.data.documents.tables.separated import present
from kiwi.data.documents.tables.sheet_rows import (
    CellPlace,
    Cells,
    Layout,
    RowPlace,
    TableRange,
    cell_as_text,
    column_name,
    column_number,
    sheet_segment,
    written_cell,
)
from kiwi.data.files.headers import find_columns
from kiwi.exceptions import DataError

LAST_COLUMN = 16384
"""The number of columns that a sheet may have."""


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
            self._column = column_number(attributes["r"]) if "r" in attributes else self._column + 1
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
        tables: the tables that Excel has made in the sheet.
        has_header: whether the first row has the names of the columns.
    """

    def __init__(
        self,
        path: Path,
        rows: Iterator[Cells],
        columns: Mapping[str, str],
        optional: Collection[str],
        width: int,
        tables: Sequence[TableRange] = (),
        *,
        has_header: bool,
    ) -> None:
        super().__init__(Rating())
        self._path, self._rows, self._columns, self._width = path, enumerate(rows, start=1), columns, width
        self._optional, self._has_header, self._tables = optional, has_header, tables
        self._headings: list[str] = []
        self._places: dict[str, int] = {}
        self._number = self._row_start = 0
        self._spans = ""
        self._is_first = True
        self._before: list[RowPlace] = []
        """The row with the names of the columns, until they are written."""
        self._dimension: tuple[int, str] | None = None
        self._former = FormerColumns(path)
        self._layout: Layout | None = None
        self._cells: list[CellPlace] = []
        """The cells of the current row, from the first one that may be replaced."""
        self._first_cell = 1 if has_header else LAST_COLUMN + 1
        """The number of the first column whose cells may be replaced."""
        self._column = 0
        self._cell: CellPlace | None = None
        """The current cell, if it may be replaced."""

    @override
    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if local == "row":
            number = attributes.get("r", str(self._number + 1))
            if not (number.isascii() and number.isdigit()):
                raise self.error(f"the number '{number:.20}' of a row", "a whole number")
            self._number = int(number[:9])
            self._row_start, self._spans = self.at, attributes.get("spans", "")
            self._cells, self._column = [], 0
            self.is_inside = True
        elif local == "c":
            if self._first_cell <= LAST_COLUMN:
                self._column = column_number(attributes["r"]) if "r" in attributes else self._column + 1
                if self._column >= self._first_cell:
                    self._cell = CellPlace(self._column, self.at, self.at, attributes.get("s", ""), "r" in attributes)
        elif local == "f" and self._cell is not None:
            self._cell = replace(self._cell, has_formula=True)
        elif local == "dimension" and ":" in attributes.get("ref", ""):
            self._dimension, self.is_inside = (self.at, attributes["ref"]), True

    @override
    def text(self, text: str) -> None: ...

    @override
    def end(self, name: str) -> None:
        local = name.rpartition(" ")[2]
        if local == "c" and self._cell is not None:
            self._cells.append(replace(self._cell, end=self.behind_end_tag(self.at)))
            self._cell = None
        if local != "row":
            return
        place = RowPlace(self._number, self._row_start, self.at, self._spans, self._cells)
        cells = next((cells for number, cells in self._rows if number == self._number), ())
        texts = [cell_as_text(cell) for cell in cells]
        if not self._places and any(texts):
            columns = present(self._columns, self._optional, texts if self._has_header else ())
            self._places = find_columns(columns, texts, self._path, self._number, has_header=self._has_header)
            if self._has_header:
                self._headings, self._before = texts, [place]
                starts = (at for at, text in enumerate(texts, start=1) if text.startswith(const.SENTENCE_SCORES))
                self._first_cell = next(starts, LAST_COLUMN + 1)
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

    def _edits(self, place: RowPlace) -> Callable[[Sequence[Row]], list[Edit]]:
        before, self._before = self._before, []
        dimension, self._dimension = self._dimension, None

        def edits(rows: Sequence[Row]) -> list[Edit]:
            (row,) = rows
            if self._layout is None:
                self._layout = self._choose_layout(row, before)
            layout, last = self._layout, self._layout.last
            if last > LAST_COLUMN:
                found = f"cells up to column {column_name(self._width)}"
                raise DataError.at(self._path, None, found=found, expected=f"room for {len(row)} columns behind them")
            found_edits: list[Edit] = []
            if dimension is not None:
                start, reference = dimension
                first, _, corner = reference.partition(":")
                corner = column_name(max(last, column_number(corner))) + re.sub(r"[^0-9]", "", corner)
                found_edits += self.tag(start).edits({"ref": f"{first}:{corner}"})
            for header in before:
                found_edits += self._changes(header, layout, list(row), self._headings)
            return found_edits + self._changes(place, layout, list(row.values()))

        return edits

    def _choose_layout(self, row: Row, before: Sequence[RowPlace]) -> Layout:
        """Return where the cells of rows are added, given the first row and the row with the names of the columns."""
        runs: list[range] = []
        for header in before:
            former = self._former.find(self._headings, row, [*self._places.values()], header.number)
            runs = [range(run.start + 1, run.stop + 1) for run in former]
        layout = Layout.choose(self._width, len(row), runs)
        names = dict(enumerate(row, start=layout.first))
        for header in before:
            for column in (column for run in runs for column in run):
                heading = self._headings[column - 1]
                if names.get(column) != heading and any(each.has_name(header.number, column) for each in self._tables):
                    found = f"a table of Excel with the column '{heading}' of an earlier run"
                    advice = "Turn the table into a range of cells, or delete its columns of scores."
                    expected = "a column that is written again"
                    raise DataError.at(self._path, header.number, found=found, expected=expected, advice=advice)
        return layout

    def _changes(
        self, place: RowPlace, layout: Layout, values: Sequence[Any], former: Sequence[str] = ()
    ) -> list[Edit]:
        """Return the changes that add cells to a row, and remove those of earlier runs.

        Args:
            place: the row.
            layout: the columns that change.
            values: the values of the added cells.
            former: the texts of the row so far, if cells that say the same stay.
        """
        tag = self.tag(place.start)
        found = []
        if re.fullmatch(r"\d+:\d+", place.spans):
            last = max(layout.last, self._width)
            found += tag.edits({"spans": f"{place.spans.partition(':')[0]}:{last}"})
        for columns in layout.changed:
            cells = {cell.column: cell for cell in place.within(columns)}
            if formulas := [cell for cell in cells.values() if cell.has_formula]:
                reference = f"{column_name(formulas[0].column)}{place.number}"
                expected = "what kiwi has written there, which is replaced"
                found_there = f"a formula in {reference}, a column of an earlier run"
                advice = "Move it to a column behind them."
                raise DataError.at(self._path, place.number, found=found_there, expected=expected, advice=advice)
            written = {}
            for column, value in enumerate(values, start=layout.first):
                if column not in columns:
                    continue
                cell = cells.get(column)
                if cell is not None and former[column - 1 : column] == [value]:
                    written[column] = self.text_between(cell.start, cell.end)
                    continue
                reference = f"{column_name(column)}{place.number}"
                written[column] = written_cell(tag.prefix, reference, value, "" if cell is None else cell.style)
            behind = place.behind(columns)
            if behind is not None and not behind.is_named and not written.get(columns[-1]):
                # It stays in its column only behind a cell in the one before.
                written[columns[-1]] = f'<{tag.prefix}c r="{column_name(columns[-1])}{place.number}"/>'
            start, end = place.place_of(columns)
            found.append(Edit(start, end, "".join(written.values()).encode(self.codec)))
        return found

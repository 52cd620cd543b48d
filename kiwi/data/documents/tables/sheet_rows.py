"""The rows of a sheet in the XML of a workbook: where their cells are, and what the cells say."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from kiwi.data.documents.parts import Segment, as_given, one_line
from kiwi.data.files.cells import cell_text
from kiwi.data.files.table_writers import tsv_cell
from kiwi.exceptions import DataError

Cells = Sequence[Any]


@dataclass(frozen=True)
class CellPlace:
    """A cell in the XML of a sheet."""

    column: int
    """The number of its column, counted from 1."""

    start: int
    end: int
    """The offset behind its end tag."""

    style: str
    """The number of its format; empty if it has none of its own."""

    is_named: bool
    """Whether it says its column, rather than standing behind the one before it."""

    has_formula: bool = False


@dataclass(frozen=True)
class RowPlace:
    """A row in the XML of a sheet."""

    number: int
    start: int
    end: int
    """The offset of its end tag."""

    spans: str
    cells: Sequence[CellPlace] = field(default_factory=list)
    """Its cells, as far as they may be replaced."""

    def within(self, columns: range) -> list[CellPlace]:
        """Return the cells in some columns."""
        return [cell for cell in self.cells if cell.column in columns]

    def behind(self, columns: range) -> CellPlace | None:
        """Return the first cell behind some columns."""
        return next((cell for cell in self.cells if cell.column >= columns.stop), None)

    def place_of(self, columns: range) -> tuple[int, int]:
        """Return the offsets of the start and the end of the cells in some columns, also if there are none."""
        if own := self.within(columns):
            return own[0].start, own[-1].end
        behind = self.behind(columns)
        place = self.end if behind is None else behind.start
        return place, place


@dataclass(frozen=True)
class Layout:
    """Where the added cells of each row are, and the cells of earlier runs that they replace."""

    first: int
    """The number of the first column of the added cells."""

    last: int
    """The number of their last column."""

    changed: Sequence[range]
    """The columns whose cells are written or removed, by their numbers, in order."""

    @classmethod
    def choose(cls, width: int, n_added: int, former: Sequence[range]) -> Layout:
        """Return the layout with the added cells in the place of an earlier run, if it has room for them.

        The last columns of a sheet have room for any number of cells. Without a place, cells are added behind all
        others, so that those of people stay where they are.

        Args:
            width: the number of the last column that has a cell.
            n_added: the number of added cells.
            former: the columns of earlier runs, by their numbers, in order.
        """
        first = next((run.start for run in former if len(run) >= n_added or run.stop > width), width + 1)
        own = range(first, first + n_added)
        changed = [range(first, max(run.stop, own.stop)) if run.start == first else run for run in former]
        return cls(first, own.stop - 1, changed if first <= width else [*changed, own])


@dataclass(frozen=True)
class TableRange:
    """The cells of a table that Excel has made within a sheet; its columns must have the names that it knows."""

    columns: range
    rows: range

    def has_name(self, row: int, column: int) -> bool:
        """Return whether a cell is the name of one of its columns."""
        return row == self.rows.start and column in self.columns


def written_cell(prefix: str, reference: str, value: Any, style: str) -> str:
    """Return a cell as markup; without a value for NaN, which a sheet has no number for.

    Args:
        prefix: the prefix of the namespace of sheets, with a colon if there is one.
        reference: the name of the cell, such as F2.
        value: what it says.
        style: the number of its format; empty for none.
    """
    p = prefix
    start = f'<{p}c r="{reference}"' + (f' s="{style}"' if style else "")
    if not isinstance(value, float):
        return f'{start} t="inlineStr"><{p}is><{p}t>{escape(tsv_cell(value))}</{p}t></{p}is></{p}c>'
    if math.isfinite(value):
        return f"{start}><{p}v>{value!r}</{p}v></{p}c>"
    return f"{start}/>" if style else ""


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


def column_number(reference: str) -> int:
    """Return the number of the column of a cell, counted from 1: 28 for AB7."""
    number = 0
    for letter in re.sub(r"[^A-Z]", "", reference.upper()):
        number = 26 * number + ord(letter) - ord("A") + 1
    return number


def column_name(column: int) -> str:
    """Return the name of a column: AB for 28."""
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return name

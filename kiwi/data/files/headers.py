"""The first row of tables as text: the delimiter that separates it, and the columns of fields by name or number."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TypeVar

from kiwi.data.files.cells import check_names, plain_names
from kiwi.exceptions import ColumnError

T = TypeVar("T")

DELIMITERS = (",", ";", "\t", "|")
"""The delimiters that CSV may have."""


def first_row(lines: Iterator[T], text_of: Callable[[T], str]) -> list[T]:
    """Take the lines of the first row of CSV that is not blank, whose quoted cells may have line ends.

    Args:
        lines: the lines; those behind the row are left.
        text_of: a function that returns the text of a line.
    """
    found: list[T] = []
    n_quotes = n_characters = 0
    for line in lines:
        found.append(line)
        text = text_of(line)
        n_quotes += text.count('"')
        n_characters += len(text)
        is_whole = n_quotes % 2 == 0 and not text.isspace() and text != ""
        if is_whole or n_characters > csv.field_size_limit():  # which no cell may exceed
            break
    return found


def find_delimiter(row: str, wanted: Collection[str]) -> str:
    """Return the delimiter of CSV under which the first row has the most of some columns.

    Of several ones, it is the one with the fewest cells that begin with a space, as texts do behind a comma, then the
    one that makes the most cells or, where columns are numbers, the most usual one.

    Args:
        row: the text of the first row.
        wanted: the columns: their names, or their numbers, counted from 1.
    """

    def plausibility(delimiter: str) -> tuple[int, bool, int, int]:
        try:
            rows = csv.reader(io.StringIO(row, newline=""), delimiter=delimiter, strict=True)
            cells: list[str] = next(filter(None, rows), [])
        except csv.Error:
            return -1, False, 0, 0
        found = {*cells, *plain_names(cells, wanted), *map(str, range(1, len(cells) + 1))}
        n_spaced = sum(cell.startswith(" ") for cell in cells[1:])
        n_cells = len(cells) if not all(map(is_number, wanted)) else -DELIMITERS.index(delimiter)
        return len(found & {*wanted}), len(cells) > 1, -n_spaced, n_cells

    return max(DELIMITERS, key=plausibility)


def is_number(column: str) -> bool:
    """Return whether a column may be meant by its number."""
    return column.isascii() and column.isdigit()


def find_columns(
    columns: Mapping[str, str], names: Sequence[str], place: object, number: int | None, *, has_header: bool
) -> dict[str, int]:
    """Return the position of the column of each field.

    Args:
        columns: the column of each field: its name, or its number, counted from 1.
        names: the cells of the first row.
        place: the table, for errors.
        number: the number of the first row, for errors.
        has_header: whether the first row has the names of the columns.

    Raises:
        ColumnError: when there is no such column.
    """
    places = {}
    names = plain_names(names, columns.values()) if has_header else names
    for field, name in columns.items():
        is_numbered = is_number(name) and (name not in names or not has_header)
        if is_numbered and 1 <= int(name) <= len(names):
            places[field] = int(name) - 1
        elif is_numbered or not has_header:
            found = f"the column '{name}'" + (f" for {field}" if field != name or not is_numbered else "")
            advice = "Give --columns source=1,target=2." if not has_header else ""
            expected = f"a number from 1 to {len(names)}"
            raise ColumnError.at(place, number, found=found, expected=expected, advice=advice)
        else:
            check_names(place, number, [name], names)
            places[field] = names.index(name)
    return places

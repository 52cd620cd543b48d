"""Cells of tables as text: what a cell may be, and how rows become one string per segment for each field."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kiwi import constants as const
from kiwi.data.files.lines import Columns, Note
from kiwi.exceptions import ColumnError, DataError, MissingColumnError
from kiwi.outputs import SPAN_SCORES
from kiwi.utils.io import did_you_mean
from kiwi.utils.text import MARK

logger = logging.getLogger(__name__)

Row = tuple[int, Sequence[Any] | DataError, Any]
"""The number of a row or line, its cells or the error of an invalid one, and its content."""


def texts_of_rows(
    rows: Sequence[Row],
    columns: Mapping[str, str],
    path: object,
    null: Mapping[str, str] | None = None,
    note: Note | None = None,
) -> Columns:
    """Return rows as one string per segment for each field.

    Args:
        rows: the rows, at least one, with their cells in the order of the columns.
        columns: the column name of each field.
        path: the table, for errors.
        null: the text that null stands for, for each field that may be null.
        note: a function to call for each invalid row, whose fields are then blank.

    Raises:
        DataError: at the first invalid row, when there is no ``note``.
    """
    errors = {index: cells for index, (_, cells, _) in enumerate(rows) if isinstance(cells, DataError)}
    blank = [""] * len(columns)
    by_column = zip(*(blank if isinstance(cells, DataError) else cells for _, cells, _ in rows), strict=True)
    texts: Columns = {}
    for (field, name), cells in zip(columns.items(), by_column, strict=True):
        if _are_plain(cells):
            texts[field] = list(cells)
            continue
        column = texts[field] = []
        for index, cell in enumerate(cells):
            try:
                is_null = cell is None and null is not None and field in null
                column.append(null[field] if is_null and null else field_text(field, cell, path, rows[index][0], name))
            except DataError as error:
                column.append("")
                errors.setdefault(index, error)
    for index in sorted(errors):
        if note is None:
            raise errors[index]
        number, _, content = rows[index]
        note(number, errors[index], content)
        for column in texts.values():
            column[index] = ""
    return texts


def _are_plain(cells: Sequence[Any]) -> bool:
    """Tell whether all cells are texts without a character that :func:`cell_text` looks at, in one look at all."""
    try:
        joined = "\n".join(cells)
    except TypeError:
        return False
    return joined.count("\n") < len(cells) and not any(character in joined for character in ("\0", "\r", MARK))


def cell_text(cell: Any, path: object, number: int, name: str) -> str:
    """Return a cell as text, as it would appear in a file with one segment per line.

    Args:
        cell: the value of the cell.
        path: the table, for errors.
        number: the number of the line or row, for errors.
        name: the name of the column, for errors.

    Raises:
        DataError: when the value is of another type, or has a line end or NUL.
    """
    text = cell if isinstance(cell, str) else _joined(cell)
    if text is not None and ("\r" in text or MARK in text) and (text.endswith("\r") or text.startswith(MARK)):
        # A file has them where it was taken apart as text of another kind.
        if text.startswith(MARK):
            logger.warning("%s, line %d: dropped a byte order mark at the start of column '%s'.", path, number, name)
        text = text.lstrip(MARK).rstrip("\r")
    if text is None:
        found = describe_cell(cell)
        expected = "text, a number, or a list of words, tags or numbers"
    elif "\n" in text:
        found, expected = "a line end in the text", "one segment per row, on one line"
    elif "\0" in text:
        found, expected = "a NUL character", "text without it"
    else:
        return text
    raise DataError.at(path, number, found=f"{found} in column '{name}'", expected=expected)


def is_text(cell: Any, column: str) -> bool:
    """Return whether a cell is text; see :func:`cell_text`."""
    try:
        cell_text(cell, "", 0, column)
    except DataError:
        return False
    return True


def describe_cell(cell: Any) -> str:
    """Return what a cell is that is no text, for errors."""
    return "null" if cell is None else f"{cell!s:.60}, of type {type(cell).__name__},"


def field_text(field: str, cell: Any, path: object, number: int, name: str) -> str:
    """Return the cell of a field as :func:`cell_text` does; NaN, which tools write for a missing text, is no text.

    Args:
        field: the field, such as ``target``.
        cell: the value of the cell.
        path: the table, for errors.
        number: the number of the line or row, for errors.
        name: the name of the column, for errors.

    Raises:
        DataError: when the value cannot be one of the field.
    """
    if isinstance(cell, float) and not math.isfinite(cell) and field in const.TEXT_FIELDS:
        raise DataError.at(path, number, found=f"{cell} in column '{name}'", expected="text")
    return cell_text(cell, path, number, name)


def _joined(cell: Any) -> str | None:
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return repr(cell)
    if not isinstance(cell, list):
        return None
    items = [item if isinstance(item, str) else _joined(item) for item in cell if not isinstance(item, list)]
    if len(items) < len(cell) or any(item is None or not item or set(item) & set(" \t\n") for item in items):
        return None
    return " ".join(map(str, items))


def plain_names(names: Sequence[str], wanted: Collection[str]) -> list[str]:
    """Return the names of columns, without what the names of columns of scores say of their meaning.

    Args:
        names: the names.
        wanted: the columns that are read, whose names stay.
    """
    described = tuple(f"{own} (" for own in (const.SENTENCE_SCORES, *SPAN_SCORES))
    return [
        name.partition(" (")[0] if name.startswith(described) and name.endswith(")") and name not in wanted else name
        for name in names
    ]


def check_names(path: object, number: int | None, wanted: Collection[str], known: Sequence[str]) -> None:
    """Check that a table has each of some columns exactly once.

    Args:
        path: the table, for errors.
        number: the number of the line that names the columns, for errors.
        wanted: the names of the required columns.
        known: the names of all columns of the table.

    Raises:
        ColumnError: at the first required column that is missing or duplicated.
    """
    for name in wanted:
        if name not in known:
            advice = did_you_mean(name, known)
            advice = f"{advice[0].upper()}{advice[1:]}{'' if advice.endswith('?') else '.'}"
            error = MissingColumnError.at(path, number, found=f"no column '{name}'", expected="one", advice=advice)
            error.column = name
            raise error
        if known.count(name) != 1:
            raise ColumnError.at(path, number, found=f"several columns '{name}'", expected="one")


@contextmanager
def advising_columns(
    advice: str = "Name the column of each field, such as --columns source=NAME.",
    special: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Add the next step to errors of tables that lack a column.

    Args:
        advice: the step, which names the option for the names of columns.
        special: the step for columns that need another one.
    """
    try:
        yield
    except MissingColumnError as error:
        raise error.with_advice((special or {}).get(error.column, advice)) from None


def json_cells(
    line: str, path: object, number: int, wanted: Collection[str], absent: Collection[str] = ()
) -> list[Any]:
    """Parse a line of JSON Lines into the cells of some columns.

    Args:
        line: the text of the line.
        path: the file, for errors.
        number: the number of the line, for errors.
        wanted: the columns.
        absent: columns that the first line does not have, nor may another one.

    Raises:
        DataError: when the line is not a JSON object, lacks a column, or has one that the first line does not have.
    """
    row = json_object(line, path, number)
    if surplus := [name for name in absent if name in row]:
        raise DataError.at(path, number, found=f"a column '{surplus[0]}'", expected="none, as in the first line")
    try:
        return [row[name] for name in wanted]
    except KeyError:
        check_names(path, number, wanted, list(row))
        raise


def has_names(rows: Iterable[Row]) -> bool:
    """Return whether the first valid object of JSON Lines is one of some rows; it has the names of the columns.

    Raises:
        MissingColumnError: when it lacks a column.
    """
    for _, cells, _ in rows:
        if isinstance(cells, MissingColumnError):
            raise cells.of_table()
        if not isinstance(cells, DataError):
            return True
    return False


def json_object(line: str, path: object, number: int | None) -> dict[str, Any]:
    """Parse a line of JSON Lines into its cells by column, as :func:`json_cells` does."""
    row = parse_object(line, path, number)
    check_object(row, line, path, number)
    return row


def parse_object(line: str, path: object, number: int | None) -> dict[str, Any]:
    """Parse a line of JSON Lines into its cells by column, which may have halves of surrogate pairs.

    Raises:
        DataError: when it is no JSON object.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        found = f"invalid JSON ({error.msg if isinstance(error, json.JSONDecodeError) else error})"
        raise DataError.at(path, number, found=found, expected="one object per line") from error
    if not isinstance(row, dict):
        expected = "a JSON object with the columns by name"
        raise DataError.at(path, number, found=f"{line:.60}", expected=expected)
    return row


def check_object(row: Mapping[str, Any], line: str, path: object, number: int | None) -> None:
    """Check that the cells of a line of JSON Lines have no half of a surrogate pair.

    Raises:
        DataError: when they have one.
    """
    if "\\u" not in line:
        return
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise DataError.at(path, number, found=f"invalid JSON ({error})", expected="one object per line") from error

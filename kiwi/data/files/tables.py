"""Reads tables with named columns and one segment per row: TSV, CSV, JSON Lines and Parquet.

The result is the same as for parallel files with one segment per line. A cell may be text, a number, or a list of
words, tags or numbers, which are joined with spaces.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

from kiwi.data.files.cells import Row, has_names, json_cells, texts_of_rows
from kiwi.data.files.headers import find_columns, find_delimiter, first_row
from kiwi.data.files.lines import Columns, Note, no_line, stream_lines
from kiwi.data.files.parquet import parquet_rows
from kiwi.exceptions import DataError
from kiwi.utils.compression import SUFFIXES as COMPRESSED
from kiwi.utils.inputs import is_pipe

T = TypeVar("T")

NAN = "nan"
"""The text that stands for the score of an empty segment."""


def read_table(path: Path, columns: Mapping[str, str], nullable: Collection[str] = (), null: str = NAN) -> Columns:
    """Read some columns of a table, in the format of its suffix.

    Args:
        path: the table, with the suffix ``.tsv`` (a header line, no quoting), ``.csv`` (a header line, quoting as in
            RFC 4180, any of the delimiters of :mod:`kiwi.data.files.headers`), ``.jsonl`` (one object per line) or
            ``.parquet``. A compression suffix may follow.
        columns: the column of each field: its name or, in TSV and CSV, its number, counted from 1.
        nullable: the fields in which null stands for a missing value, such as the score of an empty segment.
        null: the text that null is read as.

    Returns:
        One string per segment for each field.

    Raises:
        DataError: at the first invalid line or row.
        MissingExtraError: when pyarrow is not installed, for Parquet.
    """
    found: Columns = {field: [] for field in columns}
    for _, part in stream_rows(path, columns, ROWS_AT_ONCE, dict.fromkeys(nullable, null)):
        for field, cells in part.items():
            found[field] += cells
    if not next(iter(found.values()), [""]):
        raise DataError.at(path, None, found="no row", expected="one segment per row")
    return found


ROWS_AT_ONCE = 4096
"""The number of rows that :func:`read_table` reads at a time."""


def stream_table(
    path: Path,
    columns: Mapping[str, str],
    size: int,
    nullable: Collection[str] = (),
    note: Note | None = None,
    *,
    has_header: bool = True,
) -> Iterator[tuple[int, Columns]]:
    """Read a table like :func:`read_table`, but a few rows at a time, for tables larger than memory.

    Args:
        path: the table.
        columns: the column of each field.
        size: the number of rows at a time.
        nullable: the fields in which null stands for the score of an empty segment.
        note: a function to call for each invalid row, whose fields are then blank.
        has_header: whether the first row of TSV and CSV has the names of the columns; otherwise, columns are numbers.

    Returns:
        For each chunk, the number of its first line (in Parquet, row), and one string per segment for each field.
    """
    null = dict.fromkeys(nullable, NAN)
    rows = stream_rows(path, columns, size, null, note, has_header=has_header)
    return ((numbers[0], texts) for numbers, texts in rows)


def stream_rows(
    path: Path,
    columns: Mapping[str, str],
    size: int,
    null: Mapping[str, str] | None = None,
    note: Note | None = None,
    *,
    has_header: bool = True,
) -> Iterator[tuple[list[int], Columns]]:
    """Read a table like :func:`stream_table`, and number each row.

    Args:
        path: the table.
        columns: the column of each field.
        size: the number of rows at a time.
        null: the text that null stands for, for each field that may be null.
        note: as in :func:`stream_table`.
        has_header: as in :func:`stream_table`.

    Returns:
        For each chunk, the number of the line (in Parquet, row) of each segment, and one string per segment for each
        field.
    """
    with closing(table_rows(path, list(columns.values()), has_header=has_header)) as rows:
        while part := list(islice(rows, size)):
            yield [number for number, _, _ in part], texts_of_rows(part, columns, path, null, note)


def line_of_row(path: Path, columns: Mapping[str, str], row: int, null: Mapping[str, str] | None = None) -> int:
    """Return the number of the line of a row of a table that can be read, for an error; rows are counted from 1."""
    for numbers, _ in stream_rows(path, columns, ROWS_AT_ONCE, null):
        if row <= len(numbers):
            return numbers[row - 1]
        row -= len(numbers)
    return row


def table_rows(path: Path, names: Collection[str], *, has_header: bool = True) -> Generator[Row, None, None]:
    """Yield the rows of a table one by one, with the cells of some columns as they are, which may be lists.

    Close the generator if not all rows are read.

    Args:
        path: the table.
        names: the columns.
        has_header: as in :func:`stream_table`.

    Returns:
        For each row, its number, the cells in the order of the columns or the error of an invalid row, and its content.
    """
    path = Path(path)
    inner = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    return for_suffix(inner, READERS if has_header else WITHOUT_HEADER)(path, names)


def for_suffix(path: Path, known: Mapping[str, T]) -> T:
    """Look up the suffix of a table.

    Raises:
        DataError: when the suffix is unknown.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in known:
        advice = ""
        if is_pipe(path):
            advice = "The name of a pipe does not tell the format: write a file, or use standard input (kiwi score)."
        raise DataError.at(
            path,
            None,
            found=f"the suffix '{suffix}'",
            expected=f"the suffix of a table: {', '.join(known)}",
            advice=advice,
        )
    return known[suffix]


def _read_tsv(path: Path, wanted: Collection[str], *, has_header: bool = True) -> Generator[Row, None, None]:
    damaged: dict[int, tuple[DataError, str]] = {}
    with closing(_stream_text(path, damaged)) as lines:
        first = next(lines)
        if 1 in damaged and has_header:
            raise damaged[1][0]
        names = (damaged[1][1] if 1 in damaged else first).split("\t")
        indices = _find_indices(path, wanted, names, has_header=has_header)
        rows = enumerate(lines, start=2) if has_header else enumerate(chain([first], lines), start=1)
        for number, line in rows:
            cells = line.split("\t")
            if number in damaged:
                yield number, *damaged.pop(number)
            elif len(cells) != len(names):
                yield number, _other_width(path, number, cells, names), line
            else:
                yield number, [cells[index] for index in indices], line


def _read_csv(path: Path, wanted: Collection[str], *, has_header: bool = True) -> Generator[Row, None, None]:
    number = 1
    damaged: dict[int, tuple[DataError, str]] = {}
    with closing(_stream_text(path, damaged)) as lines:
        # Damaged lines keep their quotes, which tell where rows end.
        whole = (f"{damaged[n][1] if n in damaged else line}\n" for n, line in enumerate(lines, start=1))
        first = first_row(whole, str)
        delimiter = find_delimiter("".join(first), wanted)
        rows = csv.reader(chain(first, whole), delimiter=delimiter, strict=True)
        names: list[str] = []
        indices: list[int] = []
        try:
            for cells in rows:
                found_damage = [damaged.pop(n) for n in range(number, rows.line_num + 1) if n in damaged]
                is_first = bool(cells) and not names
                if is_first:
                    if has_header and found_damage:
                        raise found_damage[0][0]
                    names, indices = cells, _find_indices(path, wanted, cells, has_header=has_header, number=number)
                if not cells or (is_first and has_header):
                    pass
                elif found_damage:
                    yield number, found_damage[0][0], delimiter.join(cells)
                elif len(cells) != len(names):
                    yield number, _other_width(path, number, cells, names), delimiter.join(cells)
                else:
                    yield number, [cells[index] for index in indices], delimiter.join(cells)
                number = rows.line_num + 1
        except csv.Error as reason:
            advice = 'Quote cells with a delimiter, quote or line end, and double quotes in them: "say ""hi""".'
            found, expected = f"invalid CSV ({reason})", "separated values as in RFC 4180"
            raise DataError.at(path, number, found=found, expected=expected, advice=advice) from reason
    if not names:
        raise no_line(path)


def _find_indices(
    path: Path, wanted: Collection[str], names: Sequence[str], *, has_header: bool, number: int = 1
) -> list[int]:
    """Return the position of each wanted column, given the cells of the first row."""
    places = find_columns({name: name for name in wanted}, names, path, number, has_header=has_header)
    return [places[name] for name in wanted]


def _other_width(path: Path, number: int, cells: Sequence[str], names: Sequence[str]) -> DataError:
    return DataError.at(path, number, found=f"{len(cells)} columns", expected=f"{len(names)}, as in the first line")


def _read_jsonl(path: Path, wanted: Collection[str]) -> Generator[Row, None, None]:
    # Marks and carriage returns outside of cells mean nothing in JSON; those inside are looked at cell by cell.
    damaged: dict[int, tuple[DataError, str]] = {}
    is_named = False
    with closing(_stream_text(path, damaged, warn=False)) as lines:
        for number, line in enumerate(lines, start=1):
            if number in damaged:
                yield number, *damaged.pop(number)
                continue
            try:
                cells: list[Any] | DataError = json_cells(line, path, number, wanted)
            except DataError as error:
                cells = error
            row = number, cells, line
            is_named = is_named or has_names([row])
            yield row


def _stream_text(
    path: Path, damaged: dict[int, tuple[DataError, str]], *, warn: bool = True
) -> Generator[str, None, None]:
    """Yield the lines of a file; those that are not text are blank, and their errors are added to ``damaged``."""
    return stream_lines(path, lambda number, error, line: damaged.update({number: (error, line)}), warn=warn)


Reader = Callable[[Path, Collection[str]], Generator[Row, None, None]]
"""A function that yields the rows of a table, given the table and the columns."""

READERS: dict[str, Reader] = {".tsv": _read_tsv, ".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": parquet_rows}
"""The function that reads each kind of table, by its suffix."""

WITHOUT_HEADER: dict[str, Reader] = {
    ".tsv": partial(_read_tsv, has_header=False),
    ".csv": partial(_read_csv, has_header=False),
}
"""The function that reads each kind of table whose first row may be a segment, by its suffix."""

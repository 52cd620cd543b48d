"""Reads tables with named columns and one segment per row: TSV, CSV, JSON Lines and Parquet.

The result is the same as for parallel files with one segment per line. A cell may be text, a number, or a list of
words, tags or numbers, which are joined with spaces.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from kiwi.data.files.cells import Row, check_names, has_names, json_cells, plain_names, texts_of_rows
from kiwi.data.files.lines import Columns, Note, stream_lines
from kiwi.data.files.parquet import parquet_rows
from kiwi.exceptions import DataError
from kiwi.utils.compression import SUFFIXES as COMPRESSED
from kiwi.utils.inputs import is_pipe

T = TypeVar("T")

NAN = "nan"
"""The text that stands for the score of an empty segment."""


def read_table(path: Path, columns: Mapping[str, str], nullable: Collection[str] = ()) -> Columns:
    """Read some columns of a table, in the format of its suffix.

    Args:
        path: the table, with the suffix ``.tsv`` (a header line, no quoting), ``.csv`` (a header line, quoting as in
            RFC 4180), ``.jsonl`` (one object per line) or ``.parquet``. A compression suffix may follow.
        columns: the column name of each field.
        nullable: the fields in which null stands for the score of an empty segment; it is read as ``nan``.

    Returns:
        One string per segment for each field.

    Raises:
        DataError: at the first invalid line or row.
        MissingExtraError: when pyarrow is not installed, for Parquet.
    """
    found: Columns = {field: [] for field in columns}
    for _, part in stream_table(path, columns, ROWS_AT_ONCE, nullable):
        for field, cells in part.items():
            found[field] += cells
    if not next(iter(found.values()), [""]):
        raise DataError.at(path, None, found="no row", expected="one segment per row")
    return found


ROWS_AT_ONCE = 4096
"""The number of rows that :func:`read_table` reads at a time."""


def stream_table(
    path: Path, columns: Mapping[str, str], size: int, nullable: Collection[str] = (), note: Note | None = None
) -> Iterator[tuple[int, Columns]]:
    """Read a table like :func:`read_table`, but a few rows at a time, for tables larger than memory.

    Args:
        path: the table.
        columns: the column name of each field.
        size: the number of rows at a time.
        nullable: the fields in which null stands for the score of an empty segment.
        note: a function to call for each invalid row, whose fields are then blank.

    Returns:
        For each chunk, the number of its first line (in Parquet, row), and one string per segment for each field.
    """
    return (
        (numbers[0], texts) for numbers, texts in stream_rows(path, columns, size, dict.fromkeys(nullable, NAN), note)
    )


def stream_rows(
    path: Path, columns: Mapping[str, str], size: int, null: Mapping[str, str] | None = None, note: Note | None = None
) -> Iterator[tuple[list[int], Columns]]:
    """Read a table like :func:`stream_table`, and number each row.

    Args:
        path: the table.
        columns: the column name of each field.
        size: the number of rows at a time.
        null: the text that null stands for, for each field that may be null.
        note: as in :func:`stream_table`.

    Returns:
        For each chunk, the number of the line (in Parquet, row) of each segment, and one string per segment for each
        field.
    """
    with closing(table_rows(path, list(columns.values()))) as rows:
        while part := list(islice(rows, size)):
            yield [number for number, _, _ in part], texts_of_rows(part, columns, path, null, note)


def line_of_row(path: Path, columns: Mapping[str, str], row: int, null: Mapping[str, str] | None = None) -> int:
    """Return the number of the line of a row of a table that can be read, for an error; rows are counted from 1."""
    for numbers, _ in stream_rows(path, columns, ROWS_AT_ONCE, null):
        if row <= len(numbers):
            return numbers[row - 1]
        row -= len(numbers)
    return row


def table_rows(path: Path, names: Collection[str]) -> Generator[Row, None, None]:
    """Yield the rows of a table one by one, with the cells of some columns as they are, which may be lists.

    Close the generator if not all rows are read.

    Args:
        path: the table.
        names: the columns.

    Returns:
        For each row, its number, the cells in the order of the columns or the error of an invalid row, and its content.
    """
    path = Path(path)
    inner = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    return for_suffix(inner, READERS)(path, names)


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


def _read_tsv(path: Path, wanted: Collection[str]) -> Generator[Row, None, None]:
    damaged: dict[int, tuple[DataError, str]] = {}
    with closing(_stream_text(path, damaged)) as lines:
        header = next(lines)
        if 1 in damaged:
            raise damaged[1][0]
        names = plain_names(header.split("\t"), wanted)
        check_names(path, 1, wanted, names)
        indices = [names.index(name) for name in wanted]
        for number, line in enumerate(lines, start=2):
            cells = line.split("\t")
            if number in damaged:
                yield number, *damaged.pop(number)
            elif len(cells) != len(names):
                expected = f"{len(names)}, as in the header line"
                yield number, DataError.at(path, number, found=f"{len(cells)} columns", expected=expected), line
            else:
                yield number, [cells[index] for index in indices], line


def _read_csv(path: Path, wanted: Collection[str]) -> Generator[Row, None, None]:
    number = 1
    damaged: dict[int, tuple[DataError, str]] = {}
    with closing(_stream_text(path, damaged)) as lines:
        # Damaged lines keep their quotes, which tell where rows end.
        whole = (damaged[n][1] if n in damaged else line for n, line in enumerate(lines, start=1))
        rows = csv.reader((f"{line}\n" for line in whole), strict=True)
        try:
            names = plain_names(next(rows), wanted)
            if damaged_now := damaged.get(1):
                raise damaged_now[0]
            check_names(path, 1, wanted, names)
            indices = [names.index(name) for name in wanted]
            number = rows.line_num + 1
            for cells in rows:
                if found_damage := [damaged.pop(n) for n in range(number, rows.line_num + 1) if n in damaged]:
                    yield number, found_damage[0][0], ",".join(cells)
                elif len(cells) != len(names):
                    expected = f"{len(names)}, as in the header line"
                    error = DataError.at(path, number, found=f"{len(cells)} columns", expected=expected)
                    yield number, error, ",".join(cells)
                else:
                    yield number, [cells[index] for index in indices], ",".join(cells)
                number = rows.line_num + 1
        except csv.Error as reason:
            advice = 'Quote cells with a comma, quote or line end, and double quotes in them: "say ""hi""".'
            found, expected = f"invalid CSV ({reason})", "comma-separated values as in RFC 4180"
            raise DataError.at(path, number, found=found, expected=expected, advice=advice) from reason


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


READERS = {".tsv": _read_tsv, ".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": parquet_rows}
"""The function that reads each kind of table, by its suffix."""

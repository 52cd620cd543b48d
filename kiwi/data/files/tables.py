"""Reads tables with named columns and one segment per row: TSV, CSV, JSON Lines and Parquet.

The result is the same as for parallel files with one segment per line. A cell may be text, a number, or a list of
words, tags or numbers, which are joined with spaces.
"""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kiwi.data.files.lines import Columns, Note, stream_lines
from kiwi.exceptions import DataError
from kiwi.utils.compression import SUFFIXES as COMPRESSED
from kiwi.utils.imports import needs_extra
from kiwi.utils.inputs import is_pipe, plain_file
from kiwi.utils.io import did_you_mean
from kiwi.utils.text import MARK

if TYPE_CHECKING:
    import pyarrow

logger = logging.getLogger(__name__)

T = TypeVar("T")

Rows = Generator[tuple[int, Mapping[str, Any] | DataError, Any], None, None]
"""The number of each row or line, its cells by column or the error of an invalid line, and its content."""

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
    null = null or {}
    path = Path(path)
    inner = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    reader = for_suffix(inner, {".tsv": _read_tsv, ".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet})

    def texts(number: int, row: Mapping[str, Any] | DataError, content: Any) -> list[str]:
        try:
            if isinstance(row, DataError):
                raise row
            return [
                null[field] if row[name] is None and field in null else cell_text(row[name], path, number, name)
                for field, name in columns.items()
            ]
        except DataError as error:
            if note is None:
                raise
            note(number, error, content)
            return [""] * len(columns)

    with closing(reader(path, columns.values())) as rows:
        while part := list(islice(rows, size)):
            by_row = [texts(*row) for row in part]
            cells = dict(zip(columns, map(list, zip(*by_row, strict=True)), strict=True))
            yield [number for number, _, _ in part], cells


def check_table_format(suffix: str) -> None:
    """Check that the libraries for a table format are installed, before any work is done.

    Args:
        suffix: the suffix of the format, such as ``.parquet``.

    Raises:
        MissingExtraError: when a library is missing; it names the extra to install.
    """
    if suffix == ".parquet":
        with needs_extra("parquet", "Parquet"):
            import pyarrow.parquet  # noqa: F401


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


def check_names(path: object, number: int | None, wanted: Collection[str], known: Sequence[str]) -> None:
    """Check that a table has each of some columns exactly once.

    Args:
        path: the table, for errors.
        number: the number of the line that names the columns, for errors.
        wanted: the names of the required columns.
        known: the names of all columns of the table.

    Raises:
        DataError: at the first required column that is missing or duplicated.
    """
    for name in wanted:
        if known.count(name) != 1:
            found = f"no column '{name}'" if name not in known else f"several columns '{name}'"
            advice = did_you_mean(name, known) if name not in known else ""
            raise DataError.at(
                path, number, found=found, expected="one", advice=advice and f"{advice[0].upper()}{advice[1:]}"
            )


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
        found = "null" if cell is None else f"{cell!s:.60}, of type {type(cell).__name__},"
        expected = "text, a number, or a list of words, tags or numbers"
    elif "\n" in text:
        found, expected = "a line end in the text", "one segment per row, on one line"
    elif "\0" in text:
        found, expected = "a NUL character", "text without it"
    else:
        return text
    raise DataError.at(path, number, found=f"{found} in column '{name}'", expected=expected)


def _joined(cell: Any) -> str | None:
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return repr(cell)
    if not isinstance(cell, list):
        return None
    items = [item if isinstance(item, str) else _joined(item) for item in cell if not isinstance(item, list)]
    if len(items) < len(cell) or any(item is None or not item or set(item) & set(" \t\n") for item in items):
        return None
    return " ".join(map(str, items))


def _read_tsv(path: Path, wanted: Collection[str]) -> Rows:
    damaged: dict[int, tuple[DataError, str]] = {}
    with closing(_stream_text(path, damaged)) as lines:
        header = next(lines)
        if 1 in damaged:
            raise damaged[1][0]
        names = header.split("\t")
        check_names(path, 1, wanted, names)
        for number, line in enumerate(lines, start=2):
            cells = line.split("\t")
            if number in damaged:
                yield number, *damaged.pop(number)
            elif len(cells) != len(names):
                expected = f"{len(names)}, as in the header line"
                yield number, DataError.at(path, number, found=f"{len(cells)} columns", expected=expected), line
            else:
                yield number, dict(zip(names, cells, strict=True)), line


def _read_csv(path: Path, wanted: Collection[str]) -> Rows:
    number = 1
    damaged: dict[int, tuple[DataError, str]] = {}
    with closing(_stream_text(path, damaged)) as lines:
        # Damaged lines keep their quotes, which tell where rows end.
        whole = (damaged[n][1] if n in damaged else line for n, line in enumerate(lines, start=1))
        rows = csv.reader((f"{line}\n" for line in whole), strict=True)
        try:
            names = next(rows)
            if damaged_now := damaged.get(1):
                raise damaged_now[0]
            check_names(path, 1, wanted, names)
            number = rows.line_num + 1
            for cells in rows:
                if found_damage := [damaged.pop(n) for n in range(number, rows.line_num + 1) if n in damaged]:
                    yield number, found_damage[0][0], ",".join(cells)
                elif len(cells) != len(names):
                    expected = f"{len(names)}, as in the header line"
                    error = DataError.at(path, number, found=f"{len(cells)} columns", expected=expected)
                    yield number, error, ",".join(cells)
                else:
                    yield number, dict(zip(names, cells, strict=True)), ",".join(cells)
                number = rows.line_num + 1
        except csv.Error as reason:
            advice = 'Quote cells with a comma, quote or line end, and double quotes in them: "say ""hi""".'
            found, expected = f"invalid CSV ({reason})", "comma-separated values as in RFC 4180"
            raise DataError.at(path, number, found=found, expected=expected, advice=advice) from reason


def _read_jsonl(path: Path, wanted: Collection[str]) -> Rows:
    # Marks and carriage returns outside of cells mean nothing in JSON; those inside are looked at cell by cell.
    damaged: dict[int, tuple[DataError, str]] = {}
    with closing(_stream_text(path, damaged, warn=False)) as lines:
        for number, line in enumerate(lines, start=1):
            if number in damaged:
                yield number, *damaged.pop(number)
                continue
            try:
                row: Mapping[str, Any] | DataError = json_row(line, path, number, wanted)
            except DataError as error:
                row = error
            yield number, row, line


def _stream_text(
    path: Path, damaged: dict[int, tuple[DataError, str]], *, warn: bool = True
) -> Generator[str, None, None]:
    """Yield the lines of a file; those that are not text are blank, and their errors are added to ``damaged``."""
    return stream_lines(path, lambda number, error, line: damaged.update({number: (error, line)}), warn=warn)


def json_row(line: str, path: object, number: int, wanted: Collection[str]) -> Mapping[str, Any]:
    """Parse a line of JSON Lines into its cells by column.

    Args:
        line: the text of the line.
        path: the file, for errors.
        number: the number of the line, for errors.
        wanted: the required columns.

    Raises:
        DataError: when the line is not a JSON object, or lacks a required column.
    """
    row = json_object(line, path, number)
    check_names(path, number, wanted, list(row))
    return row


def json_object(line: str, path: object, number: int | None) -> dict[str, Any]:
    """Parse a line of JSON Lines like :func:`json_row`, without required columns."""
    try:
        row = json.loads(line)
        if "\\u" in line:
            json.dumps(row, ensure_ascii=False).encode()  # refuse an escaped lone surrogate
    except (ValueError, RecursionError) as error:
        found = f"invalid JSON ({error.msg if isinstance(error, json.JSONDecodeError) else error})"
        raise DataError.at(path, number, found=found, expected="one object per line") from error
    if not isinstance(row, dict):
        expected = "a JSON object with the columns by name"
        raise DataError.at(path, number, found=f"{line:.60}", expected=expected)
    return row


def _read_parquet(path: Path, wanted: Collection[str]) -> Rows:
    check_table_format(".parquet")
    import pyarrow
    import pyarrow.parquet

    number = 0
    plain, copy = plain_file(path)
    with copy if copy is not None else nullcontext():
        try:
            with pyarrow.parquet.ParquetFile(plain) as file:
                check_names(path, None, wanted, file.schema_arrow.names)
                for batch in file.iter_batches(columns=list(wanted)):
                    invalid = dict(invalid_texts(batch))
                    cells = [[] if invalid else batch.column(name).to_pylist() for name in wanted]
                    for index in range(batch.num_rows):
                        number += 1
                        if index in invalid:
                            found = f"bytes in column '{invalid[index]}'"
                            error = DataError.at(path, number, found=found, expected="UTF-8")
                            yield number, error, readable_row(batch, index)
                            continue
                        row = (
                            {name: batch.column(name)[index].as_py() for name in wanted}
                            if invalid
                            else {name: column[index] for name, column in zip(wanted, cells, strict=True)}
                        )
                        yield number, row, row
        except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
            reason = " ".join(str(error).split())
            raise DataError(f"{path}: cannot be read as Parquet, after row {number} ({reason:.200}).") from error


def invalid_texts(batch: pyarrow.RecordBatch) -> Iterator[tuple[int, str]]:
    """Yield the cells of a batch of Parquet that are not UTF-8: their row, from 0, and their column."""
    import pyarrow

    try:
        batch.validate(full=True)
    except pyarrow.ArrowInvalid:  # which does not name the row
        for index in range(batch.num_rows):
            for name in batch.schema.names:
                try:
                    batch.column(name)[index].as_py()
                except UnicodeDecodeError:
                    yield index, name


def readable_row(batch: pyarrow.RecordBatch, index: int) -> dict[str, Any]:
    """Return the cells of a row of Parquet by column, and as text where they are not what their type says."""
    return {name: _readable(batch.column(name)[index]) for name in batch.schema.names}


def _readable(cell: pyarrow.Scalar) -> Any:
    try:
        return cell.as_py()
    except UnicodeDecodeError as error:
        return error.object.decode("utf-8", "backslashreplace")
    except (ValueError, OverflowError):  # such as a date beyond those of Python
        return str(cell)

"""Tables with named columns, one segment a row: TSV, JSON Lines and Parquet.

They give the same strings that files of one segment a line give. A cell may be a text, a number, or a list of words,
tags or numbers, which stands for them with spaces between.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from kiwi.data.files.lines import Columns, stream_lines
from kiwi.exceptions import DataError
from kiwi.utils.imports import needs_extra
from kiwi.utils.io import did_you_mean

T = TypeVar("T")

Rows = Generator[tuple[int, Mapping[str, Any]], None, None]
"""Number of each row or line, and its cells by column."""

NAN = "nan"
"""The score of an empty segment."""


def read_table(path: Path, columns: Mapping[str, str], nullable: Collection[str] = ()) -> Columns:
    """Read some columns of a table, in the format that its suffix names.

    Args:
        path: ending in ``.tsv`` (a first line of names, no quoting), ``.jsonl`` (an object a line) or ``.parquet``.
        columns: field name to the name of its column.
        nullable: fields in which null may stand for the score of an empty segment; it reads as ``nan``.

    Returns:
        Field name to one string a segment.

    Raises:
        DataError: naming file, line (of Parquet: the row) and column.
        MissingExtraError: when pyarrow is not installed, for Parquet.
    """
    found: Columns = {field: [] for field in columns}
    for _, part in stream_table(path, columns, ROWS_AT_ONCE, nullable):
        for field, cells in part.items():
            found[field] += cells
    if not next(iter(found.values()), [""]):
        raise DataError.at(path, None, found="no row", expected="one segment a row")
    return found


ROWS_AT_ONCE = 4096


def stream_table(
    path: Path, columns: Mapping[str, str], size: int, nullable: Collection[str] = ()
) -> Iterator[tuple[int, Columns]]:
    """As :func:`read_table`, some rows at a time: for tables larger than memory.

    Args:
        path: as in :func:`read_table`.
        columns: field name to the name of its column.
        size: rows at a time.
        nullable: as in :func:`read_table`.

    Returns:
        The number of the first line (of Parquet: row), and field name to one string a segment.
    """
    reader = of_suffix(path, {".tsv": _read_tsv, ".jsonl": _read_jsonl, ".parquet": _read_parquet})
    with closing(reader(path, columns.values())) as rows:
        while part := list(islice(rows, size)):
            texts = {
                field: [cell_text(row[name], path, number, name, nullable=field in nullable) for number, row in part]
                for field, name in columns.items()
            }
            yield part[0][0], texts


def check_table_format(suffix: str) -> None:
    """Check that what a format needs is installed, before any work is done for it.

    Args:
        suffix: such as ``.parquet``.

    Raises:
        MissingExtraError: naming the extra to install.
    """
    if suffix == ".parquet":
        with needs_extra("parquet", "Parquet"):
            import pyarrow.parquet  # noqa: F401


def of_suffix(path: Path, known: Mapping[str, T]) -> T:
    """What is known for the suffix of a table.

    Raises:
        DataError: for a suffix that nothing is known for.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in known:
        raise DataError.at(
            path, None, found=f"the suffix '{suffix}'", expected=f"the name of a table: {', '.join(known)}"
        )
    return known[suffix]


def check_names(path: object, number: int | None, wanted: Collection[str], known: Sequence[str]) -> None:
    """Check that a table has each of some columns once.

    Args:
        path: of the table, for errors.
        number: of the line that names the columns, for errors.
        wanted: names.
        known: names that the table has.

    Raises:
        DataError: at the first name that is not there, or several times.
    """
    for name in wanted:
        if known.count(name) != 1:
            found = f"no column '{name}'" if name not in known else f"several columns '{name}'"
            advice = did_you_mean(name, known) if name not in known else ""
            raise DataError.at(
                path, number, found=found, expected="one", advice=advice and f"{advice[0].upper()}{advice[1:]}"
            )


def cell_text(cell: Any, path: object, number: int, name: str, *, nullable: bool = False) -> str:
    """The string that stands for a cell in a file of one segment a line.

    Args:
        cell: of a row.
        path: of the table, for errors.
        number: of the line or row, for errors.
        name: of the column, for errors.
        nullable: whether null may stand for the score of an empty segment.

    Raises:
        DataError: when none does.
    """
    if cell is None and nullable:
        return NAN
    text = cell if isinstance(cell, str) else _joined(cell)
    if text is None:
        found = "null" if cell is None else f"{cell!s:.60}, of type {type(cell).__name__},"
        expected = "text, a number, or a list of words, tags or numbers"
    elif "\n" in text:
        found, expected = "a line end in the text", "one segment a row, in one line"
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
    with closing(stream_lines(path)) as lines:
        names = next(lines).split("\t")
        check_names(path, 1, wanted, names)
        for number, line in enumerate(lines, start=2):
            cells = line.split("\t")
            if len(cells) != len(names):
                expected = f"{len(names)}, as the first line names them"
                raise DataError.at(path, number, found=f"{len(cells)} columns", expected=expected)
            yield number, dict(zip(names, cells, strict=True))


def _read_jsonl(path: Path, wanted: Collection[str]) -> Rows:
    with closing(stream_lines(path)) as lines:
        for number, line in enumerate(lines, start=1):
            yield number, json_row(line, path, number, wanted)


def json_row(line: str, path: object, number: int, wanted: Collection[str]) -> Mapping[str, Any]:
    """The cells of a line of JSON Lines, by column.

    Args:
        line: of the file.
        path: of the file, for errors.
        number: of the line.
        wanted: columns that have to be there.

    Raises:
        DataError: naming the line.
    """
    row = json_object(line, path, number)
    check_names(path, number, wanted, list(row))
    return row


def json_object(line: str, path: object, number: int | None) -> dict[str, Any]:
    """As :func:`json_row`, whatever columns there are."""
    try:
        row = json.loads(line)
        if "\\u" in line:
            json.dumps(row, ensure_ascii=False).encode()  # half a character (a lone surrogate) can be escaped
    except (ValueError, RecursionError) as error:
        found = f"no valid JSON ({error.msg if isinstance(error, json.JSONDecodeError) else error})"
        raise DataError.at(path, number, found=found, expected="an object a line") from error
    if not isinstance(row, dict):
        expected = "a JSON object, with the columns by name"
        raise DataError.at(path, number, found=f"{line:.60}", expected=expected)
    return row


def _read_parquet(path: Path, wanted: Collection[str]) -> Rows:
    check_table_format(".parquet")
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            check_names(path, None, wanted, file.schema_arrow.names)
            for batch in file.iter_batches(columns=list(wanted)):
                cells = [batch.column(name).to_pylist() for name in wanted]
                for values in zip(*cells, strict=True):
                    number += 1
                    yield number, dict(zip(wanted, values, strict=True))
    except (pyarrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: cannot be read as Parquet, after row {number} ({reason:.200}).") from error

"""Rows of Parquet, and texts in them that are not UTF-8."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiwi.data.files.cells import Row, check_names
from kiwi.exceptions import DataError
from kiwi.utils.imports import needs_extra
from kiwi.utils.inputs import plain_file

if TYPE_CHECKING:
    import pyarrow


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


def parquet_rows(path: Path, wanted: Collection[str]) -> Generator[Row, None, None]:
    """Yield the rows of a Parquet file, with the cells of some columns.

    Args:
        path: the file.
        wanted: the columns.

    Raises:
        DataError: when the file cannot be read, or lacks a column.
        MissingExtraError: when pyarrow is not installed.
    """
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
                    columns = [batch.column(name) for name in wanted]
                    if not invalid:
                        for cells in zip(*(column.to_pylist() for column in columns), strict=True):
                            number += 1
                            yield number, cells, dict(zip(wanted, cells, strict=True))
                        continue
                    for index in range(batch.num_rows):
                        number += 1
                        if index in invalid:
                            found = f"bytes in column '{invalid[index]}'"
                            error = DataError.at(path, number, found=found, expected="UTF-8")
                            yield number, error, readable_row(batch, index)
                        else:
                            cells = tuple(column[index].as_py() for column in columns)
                            yield number, cells, dict(zip(wanted, cells, strict=True))
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

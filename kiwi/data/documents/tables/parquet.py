"""Parquet: columns with scores are added behind the others, or in place of former ones, a batch of rows at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING

from kiwi.data.documents.parts import Row, Score, Segment, SkippedRow, as_given, one_line
from kiwi.data.documents.tables.former import FormerColumns
from kiwi.data.documents.tables.separated import present
from kiwi.data.files.cells import check_names, field_text
from kiwi.data.files.parquet import check_table_format, invalid_texts, readable_row
from kiwi.data.files.table_writers import arrow_type, without_nan
from kiwi.data.flags import COLUMN
from kiwi.data.labels.policy import DECISION, REASON
from kiwi.exceptions import DataError
from kiwi.outputs import column_kinds
from kiwi.utils.inputs import plain_file

if TYPE_CHECKING:
    import pyarrow

NUMBER = 8
"""The number of bytes of a number."""


def copy_parquet(
    path: Path,
    output: Path | IO[bytes],
    columns: Mapping[str, str],
    optional: Collection[str],
    score: Score,
    size: int,
) -> int:
    """Copy a Parquet table with the scores of its rows.

    Args:
        path: the table.
        output: the file to write.
        columns: the column of each field.
        optional: the fields that are read only if their columns are there.
        score: the function that scores segments.
        size: the number of rows at a time.

    Returns:
        The number of rows.

    Raises:
        DataError: when the table is damaged, or lacks a column.
        MissingExtraError: when pyarrow is not installed.
    """
    check_table_format(".parquet")
    import pyarrow.parquet

    plain, copy = plain_file(path)
    n_rows = 0
    with ExitStack() as stack:
        stack.enter_context(copy if copy is not None else nullcontext())
        writer, former = None, FormerColumns(path)
        for compression, batch in _batches(plain, path, present(columns, optional, ()), size):
            given = present(columns, optional, batch.schema.names)
            segments = list(_segments(batch, given, path, n_rows + 1))
            scored = _with_columns(batch, score(segments), given.values(), former)
            if writer is None:
                parquet = pyarrow.parquet.ParquetWriter(output, scored.schema, compression=compression)
                writer = stack.enter_context(parquet)
            writer.write_batch(scored)
            n_rows += len(segments)
    return n_rows


def parquet_size(path: Path, limit: int) -> int:
    """Return the number of bytes of a table's pages when they are decompressed, or of its values, whichever is more.

    Values that repeat take almost no place in a table. What is more than a limit is not counted to the end.

    Args:
        path: the table.
        limit: the limit.

    Raises:
        DataError: when the table is damaged.
        MissingExtraError: when pyarrow is not installed.
    """
    check_table_format(".parquet")
    import pyarrow
    import pyarrow.compute
    import pyarrow.parquet

    plain, copy = plain_file(path)
    with copy if copy is not None else nullcontext(), _damage_named(path):
        with pyarrow.parquet.ParquetFile(plain) as file:
            about = file.metadata
            groups = [about.row_group(index) for index in range(about.num_row_groups)]
            chunks = [group.column(index) for group in groups for index in range(about.num_columns)]
            n_bytes: int = max(
                sum(chunk.total_uncompressed_size for chunk in chunks),
                NUMBER * sum(chunk.num_values for chunk in chunks),
            )
            is_text = (pyarrow.types.is_string, pyarrow.types.is_large_string, pyarrow.types.is_binary)
            names = [each.name for each in file.schema_arrow if any(test(each.type) for test in is_text)]
        if n_bytes > limit or not names:
            return n_bytes
        n_values = 0
        with pyarrow.parquet.ParquetFile(plain, read_dictionary=names) as file:
            for batch in file.iter_batches(2**16, columns=names):
                for column in batch.columns:
                    lengths = pyarrow.compute.binary_length(column.dictionary)
                    total = pyarrow.compute.sum(pyarrow.compute.cast(lengths.take(column.indices), pyarrow.int64()))
                    n_values += int(total.as_py() or 0)
                if n_values > limit:
                    break
        return max(n_bytes, n_values)


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: cannot be read as Parquet ({reason:.200}).") from error


def _batches(
    plain: Path, path: Path, columns: Mapping[str, str], size: int
) -> Iterator[tuple[str, pyarrow.RecordBatch]]:
    """Yield the compression of a table, and its rows."""
    import pyarrow
    import pyarrow.parquet

    n_rows = 0
    try:
        with pyarrow.parquet.ParquetFile(plain) as file:
            check_names(path, None, columns.values(), file.schema_arrow.names)
            for batch in file.iter_batches(size):
                codec = file.metadata.row_group(0).column(0).compression.lower()
                yield {"uncompressed": "none", "lz4_raw": "lz4"}.get(codec, codec), batch
                n_rows += batch.num_rows
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: cannot be read as Parquet, after row {n_rows} ({reason:.200}).") from error


def _segments(batch: pyarrow.RecordBatch, columns: Mapping[str, str], path: Path, first: int) -> Iterator[Segment]:
    invalid = dict(invalid_texts(batch))
    for index in range(batch.num_rows):
        number = first + index
        try:
            if index in invalid:
                found = f"bytes in column '{invalid[index]}'"
                raise DataError.at(path, number, found=found, expected="UTF-8")
            cells = {field: batch.column(name)[index].as_py() for field, name in columns.items()}
            texts = {
                field: field_text(
                    field, one_line(cell) if isinstance(cell, str) else cell, path, number, columns[field]
                )
                for field, cell in cells.items()
            }
        except DataError as error:
            yield Segment(dict.fromkeys(columns, ""), number, error, readable_row(batch, index))
        else:
            yield Segment(texts, number, given=as_given(cells))


def _with_columns(
    batch: pyarrow.RecordBatch, rows: Sequence[Row], read: Collection[str], former: FormerColumns
) -> pyarrow.RecordBatch:
    """Return rows of a table with columns of scores, in the place of those of an earlier run if there are any.

    Args:
        batch: the rows.
        rows: their scores.
        read: the columns of fields.
        former: what finds the columns of an earlier run.
    """
    import pyarrow

    names = batch.schema.names
    types = pyarrow.types

    def has_numbers(at: int) -> bool:
        found = batch.schema.types[at]
        return any(test(found) for test in (types.is_floating, types.is_integer, types.is_decimal, types.is_null))

    runs = former.find(names, rows[0], [names.index(name) for name in read], None, has_numbers)
    kinds = {**column_kinds(), COLUMN: "texts", DECISION: "text", REASON: "text"}
    added = []
    for name in rows[0]:
        cells = pyarrow.array([without_nan(row[name]) for row in rows], arrow_type(kinds[name]))
        added.append((pyarrow.field(name, cells.type), cells))
    replaced = {at for run in runs for at in run}
    columns = [(batch.schema.field(at), batch.column(at)) for at in range(len(names)) if at not in replaced]
    place = runs[0].start if runs else len(columns)
    columns[place:place] = added
    schema = pyarrow.schema([field for field, _ in columns], batch.schema.metadata)
    batch = pyarrow.RecordBatch.from_arrays([cells for _, cells in columns], schema=schema)
    if any(isinstance(row, SkippedRow) for row in rows):
        batch = batch.filter(pyarrow.array([not isinstance(row, SkippedRow) for row in rows]))
    return batch

"""Batches of rows of Parquet, and the types of their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kiwi.data.files.parquet import readable_row

if TYPE_CHECKING:
    import pyarrow


def with_valid_texts(batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
    """Return a batch in which bytes that are not UTF-8 are escaped, because readers reject tables that have them."""
    import pyarrow

    rows = [readable_row(batch, index) for index in range(batch.num_rows)]
    columns = [
        pyarrow.array([row[field.name] for row in rows], field.type)
        if field.type in (pyarrow.string(), pyarrow.large_string())
        else batch.column(field.name)
        for field in batch.schema
    ]
    return pyarrow.RecordBatch.from_arrays(columns, schema=batch.schema)


def infer_schema(rows: list[dict[str, Any]]) -> pyarrow.Schema:
    """Infer the types of the columns of all rows, whereas pyarrow infers those of the first row only."""
    import pyarrow

    names = dict.fromkeys(name for row in rows for name in row)
    return pyarrow.schema([(name, pyarrow.array([row.get(name) for row in rows]).type) for name in names])

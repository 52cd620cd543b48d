"""Writes the rows of shards with their predictions, chunk by chunk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, Literal

from typing_extensions import override

from kiwi.data.files.table_writers import arrow_type, json_line, without_nan
from kiwi.data.segments.shards import Chunk
from kiwi.outputs import column_kinds

if TYPE_CHECKING:
    import pyarrow

OutputFormat = Literal["parquet", "jsonl"]


class ShardWriter(ABC):
    """A writer of the rows of a shard."""

    @abstractmethod
    def write(self, chunk: Chunk, outputs: Mapping[str, Sequence[Any]]) -> None:
        """Write the rows of a chunk.

        Args:
            chunk: a chunk of the shard.
            outputs: the columns to add to the valid rows, by name.
        """

    @abstractmethod
    def close(self) -> None:
        """Write the end of the file."""


class JsonlWriter(ShardWriter):
    """Writes one JSON object per line; NaN becomes null, dates and decimals text, and bytes Base64.

    Args:
        file: the file to write to.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    @override
    def write(self, chunk: Chunk, outputs: Mapping[str, Sequence[Any]]) -> None:
        rows = chunk.rows if chunk.batch is None else chunk.batch.to_pylist()
        for number, row in enumerate(rows):
            line = json_line(row | {name: cells[number] for name, cells in outputs.items()})
            self.file.write(line.encode() + b"\n")

    @override
    def close(self) -> None:
        pass


class ParquetWriter(ShardWriter):
    """Writes Parquet and keeps the types of the input columns.

    Args:
        file: the file to write to.
        schema: the schema of the input.
        outputs: the names of the columns to add.
    """

    def __init__(self, file: IO[bytes], schema: pyarrow.Schema, outputs: Sequence[str]) -> None:
        import pyarrow
        import pyarrow.parquet

        self.input_schema = schema
        types = {name: output_type(name) for name in outputs}
        self.schema = pyarrow.schema([*schema, *types.items()], metadata=schema.metadata)
        self.writer = pyarrow.parquet.ParquetWriter(file, self.schema, compression="zstd")

    @override
    def write(self, chunk: Chunk, outputs: Mapping[str, Sequence[Any]]) -> None:
        import pyarrow

        batch = chunk.batch
        if batch is None:
            batch = pyarrow.RecordBatch.from_pylist(chunk.rows, schema=self.input_schema)
        added = [
            pyarrow.array([without_nan(cell) for cell in cells], output_type(name)) for name, cells in outputs.items()
        ]
        self.writer.write_batch(pyarrow.RecordBatch.from_arrays([*batch.columns, *added], schema=self.schema))

    @override
    def close(self) -> None:
        self.writer.close()


def output_type(name: str) -> pyarrow.DataType:
    """Return the Arrow type of an output's column, which does not depend on the values that a shard has."""
    return arrow_type(column_kinds()[name])

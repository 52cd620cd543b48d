"""Rows of shards with what is added to them, written a chunk at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, Literal

from typing_extensions import override

from kiwi import constants as const
from kiwi.data.files.table_writers import json_line, without_nan
from kiwi.data.segments.shards import Chunk

if TYPE_CHECKING:
    import pyarrow

OutputFormat = Literal["parquet", "jsonl"]


class ShardWriter(ABC):
    """Writes the rows of a shard."""

    @abstractmethod
    def write(self, chunk: Chunk, outputs: Mapping[str, Sequence[Any]]) -> None:
        """Write some rows.

        Args:
            chunk: of the shard.
            outputs: name to what is added to each good row.
        """

    @abstractmethod
    def close(self) -> None:
        """Write what belongs at the end."""


class JsonlWriter(ShardWriter):
    """An object a line. A number that is none (NaN) is null; dates and decimals are text, bytes are Base64.

    Args:
        file: to write to.
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
    """Parquet, with the types that the columns have.

    Args:
        file: to write to.
        schema: of the input.
        outputs: names of what is added.
    """

    def __init__(self, file: IO[bytes], schema: pyarrow.Schema, outputs: Sequence[str]) -> None:
        import pyarrow
        import pyarrow.parquet

        self.kept = schema
        types = {name: output_type(name) for name in outputs}
        self.schema = pyarrow.schema([*schema, *types.items()], metadata=schema.metadata)
        self.writer = pyarrow.parquet.ParquetWriter(file, self.schema, compression="zstd")

    @override
    def write(self, chunk: Chunk, outputs: Mapping[str, Sequence[Any]]) -> None:
        import pyarrow

        batch = chunk.batch
        if batch is None:
            batch = pyarrow.RecordBatch.from_pylist(chunk.rows, schema=self.kept)
        added = [
            pyarrow.array([without_nan(cell) for cell in cells], output_type(name)) for name, cells in outputs.items()
        ]
        self.writer.write_batch(pyarrow.RecordBatch.from_arrays([*batch.columns, *added], schema=self.schema))

    @override
    def close(self) -> None:
        self.writer.close()


def output_type(name: str) -> pyarrow.DataType:
    """Arrow's type of an output, by name: of all segments, whatever those of one shard have."""
    import pyarrow

    kind = pyarrow.string() if name.endswith("_labels") else pyarrow.float64()
    return pyarrow.list_(kind) if name.removesuffix("_labels") in const.WORD_LEVEL else kind

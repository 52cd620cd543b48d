"""Shards: files of segments that are read in chunks with constant memory; invalid rows are rejected with a reason."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Literal

from kiwi import constants as const
from kiwi.data.files.lines import BOM, Columns
from kiwi.data.files.tables import cell_text, check_names, check_table_format, json_object
from kiwi.data.readers import check_columns
from kiwi.data.segments.bad_rows import OnBad, Reject
from kiwi.exceptions import DataError
from kiwi.utils.places import Place

if TYPE_CHECKING:
    import pyarrow

Format = Literal["parquet", "jsonl", "tsv", "text"]

SUFFIXES: dict[str, Format] = {".parquet": "parquet", ".jsonl": "jsonl", ".tsv": "tsv", ".txt": "text"}

LONGEST_LINE = 16 * 1024 * 1024
"""The maximum length of a line, in bytes; a longer line is an invalid row, and is not held in memory."""

SHOWN = 1000
"""The number of bytes of an overlong line that its reject keeps."""


@dataclass
class Chunk:
    """Consecutive rows of a shard."""

    columns: Columns
    """The validated texts of the rows to predict, by field."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    """All cells of each row to predict by column; empty for Parquet. A row that does not parse has none."""

    batch: pyarrow.RecordBatch | None = None
    """The rows of Parquet to predict."""

    rejects: list[Reject] = field(default_factory=list)
    """The invalid rows."""

    n_bad: int = 0
    """The number of invalid rows among those above, which have blank texts."""

    def __len__(self) -> int:
        return len(self.columns[const.TARGET])


@dataclass(frozen=True)
class Shard:
    """A file of segments.

    Raises:
        DataError: from all methods that read, when the whole file is unusable.
    """

    place: Place
    format: Format
    names: Mapping[str, str]
    """The column name of each field to read."""

    reserved: frozenset[str] = frozenset()
    """Names of the columns that prediction adds, which the file must not have."""
    on_bad: OnBad = "skip"

    def columns(self) -> list[str] | None:
        """Return the names of the columns, which in JSON Lines are those of the first row.

        The result is None when the file has no line, or the first row of JSON Lines is invalid.
        """
        if self.format == "text":
            return [self.names[const.SOURCE], self.names[const.TARGET]]
        if self.format == "parquet":
            return list(self._arrow_schema().names)
        with self.place.reading() as file, closing(self._lines(file)) as lines:
            _, line = next(lines, (1, None))
        if line is None:
            return None
        try:
            text = _decoded(line)
            return text.split("\t") if self.format == "tsv" else list(json_object(text, "", None))
        except DataError as error:
            if self.format == "jsonl":
                return None
            raise DataError(f"{self.place}, line 1: {error.reason}") from error

    def check(self) -> None:
        """Check the columns.

        Raises:
            DataError: when a column is missing, duplicated, or has a reserved name.
        """
        names, number = self.columns(), None if self.format == "parquet" else 1
        if names is not None:
            check_names(self.place, number, list(self.names.values()), names)
            check_names(self.place, number, names, names)
            self._check_reserved(names, number)

    def schema(self, rows_at_once: int) -> pyarrow.Schema:
        """Return the types of the columns; JSON Lines are read once more to infer the types of the valid rows."""
        import pyarrow

        if self.format == "parquet":
            return self._arrow_schema()
        if self.format != "jsonl":
            return pyarrow.schema([(name, pyarrow.string()) for name in self.columns() or ()])
        found = pyarrow.schema([])
        try:
            for chunk in self.chunks(rows_at_once):
                seen = pyarrow.RecordBatch.from_pylist(chunk.rows, _infer_schema(chunk.rows)).schema
                found = pyarrow.unify_schemas([found, seen], promote_options="permissive")
        except (pyarrow.ArrowException, OverflowError) as error:
            advice = "Set bulk.output_format=jsonl, which allows any types."
            reason = " ".join(str(error).split())[:200]
            raise DataError(
                f"{self.place}: found rows without common types for Parquet ({reason}). {advice}"
            ) from error
        return found

    def chunks(self, rows_at_once: int) -> Generator[Chunk, None, None]:
        """Yield the rows in chunks.

        Args:
            rows_at_once: the number of rows in a chunk, including invalid ones.
        """
        if self.format != "jsonl":  # in JSON Lines, the columns of each row are checked
            self.check()
        count = 0
        try:
            for chunk in (
                self._parquet_chunks(rows_at_once) if self.format == "parquet" else self._line_chunks(rows_at_once)
            ):
                yield chunk
                count += len(chunk) + len(chunk.rejects)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"{self.place}: cannot be read, after row {count} ({reason}).") from error

    def _line_chunks(self, rows_at_once: int) -> Iterator[Chunk]:
        """Yield the chunks of a text file."""
        with self.place.reading() as file:
            lines = self._lines(file)
            names = None if self.format == "jsonl" else self.columns()
            if self.format == "tsv":
                next(lines, None)
            while part := list(islice(lines, rows_at_once)):
                chunk = Chunk({name: [] for name in self.names})
                for number, line in part:
                    row: dict[str, Any] = {}
                    try:
                        row = self._row(_decoded(line), names)
                        self._add(chunk, row, number)
                    except DataError as error:
                        shown = line[:SHOWN] if len(line) > LONGEST_LINE else line
                        self._reject(chunk, number, error, shown.decode("utf-8", "backslashreplace"))
                        if self.on_bad == "nan":
                            chunk.rows.append(row if self._has_texts(row) else {})
                    else:
                        chunk.rows.append(row)
                yield chunk

    def _parquet_chunks(self, rows_at_once: int) -> Iterator[Chunk]:
        """Yield the chunks of a Parquet file."""
        import pyarrow.parquet

        first = 1
        # With a buffer, row groups are not read into memory as a whole.
        with self.place.reading() as source, pyarrow.parquet.ParquetFile(source, buffer_size=1 << 20) as file:
            for batch in file.iter_batches(batch_size=rows_at_once):
                chunk, good = Chunk({name: [] for name in self.names}), []
                cells = {name: batch.column(name).to_pylist() for name in self.names.values()}
                for index in range(batch.num_rows):
                    try:
                        self._add(chunk, {name: column[index] for name, column in cells.items()}, first + index)
                    except DataError as error:
                        (row,) = batch.slice(index, 1).to_pylist()
                        self._reject(chunk, first + index, error, row)
                    else:
                        good.append(index)
                complete = self.on_bad == "nan" or not chunk.rejects
                chunk.batch = batch if complete else batch.take(pyarrow.array(good, pyarrow.int64()))
                yield chunk
                first += batch.num_rows

    def _lines(self, file: IO[bytes]) -> Generator[tuple[int, bytes], None, None]:
        """Yield number and bytes of each line; an overlong line is cut, but still longer than the maximum."""
        number, mark = 0, BOM
        while line := file.readline(LONGEST_LINE + 2):
            number += 1
            rest = line
            while not rest.endswith(b"\n") and (rest := file.readline(LONGEST_LINE)):
                pass
            yield number, line.removeprefix(mark).removesuffix(b"\n").removesuffix(b"\r")
            mark = b""

    def _row(self, line: str, names: list[str] | None) -> dict[str, Any]:
        """Return the cells of a line by column."""
        if names is None:
            row = json_object(line, "", None)
            check_names(self.place, None, list(self.names.values()), list(row))
            self._check_reserved(row, None)
            return row
        cells = line.split("\t")
        if len(cells) != len(names):
            expected = f"{len(names)}, separated by tabs: {', '.join(names)}"
            raise DataError.at(self.place, None, found=f"{len(cells)} columns", expected=expected)
        return dict(zip(names, cells, strict=True))

    def _add(self, chunk: Chunk, row: Mapping[str, Any], number: int) -> None:
        """Add the texts of a row to a chunk, if all of them are valid."""
        texts = {name: [cell_text(row[column], "", number, column)] for name, column in self.names.items()}
        check_columns(texts, dict.fromkeys(texts, self.place))
        for name, (text,) in texts.items():
            chunk.columns[name].append(text)

    def _reject(self, chunk: Chunk, number: int, error: DataError, row: Any) -> None:
        """Add an invalid row to a chunk."""
        if self.on_bad == "stop":
            raise DataError(f"{self.place}, line {number}: {error.reason}") from error
        chunk.rejects.append(Reject(number, error.reason, row))
        if self.on_bad == "nan":
            chunk.n_bad += 1
            for column in chunk.columns.values():
                column.append("")

    def _has_texts(self, row: Mapping[str, Any]) -> bool:
        """Return whether the cells of a row have the types of valid rows."""
        try:
            return all(cell_text(row[column], "", 0, column) is not None for column in self.names.values())
        except (DataError, KeyError):
            return False

    def _check_reserved(self, names: Collection[str], number: int | None) -> None:
        if both := sorted(self.reserved.intersection(names)):
            advice = "Rename the column, or switch that output off (system.model.outputs)."
            found = f"a column '{both[0]}'"
            expected = "no column with the name of an output"
            raise DataError.at(self.place, number, found=found, expected=expected, advice=advice)

    def _arrow_schema(self) -> pyarrow.Schema:
        check_table_format(".parquet")
        import pyarrow.parquet

        try:
            with self.place.reading() as source, pyarrow.parquet.ParquetFile(source) as file:
                return file.schema_arrow
        except (pyarrow.ArrowException, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"{self.place}: cannot be read as Parquet ({reason}).") from error


def _decoded(line: bytes) -> str:
    if len(line) > LONGEST_LINE:
        raise DataError.at("", None, found=f"a line of more than {LONGEST_LINE} bytes", expected="a segment")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte 0x{line[error.start]:02x} at position {error.start + 1}"
        raise DataError.at("", None, found=found, expected="UTF-8") from error


def _infer_schema(rows: list[dict[str, Any]]) -> pyarrow.Schema:
    """Infer the types of the columns of all rows, whereas pyarrow infers those of the first row only."""
    import pyarrow

    names = dict.fromkeys(name for row in rows for name in row)
    return pyarrow.schema([(name, pyarrow.array([row.get(name) for row in rows]).type) for name in names])

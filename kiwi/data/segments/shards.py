"""Shards: files of segments that are read in chunks with constant memory; invalid rows are rejected with a reason."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Literal

from kiwi import constants as const
from kiwi.data.files.cells import check_names, field_text, is_text, json_object
from kiwi.data.files.lines import Columns
from kiwi.data.files.parquet import check_table_format, invalid_texts, readable_row
from kiwi.data.readers import check_columns
from kiwi.data.segments.arrow import infer_schema, with_valid_texts
from kiwi.data.segments.bad_rows import OnBad, Reject
from kiwi.exceptions import DataError, KiwiError
from kiwi.utils.compression import damage_errors
from kiwi.utils.places import Place
from kiwi.utils.text import TextDecoder, check_start

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
    """What happens to invalid rows."""

    def columns(self) -> list[str] | None:
        """Return the names of the columns, which in JSON Lines are those of the first valid row.

        The result is None when the file has no line, or JSON Lines have no valid row.
        """
        try:
            return self._columns()
        except damage_errors() as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"{self.place}: cannot be read ({reason}).") from error

    def _columns(self) -> list[str] | None:
        if self.format == "text":
            return [self.names[const.SOURCE], self.names[const.TARGET]]
        if self.format == "parquet":
            return list(self._arrow_schema().names)
        with self.place.reading() as file, closing(self._lines(file)) as lines:
            for _, line in lines:
                try:
                    text = self._decoded(line, TextDecoder(self.place, warn=False))
                    return text.split("\t") if self.format == "tsv" else list(json_object(text, "", None))
                except DataError as error:
                    if self.format == "tsv":
                        raise DataError(f"{self.place}, line 1: {error.reason}") from error
        return None

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
                seen = pyarrow.RecordBatch.from_pylist(chunk.rows, infer_schema(chunk.rows)).schema
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
        count = 0
        try:
            if self.format != "jsonl":  # in JSON Lines, the columns of each row are checked
                self.check()
            for chunk in (
                self._parquet_chunks(rows_at_once) if self.format == "parquet" else self._line_chunks(rows_at_once)
            ):
                yield chunk
                count += len(chunk) + len(chunk.rejects)
        except KiwiError:
            raise
        except damage_errors(ValueError, OverflowError, NotImplementedError) as error:  # of pyarrow
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"{self.place}: cannot be read, after row {count} ({reason}).") from error

    def _line_chunks(self, rows_at_once: int) -> Iterator[Chunk]:
        """Yield the chunks of a text file."""
        decoder = TextDecoder(self.place, advise=False)
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
                        decoder.n_lines = number - 1  # rejected lines count too
                        row = self._row(self._decoded(line, decoder), names)
                        if names is None:
                            check_names(self.place, None, list(self.names.values()), list(row))
                            self._check_reserved(row, None)
                        self._add(chunk, row, number)
                    except DataError as error:
                        shown = line[:SHOWN] if len(line) > LONGEST_LINE else line.rstrip(b"\r\n")
                        self._reject(chunk, number, error, shown.decode("utf-8", "backslashreplace"))
                        if self.on_bad == "nan":
                            chunk.rows.append(self._usable(row))
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
                yield self._parquet_chunk(batch, first)
                first += batch.num_rows

    def _parquet_chunk(self, batch: pyarrow.RecordBatch, first: int) -> Chunk:
        """Return the valid and invalid rows of a batch, whose first row has the number ``first``."""
        import pyarrow

        chunk, good, invalid = Chunk({name: [] for name in self.names}), [], dict(invalid_texts(batch))
        columns = {name: batch.column(name) for name in self.names.values()}
        cells = {name: column.to_pylist() for name, column in columns.items()} if not invalid else {}
        for index in range(batch.num_rows):
            try:
                if index in invalid:
                    found = f"bytes in column '{invalid[index]}'"
                    raise DataError.at(self.place, None, found=found, expected="UTF-8")
                row = {name: cells[name][index] if cells else columns[name][index].as_py() for name in columns}
                self._add(chunk, row, first + index)
            except DataError as error:
                self._reject(chunk, first + index, error, readable_row(batch, index))
            else:
                good.append(index)
        if not chunk.rejects:
            chunk.batch = batch
        elif self.on_bad == "nan":
            chunk.batch = with_valid_texts(batch) if invalid else batch
        else:
            chunk.batch = batch.take(pyarrow.array(good, pyarrow.int64()))
        return chunk

    def _lines(self, file: IO[bytes]) -> Generator[tuple[int, bytes], None, None]:
        """Yield number and bytes of each line; an overlong line is cut, but still longer than the maximum."""
        number = 0
        while line := file.readline(LONGEST_LINE + 2):
            number += 1
            if number == 1:
                check_start(line, self.place)
            rest = line
            while not rest.endswith(b"\n") and (rest := file.readline(LONGEST_LINE)):
                pass
            yield number, line

    def _decoded(self, line: bytes, decoder: TextDecoder) -> str:
        """Return the text of a line, which has been cut if it is overlong."""
        if len(line) > LONGEST_LINE and len(line.rstrip(b"\r\n")) > LONGEST_LINE:
            raise DataError.at("", None, found=f"a line of more than {LONGEST_LINE} bytes", expected="a segment")
        return "".join(decoder.lines(line))

    def _row(self, line: str, names: list[str] | None) -> dict[str, Any]:
        """Return the cells of a line by column."""
        if names is None:
            return json_object(line, "", None)
        cells = line.split("\t")
        if len(cells) != len(names):
            expected = f"{len(names)}, separated by tabs: {', '.join(names)}"
            raise DataError.at(self.place, None, found=f"{len(cells)} columns", expected=expected)
        return dict(zip(names, cells, strict=True))

    def _add(self, chunk: Chunk, row: Mapping[str, Any], number: int) -> None:
        """Add the texts of a row to a chunk, if all of them are valid."""
        texts = {name: [field_text(name, row[column], "", number, column)] for name, column in self.names.items()}
        for name, (text,) in check_columns(texts, dict.fromkeys(texts, self.place)).items():
            chunk.columns[name].append(text)

    def _reject(self, chunk: Chunk, number: int, error: DataError, row: Any) -> None:
        """Add an invalid row to a chunk."""
        if self.on_bad == "stop":
            advice = "To go on without such segments, set bulk.on_bad_segment to nan or skip."
            raise DataError(f"{self.place}, line {number}: {error.reason} {advice}") from error
        chunk.rejects.append(Reject(number, error.reason, row))
        if self.on_bad == "nan":
            chunk.n_bad += 1
            for column in chunk.columns.values():
                column.append("")

    def _usable(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the cells of an invalid row that the output has place for: texts that are none have the wrong type."""
        texts = set(self.names.values())
        return {
            column: cell
            for column, cell in row.items()
            if column not in self.reserved and (column not in texts or is_text(cell, column))
        }

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

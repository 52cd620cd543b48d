"""Shards: files of segments that are read a chunk at a time, whose bad rows are set aside with the reason.

Their memory does not grow with them.
"""

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
from kiwi.exceptions import DataError
from kiwi.utils.places import Place

if TYPE_CHECKING:
    import pyarrow

Format = Literal["parquet", "jsonl", "tsv", "text"]

SUFFIXES: dict[str, Format] = {".parquet": "parquet", ".jsonl": "jsonl", ".tsv": "tsv", ".txt": "text"}

LONGEST_LINE = 16 * 1024 * 1024
"""Bytes; a longer one is a bad row, and not held in memory."""

SHOWN = 1000
"""Characters of a line that is too long, in its reject."""


@dataclass(frozen=True)
class Reject:
    """A bad row."""

    line: int
    """Its number; of Parquet that of the row. From 1."""

    reason: str
    row: Any
    """As it was: a line, or the cells of a row of Parquet by column."""


@dataclass
class Chunk:
    """Some rows of a shard that follow each other."""

    columns: Columns
    """Field to the texts of the good rows, checked."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    """The good rows, all their cells by column."""

    batch: pyarrow.RecordBatch | None = None
    """The same of Parquet, in the place of ``rows``."""

    rejects: list[Reject] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.columns[const.TARGET])


@dataclass(frozen=True)
class Shard:
    """A file of segments.

    Raises:
        DataError: from all that reads it, when nothing can be done with the whole file.
    """

    place: Place
    format: Format
    names: Mapping[str, str]
    """Field to the name of its column, of all fields that are read."""

    taken: frozenset[str] = frozenset()
    """Names of what is added to the rows."""

    def columns(self) -> list[str] | None:
        """Names of its columns; of JSON Lines those of its first row. None when that has none, or there is no line."""
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
        """Check its columns.

        Raises:
            DataError: when one is missing, stands twice, or has the name of what is added.
        """
        names, number = self.columns(), None if self.format == "parquet" else 1
        if names is not None:
            check_names(self.place, number, list(self.names.values()), names)
            check_names(self.place, number, names, names)
            self._check_taken(names, number)

    def schema(self, rows_at_once: int) -> pyarrow.Schema:
        """Types of its columns; of JSON Lines those that its good rows have, for which it is read once more."""
        import pyarrow

        if self.format == "parquet":
            return self._arrow_schema()
        if self.format != "jsonl":
            return pyarrow.schema([(name, pyarrow.string()) for name in self.columns() or ()])
        found = pyarrow.schema([])
        try:
            for chunk in self.chunks(rows_at_once):
                seen = pyarrow.RecordBatch.from_pylist(chunk.rows, _loose(chunk.rows)).schema
                found = pyarrow.unify_schemas([found, seen], promote_options="permissive")
        except (pyarrow.ArrowException, OverflowError) as error:
            advice = "Write JSON Lines, which takes anything: bulk.output_format=jsonl."
            reason = " ".join(str(error).split())[:200]
            raise DataError(
                f"{self.place}: its rows have no types in common for Parquet ({reason}). {advice}"
            ) from error
        return found

    def chunks(self, rows_at_once: int) -> Generator[Chunk, None, None]:
        """Its rows.

        Args:
            rows_at_once: rows of a chunk, bad ones among them.
        """
        if self.format != "jsonl":  # whose rows have columns of their own each
            self.check()
        count = 0
        try:
            for chunk in self._batches(rows_at_once) if self.format == "parquet" else self._pieces(rows_at_once):
                yield chunk
                count += len(chunk) + len(chunk.rejects)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"{self.place}: cannot be read, after row {count} ({reason}).") from error

    def _pieces(self, rows_at_once: int) -> Iterator[Chunk]:
        """Of files of lines."""
        with self.place.reading() as file:
            lines = self._lines(file)
            names = None if self.format == "jsonl" else self.columns()
            if self.format == "tsv":
                next(lines, None)
            while piece := list(islice(lines, rows_at_once)):
                chunk = Chunk({name: [] for name in self.names})
                for number, line in piece:
                    try:
                        row = self._row(_decoded(line), names)
                        self._take(chunk, row, number)
                    except DataError as error:
                        shown = line[:SHOWN] if len(line) > LONGEST_LINE else line
                        text = shown.decode("utf-8", "backslashreplace")
                        chunk.rejects.append(Reject(number, error.reason, text))
                    else:
                        chunk.rows.append(row)
                yield chunk

    def _batches(self, rows_at_once: int) -> Iterator[Chunk]:
        """Of Parquet."""
        import pyarrow.parquet

        first = 1
        # With a buffer, a group of rows is not read as a whole.
        with self.place.reading() as source, pyarrow.parquet.ParquetFile(source, buffer_size=1 << 20) as file:
            for batch in file.iter_batches(batch_size=rows_at_once):
                chunk, good = Chunk({name: [] for name in self.names}), []
                cells = {name: batch.column(name).to_pylist() for name in self.names.values()}
                for index in range(batch.num_rows):
                    try:
                        self._take(chunk, {name: column[index] for name, column in cells.items()}, first + index)
                    except DataError as error:
                        (row,) = batch.slice(index, 1).to_pylist()
                        chunk.rejects.append(Reject(first + index, error.reason, row))
                    else:
                        good.append(index)
                chunk.batch = batch.take(pyarrow.array(good, pyarrow.int64())) if chunk.rejects else batch
                yield chunk
                first += batch.num_rows

    def _lines(self, file: IO[bytes]) -> Generator[tuple[int, bytes], None, None]:
        """Number and bytes of each line; of one that is too long, more than the longest may have and not all."""
        number, mark = 0, BOM
        while line := file.readline(LONGEST_LINE + 2):
            number += 1
            rest = line
            while not rest.endswith(b"\n") and (rest := file.readline(LONGEST_LINE)):
                pass
            yield number, line.removeprefix(mark).removesuffix(b"\n").removesuffix(b"\r")
            mark = b""

    def _row(self, line: str, names: list[str] | None) -> dict[str, Any]:
        """The cells of a line by column."""
        if names is None:
            row = json_object(line, "", None)
            check_names(self.place, None, list(self.names.values()), list(row))
            self._check_taken(row, None)
            return row
        cells = line.split("\t")
        if len(cells) != len(names):
            expected = f"{len(names)}: {', '.join(names)}, with tabs between"
            raise DataError.at(self.place, None, found=f"{len(cells)} columns", expected=expected)
        return dict(zip(names, cells, strict=True))

    def _take(self, chunk: Chunk, row: Mapping[str, Any], number: int) -> None:
        """Add the texts of a row to a chunk, if all of them are good."""
        texts = {name: [cell_text(row[column], "", number, column)] for name, column in self.names.items()}
        check_columns(texts, dict.fromkeys(texts, self.place))
        for name, (text,) in texts.items():
            chunk.columns[name].append(text)

    def _check_taken(self, names: Collection[str], number: int | None) -> None:
        if both := sorted(self.taken.intersection(names)):
            advice = "Rename it, or switch that output off (system.model.outputs)."
            found = f"a column '{both[0]}'"
            raise DataError.at(self.place, number, found=found, expected="none, it is an output's", advice=advice)

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


def _loose(rows: list[dict[str, Any]]) -> pyarrow.Schema:
    """Types of all columns that some rows have; of the first row's alone is what pyarrow takes by itself."""
    import pyarrow

    names = dict.fromkeys(name for row in rows for name in row)
    return pyarrow.schema([(name, pyarrow.array([row.get(name) for row in rows]).type) for name in names])

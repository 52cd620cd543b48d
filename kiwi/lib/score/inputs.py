"""The segments that ``kiwi score`` reads where it writes lines of scores: files, a table, or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import field
from io import TextIOBase
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

from pydantic import PlainValidator
from pydantic.dataclasses import dataclass

from kiwi import constants as const
from kiwi.data.documents.parts import Segment, Tape
from kiwi.data.documents.tables.separated import SeparatedTable
from kiwi.data.files.cells import advising_columns
from kiwi.data.files.headers import is_number
from kiwi.data.files.lines import Columns
from kiwi.data.files.tables import WITHOUT_HEADER, stream_table
from kiwi.data.readers import check_columns
from kiwi.data.segments.bad_rows import BadRows
from kiwi.data.segments.given import has_column
from kiwi.data.segments.piped import STDIN, read_pipe
from kiwi.data.segments.streams import SegmentStream
from kiwi.exceptions import ConfigError, DataError
from kiwi.utils.compression import LONGEST_MAGIC, decompressed, format_of
from kiwi.utils.io import did_you_mean
from kiwi.utils.places import plain_suffix
from kiwi.utils.structured.strict import STRICT, StrictOptions, UserPath

FIELDS = (const.SOURCE, const.TARGET, const.ALIGNMENTS, const.SOURCE_POS, const.TARGET_POS)
"""The fields that systems may read."""

GROUP = "group"
"""The field of the group that a policy has a threshold for."""

COLUMNS = (*FIELDS, GROUP, const.LANGUAGE_PAIR)
"""The fields that may be read."""

IF_SEGMENT = "If the first line is a segment, number the columns: --columns source=1,target=2."
"""The next step where ``--no-header`` is given for a table whose columns have names."""

PipeForm = Literal["tsv", "jsonl", "csv", "tsv with names"]

Chunk = tuple[int, Columns, Columns]
"""The number of the first segment, the columns as they are given, and those to predict, in which bad ones are blank."""


def _require_bytes(value: Any) -> Any:
    if value is None or (hasattr(value, "read") and not isinstance(value, TextIOBase)):
        return value
    raise ValueError("a stream of bytes, such as sys.stdin.buffer")


@dataclass(frozen=True, config=STRICT)
class Input(StrictOptions):
    """The input of segments: files of one segment per line, a table, or a pipe.

    Raises:
        ConfigError: when an option is unknown or of another type.
    """

    files: Mapping[str, UserPath] = field(default_factory=dict)
    """The file of each field; ``~`` is the home directory."""

    table: UserPath | None = None
    """A TSV, CSV, JSON Lines or Parquet file; ``~`` is the home directory."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """The column of each field, in a table or a pipe of JSON Lines: its name, by default that of the field, or in TSV
    and CSV its number, counted from 1."""

    pipe: Annotated[BinaryIO | None, PlainValidator(_require_bytes)] = None
    """The pipe that is read if there are no files and no table."""

    pipe_form: PipeForm = "tsv"
    """The format of the pipe: ``tsv`` is the fields separated by tabs, ``jsonl`` one object per line; ``csv`` and
    ``tsv with names`` are tables."""

    has_header: bool = True
    """Whether the first line of TSV and CSV has the names of the columns; it has in any case where names are given."""

    def check(self) -> None:
        """Check that there is one kind of input, and that all fields are known.

        Raises:
            ConfigError: when options are missing, unknown or incompatible.
        """
        for name in self.columns:
            if name not in COLUMNS:
                raise ConfigError(f"--columns: '{name}' is not a field; {did_you_mean(name, COLUMNS)}")
        if self.files and (self.table is not None or self.columns):
            raise ConfigError(
                "--source and --target are files with one segment per line; remove the table and --columns."
            )
        if len(set(self.columns.values())) < len(self.columns):
            raise ConfigError("--columns: found the same column for several fields. Name one for each.")
        if self.pipe_form != "tsv" and (self.files or self.table is not None):
            raise ConfigError("--input-format is for standard input, which is not read if there are files. Remove it.")
        if self.table is None and not self.files and self.columns and self.pipe_form == "tsv":
            raise ConfigError("--columns names columns of a table, or of a pipe of JSON Lines (--input-format jsonl).")

    @property
    def paths(self) -> list[Path]:
        """The files that are read."""
        return [*self.files.values(), *([self.table] if self.table is not None else [])]

    def count(self) -> int | None:
        """Return the number of segments, for a bar of progress; None if it is not known at once."""
        path = self.files.get(const.TARGET)
        if path is None or not sys.stderr or not sys.stderr.isatty() or not path.is_file():
            return None
        with path.open("rb") as file:
            if format_of(file.read(LONGEST_MAGIC)) is not None:
                return None
            file.seek(0)
            return sum(block.count(b"\n") for block in iter(lambda: file.read(2**20), b""))

    @property
    def starts_with_segment(self) -> bool:
        """Whether the first line of a table is a segment: it has no header, and all columns have numbers."""
        return self._may_lack_header and bool(self.columns) and all(map(is_number, self.columns.values()))

    @property
    def _may_lack_header(self) -> bool:
        suffix = f".{self.pipe_form.partition(' ')[0]}" if self.table is None else plain_suffix(self.table.name)
        return not self.has_header and not self.files and not self.is_bare_pipe and suffix in WITHOUT_HEADER

    def check_output(self, form: str, *, header: bool) -> None:
        """Check that lines of output have a header that can be left out, if the input has one.

        Args:
            form: the format of the output.
            header: whether it starts with a line of column names.

        Raises:
            ConfigError: when it has no such line.
        """
        if form == "jsonl" and not header and not self.starts_with_segment:
            advice = f" {IF_SEGMENT}" if self._may_lack_header else ""
            raise ConfigError(f"--no-header is for TSV, because JSON Lines has no header. Remove it.{advice}")

    @property
    def is_bare_pipe(self) -> bool:
        """Whether the input is a pipe without names of columns."""
        return not self.files and self.table is None and self.pipe_form == "tsv"

    def lacks(self, name: str) -> bool:
        """Return whether a field is not given; of a pipe, that is known when its first line is read."""
        if self.files:
            return name not in self.files
        if self.table is None or name in self.columns:
            return False
        return self.starts_with_segment or not has_column(self.table, name)

    def read(
        self,
        fields: Sequence[str],
        size: int,
        bad: BadRows,
        optional: Collection[str] = (),
        advice: Mapping[str, str] | None = None,
    ) -> Iterator[Chunk]:
        """Read and check segments chunk by chunk.

        Args:
            fields: the fields that the system reads.
            size: the number of segments in a chunk.
            bad: what happens to segments that cannot be used; they are noted there.
            optional: the fields that are left out where a pipe does not have them.
            advice: the next step where a column is missing, by its name, for those that need a step of their own.

        Raises:
            ConfigError: when there is no file for a field, or nothing to read.
            DataError: when a segment cannot be used, if bad ones stop the command; the message names file and line.
        """
        if self.files:
            if missing := [name for name in fields if name not in self.files]:
                options = ", ".join(f"--{name.replace('_', '-')}" for name in missing)
                raise ConfigError(f"This system reads {', '.join(fields)}. Add {options}.")
            return _numbered(SegmentStream({name: self.files[name] for name in fields}, size, bad).checked())
        columns = {name: self.columns.get(name, name) for name in fields}
        has_header = not self.starts_with_segment
        advising = advising_columns(IF_SEGMENT) if self._may_lack_header else advising_columns(special=advice)
        if self.table is not None:
            chunks = stream_table(self.table, columns, size, note=bad.note, has_header=has_header)
            return _screen(chunks, self.table, bad, advising)
        if self.pipe is None:
            raise ConfigError("Standard input is closed. Add --source and --target, or a table, or a pipe.")
        optional = [name for name in optional if name not in self.columns]
        if self.pipe_form == "csv" or self.pipe_form == "tsv with names":
            is_quoted = self.pipe_form == "csv"
            table = SeparatedTable(columns, optional, is_quoted=is_quoted, has_header=has_header)
            return _screen_table(table, Tape(decompressed(self.pipe), STDIN, is_live=True), size, bad, advising)
        chunks = read_pipe(self.pipe, self.pipe_form, columns, size, bad.note, optional)
        return _screen(chunks, STDIN, bad, advising)


def _numbered(chunks: Iterator[tuple[Columns, Columns]]) -> Iterator[Chunk]:
    first = 1
    for columns, screened in chunks:
        yield first, columns, screened
        first += len(columns[const.TARGET])


def _screen(
    chunks: Iterator[tuple[int, Columns]], place: Path, bad: BadRows, advising: AbstractContextManager[None]
) -> Iterator[Chunk]:
    with bad.advising(), advising:
        for first, columns in chunks:
            yield first, columns, bad.screen(columns, dict.fromkeys(columns, place), first)


def _screen_table(
    table: SeparatedTable, tape: Tape, size: int, bad: BadRows, advising: AbstractContextManager[None]
) -> Iterator[Chunk]:
    first = 1
    with bad.advising(), advising:
        segments = _segments(table, tape)
        while chunk := list(islice(segments, size)):
            columns = segment_columns(chunk, first, STDIN, bad)
            yield first, columns, bad.apply(columns, first)
            first += len(chunk)
    bad.flush()


def _segments(table: SeparatedTable, tape: Tape) -> Iterator[Segment]:
    for part in table.parts(tape):
        tape.drop(part.end)
        yield from part.segments


def segment_columns(segments: Sequence[Segment], first: int, path: Path, bad: BadRows) -> Columns:
    """Return the columns of segments, and note those that cannot be used.

    Args:
        segments: the segments, at least one.
        first: the number of the first one, counted from 1.
        path: the file that they are in, for errors.
        bad: what happens to segments that cannot be used; they are noted there.

    Raises:
        DataError: at the first segment that cannot be used, if bad ones stop the command.
    """
    for number, segment in enumerate(segments, start=first):
        if (error := segment.error or _check(segment, path)) is not None:
            if bad.note is None:
                raise error
            bad.note(number, error, segment.texts if segment.content is None else segment.content)
    # Rows before the first valid one have all fields.
    return {name: [each.texts[name] for each in segments] for name in segments[-1].texts}


def _check(segment: Segment, path: Path) -> DataError | None:
    texts = {name: [text] for name, text in segment.texts.items()}
    try:
        check_columns(texts, dict.fromkeys(texts, path), first=segment.line)
    except DataError as error:
        return error
    return None

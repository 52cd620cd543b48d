"""Score segments and write to a pipe: ``kiwi score``. With an exported system, torch is not imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal

from kiwi import constants as const
from kiwi.data.files.lines import Columns
from kiwi.data.files.table_writers import json_line, tsv_cell
from kiwi.data.files.tables import stream_table
from kiwi.data.readers import check_columns
from kiwi.data.segments.piped import STDIN, read_pipe
from kiwi.data.segments.streams import SegmentStream
from kiwi.exceptions import ConfigError
from kiwi.outputs import OUTPUTS, names as output_names
from kiwi.runner import Runner
from kiwi.runner.loading import open_runner
from kiwi.runner.options import PredictOptions
from kiwi.utils.io import did_you_mean

FIELDS = (const.SOURCE, const.TARGET, const.ALIGNMENTS, const.SOURCE_POS, const.TARGET_POS)
"""That systems read."""

Form = Literal["tsv", "jsonl"]

CHUNK_SIZE = 4096
"""Segments at a time."""


@dataclass(frozen=True)
class Input:
    """Where segments are from: files of one segment a line, a table, or a pipe."""

    files: Mapping[str, Path] = field(default_factory=dict)
    """Field to file."""

    table: Path | None = None
    """A TSV, JSON Lines or Parquet file."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Field to the name of its column, in a table or a pipe of JSON Lines; the field's own name where not given."""

    pipe: BinaryIO | None = None
    """Read where there is neither."""

    pipe_form: Form = "tsv"
    """Of the pipe: ``tsv`` is the fields with tabs between, ``jsonl`` an object a line."""

    def check(self) -> None:
        """One kind of input, and fields that there are.

        Raises:
            ConfigError: saying what to give.
        """
        for name in self.columns:
            if name not in FIELDS:
                raise ConfigError(f"--columns: '{name}' is no field. {did_you_mean(name, FIELDS)}")
        if self.files and (self.table is not None or self.columns):
            raise ConfigError("--source and --target are files of one segment a line: remove --columns and the table.")
        if len(set(self.columns.values())) < len(self.columns):
            raise ConfigError("--columns: found the same column for several fields; name one for each.")
        if self.pipe_form != "tsv" and (self.files or self.table is not None):
            raise ConfigError("--input-format is that of standard input, which is not read beside files; remove it.")
        if self.table is None and not self.files and self.columns and self.pipe_form == "tsv":
            raise ConfigError("--columns names columns of a table, or of a pipe of JSON Lines (--input-format jsonl).")

    def read(self, fields: Sequence[str], size: int) -> Iterator[Columns]:
        """Checked segments, some at a time.

        Args:
            fields: that the system reads.
            size: segments at a time.

        Raises:
            ConfigError: when there is no file for a field.
            DataError: naming file and line.
        """
        if self.files:
            if missing := [name for name in fields if name not in self.files]:
                options = ", ".join(f"--{name.replace('_', '-')}" for name in missing)
                raise ConfigError(f"This system reads {', '.join(fields)}: give {options}.")
            return SegmentStream({name: self.files[name] for name in fields}, size).checked()
        columns = {name: self.columns.get(name, name) for name in fields}
        if self.table is not None:
            return _checked(stream_table(self.table, columns, size), self.table)
        assert self.pipe is not None, "read where there is nothing else"
        return _checked(read_pipe(self.pipe, self.pipe_form, columns, size), STDIN)


def _checked(parts: Iterator[tuple[int, Columns]], place: Path) -> Iterator[Columns]:
    for first, columns in parts:
        check_columns(columns, dict.fromkeys(columns, place), first=first)
        yield columns


def score(
    model: str | Path,
    segments: Input,
    output: IO[str],
    *,
    form: Form = "tsv",
    scores_only: bool = False,
    header: bool = True,
    stream: bool = False,
    options: PredictOptions | None = None,
) -> int:
    """Write what a system says of each segment, a line each, in the order of the segments.

    Args:
        model: a checkpoint, an exported system, or a name on the hub.
        segments: where they are from.
        output: to write to.
        form: ``tsv`` or ``jsonl``; the columns are those of the tables that ``kiwi predict`` writes, without the texts.
        scores_only: leave the outputs for words out.
        header: of TSV, a first line of names.
        stream: write each segment's line before the next segment is read.
        options: how to load the system, and how it predicts.

    Returns:
        The number of segments.

    Raises:
        ConfigError: for options that do not go together.
        DataError: naming file and line; segments that were read together with it, up to 4096, are not written.
        CheckpointError: when the system cannot be loaded.
    """
    segments.check()
    if form == "jsonl" and not header:
        raise ConfigError("--no-header is for TSV: JSON Lines have no first line of names; remove it.")
    runner = open_runner(model, options or PredictOptions())
    if scores_only and not output_names(runner.about.outputs, unit="segment"):
        raise ConfigError(f"--scores-only: this system predicts {', '.join(runner.about.outputs)}, and no score.")
    fields = [name for name in FIELDS if name in runner.about.input_fields]
    n_segments = 0
    for columns in segments.read(fields, 1 if stream else CHUNK_SIZE):
        found = _found(runner, columns, scores_only)
        if form == "tsv" and header and not n_segments:
            output.write("\t".join(found) + "\n")
        for row in zip(*found.values(), strict=True):
            output.write(
                "\t".join(map(tsv_cell, row)) if form == "tsv" else json_line(dict(zip(found, row, strict=True)))
            )
            output.write("\n")
        output.flush()
        n_segments += len(columns[const.TARGET])
    return n_segments


def _found(runner: Runner, columns: Columns, scores_only: bool) -> dict[str, list[Any]]:
    found = runner.predict_columns(columns).columns()
    if not scores_only:
        return found
    kept = {column for name in output_names(unit="segment") for column in OUTPUTS[name].columns}
    return {name: cells for name, cells in found.items() if name in kept}

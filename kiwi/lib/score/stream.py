"""Score segments and write to a pipe: ``kiwi score``. With an exported system, torch is not imported."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal

from kiwi import constants as const
from kiwi.data.files.lines import Columns
from kiwi.data.files.table_writers import json_line, tsv_cell
from kiwi.data.files.tables import stream_table
from kiwi.data.segments.bad_rows import BadRows, OnBad, writing_rejects
from kiwi.data.segments.given import has_column
from kiwi.data.segments.piped import STDIN, read_pipe
from kiwi.data.segments.streams import SegmentStream
from kiwi.exceptions import ConfigError
from kiwi.lib.score.marked import show_spans
from kiwi.lib.score.scale import Scale, ScaleName
from kiwi.outputs import OUTPUTS, SPAN_SCORES, names as output_names
from kiwi.runner import Runner
from kiwi.runner.loading import open_runner
from kiwi.runner.options import PredictOptions
from kiwi.utils.compression import compressing
from kiwi.utils.guard import Guard, record_written
from kiwi.utils.io import did_you_mean
from kiwi.utils.staging import staged
from kiwi.utils.written import user_path

logger = logging.getLogger(__name__)

FIELDS = (const.SOURCE, const.TARGET, const.ALIGNMENTS, const.SOURCE_POS, const.TARGET_POS)
"""The fields that systems may read."""

Form = Literal["tsv", "jsonl", "spans"]
"""The format of what is written: ``tsv``, ``jsonl``, or ``spans``, the errors in each translation for people."""

PipeForm = Literal["tsv", "jsonl"]

CHUNK_SIZE = 4096
"""The number of segments that are read and scored together."""


@dataclass(frozen=True)
class Input:
    """The input of segments: files of one segment per line, a table, or a pipe."""

    files: Mapping[str, Path] = field(default_factory=dict)
    """The file of each field; ``~`` is the home directory."""

    table: Path | None = None
    """A TSV, CSV, JSON Lines or Parquet file; ``~`` is the home directory."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """The column of each field, in a table or a pipe of JSON Lines; by default, the name of the field."""

    pipe: BinaryIO | None = None
    """The pipe that is read if there are no files and no table."""

    pipe_form: PipeForm = "tsv"
    """The format of the pipe: ``tsv`` is the fields separated by tabs, ``jsonl`` one object per line."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", {name: user_path(path) for name, path in self.files.items()})
        object.__setattr__(self, "table", None if self.table is None else user_path(self.table))

    def check(self) -> None:
        """Check that there is one kind of input, and that all fields are known.

        Raises:
            ConfigError: when options are missing, unknown or incompatible.
        """
        for name in self.columns:
            if name not in FIELDS:
                raise ConfigError(f"--columns: '{name}' is not a field; {did_you_mean(name, FIELDS)}")
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

    def lacks(self, name: str) -> bool:
        """Return whether a field is not given; of a pipe, that is known when its first line is read."""
        if self.files:
            return name not in self.files
        return self.table is not None and name not in self.columns and not has_column(self.table, name)

    def read(
        self, fields: Sequence[str], size: int, bad: BadRows, optional: Collection[str] = ()
    ) -> Iterator[tuple[int, Columns]]:
        """Read and check segments chunk by chunk.

        Args:
            fields: the fields that the system reads.
            size: the number of segments in a chunk.
            bad: what happens to segments that cannot be used; they are noted there.
            optional: the fields that are left out where a pipe does not have them.

        Returns:
            For each chunk, the number of its first line, and the columns to predict.

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
        if self.table is not None:
            return _screen(stream_table(self.table, columns, size, note=bad.note), self.table, bad)
        if self.pipe is None:
            raise ConfigError("Standard input is closed. Add --source and --target, or a table, or a pipe.")
        optional = [name for name in optional if name not in self.columns]
        return _screen(read_pipe(self.pipe, self.pipe_form, columns, size, bad.note, optional), STDIN, bad)


def _numbered(chunks: Iterator[tuple[Columns, Columns]]) -> Iterator[tuple[int, Columns]]:
    first = 1
    for columns, screened in chunks:
        yield first, screened
        first += len(columns[const.TARGET])


def _screen(chunks: Iterator[tuple[int, Columns]], place: Path, bad: BadRows) -> Iterator[tuple[int, Columns]]:
    with bad.advising():
        for first, columns in chunks:
            yield first, bad.screen(columns, dict.fromkeys(columns, place), first)


def score_to_stream(
    model: str | Path,
    segments: Input,
    output: IO[str] | Path,
    *,
    on_bad: OnBad = "nan",
    rejects: Path | None = None,
    overwrite: bool = False,
    **how: Any,
) -> int:
    """Score like :func:`score`, write the bad segments to a file, and warn about them.

    Args:
        model: a checkpoint, an exported system, or a name on the hub.
        segments: the input of segments.
        output: the stream to write to; or a file, which appears when it is complete.
        on_bad: what happens to segments that cannot be used.
        rejects: the file for the bad segments; None writes none.
        overwrite: whether the file may replace one that kiwi has not written.
        how: the other arguments of :func:`score`.

    Returns:
        The number of bad segments.

    Raises:
        ConfigError: when a file that is read would be written to.
    """
    if rejects is not None and on_bad == "stop":
        raise ConfigError("--rejects needs --on-bad nan or skip, because stop writes nothing. Remove one of the two.")
    guard = Guard([*segments.paths, Path(model)], overwrite, "--overwrite")
    written = [path for path in (rejects, output) if isinstance(path, Path)]
    if not isinstance(output, Path):
        guard.check_stream(output)
    guard.check(written)
    bad = BadRows(on_bad, option="--on-bad")
    with writing_rejects(rejects, bad), _opened(output) as stream:
        n_segments = score(model, segments, stream, bad=bad, **how)
    if written:
        record_written(*written)
    if bad:
        n_all = n_segments + (len(bad) if on_bad == "skip" else 0)
        advice = "" if how.get("form") == "jsonl" and on_bad == "nan" else "--rejects FILE lists all, with the reasons."
        logger.warning("%s", bad.summary(n_all, rejects, advice))
    return len(bad)


@contextmanager
def _opened(output: IO[str] | Path) -> Iterator[IO[str]]:
    if not isinstance(output, Path):
        yield output
        return
    with staged(output) as stage, compressing(stage, output.suffix) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
        yield text
        text.detach().flush()


def score(
    model: str | Path,
    segments: Input,
    output: IO[str],
    *,
    form: Form = "tsv",
    scores_only: bool | None = False,
    header: bool = True,
    stream: bool = False,
    scale: ScaleName | None = None,
    options: PredictOptions | None = None,
    bad: BadRows | None = None,
) -> int:
    """Write the predictions for each segment, one line per segment, in the order of the segments.

    Args:
        model: a checkpoint, an exported system, or a name on the hub.
        segments: the input of segments.
        output: the stream to write to.
        form: the format, ``tsv`` or ``jsonl``, with the columns of the tables of ``kiwi predict``, without the texts;
            or ``spans``, for people, the errors in each translation.
        scores_only: whether to omit the outputs for words; None omits them if there are others.
        header: whether TSV starts with a line of column names.
        stream: whether to write the line of each segment before the next segment is read.
        scale: the scale of the scores; None is that of the system.
        options: how to load the system, and how it predicts.
        bad: what happens to segments that cannot be used; they are noted there. By default, they stop it.

    Returns:
        The number of lines that were written, apart from the header.

    Raises:
        ConfigError: when options are incompatible.
        DataError: when a segment cannot be used, if bad ones stop the command; the message names file and line. The
            segments that were read together with it, up to 4096, are not written.
        CheckpointError: when the system cannot be loaded.
    """
    segments.check()
    if form == "jsonl" and not header:
        raise ConfigError("--no-header is for TSV, because JSON Lines has no header. Remove it.")
    runner = open_runner(model, options or PredictOptions())
    if form == "spans" and const.ERROR_SPANS not in runner.about.outputs:
        outputs = ", ".join(runner.about.outputs)
        raise ConfigError(f"--spans: this system predicts {outputs}, and no error spans. Remove the option.")
    scores_only = are_scores_only(runner, scores_only)
    written_on = Scale.choose(scale, runner)
    fields = [name for name in FIELDS if name in runner.about.input_fields]
    if const.ALIGNMENTS in fields and segments.lacks(const.ALIGNMENTS):
        fields.remove(const.ALIGNMENTS)
        runner.prepare_aligner()
    bad = BadRows("stop") if bad is None else bad  # one without any is false
    is_first, n_segments = True, 0
    is_coloured = output.isatty() and not os.environ.get("NO_COLOR")
    for first, columns in segments.read(fields, 1 if stream else CHUNK_SIZE, bad, (const.ALIGNMENTS,)):
        check_aligner(runner, columns)
        found = written_on.apply(_predict(runner, columns, scores_only))
        if form == "tsv" and header and is_first:
            output.write("\t".join(found) + "\n")
        is_first = False
        for number, row in enumerate(zip(*found.values(), strict=True), start=first):
            if form == "spans":
                target = columns[const.TARGET][number - first]
                output.write(show_spans(number, target, dict(zip(found, row, strict=True)), coloured=is_coloured))
            elif form == "tsv":
                output.write("\t".join(map(tsv_cell, row)))
            else:
                reason = {"reason": bad.reasons[number]} if bad.on_bad == "nan" and number in bad.reasons else {}
                output.write(json_line(dict(zip(found, row, strict=True)) | reason))
            output.write("\n")
        output.flush()
        n_segments += len(columns[const.TARGET])
    return n_segments


def are_scores_only(runner: Runner, scores_only: bool | None) -> bool:
    """Return whether the outputs for words are omitted.

    Args:
        runner: the system.
        scores_only: what is asked for; None omits them if there are others.

    Raises:
        ConfigError: when scores are asked for, and the system predicts none.
    """
    outputs = runner.about.outputs
    has_scores = bool(output_names(outputs, unit="segment")) or const.ERROR_SPANS in outputs
    if scores_only and not has_scores:
        raise ConfigError(f"--scores-only: this system predicts {', '.join(outputs)}, and no score. Remove the option.")
    return has_scores if scores_only is None else scores_only


def check_aligner(runner: Runner, fields: Collection[str]) -> None:
    """Check that no aligner is named where alignments are given.

    Args:
        runner: the system.
        fields: the fields that are given.

    Raises:
        ConfigError: when there is one.
    """
    if runner.options.aligner is not None and const.ALIGNMENTS in fields:
        raise ConfigError("--aligner: given, but alignments are given too. Remove one of the two.")


def _predict(runner: Runner, columns: Columns, scores_only: bool) -> dict[str, list[Any]]:
    found = runner.predict_columns(columns).columns(targets=columns[const.TARGET])
    if not scores_only:
        return found
    return without_words(found)


def without_words(columns: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Return the columns with one value per segment."""
    kept = {column for name in output_names(unit="segment") for column in OUTPUTS[name].columns} | {*SPAN_SCORES}
    return {name: cells for name, cells in columns.items() if name in kept}

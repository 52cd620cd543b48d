"""What a worker does with a shard; knows nothing of what started it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import IO

from kiwi.data.files.table_writers import json_line
from kiwi.data.segments.shard_writers import JsonlWriter, ParquetWriter, ShardWriter
from kiwi.exceptions import CheckpointError
from kiwi.lib.bulk.job import Job, Task, identity
from kiwi.runner import Runner
from kiwi.runner.loading import open_runner
from kiwi.runner.options import PredictOptions


@dataclass
class ShardReport:
    """What came of a shard."""

    name: str
    segments: int = 0
    """Good rows."""

    rejected: int = 0
    """Bad rows."""

    first_reject: str = ""
    """Its line and reason."""

    error: str = ""
    """Why nothing was written, if nothing was."""

    fatal: bool = False
    """Whether no other shard would fare better."""

    deaths: int = 0
    """Workers that died over it before."""

    warnings: list[str] = field(default_factory=list)


def load(job: Job, options: PredictOptions) -> Runner:
    """Load the system of a job.

    Args:
        job: the job.
        options: how this worker loads the system, and how it predicts.

    Raises:
        CheckpointError: when it is another one than where the job was started.
    """
    runner = open_runner(job.load, replace(options, model=job.model))
    found = identity(runner.about)
    others = [(key, found[key] or "none", value or "none") for key, value in job.system.items() if found[key] != value]
    if others:
        lines = "; ".join(f"{key}: found {one}, expected {other}" for key, one, other in others)
        raise CheckpointError(
            f"{job.load}: not the system of the machine that started the job ({lines}). Copy that one to this path on "
            "all machines."
        )
    return runner


def predict_shard(runner: Runner, job: Job, task: Task, rows_at_once: int) -> ShardReport:
    """Predict a shard, and write all of its results or none.

    Args:
        runner: of the job's system.
        job: of the shard.
        task: the shard.
        rows_at_once: rows in memory.

    Raises:
        DataError: when nothing can be done with the file.
        OSError: when it cannot be written.
    """
    report = ShardReport(task.name)
    with noted_warnings(report.warnings), ExitStack() as stack:
        chunks = stack.enter_context(closing(task.shard.chunks(rows_at_once)))
        # What is entered first is put in its place last: the output says that all of a shard is done.
        file = stack.enter_context(task.output.writing())
        writer = stack.enter_context(closing(_writer(job, task, file, rows_at_once)))
        rejects: IO[bytes] | None = None
        for chunk in chunks:
            if len(chunk):
                found = runner.predict_columns(chunk.columns)
                writer.write(chunk, found.columns())
            if chunk.rejects and rejects is None:
                first = chunk.rejects[0]
                report.first_reject = f"line {first.line}: {first.reason}"
                rejects = stack.enter_context(task.rejects.writing())
            for reject in chunk.rejects:
                assert rejects is not None
                place = {"file": task.shard.place.url, "line": reject.line, "reason": reject.reason}
                rejects.write(json_line({**place, "row": reject.row}).encode() + b"\n")
            report.segments += len(chunk)
            report.rejected += len(chunk.rejects)
        if rejects is None:
            task.rejects.remove()  # of a former attempt
    return report


def _writer(job: Job, task: Task, file: IO[bytes], rows_at_once: int) -> ShardWriter:
    if job.output_format == "jsonl":
        return JsonlWriter(file)
    return ParquetWriter(file, task.shard.schema(rows_at_once), job.outputs)


class _Notes(logging.Handler):
    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.messages) < 3 and (text := record.getMessage()) not in self.messages:
            self.messages.append(text)


@contextmanager
def noted_warnings(messages: list[str]) -> Iterator[None]:
    """Keep kiwi's first warnings for who reads the report, instead of showing them on some machine of a cluster."""
    logger, handler = logging.getLogger("kiwi"), _Notes(messages)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)

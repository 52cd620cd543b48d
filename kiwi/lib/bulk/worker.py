"""The work on one shard; it does not depend on the engine that distributes shards."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import IO

from typing_extensions import override

from kiwi import constants as const
from kiwi.data.files.table_writers import json_line
from kiwi.data.segments.shard_writers import JsonlWriter, ParquetWriter, ShardWriter
from kiwi.exceptions import CheckpointError
from kiwi.lib.bulk.job import Job, Task, identity
from kiwi.runner import Runner
from kiwi.runner.loading import open_runner
from kiwi.runner.options import PredictOptions


@dataclass
class ShardReport:
    """The result of a shard."""

    name: str
    """The name of the shard's task."""

    segments: int = 0
    """The number of rows that were predicted."""

    rejected: int = 0
    """The number of bad rows."""

    first_reject: str = ""
    """The line and the reason of the first bad row."""

    error: str = ""
    """The reason why nothing was written; empty if the shard is done."""

    fatal: bool = False
    """Whether every other shard would fail for the same reason."""

    deaths: int = 0
    """The number of workers that died while they predicted the shard."""

    warnings: list[str] = field(default_factory=list)
    """The first few warnings of kiwi."""


def load(job: Job, options: PredictOptions) -> Runner:
    """Load the system of a job.

    Args:
        job: the job.
        options: how this worker loads the system, and how it predicts.

    Raises:
        CheckpointError: when it or its aligner differs from that on the machine that started the job.
    """
    runner = open_runner(job.load, replace(options, model=job.model, aligner=job.aligner))
    found, wanted = identity(runner.about), dict(job.system)
    if job.aligns:
        runner.auto_aligner.announces = False  # the machine that started the job says so
        found["aligner"], wanted["aligner"] = runner.prepare_aligner(), job.options["aligner"]
    differences = [
        f"{key}: found {found[key] or 'none'}, expected {expected or 'none'}"
        for key, expected in wanted.items()
        if found[key] != expected
    ]
    if differences:
        raise CheckpointError(
            f"{job.load}: differs from the system on the machine that started the job ({'; '.join(differences)}). "
            "Copy that system to this path on all machines."
        )
    return runner


def predict_shard(runner: Runner, job: Job, task: Task, rows_at_once: int) -> ShardReport:
    """Predict a shard, and write its results atomically.

    Args:
        runner: the runner of the job's system.
        job: the job of the shard.
        task: the shard.
        rows_at_once: the number of rows in memory.

    Raises:
        DataError: when the shard cannot be read.
        OSError: when the results cannot be written.
    """
    report = ShardReport(task.name)
    with collect_warnings(report.warnings), ExitStack() as stack:
        chunks = stack.enter_context(closing(task.shard.chunks(rows_at_once)))
        # The output is opened first, so that it is renamed last: its existence says that the shard is done.
        file = stack.enter_context(task.output.writing())
        writer = stack.enter_context(closing(_writer(job, task, file, rows_at_once)))
        rejects: IO[bytes] | None = None
        for chunk in chunks:
            if len(chunk):
                found = runner.predict_columns(chunk.columns)
                writer.write(chunk, found.columns(targets=chunk.columns[const.TARGET]))
            if chunk.rejects and rejects is None:
                first = chunk.rejects[0]
                report.first_reject = f"line {first.line}: {first.reason}"
                rejects = stack.enter_context(task.rejects.writing())
            for reject in chunk.rejects:
                assert rejects is not None
                place = {"file": str(task.shard.place), "line": reject.line, "reason": reject.reason}
                rejects.write(json_line({**place, "row": reject.row}).encode() + b"\n")
            report.segments += len(chunk) - chunk.n_bad
            report.rejected += len(chunk.rejects)
        if rejects is None:
            task.rejects.remove()  # left by an earlier attempt
    return report


def _writer(job: Job, task: Task, file: IO[bytes], rows_at_once: int) -> ShardWriter:
    if job.output_format == "jsonl":
        return JsonlWriter(file)
    return ParquetWriter(file, task.shard.schema(rows_at_once), job.outputs)


class _WarningCollector(logging.Handler):
    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.messages = messages

    @override
    def emit(self, record: logging.LogRecord) -> None:
        if len(self.messages) < 3 and (text := record.getMessage()) not in self.messages:
            self.messages.append(text)


@contextmanager
def collect_warnings(messages: list[str]) -> Iterator[None]:
    """Collect kiwi's first warnings for the report, because the log of a remote machine is not shown.

    Args:
        messages: the list to which they are added.
    """
    logger, handler = logging.getLogger("kiwi"), _WarningCollector(messages)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)

"""Predict shards with an engine that distributes the work: ``kiwi predict --engine ray``."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kiwi.exceptions import DataError, KiwiError
from kiwi.lib.bulk.config import BulkConfiguration
from kiwi.lib.bulk.job import ADVICE, REJECTS, Job, count_shards_with_rejects, pending_tasks, plan_job
from kiwi.lib.bulk.worker import ShardReport
from kiwi.lib.utils import configure_logging, load_configuration
from kiwi.runner import load_system
from kiwi.utils.imports import needs_extra
from kiwi.utils.process.pace import format_time, regularly
from kiwi.utils.process.signals import stop_on_signals

logger = logging.getLogger(__name__)

LISTED = 5
"""The maximum number of shards that an error lists."""


@dataclass
class BulkInfo:
    """The result of a job."""

    output: str
    """The directory of the results, or its URL."""

    shards: int
    """The number of shards of the job."""

    skipped: int
    """The number of shards that were done before."""

    done: int = 0
    """The number of shards that were done by this run."""

    segments: int = 0
    """The number of segments that were predicted by this run."""

    rejected: int = 0
    """The number of bad rows that were found by this run."""

    shards_with_rejects: int = 0
    """The number of shards that were done before and have bad rows."""

    first_reject: str = ""
    """The shard, the line and the reason of the first bad row."""

    seconds: float = 0.0
    """The time since the engine was started, in seconds; it includes loading the system in the workers."""

    failed: dict[str, str] = field(default_factory=dict)
    """The shards without results, by name, with the reasons."""

    @property
    def has_rejects(self) -> bool:
        """Whether any shard has bad rows, whichever run found them."""
        return self.rejected > 0 or self.shards_with_rejects > 0


def bulk_from_file(filename: str | Path) -> BulkInfo:
    """Predict shards with the options of a configuration file.

    Args:
        filename: a YAML or JSON file.

    Raises:
        ConfigError: when the configuration is invalid; the message lists all mistakes.
        DataError: when there are no shards, all rows are bad, or shards have no results.
        CheckpointError: when the system cannot be loaded.
    """
    return bulk_from_configuration(load_configuration(filename))


def bulk_from_configuration(configuration_dict: Mapping[str, Any]) -> BulkInfo:
    """Predict shards with a mapping of options.

    Args:
        configuration_dict: the options of :class:`BulkConfiguration`.

    Raises:
        ConfigError: when the configuration is invalid; the message lists all mistakes.
        DataError: when there are no shards, all rows are bad, or shards have no results.
        CheckpointError: when the system cannot be loaded.
    """
    configure_logging(verbose=configuration_dict.get("verbose") is True, quiet=configuration_dict.get("quiet") is True)
    return run(BulkConfiguration.from_dict(configuration_dict))


def run(config: BulkConfiguration) -> BulkInfo:
    """Predict the shards that are not done.

    Args:
        config: options.

    Raises:
        DataError: when there are no shards, all rows are bad, or shards have no results.
        StoppedError: when SIGTERM or Ctrl-C has stopped the job.
    """
    with needs_extra("ray", "The engine ray"):
        from kiwi.lib.bulk.ray_pool import open_pool, predict_shards

    # The system is loaded here once, so that its problems are reported before any worker starts.
    bulk = config.bulk
    runner = load_system(config.system.load, model=config.system.model, align=bulk.align, aligner=bulk.aligner)
    job, tasks = plan_job(config, runner.about)
    if job.aligns:
        job = job.with_aligner(runner.prepare_aligner())
    del runner  # its memory is for the workers
    pending = pending_tasks(job, tasks)
    info = BulkInfo(str(job.output), len(tasks), len(tasks) - len(pending))
    logger.info("%d shards, %d of them already done; results go to %s", info.shards, info.skipped, info.output)
    if info.skipped:
        left = {task.name for task in pending}
        info.shards_with_rejects = count_shards_with_rejects(job, (task for task in tasks if task.name not in left))
    if pending:
        with stop_on_signals(ADVICE), open_pool(config.bulk, verbose=config.verbose) as pool:
            logger.info("Workers: %d", min(pool.workers, len(pending)))
            _collect(predict_shards(job, pending, pool, verbose=config.verbose), info)
        job.output.clear_leftovers()
    _warn_of_rejects(info, job)
    _check_failures(info, job)
    return info


def _collect(reports: Iterable[ShardReport], info: BulkInfo) -> None:
    """Add up the reports of shards as they arrive, and log the progress regularly, and at the end.

    Args:
        reports: the reports.
        info: the result that they are added to.
    """
    started = time.monotonic()

    def log() -> None:
        info.seconds = time.monotonic() - started
        _log_progress(info)

    with regularly(log):
        for report in reports:
            _add(info, report)
    log()


def _add(info: BulkInfo, report: ShardReport) -> None:
    if report.fatal:
        raise KiwiError(f"No worker can start: {report.error} {ADVICE}")
    if report.error:
        info.failed[report.name] = report.error
        logger.error("%s has no results: %s", report.name, report.error)
        return
    if report.deaths:
        logger.warning("%s: %d worker(s) died while they predicted it; it is done now.", report.name, report.deaths)
    for text in report.warnings:
        logger.warning("%s: %s", report.name, text)
    if report.rejected and not info.rejected:
        info.first_reject = f"{report.name}, {report.first_reject}"
    info.done += 1
    info.segments += report.segments
    info.rejected += report.rejected


def _log_progress(info: BulkInfo) -> None:
    n_left = info.shards - info.skipped - info.done - len(info.failed)
    left = f", {format_time(n_left * info.seconds / info.done)} left" if info.done and n_left else ""
    logger.info(
        "%d of %d shards done; %d segments in %.0f s, %.1f segments/s%s%s",
        info.skipped + info.done,
        info.shards,
        info.segments,
        info.seconds,
        info.segments / max(info.seconds, 1e-9),
        left,
        f"; {len(info.failed)} without results" if info.failed else "",
    )


def _warn_of_rejects(info: BulkInfo, job: Job) -> None:
    if info.shards_with_rejects:
        logger.warning(
            "%d of the %d shards that were done before have bad rows; they are in %s, with the reasons.",
            info.shards_with_rejects,
            info.skipped,
            job.output / REJECTS,
        )
    if info.rejected:
        logger.warning(
            "%d of %d rows are bad and %s; they are in %s, with the reasons. The first: %s",
            info.rejected,
            info.rejected + info.segments,
            "left out" if job.options["on_bad_segment"] == "skip" else "have no score",
            job.output / REJECTS,
            info.first_reject,
        )


def _check_failures(info: BulkInfo, job: Job) -> None:
    """Raise if shards have no results, or all rows are bad."""
    if info.failed:
        names = list(info.failed)
        lines = [f"  {name}: {info.failed[name]}" for name in names[:LISTED]]
        if len(names) > LISTED:
            lines.append(f"  and {len(names) - LISTED} more, in the log")
        raise DataError(
            f"{len(names)} of {info.shards} shards have no results; the others are complete. Fix these, and run the "
            "same command again; it predicts only these:\n" + "\n".join(lines)
        )
    if info.rejected and not info.segments and not info.skipped:  # the rows of skipped shards may have been good
        raise DataError(f"All {info.rejected} rows are bad. The first: {info.first_reject} See {job.output / REJECTS}.")

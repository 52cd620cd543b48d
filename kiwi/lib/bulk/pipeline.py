"""Predict shards with an engine that distributes the work: ``kiwi predict --engine ray``."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kiwi.exceptions import DataError, KiwiError
from kiwi.lib.bulk.config import BulkConfiguration
from kiwi.lib.bulk.job import REJECTS, planned, undone
from kiwi.lib.bulk.worker import ShardReport
from kiwi.lib.utils import configure_logging, load_configuration
from kiwi.runner import load_system
from kiwi.utils.imports import needs_extra
from kiwi.utils.signals import stop_on_signals

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10.0
"""Of progress."""

ADVICE = "Shards that are done stay; the same command resumes the job."

LISTED = 5
"""Shards that errors name, at most."""


@dataclass
class BulkInfo:
    """What came of a job."""

    output: str
    """Directory of the results, or its URL."""

    shards: int
    """All of the job."""

    skipped: int
    """Shards that were done before."""

    done: int = 0
    """Shards that were done now."""

    segments: int = 0
    """That were predicted now."""

    rejected: int = 0
    """Bad rows that were found now."""

    seconds: float = 0.0
    failed: dict[str, str] = field(default_factory=dict)
    """Shard to the reason why it has no results."""


def bulk_from_file(filename: str | Path) -> BulkInfo:
    """Predict shards as a configuration file says.

    Args:
        filename: YAML or JSON.

    Raises:
        ConfigError: listing every mistake of the configuration.
        DataError: when there are no shards, all rows are bad, or shards have no results.
        CheckpointError: when the system cannot be loaded.
    """
    return bulk_from_configuration(load_configuration(filename))


def bulk_from_configuration(configuration_dict: Mapping[str, Any]) -> BulkInfo:
    """Predict shards as a mapping of options says.

    Args:
        configuration_dict: options of :class:`BulkConfiguration`.

    Raises:
        ConfigError: listing every mistake of the configuration.
        DataError: when there are no shards, all rows are bad, or shards have no results.
        CheckpointError: when the system cannot be loaded.
    """
    configure_logging(verbose=configuration_dict.get("verbose") is True, quiet=configuration_dict.get("quiet") is True)
    return run(BulkConfiguration.from_dict(configuration_dict))


def run(config: BulkConfiguration) -> BulkInfo:
    """Predict the shards that are not done.

    Args:
        config: options.

    Returns:
        What came of it.

    Raises:
        StoppedError: when SIGTERM or Ctrl-C has stopped it.
    """
    with needs_extra("ray", "The engine ray"):
        from kiwi.lib.bulk.ray_pool import reports, started

    # Loaded here once: what is wrong with the system is said before any worker starts.
    about = load_system(config.system.load, model=config.system.model).about
    job, tasks = planned(config, about)
    left = undone(job, tasks)
    info = BulkInfo(str(job.output), len(tasks), len(tasks) - len(left))
    logger.info("%d shards, %d of them done before; results go to %s", info.shards, info.skipped, info.output)
    if not left:
        return info
    waiting = {task.name for task in left}
    first_reject, beginning, shown = "", time.monotonic(), time.monotonic()
    with stop_on_signals(ADVICE), started(config.bulk, verbose=config.verbose) as pool:
        logger.info("Workers: %d", min(pool.workers, len(left)))
        for report in reports(job, left, pool, verbose=config.verbose):
            waiting.discard(report.name)
            _take(info, report)
            first_reject = first_reject or (f"{report.name}, {report.first_reject}" if report.rejected else "")
            info.seconds = time.monotonic() - beginning
            if time.monotonic() - shown > SECONDS_BETWEEN_LINES or not waiting:
                shown = time.monotonic()
                _show(info)
    job.output.clear_leftovers()
    if info.rejected:
        logger.warning(
            "%d of %d rows are bad; they are in %s, with the reasons. The first: %s",
            info.rejected,
            info.rejected + info.segments,
            job.output / REJECTS,
            first_reject,
        )
    _check_failures(info)
    if info.rejected and not info.segments and not info.skipped:  # whose rows were not all bad, for all that is known
        raise DataError(f"All {info.rejected} rows are bad. The first: {first_reject} See {job.output / REJECTS}.")
    return info


def _take(info: BulkInfo, report: ShardReport) -> None:
    if report.fatal:
        raise KiwiError(f"No worker can begin: {report.error} Shards that are done stay; the same command goes on.")
    if report.error:
        info.failed[report.name] = report.error
        logger.error("%s has no results: %s", report.name, report.error)
        return
    if report.deaths:
        logger.warning("%s: %d worker(s) died over it; it is done now.", report.name, report.deaths)
    for text in report.warnings:
        logger.warning("%s: %s", report.name, text)
    info.done += 1
    info.segments += report.segments
    info.rejected += report.rejected


def _show(info: BulkInfo) -> None:
    logger.info(
        "%d of %d shards done; %d segments in %.0f s, %.1f a second%s",
        info.skipped + info.done,
        info.shards,
        info.segments,
        info.seconds,
        info.segments / max(info.seconds, 1e-9),
        f"; {len(info.failed)} without results" if info.failed else "",
    )


def _check_failures(info: BulkInfo) -> None:
    if not info.failed:
        return
    names = list(info.failed)
    lines = [f"  {name}: {info.failed[name]}" for name in names[:LISTED]]
    if len(names) > LISTED:
        lines.append(f"  and {len(names) - LISTED} more, in the log")
    raise DataError(
        f"{len(names)} of {info.shards} shards have no results; the others are whole. Mend these, and start the same "
        "command again, which does them alone:\n" + "\n".join(lines)
    )

"""The progress of a search: a live table on a terminal, lines of the log elsewhere."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler
from rich.table import Table
from typing_extensions import override

from kiwi.lib.search.attributes import REASON
from kiwi.lib.search.context import SearchContext
from kiwi.lib.search.trial_values import JSON_PREFIX
from kiwi.lib.search.trials import FINISHED
from kiwi.lib.utils import configure_logging
from kiwi.utils.pace import format_time, regularly

logger = logging.getLogger("kiwi.lib.search")

STATES = {
    TrialState.WAITING: "waiting",
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "ended early",
    TrialState.FAIL: "failed",
}

MAX_ROWS = 20


def format_value(value: Any) -> str:
    """Return a value of the study as tables and the log show it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value).removeprefix(JSON_PREFIX)


class Progress:
    """Shows the trials of a search.

    Args:
        context: the search.
        is_live: whether a table is shown that changes, instead of lines.
    """

    def __init__(self, context: SearchContext, is_live: bool) -> None:
        self.context = context
        self.is_live = is_live
        self._reported = {each.number for each in context.trials.list_trials(*FINISHED)}
        if self._reported:
            logger.info("%d of %d trials have ended before.", len(self._reported), context.config.num_trials)

    def update(self) -> None:
        """Log the trials that have ended since the last update; a live table needs only those that failed."""
        ended = [each for each in self.context.trials.list_trials(*FINISHED) if each.number not in self._reported]
        if not ended:
            return
        best = self.context.best_trial()
        for each in ended:
            self._reported.add(each.number)
            if not self.is_live or each.state == TrialState.FAIL:
                level = logging.WARNING if each.state == TrialState.FAIL else logging.INFO
                logger.log(level, "%s", self._describe(each, best))

    def log_running(self) -> None:
        """Log how far the search and the running trials are."""
        try:
            logger.info("%s", self._describe_running())
        except StorageInternalError as error:  # the search itself reports it when it lasts
            logger.warning("The storage did not respond (%s).", str(error).splitlines()[0])

    def _describe_running(self) -> str:
        context = self.context
        ended = context.trials.list_trials(*FINISHED)
        running = [
            f"trial {each.number} after validation {each.last_step or 0}"
            + (f" ({context.space.metric} {each.intermediate_values[each.last_step]:.4f})" if each.last_step else "")
            for each in context.trials.list_trials(TrialState.RUNNING)
        ]
        seconds = [each.duration.total_seconds() for each in ended if each.duration]
        rounds = (context.config.num_trials - len(ended)) / context.config.num_workers
        left = f", {format_time(rounds * sum(seconds) / len(seconds))} left" if seconds else ""
        listing = ", ".join(running) or "none"
        return f"{len(ended)} of {context.config.num_trials} trials have ended{left}; running: {listing}"

    def _describe(self, trial: FrozenTrial, best: FrozenTrial | None) -> str:
        if trial.state == TrialState.FAIL:
            return f"Trial {trial.number} failed: {trial.user_attrs.get(REASON, 'no reason is known')}"
        drawn = ", ".join(f"{name} {format_value(value)}" for name, value in trial.params.items())
        early = f" (ended early, after validation {trial.last_step})" if trial.state == TrialState.PRUNED else ""
        standing = "" if best is None else f"; best: {best.value:.4f}, trial {best.number}"
        value = float("nan") if trial.value is None else trial.value
        return f"Trial {trial.number}: {self.context.space.metric} {value:.4f}{early}, {drawn}{standing}"

    def build_table(self) -> Table:
        """Return a table of the trials that are running and of the best trials that have ended."""
        context, parameters = self.context, self.context.space.parameters
        running, ended = context.trials.list_trials(TrialState.RUNNING), context.rank_trials(*FINISHED)
        title = f"{context.name}: {len(ended)} of {context.config.num_trials} trials"
        table = Table(title=title, title_justify="left")
        for name in ("trial", "", context.space.metric, "validations", "seconds"):
            table.add_column(name, justify="left" if not name else "right")
        for parameter in parameters:
            table.add_column(parameter.name.rpartition("system.")[2], justify="right", overflow="fold")
        for each in [*running, *ended][:MAX_ROWS]:
            value = each.value if each.value is not None else each.intermediate_values.get(each.last_step or 0)
            seconds = each.duration.total_seconds() if each.duration else None
            is_best = ended and each is ended[0] and each.state == TrialState.COMPLETE
            table.add_row(
                str(each.number),
                STATES[each.state],
                "" if value is None else f"{value:.4f}",
                str(each.last_step or ""),
                "" if seconds is None else f"{seconds:.0f}",
                *(format_value(each.params[name]) if (name := p.name) in each.params else "" for p in parameters),
                style="bold" if is_best else "dim" if each.state in (TrialState.PRUNED, TrialState.FAIL) else None,
            )
        return table


@contextmanager
def show_progress(context: SearchContext) -> Iterator[Progress]:
    """Show the progress of a search while the block runs its trials.

    Args:
        context: the search.

    Yields:
        The progress, to update when a trial has ended.
    """
    config = context.config
    with _hidden_trial_logs(verbose=config.verbose, quiet=config.quiet):
        progress = Progress(context, is_live=sys.stderr.isatty() and not (config.quiet or config.verbose))
        if progress.is_live:
            console = Console(stderr=True)
            with Live(get_renderable=progress.build_table, console=console, refresh_per_second=1, redirect_stderr=True):
                yield progress
        else:
            with regularly(progress.log_running):
                yield progress
    configure_logging(verbose=config.verbose, quiet=config.quiet)  # trials have configured it for themselves


class _SearchFilter(logging.Filter):
    """Accepts the messages of the search, and warnings of its trials."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        is_own = record.name == logger.name
        return is_own or (record.name.partition(".")[0] == "kiwi" and record.levelno >= logging.WARNING)


@contextmanager
def _hidden_trial_logs(*, verbose: bool, quiet: bool) -> Iterator[None]:
    """Show the messages of the search, and warnings of its trials, whose own logs are in their directories.

    A program that has set up logging itself keeps its own way of showing messages.

    Args:
        verbose: whether to show the logs of the trials too.
        quiet: whether to show warnings only.
    """
    root = logging.getLogger()
    if root.handlers or verbose:
        yield
        return
    handler = RichHandler(console=Console(stderr=True), show_path=False, log_time_format="[%X]")
    handler.addFilter(_SearchFilter())
    root.addHandler(handler)
    configure_logging(quiet=quiet)  # adds no handler of its own when the root logger has one
    try:
        yield
    finally:
        root.removeHandler(handler)

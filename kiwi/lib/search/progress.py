"""How a search goes: a live table on a terminal, lines of the log elsewhere."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler
from rich.table import Table

from kiwi.lib.search.space import Space
from kiwi.lib.search.trials import REASON, Ledger, merit
from kiwi.lib.utils import configure_logging

logger = logging.getLogger("kiwi.lib.search")

STATES = {
    TrialState.WAITING: "waits",
    TrialState.RUNNING: "runs",
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "ended early",
    TrialState.FAIL: "failed",
}

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)

MOST_ROWS = 20


def shown(value: Any) -> str:
    """A value in a table."""
    return f"{value:.4g}" if isinstance(value, float) else str(value).removeprefix("json:")


class Progress:
    """Shows the trials of a search.

    Args:
        space: what is searched.
        ledger: of the search.
        is_live: whether there is a table that changes, in the place of lines.
    """

    def __init__(self, space: Space, ledger: Ledger, is_live: bool) -> None:
        self.space = space
        self.ledger = ledger
        self.is_live = is_live
        self._told = {each.number for each in ledger.trials(*FINISHED)}
        if self._told:
            logger.info("%d of %d trials have ended before.", len(self._told), ledger.num_trials)

    def update(self) -> None:
        """Say which trials have ended since the last time."""
        ended = [each for each in self.ledger.trials(*FINISHED) if each.number not in self._told]
        if not ended:
            return
        best = self.best()
        for each in ended:
            self._told.add(each.number)
            if not self.is_live or each.state == TrialState.FAIL:
                level = logging.WARNING if each.state == TrialState.FAIL else logging.INFO
                logger.log(level, "%s", self._line(each, best))

    def best(self) -> FrozenTrial | None:
        """The best trial that went to its end."""
        done = self.ledger.trials(TrialState.COMPLETE)
        high = self.space.is_better_high
        return max(done, key=lambda each: (merit(each, high), -each.number), default=None)

    def _line(self, trial: FrozenTrial, best: FrozenTrial | None) -> str:
        if trial.state == TrialState.FAIL:
            return f"Trial {trial.number} failed: {trial.user_attrs.get(REASON, 'for no reason that it gave')}"
        drawn = ", ".join(f"{name} {shown(value)}" for name, value in trial.params.items())
        metric = "+".join(self.space.main_metric)
        early = f" (ended early, after validation {trial.last_step})" if trial.state == TrialState.PRUNED else ""
        standing = "" if best is None else f"; best: {best.value:.4f}, trial {best.number}"
        value = float("nan") if trial.value is None else trial.value
        return f"Trial {trial.number}: {metric} {value:.4f}{early}, {drawn}{standing}"

    def table(self) -> Table:
        """The trials that run, the best ones, and the last ones."""
        trials = self.ledger.trials()
        high = self.space.is_better_high
        ranked = sorted(
            (each for each in trials if each.state in FINISHED),
            key=lambda each: (-(value if (value := merit(each, high)) is not None else float("-inf")), each.number),
        )
        running = [each for each in trials if each.state == TrialState.RUNNING]
        ended = len(ranked)
        title = f"{self.ledger.study.study_name}: {ended} of {self.ledger.num_trials} trials"
        table = Table(title=title, title_justify="left")
        for name in ("trial", "", "+".join(self.space.main_metric), "validations", "seconds"):
            table.add_column(name, justify="left" if not name else "right")
        for parameter in self.space.parameters:
            table.add_column(parameter.name.rpartition("system.")[2], justify="right", overflow="fold")
        for each in [*running, *ranked][:MOST_ROWS]:
            value = each.value if each.value is not None else each.intermediate_values.get(each.last_step or 0)
            seconds = each.duration.total_seconds() if each.duration else None
            is_best = ranked and each is ranked[0] and each.state == TrialState.COMPLETE
            table.add_row(
                str(each.number),
                STATES[each.state],
                "" if value is None else f"{value:.4f}",
                str(each.last_step or ""),
                "" if seconds is None else f"{seconds:.0f}",
                *(shown(each.params[p.name]) if p.name in each.params else "" for p in self.space.parameters),
                style="bold" if is_best else "dim" if each.state in (TrialState.PRUNED, TrialState.FAIL) else None,
            )
        return table


class _OfSearch(logging.Filter):
    """What a search says, and warnings of its trials."""

    def filter(self, record: logging.LogRecord) -> bool:
        own = record.name == logger.name
        return own or (record.name.partition(".")[0] == "kiwi" and record.levelno >= logging.WARNING)


@contextmanager
def quiet_trials(*, verbose: bool, quiet: bool) -> Iterator[None]:
    """Show what the search says, and warnings; the log of each trial is in its directory.

    A program that has set up logging itself keeps its own way of showing messages.

    Args:
        verbose: show the log of each trial too.
        quiet: show warnings only.
    """
    root = logging.getLogger()
    if root.handlers or verbose:
        yield
        return
    handler = RichHandler(console=Console(stderr=True), show_path=False, log_time_format="[%X]")
    handler.addFilter(_OfSearch())
    root.addHandler(handler)
    configure_logging(quiet=quiet)  # which leaves it to that handler
    try:
        yield
    finally:
        root.removeHandler(handler)


@contextmanager
def live(progress: Progress) -> Iterator[None]:
    """Keep the table on the terminal while the search goes on."""
    if not progress.is_live:
        yield
        return
    console = Console(stderr=True)
    with Live(get_renderable=progress.table, console=console, refresh_per_second=1, redirect_stderr=True):
        yield


def is_terminal() -> bool:
    """Whether there is one to show a table on."""
    return sys.stderr.isatty()

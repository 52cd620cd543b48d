"""How far a long job is: a bar where somebody looks, lines in the log where nobody does."""

from __future__ import annotations

import logging
import sys
import time
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 60.0


class Progress:
    """Segments done, segments a second, and the time that is left.

    Args:
        title: of the bar.
        total: segments; None where it is not known.
        done: segments that were done before.
    """

    def __init__(self, title: str, total: int | None, done: int = 0) -> None:
        self.title, self.total, self.done = title, total, done
        self._first, self._begun = done, time.monotonic()
        self._told = self._begun
        self._bar: Any = None

    def __enter__(self) -> Self:
        shown = logging.getLogger("kiwi").isEnabledFor(logging.INFO)
        if shown and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress as Bar,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )

            rate = TextColumn("{task.fields[rate]:.1f} segments/s")
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                rate,
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(self.title, total=self.total, completed=self.done, rate=0.0)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if error is None and self.done > self._first:
            seconds = time.monotonic() - self._begun
            logger.info("%d segments in %s: %.1f segments/s.", self.done - self._first, _time(seconds), self.rate)

    @property
    def rate(self) -> float:
        """Segments a second, so far."""
        return (self.done - self._first) / max(time.monotonic() - self._begun, 1e-9)

    def advance(self, n_segments: int) -> None:
        """So many more are done."""
        self.done += n_segments
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, rate=self.rate)
        elif now - self._told >= SECONDS_BETWEEN_LINES:
            self._told = now
            left = "" if self.total is None else f" of {self.total}, {_time((self.total - self.done) / self.rate)} left"
            logger.info("%d segments%s: %.1f segments/s.", self.done, left, self.rate)


def _time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))

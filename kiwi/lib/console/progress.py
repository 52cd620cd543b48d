"""The progress of a long job: a bar on a terminal, lines in the log elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from kiwi.utils.process.pace import Pace, format_time

logger = logging.getLogger(__name__)


class Progress:
    """Shows the number of segments that are done, their rate, and the remaining time.

    Args:
        title: the title of the bar.
        total: the total number of segments; None if unknown.
        done: the number of segments that were done before.
        is_bar_only: whether nothing is logged, for commands that write results to standard output.
    """

    def __init__(self, title: str, total: int | None, done: int = 0, *, is_bar_only: bool = False) -> None:
        self._is_bar_only = is_bar_only
        self.title, self.total, self.done = title, total, done
        self._done_before, self._started = done, time.monotonic()
        self._pace = Pace()
        self._ahead = 0
        self._bar: Any = None

    def __enter__(self) -> Self:
        is_shown = logging.getLogger("kiwi").isEnabledFor(logging.WARNING if self._is_bar_only else logging.INFO)
        if is_shown and sys.stderr is not None and sys.stderr.isatty():
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
                TextColumn("{task.description}", markup=False),
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
        if error is None and not self._is_bar_only and self.done > self._done_before:
            seconds = time.monotonic() - self._started
            logger.info(
                "%d segments in %s: %.1f segments/s.", self.done - self._done_before, format_time(seconds), self.rate
            )

    @property
    def rate(self) -> float:
        """Return the number of segments per second so far."""
        return (self.done + self._ahead - self._done_before) / max(time.monotonic() - self._started, 1e-9)

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Hide the bar during a block that writes to the same terminal."""
        if self._bar is not None:
            self._bar.stop()
        yield
        if self._bar is not None:
            self._bar.start()

    def advance(self, n_segments: int) -> None:
        """Add segments that are done."""
        self.done += n_segments
        self._ahead = 0
        self._show()

    def advance_within_chunk(self, n_segments: int) -> None:
        """Add segments of a chunk that is not done; :meth:`advance` replaces them."""
        self._ahead += n_segments
        self._show()

    def _show(self) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done + self._ahead, rate=self.rate)
        elif not self._is_bar_only and self._pace.is_due():
            logger.info("%d segments%s: %.1f segments/s.", self.done + self._ahead, self._remaining(), self.rate)

    def _remaining(self) -> str:
        if self.total is None:
            return ""
        return f" of {self.total}, {format_time((self.total - self.done - self._ahead) / self.rate)} left"

"""Lines of progress in a log that nobody watches, at regular intervals."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

SECONDS_BETWEEN_LINES = 60.0
"""The time in seconds between two lines of progress in a log, where no terminal shows a bar."""


class Pace:
    """Tells when the next line of progress is due."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def is_due(self) -> bool:
        """Return whether the next line is due; if so, the time of the one after it starts."""
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_LINES:
            return False
        self._last = now
        return True


@contextmanager
def regularly(log: Callable[[], None]) -> Iterator[None]:
    """Call a function at regular intervals while the block runs, in a thread, for blocks that only wait.

    Args:
        log: the function that logs a line of progress.
    """
    end = threading.Event()

    def work() -> None:
        while not end.wait(SECONDS_BETWEEN_LINES):
            log()

    thread = threading.Thread(target=work, name="kiwi-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def format_time(seconds: float) -> str:
    """Return a duration as hours, minutes and seconds."""
    return str(timedelta(seconds=round(seconds)))

"""What jobs say, which may quote texts: for their owners, and out of the log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from typing_extensions import override

MOST_WARNINGS = 20
"""The maximum number of warnings of a job that are kept."""

_job_threads: set[int] = set()


class HideJobs(logging.Filter):
    """Keeps out of the log what the threads of jobs say."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread not in _job_threads


class _Warnings(logging.Handler):
    """Keeps the warnings of the thread that has made it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.thread = threading.get_ident()
        self.found: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        if record.thread != self.thread or len(self.found) == MOST_WARNINGS:
            return
        if (text := record.getMessage()) not in self.found:  # files are read twice
            self.found.append(text)


@contextmanager
def own_warnings() -> Iterator[list[str]]:
    """Yield a list that gets the warnings of this thread; :class:`HideJobs` hides everything that it says meanwhile."""
    warnings, log = _Warnings(), logging.getLogger("kiwi")
    _job_threads.add(warnings.thread)
    log.addHandler(warnings)
    try:
        yield warnings.found
    finally:
        log.removeHandler(warnings)
        _job_threads.discard(warnings.thread)

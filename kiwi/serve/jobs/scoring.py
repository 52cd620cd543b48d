"""The threads that score files, and what becomes of these when the server ends."""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace

from kiwi.exceptions import KiwiError
from kiwi.lib.score import DocumentOptions
from kiwi.lib.score.document.pipeline import score_document
from kiwi.serve.batching.model import QueuedRunner
from kiwi.serve.jobs.job import Job, TooManyJobsError
from kiwi.serve.jobs.log import own_warnings
from kiwi.serve.jobs.store import JobStore
from kiwi.serve.jobs.wording import for_clients
from kiwi.serve.registry import Registry
from kiwi.serve.views.segments import SegmentWriter
from kiwi.utils.inputs import NO_SPACE

logger = logging.getLogger(__name__)

AT_ONCE = 2
"""The number of files of a process that are scored at the same time."""

STOPPED = "The server was stopped, or took too long after a reload. Upload the file again."
FAILED = "The server has failed. Its log says how."
FULL = "The server has no room on its disk. Try later."


class _Cancelled(Exception):
    """A job that is no longer wanted."""


class JobScorer:
    """Scores the files of a store in the background.

    Args:
        store: the files.
        registry: the models.
    """

    def __init__(self, store: JobStore, registry: Registry) -> None:
        self._store, self._registry = store, registry
        self._pool = ThreadPoolExecutor(AT_ONCE, "kiwi-file")
        self._futures: set[Future[None]] = set()
        self._is_closed = self._is_cancelled = False

    def start(self, job: Job, how: DocumentOptions) -> None:
        """Score the file of a job, which is complete, in the background.

        Raises:
            TooManyJobsError: when there is no place any more.
        """
        if self._is_closed:
            raise TooManyJobsError("The server is shutting down and takes no more files.")
        self._store.keep(job)
        future = self._pool.submit(self._run, job, how)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)

    def cancel(self) -> None:
        """Cancel the files that wait or are being scored."""
        self._is_closed = self._is_cancelled = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def close(self, timeout: float = 0.0) -> None:
        """Take no more files, and end.

        Args:
            timeout: the number of seconds in which the files that were taken are finished; then they are cancelled.
        """
        self._is_closed = True
        if timeout and self._futures:
            logger.info("The files that were taken are finished within %g s.", timeout)
            wait(self._futures.copy(), timeout)
        self.cancel()
        self._pool.shutdown()
        self._store.close(STOPPED)

    def _run(self, job: Job, how: DocumentOptions) -> None:
        failure: Exception | None = None
        with own_warnings() as warnings:
            try:
                job = self._score(job, how)
            except _Cancelled:
                job = replace(self._store.find(job.id) or job, state="cancelled", error=STOPPED)
            except (KiwiError, OSError) as error:
                is_full = isinstance(error, OSError) and error.errno in NO_SPACE
                job = replace(self._store.find(job.id) or job, state="failed", error=FULL if is_full else str(error))
            except Exception as error:
                failure = error
                job = replace(self._store.find(job.id) or job, state="failed", error=FAILED)
        if failure is not None:
            logger.error("A file could not be scored: %s.", type(failure).__name__)
        reason = None if job.error is None else self._public(job.error, job, how)
        found = [self._public(text, job, how) for text in warnings]
        with suppress(OSError):  # when the disk is full, it counts as lost
            self._store.input_of(job).unlink(missing_ok=True)
            self._store.update(replace(job, error=reason, warnings=found))
        self._store.release(job)

    def _score(self, job: Job, how: DocumentOptions) -> Job:
        store = self._store
        total: int | None = None

        def tell(n_scored: int) -> None:
            if self._is_cancelled or not store.has(job):
                raise _Cancelled
            store.update(replace(job, state="running", segments=n_scored, total=total))

        def on_counted(n_segments: int, are_all: bool) -> None:
            nonlocal total
            total = n_segments if are_all else None
            tell(0)

        with self._registry.hold(job.model) as served, SegmentWriter(store.segments_of(job)) as writer:
            n_bad = score_document(
                served.runner.about.place or served.name,
                store.input_of(job),
                store.output_of(job),
                document=how,
                runner=QueuedRunner(served.runner, served.worker, tell),
                observe=writer.add,
                on_counted=on_counted,
            )
        return replace(store.find(job.id) or job, state="done", error=None, bad_segments=n_bad)

    def _public(self, text: str, job: Job, how: DocumentOptions) -> str:
        """Return a message in the words of clients, with names in place of the server's paths."""
        for path in (self._store.input_of(job), self._store.output_of(job), self._store.place_of(job)):
            text = text.replace(str(path), job.name)
        if how.policy is not None:
            text = text.replace(str(how.policy), "the policy")
        return for_clients(text)

"""The thread that computes the segments of all requests with one model."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kiwi.serve.batching.cache import ResultCache, Row, Texts
from kiwi.serve.batching.queue import SegmentQueue
from kiwi.serve.batching.work import Entry, Ticket, Work

logger = logging.getLogger(__name__)

BATCH_COST = 1 / 128
"""About what a batch costs beside its tokens, as a share of what the largest one costs."""


class Model(Protocol):
    """What a worker computes with."""

    batch_tokens: int
    """The maximum number of tokens in a batch."""

    def lengths(self, segments: Sequence[Texts]) -> list[int]:
        """Return the number of tokens of each segment; any thread may call it."""

    def predict(self, segments: Sequence[Texts]) -> list[Row]:
        """Return the predictions for each segment; one thread calls it."""


@dataclass(frozen=True)
class QueueOptions:
    """How segments wait."""

    batch_wait: float = 0.002
    """The number of seconds that a batch waits for more segments."""

    queue_segments: int = 20_000
    """The maximum number of segments that wait."""

    cache_segments: int = 50_000
    """The maximum number of segments whose results are kept."""

    cache_bytes: int = 2**28
    """About the maximum number of bytes of memory of these results."""


@dataclass
class Observer:
    """Functions that are told what a worker does, for metrics."""

    on_batch: Callable[[int, int, float], None] = lambda n_segments, n_tokens, seconds: None
    """Is called after each batch."""

    on_lookup: Callable[[int, int], None] = lambda n_hits, n_misses: None
    """Is called with the number of segments that were, and were not, in the cache."""

    on_waiting: Callable[[int], None] = lambda n_more: None
    """Is called with the number of segments more, or, below zero, fewer that wait."""


class Worker:
    """Scores segments with one model, in a thread of its own, in batches across requests.

    Models are not made for several threads at once, so each has one.

    Args:
        model: the model.
        options: how segments wait.
        observer: what is told what happens.
        log_texts: whether texts are logged, of whatever kind of request.
    """

    def __init__(
        self,
        model: Model,
        options: QueueOptions | None = None,
        observer: Observer | None = None,
        *,
        log_texts: bool = False,
    ) -> None:
        options = options or QueueOptions()
        self.model = model
        self._observer = observer or Observer()
        self.queue = SegmentQueue(options.queue_segments, self._observer.on_waiting)
        """The segments that wait."""
        self.cache = ResultCache(options.cache_segments, options.cache_bytes)
        """The results that are kept."""
        self._wait = options.batch_wait
        self._log_texts = log_texts
        self._thread = threading.Thread(target=self._run, name="kiwi-model", daemon=True)
        self._thread.start()
        atexit.register(self._end)

    def measure(self, segments: Sequence[Texts]) -> list[Entry]:
        """Return segments with their keys and lengths, which takes a while for many segments."""
        lengths = self.model.lengths(segments)
        return [Entry(self.cache.key(texts), texts, n) for texts, n in zip(segments, lengths, strict=True)]

    def submit(self, entries: Sequence[Entry], *, is_bounded: bool = True) -> Ticket:
        """Score the segments of a request; cancelling its future removes those that nobody else waits for.

        Args:
            entries: the segments.
            is_bounded: whether the request may be refused for lack of room.

        Raises:
            QueueFullError: when too many segments wait.
            QueueClosedError: when the worker is closed.
        """
        rows = self.cache.find([entry.key for entry in entries])
        ticket = self.queue.submit(entries, rows, is_bounded=is_bounded)
        n_misses = rows.count(None)
        self._observer.on_lookup(len(rows) - n_misses, n_misses)
        if self._log_texts:
            for entry in entries:
                texts = entry.texts if entry.texts[-1] is not None else entry.texts[:-1]  # without an unknown pair
                logger.info("Scoring %s.", " | ".join("-" if text is None else repr(text) for text in texts))
        return ticket

    def close(self, timeout: float | None = None) -> bool:
        """Take no more segments, finish those that were taken, and end the thread.

        Args:
            timeout: the number of seconds to wait for it; None waits until it is done.

        Returns:
            Whether everything is finished.
        """
        self.queue.close()
        self._thread.join(timeout)
        if self._thread.is_alive():
            return False
        atexit.unregister(self._end)
        return True

    def _end(self) -> None:
        """Wait, before Python ends, for the batch that is being computed.

        A thread that is in native code when the interpreter ends aborts the process.
        """
        self.queue.drop()
        self._thread.join()

    def _run(self) -> None:
        tokens = self.model.batch_tokens
        while (works := self.queue.take(tokens, self._wait, BATCH_COST * tokens)) is not None:
            try:
                self._compute(works)
            except Exception as error:
                if len(works) == 1:
                    self._give_up(works, error)
                    continue
                for work in works:  # so that one segment does not fail the others
                    try:
                        self._compute([work])
                    except Exception as own:
                        self._give_up([work], own)

    def _compute(self, works: Sequence[Work]) -> None:
        started = time.monotonic()
        rows = self.model.predict([work.entry.texts for work in works])
        seconds = time.monotonic() - started
        self.cache.add([work.entry.key for work in works], rows)
        self.queue.finish(works, rows, seconds)
        self._observer.on_batch(len(works), sum(work.entry.length for work in works), seconds)

    def _give_up(self, works: Sequence[Work], error: Exception) -> None:
        # The message may quote the text, so only the type is logged.
        logger.error("A segment of %d tokens failed: %s.", works[0].entry.length, type(error).__name__)
        self.queue.fail(works, error)

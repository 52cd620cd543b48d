"""The queue of segments, which are taken in batches that are fair to every request."""

from __future__ import annotations

import math
import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import InvalidStateError
from itertools import accumulate, islice

from kiwi.exceptions import KiwiError
from kiwi.serve.batching.cache import Row
from kiwi.serve.batching.work import Entry, Ticket, Work

CANDIDATES = 4
"""How many requests are looked at for each place in a batch."""

LONGEST_RETRY = 60
"""The maximum number of seconds after which a client is asked to come back."""

SMOOTHING = 0.2
"""The weight of the last batch in the mean speed."""


class QueueFullError(KiwiError):
    """A request that the queue has no room for.

    Args:
        retry_after: the number of seconds after which there is probably room.
    """

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"The server is busy; expected a free place in about {retry_after} s. Send the request again.")
        self.retry_after = retry_after


class QueueClosedError(KiwiError):
    """A request that arrives while the server is shutting down, or the model is being replaced."""

    def __init__(self) -> None:
        super().__init__("The server is shutting down and takes no more requests. Send the request again.")


class SegmentQueue:
    """A bounded queue of segments.

    A batch is made around the segment whose turn it is, the longest one of the request that has waited longest for its
    turn. It is filled with segments that are not longer: one of each request, then a second one of each, and so on; if
    there are too many, with those of the most similar length. So a large request fills batches and never holds up a
    small one. Segments that are so much shorter that their padding costs more than another batch are left for one.

    Args:
        limit: the maximum number of segments that wait.
        on_waiting: is called with the number of segments more, or, below zero, fewer that wait.
    """

    def __init__(self, limit: int, on_waiting: Callable[[int], None] = lambda n_more: None) -> None:
        self.n_waiting = 0
        """The number of segments that wait."""
        self.tokens_waiting = 0
        """The number of their tokens."""
        self._limit, self._on_waiting = limit, on_waiting
        self._rotation: deque[Ticket] = deque()
        self._pending: dict[bytes, Work] = {}
        self._condition = threading.Condition()
        self._is_closed = self._is_dropped = False
        self._oldest = 0.0
        self._speed = 0.0

    @property
    def retry_after(self) -> int:
        """The number of seconds in which what waits is probably computed, from 1 to 60."""
        seconds = self.tokens_waiting / self._speed if self._speed else 1
        return max(1, min(LONGEST_RETRY, math.ceil(seconds)))

    def submit(self, entries: Sequence[Entry], rows: Sequence[Row | None], *, is_bounded: bool = True) -> Ticket:
        """Add the segments of a request.

        Args:
            entries: the segments.
            rows: the results that are already known; None for others.
            is_bounded: whether the request may be refused for lack of room.

        Raises:
            QueueFullError: when there is no room.
            QueueClosedError: when the queue is closed.
        """
        ticket = Ticket(list(rows))
        places: dict[bytes, list[int]] = {}
        for index, (entry, row) in enumerate(zip(entries, rows, strict=True)):
            if row is None:
                places.setdefault(entry.key, []).append(index)
        ticket.n_missing = len(places)
        with self._condition:
            if self._is_closed:
                raise QueueClosedError
            new = [indices[0] for key, indices in places.items() if key not in self._pending]
            if is_bounded and self.n_waiting and self.n_waiting + len(new) > self._limit:
                raise QueueFullError(self.retry_after)
            if not self.n_waiting:
                self._oldest = time.monotonic()
            for index in new:
                self._pending[entries[index].key] = Work(entries[index])
            self._count(len(new), sum(entries[index].length for index in new))
            for key, indices in places.items():
                work = self._pending[key]
                work.waiting.append((ticket, indices))
                if not work.is_taken:
                    ticket.works.append(work)
            ticket.works.sort(key=lambda work: -work.entry.length)
            if ticket.works:
                self._rotation.append(ticket)
            self._condition.notify()
        if not ticket.n_missing:
            ticket.future.set_result([row for row in ticket.rows if row is not None])
        ticket.future.add_done_callback(lambda future: self._discard(ticket) if future.cancelled() else None)
        return ticket

    def take(self, tokens: int, wait: float = 0.0, batch_cost: float = math.inf) -> list[Work] | None:
        """Wait for segments, and return a batch of them.

        Args:
            tokens: the maximum number of tokens of a batch, padding included; a longer segment is a batch of its own.
            wait: the number of seconds after which a batch that is not full is returned.
            batch_cost: what a batch costs beside its tokens, in tokens; infinite fills batches whatever the padding.

        Returns:
            The segments, longest first; None when the queue is closed and empty, or dropped.
        """
        with self._condition:
            while True:
                if self._is_dropped:
                    return None
                if self.n_waiting:
                    left = self._oldest + wait - time.monotonic()
                    if self._is_closed or left <= 0 or self.tokens_waiting >= tokens:
                        return self._next_batch(tokens, batch_cost)
                    self._condition.wait(left)
                elif self._is_closed:
                    return None
                else:
                    self._condition.wait()

    def finish(self, works: Sequence[Work], rows: Sequence[Row], seconds: float) -> None:
        """Hand out the results of a batch.

        Args:
            works: the segments.
            rows: their results.
            seconds: how long they took.
        """
        tokens = sum(work.entry.length for work in works)
        done: list[Ticket] = []
        with self._condition:
            speed = tokens / max(seconds, 1e-6)
            self._speed = speed if not self._speed else (1 - SMOOTHING) * self._speed + SMOOTHING * speed
            for work, row in zip(works, rows, strict=True):
                self._pending.pop(work.entry.key, None)
                for ticket, indices in work.waiting:
                    for index in indices:
                        ticket.rows[index] = row
                    ticket.n_missing -= 1
                    if not ticket.n_missing:
                        done.append(ticket)
        for ticket in done:
            try:
                ticket.future.set_result([row for row in ticket.rows if row is not None])
            except InvalidStateError:  # cancelled, or one of its segments has failed
                continue

    def fail(self, works: Sequence[Work], error: Exception) -> None:
        """Tell the requests that wait for some segments that these could not be computed."""
        with self._condition:
            tickets = {id(ticket): ticket for work in works for ticket, _ in work.waiting}
            for work in works:
                self._pending.pop(work.entry.key, None)
        for ticket in tickets.values():
            self._discard(ticket)
            try:
                ticket.future.set_exception(error)
            except InvalidStateError:  # cancelled
                continue

    def close(self) -> None:
        """Take no more requests; those that are waiting are still computed."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()

    def drop(self) -> None:
        """Take no more requests, and give out nothing of what waits."""
        with self._condition:
            self._is_closed = self._is_dropped = True
            self._condition.notify_all()

    def _next_batch(self, tokens: int, batch_cost: float) -> list[Work]:
        head = self._rotation.popleft()
        head.drop_taken()
        while not head.works:
            head = self._rotation.popleft()
            head.drop_taken()
        longest = head.works[0].entry.length
        n_places = max(1, tokens // max(1, longest))
        batch = [head.works[0], *self._companions(head, longest, n_places - 1)]
        batch = batch[: cheapest_size([work.entry.length for work in batch], batch_cost)]
        for work in batch:
            work.is_taken = True
        self._count(-len(batch), -sum(work.entry.length for work in batch))
        self._oldest = time.monotonic()
        head.drop_taken()
        if head.works:
            self._rotation.append(head)
        return batch

    def _companions(self, head: Ticket, longest: int, n_places: int) -> list[Work]:
        """Return the segments that share a batch with the longest one of a request."""
        if not n_places:
            return []
        lists = []
        for ticket in (head, *islice(self._rotation, CANDIDATES * n_places)):
            ticket.drop_taken()
            start = bisect_left(ticket.works, -longest, key=lambda work: -work.entry.length)
            lists.append(ticket.works[start : start + n_places + 1])
        found: dict[int, Work] = {}
        for turn in range(n_places + 1):
            for works in lists:
                if turn < len(works) and works[turn] is not head.works[0]:
                    found.setdefault(id(works[turn]), works[turn])
            if len(found) >= n_places:
                break
        return sorted(found.values(), key=lambda work: -work.entry.length)[:n_places]

    def _discard(self, ticket: Ticket) -> None:
        """Remove the segments of a request that nobody else waits for."""
        with self._condition:
            for work in ticket.works:
                if work.is_taken:
                    continue
                work.waiting = [each for each in work.waiting if each[0] is not ticket]
                if not work.waiting:
                    work.is_taken = True
                    self._pending.pop(work.entry.key, None)
                    self._count(-1, -work.entry.length)
            ticket.works = []

    def _count(self, n_segments: int, n_tokens: int) -> None:
        self.n_waiting += n_segments
        self.tokens_waiting += n_tokens
        self._on_waiting(n_segments)


def cheapest_size(lengths: Sequence[int], batch_cost: float) -> int:
    """Return how many segments make the batch that costs the least for each of its tokens, padding included.

    Args:
        lengths: the lengths of the segments, longest first.
        batch_cost: what a batch costs beside its tokens, in tokens.
    """
    if math.isinf(batch_cost):
        return len(lengths)
    costs = (
        (batch_cost + n * lengths[0]) / max(1, n_tokens) for n, n_tokens in enumerate(accumulate(lengths), start=1)
    )
    return 1 + min(enumerate(costs), key=lambda each: (each[1], -each[0]))[0]

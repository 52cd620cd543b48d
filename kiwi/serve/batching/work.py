"""The segments that are to be scored, and the requests that wait for them."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple

from kiwi.serve.batching.cache import Row, Texts


class Entry(NamedTuple):
    """A segment that is to be scored."""

    key: bytes
    """The hash of its texts."""

    texts: Texts
    length: int
    """The number of tokens."""


@dataclass(eq=False, slots=True)
class Work:
    """A segment in the queue, for all requests that wait for it."""

    entry: Entry
    waiting: list[tuple[Ticket, list[int]]] = field(default_factory=list)
    """The requests, and its places in each."""

    is_taken: bool = False
    """Whether it is being computed, or nobody waits for it any more."""


@dataclass(eq=False)
class Ticket:
    """The segments of a request; cancelling the future removes them from the queue."""

    rows: list[Row | None]
    """The results that are known, in the order of the segments."""

    n_missing: int = 0
    """The number of different segments without a result."""

    works: list[Work] = field(default_factory=list)
    """The segments that wait, longest first."""

    future: Future[list[Row]] = field(default_factory=Future)
    """The results of all segments."""

    def drop_taken(self) -> None:
        """Forget the segments that are being computed."""
        self.works = [work for work in self.works if not work.is_taken]

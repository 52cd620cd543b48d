"""A queue of entries that a background thread sends to a server, so that training never waits for the network."""

from __future__ import annotations

import itertools
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from kiwi.utils.pace import Pace

logger = logging.getLogger(__name__)

MAX_PENDING = 500_000
"""The maximum number of pending entries of a kind, about 150 MB of metrics; beyond it the oldest are dropped."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""The first and the longest pause in seconds between retries; the pause doubles after each failure."""

CLOSE_TIMEOUT = 20.0
"""The time in seconds that a run waits at its end for a server that does not answer."""


class RefusedError(Exception):
    """Raised when the server rejects an entry, which is then not sent again."""


class Outbox:
    """A queue of entries, and the thread that sends them.

    Args:
        name: the name of the server, for log messages.
        batch_sizes: the maximum number of entries to send at a time, by kind in the order of precedence.
        send: the function that sends entries of one kind, by key; it raises :class:`RefusedError` when retrying is
            useless, and any other exception when the entries should be sent again.
        send_timeout: the time in seconds that :meth:`close` waits for the end of one call of ``send``; by default,
            however long it takes.
    """

    def __init__(
        self,
        name: str,
        batch_sizes: Mapping[str, int],
        send: Callable[[str, Mapping[Any, Any]], None],
        send_timeout: float = math.inf,
    ) -> None:
        self.name = name
        self.failure = ""
        """The reason why the last attempt failed; empty if it succeeded."""
        self._batch_sizes = batch_sizes
        self._send = send
        self._send_timeout = send_timeout
        self._n_sent = 0
        self._numbers = itertools.count()
        # Each entry has a number, to recognize one that was replaced while its former value was being sent.
        self._pending: dict[str, dict[Any, tuple[int, Any]]] = {kind: {} for kind in batch_sizes}
        self._lost: dict[str, list[Any]] = {kind: [] for kind in batch_sizes}
        self._changed = threading.Condition()
        self._closing = self._given_up = False
        self._thread = threading.Thread(target=self._work, name="kiwi-outbox", daemon=True)
        self._thread.start()

    def put(self, kind: str, entries: Mapping[Any, Any]) -> None:
        """Queue entries for sending, without waiting.

        Args:
            kind: the kind of the entries, a key of ``batch_sizes``.
            entries: the entries by key; a pending entry with the same key is replaced.
        """
        with self._changed:
            pending = self._pending[kind]
            for key, value in entries.items():
                pending[key] = (next(self._numbers), value)
            while len(pending) > MAX_PENDING:
                oldest = next(iter(pending))
                pending.pop(oldest)
                self._lost[kind].append(oldest)
            self._changed.notify_all()

    def close(self, timeout: float) -> dict[str, list[Any]]:
        """Send the pending entries and stop, however long it takes while the server accepts them; Ctrl-C gives up.

        Args:
            timeout: the time in seconds to wait while the server does not answer.

        Returns:
            The keys of the entries that were never sent, by kind.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            try:
                self._wait(timeout)
            except KeyboardInterrupt:
                self.failure = "Ctrl-C"
                self._given_up = True
            self._changed.notify_all()
            lost = {kind: [*self._lost[kind], *pending] for kind, pending in self._pending.items()}
        return {kind: keys for kind, keys in lost.items() if keys}

    def _wait(self, timeout: float) -> None:
        """Wait until everything is sent, or the server has not answered for too long; see :meth:`close`."""
        answered = sent = time.monotonic()
        n_sent, pace = self._n_sent, Pace()
        while self._thread.is_alive() and not self._given_up:
            self._changed.wait(0.1)
            now = time.monotonic()
            if self._n_sent != n_sent:
                n_sent, sent = self._n_sent, now
            if not self.failure:
                answered = now
            if now - sent > self._send_timeout:
                self.failure = f"no complete answer within {self._send_timeout:g} s"
            self._given_up = now - answered > timeout or now - sent > self._send_timeout
            if pace.is_due():
                n_pending = sum(map(len, self._pending.values()))
                logger.info("%s: still sending, %d entries are left. Ctrl-C gives up.", self.name, n_pending)

    def _next_batch(self) -> tuple[str, dict[Any, tuple[int, Any]]] | None:
        for kind, size in self._batch_sizes.items():
            if entries := dict(itertools.islice(self._pending[kind].items(), size)):
                return kind, entries
        return None

    def _work(self) -> None:
        pause = FIRST_PAUSE
        while True:
            with self._changed:
                while (batch := self._next_batch()) is None and not self._closing:
                    self._changed.wait()
            if batch is None or self._given_up:
                return
            kind, entries = batch
            failure = ""
            try:
                self._send(kind, {key: value for key, (_, value) in entries.items()})
            except RefusedError as refusal:
                logger.warning("%s rejected %s: %s", self.name, kind, refusal)
                with self._changed:
                    self._lost[kind] += entries
            except Exception as error:  # keep the entries and let training continue, whatever the error
                failure = _first_line(error)
            with self._changed:
                self._n_sent += 1
                self._log_availability(kind, failure)
                if failure:
                    # Move the entries to the end, since the failure may concern a single file.
                    for key in entries:
                        self._pending[kind][key] = self._pending[kind].pop(key)
                    self._back_off(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
                else:
                    for key, entry in entries.items():
                        if self._pending[kind].get(key) == entry:
                            self._pending[kind].pop(key)
                    pause = FIRST_PAUSE
                self._changed.notify_all()

    def _back_off(self, pause: float) -> None:
        """Wait before the next attempt, only briefly if the outbox is being closed."""
        start = time.monotonic()
        while not self._given_up:
            left = start + (min(pause, FIRST_PAUSE) if self._closing else pause) - time.monotonic()
            if left <= 0:
                return
            self._changed.wait(left)

    def _log_availability(self, kind: str, failure: str) -> None:
        """Log when the server stops answering, and when it answers again."""
        if failure and not self.failure:
            message = "%s: sending %s failed (%s). The run continues; unsent entries are kept and sent later."
            logger.warning(message, self.name, kind, failure)
        elif self.failure and not failure:
            logger.info("%s accepts %s again.", self.name, kind)
        self.failure = failure


def _first_line(error: Exception) -> str:
    # Only the innermost of the nested reasons of a failed connection is informative.
    lines = str(error).rpartition("(Caused by ")[2].rstrip(")'\"").splitlines()
    return f"{type(error).__name__}: {lines[0]}"[:300] if lines else type(error).__name__

"""What a server is to be told, kept until it was: sent by a thread of its own, so that nobody waits for a network."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

logger = logging.getLogger(__name__)

MOST_WAITING = 500_000
"""Entries of a kind that wait at most, about 150 MB of metrics; beyond, the oldest give way."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between tries while the server is away: twice as long after each."""

LAST_WAIT = 20.0
"""Seconds that a run waits at its end for a server that is away."""


class RefusedError(Exception):
    """The server has answered, and does not want this: it is not sent again."""


class Outbox:
    """Keeps what is to be sent, and sends it in a thread.

    Args:
        name: of the server, for messages.
        at_once: the kinds of entries in the order of precedence, and how many are sent at a time.
        send: sends entries of one kind, by key; raises :class:`RefusedError` when it is no use to try again, and
            anything else when the entries are to be kept.
    """

    def __init__(self, name: str, at_once: Mapping[str, int], send: Callable[[str, Mapping[Any, Any]], None]) -> None:
        self.name = name
        self.failure = ""
        """Why the last try failed; empty when it did not."""
        self._at_once = at_once
        self._send = send
        self._numbers = itertools.count()
        # Each entry has a number, by which one that was put again while the former was sent is known as another.
        self._waiting: dict[str, dict[Any, tuple[int, Any]]] = {kind: {} for kind in at_once}
        self._lost: dict[str, list[Any]] = {kind: [] for kind in at_once}
        self._changed = threading.Condition()
        self._closing = self._given_up = False
        self._thread = threading.Thread(target=self._work, name="kiwi-outbox", daemon=True)
        self._thread.start()

    def put(self, kind: str, entries: Mapping[Any, Any]) -> None:
        """Take entries to be sent; returns at once.

        Args:
            kind: one of those that the outbox was made for.
            entries: by key; what waits under the same key is replaced.
        """
        with self._changed:
            waiting = self._waiting[kind]
            for key, value in entries.items():
                waiting[key] = (next(self._numbers), value)
            while len(waiting) > MOST_WAITING:
                oldest = next(iter(waiting))
                waiting.pop(oldest)
                self._lost[kind].append(oldest)
            self._changed.notify_all()

    def close(self, patience: float) -> dict[str, list[Any]]:
        """Send what is left, and stop.

        While the server takes what it is sent, this waits for as long as that needs.

        Args:
            patience: seconds to wait while the server does not answer.

        Returns:
            Keys of what was never sent, by kind.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            since = time.monotonic()
            while self._thread.is_alive() and not self._given_up:
                self._changed.wait(0.1)
                if not self.failure:
                    since = time.monotonic()
                elif time.monotonic() - since > patience:
                    self._given_up = True
            self._changed.notify_all()
            lost = {kind: [*self._lost[kind], *waiting] for kind, waiting in self._waiting.items()}
        return {kind: keys for kind, keys in lost.items() if keys}

    def _next(self) -> tuple[str, dict[Any, tuple[int, Any]]] | None:
        for kind, most in self._at_once.items():
            if entries := dict(itertools.islice(self._waiting[kind].items(), most)):
                return kind, entries
        return None

    def _work(self) -> None:
        pause = FIRST_PAUSE
        while True:
            with self._changed:
                while (parcel := self._next()) is None and not self._closing:
                    self._changed.wait()
            if parcel is None or self._given_up:
                return
            kind, entries = parcel
            failure = ""
            try:
                self._send(kind, {key: value for key, (_, value) in entries.items()})
            except RefusedError as refusal:
                logger.warning("%s refuses %s: %s", self.name, kind, refusal)
                with self._changed:
                    self._lost[kind] += entries
            except Exception as error:  # whatever it is, the entries are kept and the training goes on
                failure = _first_line(error)
            with self._changed:
                self._note(kind, failure)
                if failure:
                    # Let others be the first: what fails may be one file.
                    for key in entries:
                        self._waiting[kind][key] = self._waiting[kind].pop(key)
                    self._rest(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
                else:
                    for key, entry in entries.items():
                        if self._waiting[kind].get(key) == entry:
                            self._waiting[kind].pop(key)
                    pause = FIRST_PAUSE
                self._changed.notify_all()

    def _rest(self, pause: float) -> None:
        """Wait for the next try; not for long when the outbox is being closed."""
        start = time.monotonic()
        while not self._given_up:
            left = start + (min(pause, FIRST_PAUSE) if self._closing else pause) - time.monotonic()
            if left <= 0:
                return
            self._changed.wait(left)

    def _note(self, kind: str, failure: str) -> None:
        """Say when the server goes away, and when it is back."""
        if failure and not self.failure:
            message = "%s could not be sent %s (%s). The run goes on; what could not be sent is kept, and sent later."
            logger.warning(message, self.name, kind, failure)
        elif self.failure and not failure:
            logger.info("%s takes %s again.", self.name, kind)
        self.failure = failure


def _first_line(error: Exception) -> str:
    # Of a connection that fails, only the innermost of many reasons says something.
    lines = str(error).rpartition("(Caused by ")[2].rstrip(")'\"").splitlines()
    return f"{type(error).__name__}: {lines[0]}"[:300] if lines else type(error).__name__

"""Connections that end when their client neither asks nor reads."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

Base: Any = AutoHTTPProtocol


class BoundedProtocol(Base):  # type: ignore[misc]
    """A connection that is closed when the head of a request does not arrive in time, or nothing of an answer is read.

    Args:
        timeout: the number of seconds after the connection was made, or after the last answer, in which the head must
            have arrived; and in which the client must read something of an answer.
        given: what uvicorn gives a connection.
    """

    def __init__(self, *, timeout: float, **given: Any) -> None:
        super().__init__(**given)
        self._timeout = timeout
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        if (sock := transport.get_extra_info("socket")) is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1000 * self._timeout))
        self._since = self.loop.time()
        self._timer = self.loop.call_later(self._timeout, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._since = self.loop.time()
        super().on_response_complete()

    def _check(self) -> None:
        left = self._since + self._timeout - self.loop.time()
        is_waiting = self.cycle is None or self.cycle.response_complete
        if is_waiting and left <= 0:
            self.transport.close()
            return
        self._timer = self.loop.call_later(left if is_waiting else self._timeout, self._check)

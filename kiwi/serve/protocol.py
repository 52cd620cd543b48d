"""Connections that end when their client neither asks nor reads, or sends a head without end."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from kiwi.serve.gate import REFUSED
from kiwi.serve.problems import Problem

Base: Any = HttpToolsProtocol

LONGEST_HEAD = 2**16
"""The maximum number of bytes of the address and the headers of a request."""

LINGER = 1.0
"""The number of seconds in which a client whose request is refused may read why, while what it sends is dropped."""


class _HeadTooLargeError(Exception):
    """A head that is longer than allowed."""


class _Lingering:
    """A transport that is closed a while after it is told to, because what has not been read by then breaks it off."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def close(self) -> None:
        self._loop.call_later(LINGER, self._transport.close)


class BoundedProtocol(Base):  # type: ignore[misc]
    """A connection that is closed when the head of a request does not arrive in time, or nothing of an answer is read.

    A head that is too large is answered with 431, when the requests before it are answered. The gate sees a request and
    asks for its key only when its head has arrived; it sees one that is refused without what the head says.

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
        self._n_parsed = 0  # the bytes of the address and the headers of this request
        self._n_unparsed = 0  # the bytes that the parser may hold, because nothing came of them
        self._is_in_head, self._is_refused = True, False

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

    def data_received(self, data: bytes) -> None:
        """Take a part of a request."""
        if self._is_refused:
            return
        self._n_unparsed += len(data)
        super().data_received(data)
        if self._n_unparsed > LONGEST_HEAD and not self._is_refused:
            self._refuse()

    def on_message_begin(self) -> None:
        """Take the start of a request."""
        self._n_parsed, self._is_in_head = 0, True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of the address of a request."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, before or behind the body."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Take the end of the head."""
        self._n_unparsed, self._is_in_head = 0, False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._n_unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the end of a request, behind which the next one begins."""
        self._n_unparsed, self._is_in_head = 0, True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed."""
        if self._n_parsed > LONGEST_HEAD:
            self._refuse()
        else:
            super().send_400_response(msg)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._since = self.loop.time()
        super().on_response_complete()

    def _count(self, n_bytes: int) -> None:
        self._n_parsed += n_bytes
        if self._n_parsed > LONGEST_HEAD:
            raise _HeadTooLargeError  # of which the parser makes an error of its own

    def _refuse(self) -> None:
        """Answer no more than what has been asked before, and this head with a problem."""
        self._is_refused = True
        if not self._is_in_head:  # headers behind a body, whose request may be answered already
            self.transport.close()
            return
        is_idle, scope = self._is_idle, self._refused_scope()
        self.cycle = RequestResponseCycle(
            scope=scope,  # type: ignore[arg-type]
            transport=_Lingering(self.transport, self.loop),  # type: ignore[arg-type]
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )
        if is_idle:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.pipeline.appendleft((self.cycle, self.app))

    def _refused_scope(self) -> dict[str, Any]:
        """Return the scope of a request of which nothing is known but its method, if that has arrived."""
        detail = f"found more than {LONGEST_HEAD} bytes of address and headers; expected at most these. Send fewer."
        problem = Problem(431, "head-too-large", f"The head of the request: {detail}", headers={"Connection": "close"})
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": self.parser.get_method().decode("ascii") if self._n_parsed else "",
            "root_path": self.root_path,
            "path": "",
            "raw_path": b"",
            "query_string": b"",
            "headers": [],
            "state": self.app_state.copy(),
            REFUSED: problem,
        }

    @property
    def _is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or bool(self.cycle.response_complete)

    def _check(self) -> None:
        left = self._since + self._timeout - self.loop.time()
        is_waiting = self._is_idle
        if is_waiting and left <= 0:
            self.transport.close()
            return
        self._timer = self.loop.call_later(left if is_waiting else self._timeout, self._check)

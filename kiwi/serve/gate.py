"""What every request passes first: keys, rates, limits and headers; and the access log, which has no texts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence

from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kiwi.serve.keys import Keyring
from kiwi.serve.metrics import Metrics
from kiwi.serve.options import ServeOptions
from kiwi.serve.problems import Problem

access_log = logging.getLogger("kiwi.serve.access")

OPEN = (
    *("/", "/assets/serve.css", "/assets/serve.js", "/assets/kiwi.svg"),
    *("/health/live", "/health/ready", "/openapi.json"),
)
"""The paths for which no key is needed; the form of the page asks for its own."""

UNCOMPRESSED = ("", "identity", "utf-8")
"""What ``Content-Encoding`` may say of a body; some clients write the encoding of characters there."""

STREAMED = "/v1/files"
"""The path whose body is not read as a whole."""

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""The headers of every answer that does not set them itself."""

_ENCODED = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]

REFUSED = "kiwi.refused"
"""The key of the scope of a request that the connection has refused, with the problem that the client is told."""

UNKNOWN = "unknown"
"""The route of a path that does not exist, in metrics and the log."""


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""The methods that metrics and the log tell apart; a client may invent any others."""


class Gate:
    """The outermost application, which lets requests through.

    Args:
        app: the application behind it.
        options: the options of the server.
        keyring: the API keys.
        metrics: what counts.
        routes: the routes of the application, for requests that do not reach it.
    """

    def __init__(
        self,
        app: ASGIApp,
        options: ServeOptions,
        keyring: Keyring,
        metrics: Metrics,
        routes: Sequence[BaseRoute] = (),
    ) -> None:
        self._app, self._options, self._keyring, self._metrics = app, options, keyring, metrics
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let the application do it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, has_started, is_complete = time.monotonic(), 500, False, False

        async def send_with_headers(message: Message) -> None:
            nonlocal status, has_started, is_complete
            if message["type"] == "http.response.start":
                status, has_started = message["status"], True
                headers = message["headers"] = list(message.get("headers", ()))
                own = {name for name, _ in headers}  # in lower case, as ASGI has it
                headers += [header for header in _ENCODED if header[0] not in own]
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                is_complete = True

        try:
            self._check(scope)
            if scope["path"] != STREAMED:
                receive = await self._read_body(scope, receive)
            await self._app(scope, receive, send_with_headers)
        except Problem as problem:
            await problem.response()(scope, receive, send_with_headers)
        except asyncio.CancelledError:  # by the end of the server, whose time to finish requests is over
            if has_started:
                return  # what is left of the answer cannot be had; the connection is closed
            await _shutting_down().response()(scope, receive, send_with_headers)
        except Exception as error:
            # Its message and traceback may quote texts.
            logging.getLogger(__name__).error("%s failed: %s.", self._route(scope), _where(error))
            if is_complete:
                return  # the application has answered with a problem
            if has_started:
                raise RuntimeError("an answer broke off") from None
            failure = Problem(500, "internal", "The server has failed. Its log says where.")
            await failure.response()(scope, receive, send_with_headers)
        finally:
            self._note(scope, status, time.monotonic() - started)

    def _check(self, scope: Scope) -> None:
        """Check that a request may be answered, and note its key.

        Raises:
            Problem: when it may not.
        """
        scope["kiwi.key"] = None
        if REFUSED in scope:
            raise scope[REFUSED]
        headers = Headers(scope=scope)
        hosts = self._options.hosts
        if hosts and not scope["path"].startswith("/health/") and _host(headers.get("host", "")) not in hosts:
            raise Problem(421, "unknown-host", "Host: found a name that this server does not answer to.")
        if scope["method"] not in ("GET", "HEAD") and headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            raise Problem(403, "cross-site", "Requests from the pages of other sites are not answered.")
        if not self._keyring or scope["path"] in OPEN:
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        key = self._keyring.find(token.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            detail = "Authorization: found no valid API key; expected 'Bearer KEY'."
            raise Problem(401, "no-key", detail, headers={"WWW-Authenticate": "Bearer"})
        scope["kiwi.key"] = key
        if seconds := self._keyring.wait(key):
            detail = f"The key '{key.name}' may send {key.rate:g} requests a minute. Try again in {seconds} s."
            raise Problem(429, "rate", detail, headers={"Retry-After": str(seconds)})

    async def _read_body(self, scope: Scope, receive: Receive) -> Receive:
        """Read the whole body within the limits, and return a function that gives it to the application."""
        limit = self._options.limits.max_bytes
        too_large = Problem(413, "too-large", f"The request is too large; expected at most {limit} bytes.")
        headers = Headers(scope=scope)
        check_length(headers, limit, too_large)
        coding = headers.get("content-encoding", "").strip().lower()
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        if has_body and coding not in UNCOMPRESSED:
            detail = f"Content-Encoding: found '{coding:.60}'; expected none. Send the body as it is."
            raise Problem(415, "content-encoding", detail, headers={"Accept-Encoding": "identity"})
        chunks: list[bytes] = []
        n_bytes = 0
        try:
            async with asyncio.timeout(self._options.limits.timeout):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Problem(499, "client-gone", "The client has gone away.")
                    chunks.append(message.get("body", b""))
                    n_bytes += len(chunks[-1])
                    if n_bytes > limit:
                        raise too_large
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            detail = f"The request did not arrive within {self._options.limits.timeout:g} s."
            raise Problem(408, "slow-request", detail, headers={"Connection": "close"}) from None
        body: list[Message] = [{"type": "http.request", "body": b"".join(chunks), "more_body": False}]

        async def replay() -> Message:
            return body.pop() if body else await receive()

        return replay

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route, key = self._route(scope), scope.get("kiwi.key")
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._metrics.on_request(method, route, status, seconds)
        name = "-" if key is None else key.name
        access_log.info("%s %s %d %.1f ms %s", method, route, status, 1000 * seconds, name)

    def _route(self, scope: Scope) -> str:
        """Return the route of a request without what is variable in it, which may be anything."""
        route = scope.get("route")
        if route is None:  # it was refused before it had one
            route = next((each for each in self._routes if each.matches(scope)[0] is not Match.NONE), None)
        path = getattr(route, "path", None) or (scope["path"] if scope["path"] in OPEN else UNKNOWN)
        return str(path)


def _shutting_down() -> Problem:
    detail = "The server is shutting down, and has not finished the request in time. Send it again."
    return Problem(503, "shutting-down", detail, headers={"Retry-After": "1"})


def check_length(headers: Headers, limit: int, too_large: Problem) -> None:
    """Raise a problem when a client announces a larger body than the limit."""
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise too_large


def _host(given: str) -> str:
    """Return the host of a header without the port."""
    if given.startswith("["):
        return given[1:].partition("]")[0]
    return given.partition(":")[0].lower()


def _where(error: BaseException) -> str:
    """Return the type of an error, and the line of kiwi in which it was raised."""
    places: Iterable[str] = ()
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places = [f"{code.co_filename}:{traceback.tb_lineno} in {code.co_name}"]
        traceback = traceback.tb_next
    return " at ".join([type(error).__name__, *places])

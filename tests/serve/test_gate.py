"""What passes the gate of the server, and what is said of it."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from kiwi.serve.calls import api, files
from kiwi.serve.gate import Gate
from kiwi.serve.keys import Key, Keyring, hash_key
from kiwi.serve.metrics import Metrics
from kiwi.serve.options import ServeOptions

SCOPE: dict[str, Any] = {"type": "http", "method": "GET", "path": "/v1/models", "headers": [(b"host", b"127.0.0.1")]}


KEY = Key(name="ci", sha256=hash_key("secret"), rate=1)


async def _receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def test_a_request_that_the_end_of_the_server_cancels_is_answered_with_a_problem() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/started":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(60)

    async def cancelled(path: str) -> list[Message]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        gate = Gate(app, ServeOptions({}), Keyring(()), Metrics())
        task = asyncio.create_task(gate({**SCOPE, "path": path}, _receive, send))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait_for(task, 5)
        return sent

    start, body = asyncio.run(cancelled("/v1/models"))
    assert start["status"] == 503
    assert (b"content-type", b"application/problem+json") in start["headers"]
    assert json.loads(body["body"])["type"] == "urn:kiwi:problem:shutting-down"
    assert len(asyncio.run(cancelled("/started"))) == 1


def test_refused_requests_are_logged_and_counted_with_their_route_and_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kiwi.serve.access")
    metrics = Metrics()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Message) -> None:
        pass

    async def ask() -> None:
        gate = Gate(app, ServeOptions({}), Keyring([KEY]), metrics, [*api.router.routes, *files.router.routes])
        headers = [*SCOPE["headers"], (b"authorization", b"Bearer secret")]
        for changes in ({"headers": headers}, {"headers": headers}, {}, {"path": "/v1/files/0/events"}, {"path": "/x"}):
            await gate({**SCOPE, **changes}, _receive, send)

    asyncio.run(ask())
    found = [(words[1], words[2], words[-1]) for words in (record.getMessage().split() for record in caplog.records)]
    assert found == [
        ("/v1/models", "200", "ci"),
        ("/v1/models", "429", "ci"),
        ("/v1/models", "401", "-"),
        ("/v1/files/{job_id}/events", "401", "-"),
        ("unknown", "401", "-"),
    ]
    assert 'kiwi_requests_total{method="GET",route="/v1/models",status="429"} 1.0' in metrics.render().decode()

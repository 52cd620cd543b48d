"""What passes the gate of the server, and what is said of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from kiwi.serve.gate import Gate
from kiwi.serve.keys import Keyring
from kiwi.serve.metrics import Metrics
from kiwi.serve.options import ServeOptions

SCOPE: dict[str, Any] = {"type": "http", "method": "GET", "path": "/v1/models", "headers": [(b"host", b"127.0.0.1")]}


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

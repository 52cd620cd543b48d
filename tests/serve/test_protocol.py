"""Connections whose clients send what no server should keep."""

from __future__ import annotations

import json
import logging
import re
import select
import socket

import pytest

from kiwi.serve.protocol import LONGEST_HEAD
from tests.serve.running import ADMIN, Server

REQUEST = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n"


def exchange(server: Server, parts: list[bytes], *, is_polite: bool = False) -> tuple[bytes, int]:
    """Send parts until the server closes the connection, and return what it answers and how many were sent.

    Args:
        server: the server.
        parts: what is sent.
        is_polite: whether to send no more as soon as there is an answer, which a connection that breaks off may lose.
    """
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        n_sent = 0
        try:
            for part in parts:
                if is_polite and select.select([connection], [], [], 0)[0]:
                    break
                connection.sendall(part)
                n_sent += 1
        except OSError:
            pass
        found = b""
        try:
            while block := connection.recv(65536):
                found += block
        except OSError:
            pass
        return found, n_sent


@pytest.mark.parametrize(
    "parts",
    [
        [REQUEST, b"X: " + b"a" * LONGEST_HEAD],  # one line that does not end
        [REQUEST, *[b"X: " + b"a" * 1000 + b"\r\n"] * 70],
        [REQUEST + (b"X: " + b"a" * 1000 + b"\r\n") * 70 + b"\r\n"],
        [b"GET /" + b"a" * LONGEST_HEAD + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"],
        [REQUEST, *[b"X: " + b"a" * 1_000_000 + b"\r\n"] * 50],
    ],
    ids=["line", "lines", "complete", "address", "flood"],
)
def test_a_head_that_is_too_large_is_refused_before_it_has_arrived(server: Server, parts: list[bytes]) -> None:
    found, n_sent = exchange(server, parts, is_polite=True)
    assert n_sent < 50 or len(parts[-1]) < 1_000_000  # the flood was cut off
    head, _, body = found.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert b"content-type: application/problem+json" in head.lower()
    assert b"connection: close" in head.lower()
    assert json.loads(body)["type"] == "urn:kiwi:problem:head-too-large"


def test_a_head_that_is_too_large_is_logged_and_counted(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    def count() -> float:
        line = re.search(
            r'^kiwi_requests_total\{method="GET",route="unknown",status="431"\} (.+)$',
            server.service.metrics.render().decode(),
            re.M,
        )
        return float(line[1]) if line else 0.0

    before = count()
    with caplog.at_level(logging.INFO, "kiwi.serve.access"):
        exchange(server, [REQUEST, b"X: " + b"a" * LONGEST_HEAD])
    assert count() == before + 1
    (line,) = [record.getMessage() for record in caplog.records if record.name == "kiwi.serve.access"]
    assert re.fullmatch(r"GET unknown 431 [\d.]+ ms -", line)


@pytest.mark.parametrize("header", [b"a" * 20 * LONGEST_HEAD, b"a\r\nX: " * LONGEST_HEAD], ids=["line", "lines"])
def test_requests_before_a_head_that_is_too_large_are_answered(server: Server, header: bytes) -> None:
    body = b'{"segments": [{"source": "a b", "target": "c", "alignments": "0-0"}], "model": "tiny"}'
    head = b"POST /v1/score HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    asked = head % len(body) + f"Authorization: Bearer {ADMIN}\r\n\r\n".encode() + body
    found, _ = exchange(server, [asked * 2 + REQUEST + b"X: ", header])
    assert re.findall(rb"HTTP/1.1 (\d+) ", found) == [b"200", b"200", b"431"]
    assert found.count(b'"score"') == 2


def test_a_head_that_fits_is_answered(server: Server) -> None:
    content = REQUEST + b"X: " + b"a" * (LONGEST_HEAD - 1000) + b"\r\n"
    found, _ = exchange(server, [content + b"\r\n", content + b"Connection: close\r\n\r\n"])
    assert found.count(b"HTTP/1.1 200 ") == 2


def test_headers_behind_a_body_count_too(server: Server) -> None:
    head = b"POST /v1/score HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    found, n_sent = exchange(server, [head, *[b"X: " + b"a" * 1_000_000] * 50])
    assert b" 431 " not in found  # it may have been answered already
    assert n_sent < 50

"""What is put in comes out, once, in order, whatever the server does."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest

from kiwi.loggers import outbox
from kiwi.loggers.outbox import Outbox, RefusedError

KINDS = {"tags": 2, "metrics": 3}


class Server:
    """Takes entries, or does not: ``down`` fails, ``slow`` waits for ``go``."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[Any, Any]]] = []
        self.tries = 0
        self.down = False
        self.refused: set[Any] = set()
        self.go = threading.Event()
        self.go.set()

    def send(self, kind: str, entries: Mapping[Any, Any]) -> None:
        self.tries += 1
        assert self.go.wait(30)
        if self.down:
            raise ConnectionError("nobody there\nat all")
        if self.refused & set(entries):
            raise RefusedError("no")
        self.got.append((kind, dict(entries)))


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(outbox, "LONGEST_PAUSE", 0.05)


def until(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_parcels_have_a_size_and_an_order(server: Server) -> None:
    server.go.clear()
    box = Outbox("server", KINDS, server.send)
    box.put("tags", {"first": 0})
    until(lambda: server.tries == 1)
    box.put("metrics", {number: number for number in range(4)})
    box.put("tags", {"a": 1, "b": 2, "c": 3})
    server.go.set()
    assert box.close(1) == {}
    assert server.got == [
        ("tags", {"first": 0}),
        ("tags", {"a": 1, "b": 2}),
        ("tags", {"c": 3}),
        ("metrics", {0: 0, 1: 1, 2: 2}),
        ("metrics", {3: 3}),
    ]


def test_nothing_is_lost_while_the_server_is_away(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kiwi")
    server.down = True
    box = Outbox("server", KINDS, server.send)
    for number in range(10):
        box.put("metrics", {number: number})
    until(lambda: server.tries > 3)
    assert box.failure == "ConnectionError: nobody there"
    server.down = False
    assert box.close(30) == {}
    assert {key for _, entries in server.got for key in entries} == set(range(10))
    messages = [record.message for record in caplog.records]
    # Once, not at each try.
    assert [
        message for message in messages if "server: sending metrics failed (ConnectionError" in message
    ] == messages[:1]
    assert messages[1:] == ["server accepts metrics again."]


def test_what_is_put_again_while_it_waits_is_sent_once(server: Server) -> None:
    server.down = True
    box = Outbox("server", KINDS, server.send)
    for value in range(5):
        box.put("tags", {"a": value})
    until(lambda: server.tries > 1)
    server.down = False
    box.close(30)
    assert server.got == [("tags", {"a": 4})]


def test_what_is_put_again_while_it_is_sent_is_sent_again(server: Server) -> None:
    server.go.clear()
    box = Outbox("server", KINDS, server.send)
    same = "value"
    box.put("tags", {"a": same})
    until(lambda: server.tries == 1)
    box.put("tags", {"a": same})
    server.go.set()
    box.close(30)
    assert server.got == [("tags", {"a": same})] * 2


def test_what_is_refused_is_not_sent_again(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.refused = {"a"}
    box = Outbox("server", KINDS, server.send)
    box.put("tags", {"a": 1})
    until(lambda: server.tries == 1)
    box.put("tags", {"b": 2})
    assert box.close(30) == {"tags": ["a"]}
    assert server.got == [("tags", {"b": 2})]
    assert "server rejected tags: no" in caplog.text


def test_one_that_fails_does_not_hold_up_the_others(server: Server) -> None:
    def send(kind: str, entries: Mapping[Any, Any]) -> None:
        server.tries += 1
        if "bad" in entries:
            raise ConnectionError
        server.send(kind, entries)

    box = Outbox("server", {"files": 1}, send)
    box.put("files", {"bad": 1, "good": 2, "better": 3})
    until(lambda: len(server.got) == 2)
    assert box.close(0.05) == {"files": ["bad"]}


def test_a_server_that_stays_away_is_waited_for_and_given_up(server: Server) -> None:
    server.down = True
    box = Outbox("server", KINDS, server.send)
    box.put("metrics", {1: 1, 2: 2})
    until(lambda: server.tries > 1)
    start = time.monotonic()
    assert box.close(0.5) == {"metrics": [1, 2]}
    assert time.monotonic() - start >= 0.5


def test_a_server_that_is_only_slow_is_not_given_up(server: Server) -> None:
    server.go.clear()
    box = Outbox("server", KINDS, server.send)
    box.put("metrics", {1: 1})
    threading.Timer(0.5, server.go.set).start()
    assert box.close(0.05) == {}
    assert server.got == [("metrics", {1: 1})]


def test_a_server_whose_answer_does_not_end_is_given_up(server: Server) -> None:
    server.go.clear()
    box = Outbox("server", KINDS, server.send, send_timeout=0.2)
    box.put("metrics", {1: 1})
    start = time.monotonic()
    assert box.close(30) == {"metrics": [1]}
    assert time.monotonic() - start < 10
    assert box.failure == "no complete answer within 0.2 s"
    server.go.set()


def test_ctrl_c_gives_up_what_is_being_sent(server: Server) -> None:
    server.go.clear()
    box = Outbox("server", KINDS, server.send)
    box.put("metrics", {1: 1})
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    assert len(box.close(30)) == 1
    assert box.failure == "Ctrl-C"
    server.go.set()


def test_memory_is_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_PENDING", 3)
    server.down = True
    box = Outbox("server", KINDS, server.send)
    box.put("metrics", {number: number for number in range(5)})
    server.down = False
    assert box.close(30) == {"metrics": [0, 1]}
    assert server.got == [("metrics", {2: 2, 3: 3, 4: 4})]

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from kiwi.client import Client, Segment, ServerError
from kiwi.serve.keys import hash_key
from tests.conftest import Corpus


def test_a_process_reloads_and_ends_without_losing_a_request(system: Path, corpus: Corpus, tmp_path: Path) -> None:
    environment = {**os.environ, "KIWI_SERVE_KEYS": f"ci={hash_key('secret')}", "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "kiwi", "serve", "-m", str(system), "--no-align", "--port", "0"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    log: list[str] = []
    try:
        assert process.stderr is not None
        while not (found := re.search(r"at (http://127.0.0.1:\d+)", log[-1] if log else "")):
            line = process.stderr.readline()
            assert line, log
            log.append(line)
        reader = threading.Thread(target=lambda: log.extend(process.stderr or ()))
        reader.start()
        fields = zip(*(corpus.lines("test", name) for name in ("source", "target", "alignments")), strict=True)
        given = [Segment(source, target, alignments=alignments) for source, target, alignments in fields]
        with Client(found[1], "secret") as client, Client(found[1], "wrong") as stranger:
            answer = client.score(given, words=True)
            assert len(answer.segments) == len(given)
            assert answer.segments[0].words is not None
            word = answer.segments[0].words["target"][0]
            assert given[0].target[word.start : word.end] == given[0].target.split()[0]
            assert client.models()[0]["name"] == "tiny"
            with pytest.raises(ServerError, match="401: Authorization"):
                stranger.models()
            (tmp_path / "a.jsonl").write_text('{"source": "a", "target": "b", "alignments": "0-0"}\n', encoding="utf-8")
            job = client.score_file(tmp_path / "a.jsonl", tmp_path / "b.jsonl", poll=0.05)
            assert job["segments"] == 1
            assert "sentence_scores" in (tmp_path / "b.jsonl").read_text(encoding="utf-8")
            process.send_signal(signal.SIGHUP)
            deadline = time.monotonic() + 60
            while not any("Reloaded the model tiny" in line for line in log) and time.monotonic() < deadline:
                time.sleep(0.05)
            outcomes: list[object] = []

            def ask(number: int) -> None:
                try:
                    outcomes.append(client.score([Segment(f"{number} x", "y", alignments="0-0")]).segments[0].score)
                except httpx.TransportError as error:  # not accepted any more
                    outcomes.append(error)

            threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            process.send_signal(signal.SIGTERM)
            for thread in threads:
                thread.join()
            assert len(outcomes) == 8
            assert all(isinstance(each, float | httpx.TransportError) for each in outcomes), outcomes
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log
    reader.join()
    process.stderr.close()
    assert any("Reloaded the model tiny" in line for line in log)
    assert not list(tmp_path.glob("kiwi-files-*"))
    assert not [line for line in log if "Traceback" in line]


def test_what_the_command_refuses() -> None:
    from typer.testing import CliRunner

    from kiwi.cli import app

    runner = CliRunner()
    assert "KIWI_SERVE_KEYS=ci=" in runner.invoke(app, ["serve", "--new-key", "ci"]).output
    for arguments, expected in {
        ("--model", "a=x", "--model", "a=y"): "found the name 'a' twice",
        ("--new-key", "a b"): "--new-key",
    }.items():
        result = runner.invoke(app, ["serve", *arguments])
        assert result.exit_code != 0
        assert expected in str(result.exception)


class Busy(BaseHTTPRequestHandler):
    """Is busy once, answers once, and is broken from then on."""

    count = 0

    def do_GET(self) -> None:
        Busy.count += 1
        status, content = {1: (503, b'{"detail": "busy"}'), 2: (200, b'{"models": [{"name": "x"}]}')}.get(
            Busy.count, (502, b"<html>")
        )
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


def test_the_client_asks_a_busy_server_again() -> None:
    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with Client(f"http://127.0.0.1:{server.server_port}") as client:
            assert client.models() == [{"name": "x"}]
            with pytest.raises(ServerError, match="502: no reason given"):
                client.models()
        server.shutdown()
        thread.join()

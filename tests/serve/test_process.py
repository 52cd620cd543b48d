from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from starlette.types import Receive, Scope, Send
from typer.testing import CliRunner

from kiwi.cli import app
from kiwi.client import Client, NoAnswerError, Segment, ServerError
from kiwi.exceptions import ConfigError, DataError
from kiwi.serve.gate import Gate
from kiwi.serve.keys import Keyring, hash_key
from kiwi.serve.metrics import Metrics
from kiwi.serve.options import ServeOptions
from tests.conftest import Corpus
from tests.serve.running import Running


def test_a_process_reloads_and_ends_without_losing_a_request(system: Path, corpus: Corpus, tmp_path: Path) -> None:
    environment = {**os.environ, "KIWI_SERVE_KEYS": f"ci={hash_key('secret')}", "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "kiwi", "serve", "-m", str(system), "--no-align", "--port", "0", "--log-texts"]
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
            client.score_file(tmp_path / "b.jsonl", tmp_path / "c.jsonl", poll=0.05)
            assert (tmp_path / "c.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
            for _ in range(4):
                process.send_signal(signal.SIGHUP)
            deadline = time.monotonic() + 60
            while not any("Reloaded the model tiny" in line for line in log) and time.monotonic() < deadline:
                time.sleep(0.05)
            outcomes: list[object] = []

            def ask(number: int) -> None:
                try:
                    outcomes.append(client.score([Segment(f"{number} x", "y", alignments="0-0")]).segments[0].score)
                except NoAnswerError as error:  # not accepted any more
                    outcomes.append(error)

            threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            process.send_signal(signal.SIGTERM)
            for thread in threads:
                thread.join()
            assert len(outcomes) == 8
            assert all(isinstance(each, float | NoAnswerError) for each in outcomes), outcomes
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log
    reader.join()
    process.stderr.close()
    assert 1 <= sum("Reloaded the model tiny" in line for line in log) <= 2  # once for all signals in the meantime
    assert not list(tmp_path.glob("kiwi-files-*"))
    assert not [line for line in log if "Traceback" in line]
    assert any("Scoring 'a' | 'b' | '0-0'." in line for line in log)  # of the file


def test_what_the_command_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "file").touch()
    runner = CliRunner()
    assert "KIWI_SERVE_KEYS=ci=" in runner.invoke(app, ["serve", "--new-key", "ci"]).output
    for arguments, expected in {
        ("--model", "a=x", "--model", "a=y"): "found the name 'a' twice",
        ("--new-key", "a b"): "--new-key",
        ("--model", "x", "--keys", "~/keys.yaml"): f"{tmp_path}/keys.yaml: ",
        ("--model", "x", "--feedback", "~/file"): f"found {tmp_path}/file, but it is no directory",
    }.items():
        result = runner.invoke(app, ["serve", *arguments])
        assert result.exit_code != 0
        assert expected in str(result.exception)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--timeout", value) for value in ("inf", "1e9", "nan", "0")),
        *(("--shutdown-timeout", value) for value in ("inf", "1e10", "nan", "-1")),
        *(("--drain-timeout", value) for value in ("inf", "1e10", "nan")),
        *(("--file-expiry", value) for value in ("inf", "nan")),
        ("--batch-wait", "nan"),
    ],
)
def test_times_that_no_clock_of_the_system_takes_are_refused_at_the_start(option: str, value: str) -> None:
    result = CliRunner().invoke(app, ["serve", "--model", "x", option, value])
    assert result.exit_code == 2
    assert f"Invalid value for '{option}'" in result.output


def test_a_request_is_finished_within_a_fraction_of_a_second_to_shut_down_and_no_later() -> None:
    options = ServeOptions({}, shutdown_timeout=0.95)
    has_begun = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        has_begun.set()
        await asyncio.sleep(float(scope["path"].removeprefix("/")))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    def status(seconds: float) -> int:
        running = Running(options, Gate(app, options, Keyring(()), Metrics()))
        has_begun.clear()
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(httpx.get, f"{running.url}/{seconds}", timeout=20)
            assert has_begun.wait(20)
            running.close()
            return answer.result().status_code

    assert status(0.2) == 204
    assert status(10) == 503


class Scripted(BaseHTTPRequestHandler):
    """Answers as its server's script says: a status and a body, or nothing, which breaks the connection."""

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        script: Script = self.server  # type: ignore[assignment]
        script.seen.append((self.command, self.path.partition("?")[0], body))
        answer = script.answers.pop(0)
        self.close_connection = True
        if answer is None:
            return
        status, content = answer
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("Location", "/v1/files/7")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *arguments: object) -> None:
        pass


class Script(HTTPServer):
    """A server that is not kiwi's, with one answer for each request."""

    def __init__(self, *answers: tuple[int, bytes] | None) -> None:
        super().__init__(("127.0.0.1", 0), Scripted)
        self.answers, self.seen = list(answers), list[tuple[str, str, bytes]]()
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


BUSY = (503, b'{"detail": "busy"}')
SCORED = (200, b'{"model": "x", "sha256": "y", "scale": {}, "segments": [{"id": 1, "score": 0.5}]}')


def test_the_client_asks_a_busy_server_again() -> None:
    with Script(BUSY, (200, b'{"models": [{"name": "x"}]}'), (502, b"<html>")) as server, Client(server.url) as client:
        assert client.models() == [{"name": "x"}]
        with pytest.raises(ServerError, match="502: no reason given"):
            client.models()


def test_the_client_asks_again_when_a_connection_breaks_unless_it_would_be_done_twice() -> None:
    with Script(None, SCORED, None) as server, Client(server.url) as client:
        assert client.score([Segment("a", "b")]).segments[0].score == 0.5
        with pytest.raises(NoAnswerError, match=r"broke off \(.+\)\..* The server may have taken the request"):
            client.send_feedback([{"source": "a", "target": "b", "post_edit": "c"}])
        assert [path for _, path, _ in server.seen] == ["/v1/score", "/v1/score", "/v1/feedback"]


def test_the_client_uploads_a_file_again_from_its_beginning(tmp_path: Path) -> None:
    given, output = tmp_path / "a.tsv", tmp_path / "b.tsv"
    given.write_bytes(b"x" * 200_000)
    done = (200, b'{"state": "done", "segments": 1}')
    with Script(BUSY, (202, b"{}"), done, None, (200, b"scored"), (204, b"")) as server, Client(server.url) as client:
        assert client.score_file(given, output)["segments"] == 1
        assert [len(body) for _, path, body in server.seen if path == "/v1/files"] == [200_000, 200_000]
        assert server.seen[-1][:2] == ("DELETE", "/v1/files/7")
    assert output.read_bytes() == b"scored"


@pytest.mark.parametrize(
    "answers",
    [
        [(200, b'{"state": "failed", "error": "bad"}')],
        [(200, b'{"state": "done"}'), (507, b'{"detail": "full"}')],
        [(200, b'{"state": "done"}'), None, None],
    ],
)
def test_a_file_that_the_client_cannot_get_leaves_nothing(
    tmp_path: Path, answers: list[tuple[int, bytes] | None]
) -> None:
    given, output = tmp_path / "a.tsv", tmp_path / "b.tsv"
    given.write_bytes(b"x")
    with Script((202, b"{}"), *answers, (204, b"")) as server, Client(server.url, tries=2) as client:
        with pytest.raises((ServerError, NoAnswerError)):
            client.score_file(given, output)
        assert server.seen[-1][:2] == ("DELETE", "/v1/files/7")
    assert list(tmp_path.iterdir()) == [given]


def test_the_client_writes_over_nothing_but_its_own_files(tmp_path: Path) -> None:
    given, output = tmp_path / "a.tsv", tmp_path / "b.tsv"
    given.write_bytes(b"x")
    output.write_bytes(b"mine")
    answers = [(202, b"{}"), (200, b'{"state": "done"}'), (200, b"scored"), (204, b"")]
    with Script(*answers, *answers) as server, Client(server.url) as client:
        for same in (given, tmp_path / "sub" / ".." / "a.tsv"):
            (tmp_path / "sub").mkdir(exist_ok=True)
            with pytest.raises(ConfigError, match="would be written over"):
                client.score_file(given, same, overwrite=True)
        with pytest.raises(ConfigError, match=r"kiwi has not written it, .* allow it with overwrite=True"):
            client.score_file(given, output)
        assert not server.seen
        assert (given.read_bytes(), output.read_bytes()) == (b"x", b"mine")
        client.score_file(given, output, overwrite=True)
        client.score_file(given, output)  # which it has written
    assert output.read_bytes() == b"scored"


def test_the_client_expands_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.tsv").write_bytes(b"x")
    answers = [(202, b"{}"), (200, b'{"state": "done"}'), (200, b"scored"), (204, b"")]
    with Script(*answers) as server, Client(server.url) as client:
        client.score_file("~/a.tsv", Path("~/b.tsv"))
    assert (tmp_path / "b.tsv").read_bytes() == b"scored"


def test_the_client_takes_other_names_of_the_same_format(tmp_path: Path) -> None:
    names = [("a.xlf", "b.xliff"), ("a.NDJSON", "b.jsonl"), ("a.po.gz", "b.pot.gz"), ("a.csv.gz", "b"), ("a.tsv", "c")]
    answers = [(202, b"{}"), (200, b'{"state": "done"}'), (200, b"scored"), (204, b"")]
    with Script(*answers * len(names)) as server, Client(server.url) as client:
        for given, output in names:
            (tmp_path / given).write_bytes(b"x")
            client.score_file(tmp_path / given, tmp_path / output)
            assert (tmp_path / output).read_bytes() == b"scored"


def test_the_client_refuses_options_that_there_are_not(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"x")
    with Script() as server, Client(server.url) as client:
        with pytest.raises(ConfigError, match="treshold: not an option of score_file; did you mean 'threshold'"):
            client.score_file(tmp_path / "a.tsv", tmp_path / "b.tsv", treshold=5)  # type: ignore[call-arg]
        assert not server.seen


def test_the_client_names_the_segment_whose_text_is_none() -> None:
    good = Segment("a", "b")
    with Script() as server, Client(server.url) as client:
        for segment, message in {
            Segment("a\ud800", "b"): r"segment 2, source: found half of a surrogate pair \(U\+D800\) at position 2",
            Segment("a", "\0b", id="x"): "segment 'x', target: found a NUL character at position 1; expected text",
            Segment("a", "b", id="\udfff"): r"segment 2, id: found half of a surrogate pair \(U\+DFFF\)",
        }.items():
            with pytest.raises(DataError, match=message):
                client.score([good, segment])
        with pytest.raises(DataError, match="languages: found half"):
            client.score([good], languages=("en", "\ud800"))
        with pytest.raises(DataError, match="segment 1, post_edit: found a NUL"):
            client.send_feedback([{"source": "a", "target": "b", "post_edit": "\0"}])
        assert not server.seen


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"url": "127.0.0.1:9137"}, "url: found '127.0.0.1:9137'; expected an address with http:// or https://, such"),
        ({"url": "localhost:80"}, "url: found 'localhost:80'"),
        ({"url": "http://[::1"}, "url: found"),
        ({"url": "http:///v1"}, "url: found"),
        ({"url": "http://127.0.0.1:99999"}, "url: found"),
        ({"url": None}, "url: found 'None'"),
        ({"url": f"http://{'a' * 300}"}, "url: found 'http://aaa"),
        ({"url": "http://a..b"}, "url: found 'http://a..b'"),
        ({"key": "schlüssel"}, "key: found an empty one, or one with .*; expected an API key"),
        ({"key": "a\n"}, "key: found"),
        ({"key": ""}, "key: found"),
        ({"tries": 0}, "tries: found 0; expected a whole number from 1 on"),
        ({"tries": 1.5}, "tries: found 1.5"),
        ({"tries": -(10**5000)}, "tries: found a value of type int"),
        ({"timeout": 10**5000}, "timeout: found a value of type int"),
        ({"timeout": 0}, "timeout: found 0; expected a positive number of seconds"),
        ({"timeout": float("nan")}, "timeout: found nan"),
        ({"timeout": float("inf")}, "timeout: found inf"),
    ],
)
def test_what_the_client_refuses(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("[", r"\[")):
        Client(**{"url": "http://127.0.0.1:8000", **arguments})


def test_the_client_says_that_there_is_no_server() -> None:
    with Script() as server:
        url = server.url
    with (
        Client(url, tries=2) as client,
        pytest.raises(
            NoAnswerError, match=rf"^{url}: found no server \(.*refused\)\. Check the address, and that kiwi s"
        ),
    ):
        client.score([Segment("a", "b")])


def test_the_client_says_that_an_answer_takes_too_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        message = rf"^{url}: found no answer in 0\.1 seconds\. Send less at once, or set a larger timeout\."
        with Client(url, timeout=0.1) as client:
            with pytest.raises(NoAnswerError, match=f"{message}$"):
                client.models()
            with pytest.raises(NoAnswerError, match=f"{message} The server may have taken the request"):
                client.send_feedback([{"source": "a", "target": "b", "post_edit": "c"}])


@pytest.mark.parametrize("content", [b"<html>", b"[]", b"null", b"{}", b'{"segments": [{}], "stored": "x"}'])
def test_the_client_does_not_understand_other_programs(content: bytes) -> None:
    message = "found an answer that is not one of kiwi serve .* Check the address"
    with Script(*[(200, content)] * 2) as server, Client(server.url) as client:
        with pytest.raises(NoAnswerError, match=message):
            client.score([Segment("a", "b")])
        with pytest.raises(NoAnswerError, match=message):
            client.send_feedback([{"source": "a", "target": "b", "post_edit": "c"}])


def test_the_client_names_the_segment_that_cannot_be_sent() -> None:
    good, feedback = Segment("a", "b"), {"source": "a", "target": "b", "post_edit": "c"}
    with Script() as server, Client(server.url) as client:
        for segments, message in {
            (good, "a"): "segment 2: found 'a'; expected a Segment",
            "ab": "segment 1: found 'a'",
            good: r"segments: found Segment\(.*; expected a sequence, each a Segment",
            (Segment("a", 10**400),): "segment 1, target: found 1000.*; expected text or a finite number",  # type: ignore[arg-type]
            (Segment("a", "b", id=10**5000),): "segment 1, id: found a value of type int; expected text or a fin",
            (Segment("a", b"b", id="x"),): "segment 'x', target: found b'b'; expected text or a finite number",  # type: ignore[arg-type]
        }.items():
            with pytest.raises(DataError, match=message):
                client.score(segments)  # type: ignore[arg-type]
        for value in (float("nan"), float("inf"), {"a": 1}, object()):
            with pytest.raises(DataError, match=r"segment 2, score: found .*; expected text or a finite number"):
                client.send_feedback([feedback, {**feedback, "score": value}])
        for name in (b"a", "\ud800"):
            with pytest.raises(DataError, match=r"segment 1, found a field .*; expected the name of a field"):
                client.send_feedback([{**feedback, name: "a"}])  # type: ignore[dict-item]
        with pytest.raises(DataError, match="segment 1: found 'source'; expected a mapping"):
            client.send_feedback(feedback)  # type: ignore[arg-type]
        assert not server.seen


def test_the_client_checks_files_before_it_sends_anything(tmp_path: Path) -> None:
    given, output = tmp_path / "a.tsv", tmp_path / "b.tsv"
    given.write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    with Script() as server, Client(server.url) as client:
        for path, place, message in [
            (tmp_path / "nope.tsv", output, r"nope\.tsv: cannot be read \(No such file or directory\)"),
            ("a\0", output, r"cannot be read \(embedded null byte\)"),
            (tmp_path, output, f"{tmp_path}: found a directory; expected the path of a file"),
            (tmp_path / "pipe", output, "pipe: found a device or pipe"),
            (given, tmp_path, f"{tmp_path}: found a directory; expected the path of a file"),
            (given, "b\0.tsv", r"cannot be written \(embedded null byte\)"),
            (given, "\ud800", r"cannot be written \('utf-8' codec can't encode"),
            (given, tmp_path / ("a" * 300), r"cannot be written \(File name too long\)"),
            (b"a.tsv", output, r"^path: found b'a\.tsv'; expected the path of a file"),
            (given, None, r"^output: found None; expected the path of a file"),
            ("~nobody-of-this-name/a", output, "there is no such user"),
        ]:
            with pytest.raises(ConfigError, match=message):
                client.score_file(path, place)  # type: ignore[arg-type]
        (tmp_path / "a.csv.gz").write_bytes(b"x")
        for path, place, message in [
            (given, "b.xlf", r"^b\.xlf: found the suffix '\.xlf'; expected '\.tsv', the format of .*a\.tsv\."),
            (given, "b.tsv.gz", r"found the suffix '\.tsv\.gz'; expected '\.tsv'"),
            (tmp_path / "a.csv.gz", "b.csv", r"found the suffix '\.csv'; expected '\.csv\.gz'"),
        ]:
            with pytest.raises(ConfigError, match=message):
                client.score_file(path, place)
        with pytest.raises(ConfigError, match="poll: found -1; expected a positive number of seconds"):
            client.score_file(given, output, poll=-1)
        with pytest.raises(DataError, match="threshold: found nan"):
            client.score_file(given, output, threshold=float("nan"))
        with pytest.raises(DataError, match="threshold: found 1000"):
            client.score_file(given, output, threshold=10**400)
        with pytest.raises(DataError, match="model: found half of a surrogate pair"):
            client.score_file(given, output, model="\ud800")
        assert not server.seen

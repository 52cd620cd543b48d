from __future__ import annotations

import gzip
import io
import json
import logging
import lzma
import os
import re
import resource
import select
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow
import pyarrow.parquet
import pytest

from kiwi import load_system
from kiwi.data.labels.policy import Policy
from kiwi.pages.assets import read_asset
from kiwi.serve.calls.chat import find_issues
from kiwi.serve.views.examples import sentences
from tests.conftest import Corpus
from tests.serve.running import ADMIN, OTHER, SLOW, Server
from tests.systems.test_span_level import SOURCE, TARGET


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {ADMIN}"}, timeout=30) as client:
        yield client


def segments(corpus: Corpus, n: int = 10) -> list[dict[str, Any]]:
    sides = [corpus.lines("test", name)[:n] for name in ("source", "target", "alignments")]
    return [
        {"id": f"s{i}", "source": source, "target": target, "alignments": alignments}
        for i, (source, target, alignments) in enumerate(zip(*sides, strict=True))
    ]


def test_scores_are_those_of_the_system(client: httpx.Client, corpus: Corpus, system: Path) -> None:
    given = segments(corpus)
    answer = client.post("/v1/score", json={"segments": given, "words": True})
    assert answer.status_code == 200, answer.text
    content = answer.json()
    runner = load_system(system)
    sides = [[segment[name] for segment in given] for name in ("source", "target", "alignments")]
    expected = runner.predict(*sides).columns()
    assert content["model"] == "tiny"
    assert content["scale"] == {"kind": "hter", "higher_is_better": False, "range": [0, 1]}
    for index, segment in enumerate(content["segments"]):
        assert segment["id"] == f"s{index}"
        assert segment["score"] == pytest.approx(expected["sentence_scores"][index], abs=1e-5)
        assert segment["deviation"] == pytest.approx(expected["sentence_scores_deviation"][index], abs=1e-5)
        words = segment["words"]
        target = given[index]["target"]
        assert [target[word["start"] : word["end"]] for word in words["target"]] == target.split()
        assert [word["label"] for word in words["target"]] == expected["target_tags_labels"][index]
        assert len(words["gaps"]) == len(words["target"]) + 1
        assert words["gaps"][-1]["start"] == words["gaps"][-1]["end"] == len(target)
        assert len(words["source"]) == len(given[index]["source"].split())
        assert isinstance(segment["flags"], list)
    again = client.post("/v1/score", json={"segments": given[:2], "scale": "0-100", "flags": False, "model": "twin"})
    assert again.json()["scale"]["higher_is_better"] is True
    assert again.json()["segments"][0]["score"] == pytest.approx(100 * (1 - expected["sentence_scores"][0]), abs=1e-3)
    assert "flags" not in again.json()["segments"][0]


def test_decisions_of_a_policy(client: httpx.Client, corpus: Corpus, policy: Policy) -> None:
    given = segments(corpus)
    for segment in given:
        del segment["alignments"]
    asked = {"segments": given, "model": "text", "policy": "strict"}
    found = client.post("/v1/score", json=asked).json()["segments"]
    bound = policy.groups[""].threshold
    assert bound is not None
    for each in found:
        is_approved = each["score"] <= bound and not each["flags"]
        assert each["decision"] == ("approve" if is_approved else "review"), each
        assert each["decision_reason"]
    assert {each["decision"] for each in found} == {"approve", "review"}
    good = next(index for index, each in enumerate(found) if each["decision"] == "approve")
    changed = {"source": f"5 {given[good]['source']}", "target": f"6 {given[good]['target']}"}  # which has flags
    unflagged = client.post("/v1/score", json=asked | {"segments": [given[good], changed], "flags": False}).json()
    decided, flagged = unflagged["segments"]
    assert "flags" not in decided | flagged
    assert (decided["decision"], flagged["decision"]) == ("approve", "review")
    assert flagged["decision_reason"] == "flags: numbers"
    refused = client.post("/v1/score", json={"segments": segments(corpus, 1), "policy": "strict"})
    assert refused.json()["type"] == "urn:kiwi:problem:unknown-policy"  # it is that of another model


def test_spans_are_those_of_the_text_as_given(client: httpx.Client, span_system: Path) -> None:
    given = [{"source": source, "target": target} for source, target in zip(SOURCE, TARGET, strict=True)]
    answer = client.post("/v1/score", json={"segments": given, "model": "spans", "spans": True})
    assert answer.status_code == 200, answer.text
    found = [each["spans"] for each in answer.json()["segments"]]
    expected = load_system(span_system).predict(SOURCE, TARGET).error_spans
    assert expected is not None
    assert any(expected)
    for target, spans, own in zip(TARGET, found, expected, strict=True):
        assert [(each["start"], each["end"], each["severity"]) for each in spans] == [
            (each.start, each.end, each.severity) for each in own
        ]
        assert [each["text"] for each in spans] == [target[each["start"] : each["end"]] for each in spans]
        assert all(0 < each["confidence"] <= 1 for each in spans)
    assert "mqm_score" in answer.json()["segments"][0]


def test_numbers_are_names_and_line_ends_are_spaces(client: httpx.Client, corpus: Corpus) -> None:
    first = segments(corpus, 1)[0]
    del first["id"]
    broken = first | {"target": first["target"].replace(" ", "\n", 1)}
    answer = client.post(
        "/v1/score", json={"segments": [first, broken, {"source": "", "target": "", "alignments": ""}]}
    )
    found = answer.json()["segments"]
    assert [each["id"] for each in found] == [1, 2, 3]
    assert found[0]["score"] == found[1]["score"]
    assert found[2]["score"] is None


@pytest.mark.parametrize(
    ("change", "status", "name", "pointer", "detail"),
    [
        ({"segments": []}, 422, "invalid", "#/segments", "found 0 items; expected at least 1"),
        ({"segment": []}, 422, "invalid", "#/segment", "did you mean 'segments'?"),
        ({"segments": [{"id": "x", "source": "a"}]}, 422, "invalid", "#/segments/0/target", "required"),
        ({"model": "../tiny"}, 404, "unknown-model", "#/model", "expected one of tiny, twin"),
        ({"policy": "p"}, 422, "unknown-policy", "#/policy", "none"),
        ({"spans": True}, 422, "no-spans", "#/spans", "predicts no error spans"),
        (
            {"segments": [{"id": 7, "source": "a", "target": " ", "alignments": "0-0"}]},
            422,
            "bad-segment",
            "#/segments/0/target",
            "segment 7, target: found an empty target",
        ),
        (
            {"segments": [{"source": "a", "target": "b", "alignments": "0-5"}]},
            422,
            "bad-segment",
            "#/segments/0/alignments",
            "segment 1, alignments: found",
        ),
        ({"segments": [{"source": "a", "target": "b"}] * 13}, 413, "too-many-segments", "#/segments", "at most 12"),
        (
            {"segments": [{"source": "a " * 400, "target": "b " * 200, "alignments": "0-0"}]},
            413,
            "too-many-tokens",
            "#/segments/0",
            "found 600 words",
        ),
    ],
)
def test_problems_name_what_is_wrong(
    client: httpx.Client, corpus: Corpus, change: dict[str, Any], status: int, name: str, pointer: str, detail: str
) -> None:
    answer = client.post("/v1/score", json={"segments": segments(corpus, 1)} | change)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"urn:kiwi:problem:{name}"
    assert problem["status"] == status
    assert problem["errors"][0]["pointer"] == pointer
    assert detail in problem["detail"]


def test_valid_and_other_requests_are_answered_alike(client: httpx.Client, corpus: Corpus) -> None:
    """A valid request takes a shortcut; what it does not understand goes the way of all other calls."""
    given = {"segments": segments(corpus, 2), "words": True}
    plain = client.post("/v1/score", json=given)
    with_charset = {"Content-Type": "application/json; charset=utf-8"}
    other = client.post("/v1/score", content=json.dumps(given), headers=with_charset)
    assert (plain.status_code, other.status_code) == (200, 200)
    assert plain.json() == other.json()
    assert plain.headers["x-frame-options"] == other.headers["x-frame-options"] == "DENY"
    given["segments"][1]["source"] = 5
    errors = [
        client.post("/v1/score", json=given),
        client.post("/v1/score", content=json.dumps(given), headers=with_charset),
    ]
    assert [each.status_code for each in errors] == [422, 422]
    assert errors[0].json() == errors[1].json()
    assert errors[0].json()["errors"][0]["pointer"] == "#/segments/1/source"
    counted = re.findall(
        r'^kiwi_requests_total\{.*route="(/v1/score)",status="(\d+)"', client.get("/metrics").text, re.M
    )
    assert {("/v1/score", "200"), ("/v1/score", "422")} <= {*counted}


def test_keys_rates_and_hosts(server: Server, client: httpx.Client) -> None:
    with httpx.Client(base_url=server.url) as other:
        for headers in ({}, {"Authorization": "Bearer kiwi-admi"}, {"Authorization": f"Basic {ADMIN}"}):
            answer = other.get("/v1/models", headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        answers = [other.get("/v1/models", headers={"Authorization": f"Bearer {SLOW}"}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert 1 <= int(answers[2].headers["retry-after"]) <= 60
        assert other.get("/health/ready").json() == {"status": "ready", "models": ["tiny", "twin", "text", "spans"]}
        assert other.get("/openapi.json", headers={"Host": "evil.example"}).status_code == 421
        # Health checks come by address; they tell little.
        assert other.get("/health/live", headers={"Host": "evil.example"}).status_code == 200
        assert other.get("/metrics").status_code == 401
    refused = client.post("/v1/score", json={}, headers={"Sec-Fetch-Site": "cross-site"})
    assert refused.status_code == 403
    assert client.get("/v1/models/x").status_code == 404


def test_answers_have_strict_headers_and_no_cors(client: httpx.Client) -> None:
    answer = client.get("/health/live", headers={"Origin": "https://evil.example"})
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "server" not in answer.headers


def test_large_slow_and_broken_requests(server: Server, client: httpx.Client) -> None:
    assert client.post("/v1/score", content=b"x" * 20_001).status_code == 413
    unannounced = client.post("/v1/score", content=iter([b"x" * 10_000] * 3))
    assert unannounced.status_code == 413
    assert client.post("/v1/score", content=b"{", headers={"Content-Type": "application/json"}).status_code == 422
    with (
        half_sent(server, "/v1/score") as half,
        half_sent(server, "/v1/files?name=a.tsv") as slow,
        connected(server) as idle,
        connected(server) as headless,
    ):
        client.get("/health/live")
        headless.sendall(b"GET / HTTP/1.1\r\nHo")
        statuses = []

        def drip() -> None:
            for _ in range(100):
                slow.sendall(b"x")
                if select.select([slow], [], [], 0.3)[0]:
                    statuses.append(slow.recv(1000).splitlines()[0])
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        assert b" 408 " in half.recv(1000).splitlines()[0]
        dripping.join()
        assert b" 408 " in statuses[0]
        assert [idle.recv(10), headless.recv(10)] == [b"", b""]  # closed
    assert not list(server.service.jobs._directory.iterdir())


def connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def half_sent(server: Server, path: str) -> socket.socket:
    """Send the head of a request, and the first byte of its body."""
    connection = connected(server)
    connection.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {ADMIN}\r\n".encode())
    connection.sendall(b"Content-Length: 100\r\nContent-Type: application/json\r\n\r\n{")
    return connection


def test_models_are_described_and_reloaded_while_they_are_used(
    server: Server, client: httpx.Client, corpus: Corpus
) -> None:
    described = client.get("/v1/models").json()["models"]
    assert [model["name"] for model in described] == ["tiny", "twin", "text", "spans"]
    assert described[0]["fields"] == ["source", "target", "alignments"]
    given = segments(corpus, 3)
    stop, statuses = threading.Event(), []

    def ask() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            changed = [segment | {"source": f"{number} {segment['source']}"} for segment in given]
            stop.wait(0.01)
            statuses.append(client.post("/v1/score", json={"segments": changed}).status_code)

    thread = threading.Thread(target=ask)
    thread.start()
    former = server.service.registry.find("tiny")
    assert client.post("/v1/models/tiny/reload").status_code == 200
    stop.set()
    thread.join()
    assert {*statuses} == {200}
    assert server.service.registry.find("tiny") is not former
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {ADMIN}"}) as other:
        assert other.post("/v1/models/none/reload").status_code == 404


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_client_that_goes_away_leaves_the_queue(server: Server, client: httpx.Client, corpus: Corpus) -> None:
    served = server.service.registry.find("tiny")
    model, go = served.worker.model, threading.Event()
    former = model.predict
    model.predict = lambda texts: former(texts) if go.wait(20) else []  # type: ignore[method-assign]
    given = segments(corpus)
    try:
        for number in range(2):  # the first is being computed, the second waits
            changed = [segment | {"source": f"gone{number} {segment['source']}"} for segment in given]
            with pytest.raises(httpx.ReadTimeout):
                client.post("/v1/score", json={"segments": changed}, timeout=0.3)
        deadline = time.monotonic() + 10
        while served.worker.queue.n_waiting and time.monotonic() < deadline:
            time.sleep(0.02)
        assert served.worker.queue.n_waiting == 0
    finally:
        go.set()
        model.predict = former  # type: ignore[method-assign]


def test_texts_are_neither_logged_nor_counted(
    client: httpx.Client, corpus: Corpus, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "Geheimnis"
    with caplog.at_level(logging.DEBUG):
        client.post("/v1/score", json={"segments": [{"source": secret, "target": secret, "alignments": "0-0"}]})
        client.post("/v1/score", json={"segments": [{"source": secret, "target": "", "alignments": secret}]})
        client.get(f"/{secret}?q={secret}")
        metrics = client.get("/metrics").text
    logged = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("kiwi"))
    assert "POST /v1/score 200" in logged
    assert "GET unknown 404" in logged
    assert secret not in logged + metrics
    assert 'kiwi_requests_total{method="POST",route="/v1/score",status="200"}' in metrics
    assert 'kiwi_cache_hits_total{model="tiny"}' in metrics


def test_the_description_has_examples(client: httpx.Client) -> None:
    description = client.get("/openapi.json").json()
    assert {"/v1/score", "/v1/models", "/health/ready", "/metrics"} <= description["paths"].keys()
    schema = description["components"]["schemas"]["ScoreRequest"]
    assert schema["examples"][0]["segments"]
    assert "application/problem+json" in description["paths"]["/v1/score"]["post"]["responses"]["422"]["content"]


def table(corpus: Corpus, n: int = 10) -> str:
    rows = [[segment[name] for name in ("source", "target", "alignments")] for segment in segments(corpus, n)]
    return "\n".join("\t".join(row) for row in [["source", "target", "alignments"], *rows]) + "\n"


def events(client: httpx.Client, url: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    with client.stream("GET", f"{url}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for block in stream.read().decode().strip().split("\n\n"):
            kind, data = block.splitlines()
            found.append((kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_a_file_is_scored_and_downloaded_once_it_is_done(
    server: Server, client: httpx.Client, corpus: Corpus, system: Path
) -> None:
    content = table(corpus)
    parts = iter([content[:100].encode(), content[100:].encode()])
    answer = client.post("/v1/files", params={"name": "../a b.tsv", "scale": "0-100"}, content=parts)
    assert answer.status_code == 202, answer.text
    url = answer.headers["location"]
    kinds = events(client, url)
    assert kinds[-1][0] == "end"
    job = kinds[-1][1]
    assert (job["state"], job["segments"], job["name"], job["error"]) == ("done", 10, "a b.tsv", None), job
    assert (kinds[0][1]["total"] in (None, 10), job["total"]) == (True, 10)
    told = [state for _, state in kinds if state["total"] is not None]
    assert all(state["segments"] <= state["total"] == 10 for state in told)
    assert "owner" not in job
    download = client.get(f"{url}/content")
    assert "attachment" in download.headers["content-disposition"]
    header, *rows = download.text.splitlines()
    column = header.split("\t").index("sentence_scores (0-100, higher is better)")
    scored = client.post("/v1/score", json={"segments": segments(corpus), "scale": "0-100"}).json()["segments"]
    assert [float(row.split("\t")[column]) for row in rows] == pytest.approx([each["score"] for each in scored])
    again = client.post("/v1/files", params={"name": "a.tsv", "scale": "0-100"}, content=download.content)
    assert events(client, again.headers["location"])[-1][1]["state"] == "done"
    assert client.get(f"{again.headers['location']}/content").content == download.content
    assert client.delete(again.headers["location"]).status_code == 204
    other = {"Authorization": f"Bearer {OTHER}"}
    assert client.get(url, headers=other).status_code == 404  # it belongs to another key
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 404
    assert not list(server.service.jobs._directory.iterdir())


def test_files_that_cannot_be_scored(server: Server, client: httpx.Client, corpus: Corpus) -> None:
    def post(name: str, content: str, **params: str) -> httpx.Response:
        return client.post("/v1/files", params={"name": name, **params}, content=content.encode())

    assert "expected that of a format" in post("a.docx", "x").json()["detail"]
    assert post("a.tsv", "x" * 5001).status_code == 413
    assert post("a.tsv", "").status_code == 422
    assert post("a.tsv", "x", threshold="1").json()["detail"].startswith("threshold: a.tsv is TSV, which")
    assert post("a.tsv", "x", policy="p").status_code == 422
    assert post("a.tsv", "x", columns="source").status_code == 422
    assert not list(server.service.jobs._directory.iterdir())
    bad = post("a.tsv", "source\ttarget\nGeheimnis\tx\n")
    end = events(client, bad.headers["location"])[-1][1]
    assert end["state"] == "failed"
    assert str(server.service.jobs._directory) not in end["error"]
    assert client.get(f"{bad.headers['location']}/content").status_code == 409
    urls = [bad.headers["location"], *(post("a.tsv", table(corpus, 1)).headers["location"] for _ in range(2))]
    full = post("a.tsv", table(corpus, 1))
    assert (full.status_code, full.headers["retry-after"]) == (503, "60")
    assert client.get("/v1/files/..%2f..").status_code == 404
    for url in urls:
        assert client.delete(url).status_code == 204


def test_a_file_that_is_removed_while_its_output_is_begun(server: Server, client: httpx.Client, corpus: Corpus) -> None:
    store = server.service.jobs
    url = client.post("/v1/files", params={"name": "a.tsv"}, content=table(corpus, 1).encode()).headers["location"]
    assert events(client, url)[-1][1]["state"] == "done"
    job = store.find(url.rpartition("/")[2])
    assert job is not None
    store.release(job)
    assert store.has(job)
    store.remove(job)
    store.place_of(job).mkdir()  # as the output does
    assert not store.has(job)
    store.update(job)
    store.release(job)
    assert not store.place_of(job).exists()


def test_files_that_are_small_until_they_are_decompressed(
    server: Server, client: httpx.Client, corpus: Corpus, tmp_path: Path
) -> None:
    def post(name: str, content: bytes) -> httpx.Response:
        return client.post("/v1/files", params={"name": name}, content=content)

    large = table(corpus, 1).encode() + b"a\tb\t0-0\n" * 100_000
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("xl/worksheets/sheet1.xml", b" " * 900_000)
    pyarrow.parquet.write_table(
        pyarrow.table({name: [text] * 100_000 for name, text in {"source": "a b c d", "target": "e f"}.items()}),
        tmp_path / "a.parquet",
    )
    for name, content in {
        "a.tsv.gz": gzip.compress(large),
        "a.tsv.xz": lzma.compress(large),
        "a.tsv": gzip.compress(large),
        "a.xlsx": archive.getvalue(),
        "a.xlsx.gz": gzip.compress(archive.getvalue()),
        "a.parquet": (tmp_path / "a.parquet").read_bytes(),
    }.items():
        assert len(content) < 5000
        refused = post(name, content)
        assert (refused.status_code, refused.json()["type"]) == (413, "urn:kiwi:problem:too-large"), name
        assert f"{name}: found more than 800000 bytes when it is decompressed" in refused.json()["detail"]
    for name, content in {"a.tsv.gz": gzip.compress(large)[:-9], "a.xlsx": b"PK", "a.parquet": b"PAR1"}.items():
        damaged = post(name, content)
        assert (damaged.status_code, damaged.json()["type"]) == (422, "urn:kiwi:problem:unfit-file"), name
        assert name in damaged.json()["detail"]
        assert str(server.service.jobs._directory) not in damaged.json()["detail"]
    assert not list(server.service.jobs._directory.iterdir())


def test_files_that_are_being_received_leave_room_for_others(
    server: Server, client: httpx.Client, corpus: Corpus
) -> None:
    def post() -> httpx.Response:
        return client.post("/v1/files", params={"name": "a.tsv"}, content=table(corpus, 1).encode())

    jobs = server.service.jobs
    with half_sent(server, "/v1/files?name=a.tsv"), half_sent(server, "/v1/files?name=a.tsv"):
        wait_for(lambda: len(list(jobs._directory.glob("new-*"))) == 2)
        urls = [post().headers["location"] for _ in range(3)]  # as many as there may be
        assert post().json()["detail"].startswith("There are 3 files")
        client.delete(urls.pop())
        with half_sent(server, "/v1/files?name=a.tsv"):
            wait_for(lambda: len(list(jobs._directory.glob("new-*"))) == 3)
            assert post().json()["detail"].startswith("3 files are being received")
    wait_for(lambda: not list(jobs._directory.glob("new-*")))
    assert [client.delete(url).status_code for url in urls] == [204, 204]


def test_files_expire(server: Server, client: httpx.Client, corpus: Corpus) -> None:
    url = client.post("/v1/files", params={"name": "a.tsv"}, content=table(corpus, 1).encode()).headers["location"]
    assert events(client, url)[-1][1]["state"] == "done"
    jobs = server.service.jobs
    jobs._clock = lambda: time.monotonic() + 4000
    try:
        assert client.get(url).status_code == 404
        jobs.remove_expired()
        assert not list(jobs._directory.iterdir())
    finally:
        jobs._clock = time.monotonic


def test_feedback_is_stored_in_lines(server: Server, client: httpx.Client) -> None:
    segment = {"id": "7", "source": "a", "target": "b\u2028", "post_edit": "c", "decision": "approve", "score": 0.1}
    answer = client.post("/v1/feedback", json={"segments": [segment, segment | {"id": 8}]})
    assert answer.json() == {"stored": 2}, answer.text
    assert server.service.options.feedback is not None
    (file,) = server.service.options.feedback.iterdir()
    first, second = (json.loads(line) for line in file.read_text(encoding="utf-8").split("\n")[:-1])
    assert segment.items() <= first.items()
    assert (second["id"], second["model"]) == (8, "tiny")
    assert second["sha256"] == server.service.registry.find("tiny").sha256
    assert (first["decision"], first["decision_reason"]) == ("approve", None)
    assert client.post("/v1/feedback", json={"segments": [{"source": "a"}]}).status_code == 422
    unknown = client.post("/v1/feedback", json={"segments": [segment], "model": "text", "policy": "nope"})
    assert unknown.status_code == 422
    assert unknown.json()["detail"] == "policy: found 'nope'; the policies of the model text are: safe, strict."
    assert len(file.read_text(encoding="utf-8").split("\n")) == 3


def test_feedback_on_a_full_disk_is_refused_whole(server: Server, client: httpx.Client) -> None:
    assert server.service.options.feedback is not None
    large = 2**26  # so that nothing else meets the limit
    asked = {"segments": [{"source": "a", "target": "b", "post_edit": "c"}]}
    client.post("/v1/feedback", json=asked)
    (file,) = server.service.options.feedback.iterdir()
    size = file.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        os.truncate(file, large)
        resource.setrlimit(resource.RLIMIT_FSIZE, (large + 10, hard))
        answer = client.post("/v1/feedback", json=asked)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        length = file.stat().st_size
        os.truncate(file, size)
    assert (answer.status_code, answer.json()["type"]) == (507, "urn:kiwi:problem:disk-full")
    assert length == large


def test_weblate_gets_the_issues_of_each_unit(client: httpx.Client, corpus: Corpus) -> None:
    # The parts of Weblate's request that matter, and its rules for the answer.
    source, target = (corpus.lines("test", name)[0] for name in ("source", "target"))
    units = [
        {"unit_id": 11, "strings": [{"source": source, "context": ""}], "translations": [target]},
        {"unit_id": 12, "strings": [{"source": "1 file"}, {"source": "{n} files"}], "translations": ["12", "", "x"]},
        {"unit_id": 13, "strings": [{"source": ""}], "translations": [""]},
    ]
    content = {"source_language": "en", "target_language": "de", "units": units, "glossary": []}
    messages = [
        {"role": "system", "content": "Evaluate the supplied translation units ..."},
        {"role": "user", "content": '{"units":[{"unit_id":1,"strings":[{"source":"Hello"}],"translations":["Ahoj"]}]}'},
        {"role": "assistant", "content": '{"results":[{"unit_id":1,"issues":[]}]}'},
        {"role": "user", "content": json.dumps(content)},
    ]
    asked = {"model": "text", "messages": messages, "temperature": 0}
    answer = client.post("/v1/chat/completions", json=asked)
    assert answer.status_code == 200, answer.text
    choice = answer.json()["choices"][0]
    assert choice["finish_reason"] == "stop"
    result = json.loads(choice["message"]["content"])
    assert result.keys() == {"results"}
    assert [each["unit_id"] for each in result["results"]] == [11, 12, 13]
    for each in result["results"]:
        for issue in each["issues"]:
            assert issue.keys() == {"category", "severity", "explanation"}
            assert issue["category"] in {"accuracy", "fluency", "terminology", "style", "formatting"}
            assert issue["severity"] in {"minor", "major", "critical"}
            assert 0 < len(issue["explanation"].strip()) <= 4000
    explanations = [issue["explanation"] for issue in result["results"][1]["issues"]]
    assert "Flag 'numbers': source and translation have different numbers." in explanations
    assert not result["results"][2]["issues"]
    default = client.post("/v1/chat/completions", json=asked | {"model": "gpt-5"})
    assert "the model tiny reads it" in default.json()["detail"]
    refused = client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "Hello!"}]})
    assert refused.status_code == 422
    assert "evaluation of Weblate" in refused.json()["detail"]


def test_issues_of_spans_and_low_scores() -> None:
    segment = {
        "score": 42.4,
        "spans": [
            {"start": 4, "end": 7, "severity": "critical", "confidence": 0.9},
            {"start": 3, "end": 3, "severity": "minor", "confidence": 0.5},
        ],
        "words": {"target": [{"start": 0, "end": 3, "probability": 0.8}, {"start": 4, "end": 7, "probability": 0.2}]},
        "flags": ["tags"],
    }
    issues = find_issues(segment, "abc def", is_quality=True)
    assert [(issue["category"], issue["severity"]) for issue in issues] == [
        ("accuracy", "critical"),
        ("accuracy", "minor"),
        ("formatting", "major"),
        ("accuracy", "major"),
    ]
    assert "'def' (confidence 0.90)" in issues[0]["explanation"]
    assert "missing at character 3" in issues[1]["explanation"]
    assert issues[3]["explanation"] == "The estimated quality is 42 of 100. Words that are probably wrong: abc."
    assert find_issues({"score": 42.4}, "abc", is_quality=False) == []


def test_the_page_works_without_a_script_and_escapes_everything(client: httpx.Client, corpus: Corpus) -> None:
    empty = httpx.get(str(client.base_url))
    assert empty.status_code == 200
    policy = empty.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'; " in policy
    assert "unsafe" not in policy
    scripts = re.findall(r"<script[^>]*>", empty.text)
    assert len(scripts) == 1  # one file
    assert re.fullmatch(r'<script src="/assets/serve\.js\?\w{16}" defer>', scripts[0])
    assert not re.search(r"style=|\son\w+=|https?://", empty.text)
    text = "<script>alert(1)</script> \"' 12"
    entered = {"source": f"{text}\r\nb", "target": f"{text}\r\nb", "key": ADMIN, "model": "twin"}
    shown = httpx.post(
        str(client.base_url), data=entered | {"target": f"{text} c\r\nc", "model": "text", "policy": "safe"}
    )
    assert (shown.status_code, shown.text.count('<li class="segment')) == (200, 2)
    assert re.findall(r"<script[^>]*>", shown.text) == scripts
    assert "Scores from 0 to 100; higher is better" in shown.text
    assert "with a confidence of 95%, at most 10% of them are not acceptable (hter &lt;= 0.1)" in shown.text
    assert re.search(r'<p class="note why">score above 0, on the scale of the model \(hter\)</p>', shown.text)
    answer = httpx.post(str(client.base_url), data=entered)
    assert (answer.status_code, answer.text.count('<li class="segment')) == (422, 0)  # this model reads alignments
    assert "alignments: missing" in answer.text
    assert re.findall(r"<script[^>]*>", answer.text) == scripts
    assert "&lt;script&gt;" in answer.text
    assert ADMIN not in answer.text
    wrong = httpx.post(str(client.base_url), data=entered | {"key": "<b>"})
    assert wrong.status_code == 401
    assert "no valid API key" in wrong.text
    unequal = httpx.post(str(client.base_url), data=entered | {"target": "b"})
    assert "found 2 lines of source and 1 of translation" in unequal.text
    unequal = httpx.post(str(client.base_url), data=entered | {"other": "b"})
    assert "2 of translation and 1 of the other translation" in unequal.text
    assert httpx.post(str(client.base_url), data={str(i): "x" for i in range(30)}).status_code == 422


def test_an_example_is_filled_in_without_a_script(client: httpx.Client) -> None:
    page = httpx.get(str(client.base_url), params={"example": "en-ar"})
    assert f">\n{sentences()['ar'].bad}</textarea>" in page.text
    assert httpx.get(str(client.base_url), params={"example": "<b>"}).status_code == 200


def test_what_the_page_loads(client: httpx.Client) -> None:
    address = re.findall(r'<script src="([^"]*)"', httpx.get(str(client.base_url)).text)[0]
    script = httpx.get(f"{client.base_url}{address}")
    assert (script.status_code, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert "immutable" in script.headers["cache-control"]
    assert client.get("/assets/serve.css").text == read_asset("serve.css")
    assert client.get("/assets/examples.tsv").status_code == 404


def test_the_segments_of_a_file(client: httpx.Client, corpus: Corpus) -> None:
    rows = [(segment["source"], segment["target"]) for segment in segments(corpus)]
    content = "\n".join("\t".join(row) for row in [("source", "target"), *rows, ("a 12", "a 13"), ("b", "")]) + "\n"
    asked = {"name": "a.tsv", "scale": "0-100", "model": "text", "policy": "safe"}
    url = client.post("/v1/files", params=asked, content=content.encode()).headers["location"]
    assert events(client, url)[-1][1]["state"] == "done"
    found = client.get(f"{url}/segments", params={"words": True}).json()
    assert (found["total"], found["scale"]["range"]) == (12, [0, 100])
    assert [segment["id"] for segment in found["segments"]] == [*range(1, 13)]
    assert (found["segments"][0]["source"], found["segments"][0]["target"]) == rows[0]
    given = {"segments": [{"source": source, "target": target} for source, target in rows], "model": "text"}
    scored = client.post("/v1/score", json=given | {"scale": "0-100", "words": True}).json()["segments"]
    for segment, expected in zip(found["segments"], scored, strict=False):
        assert segment["score"] == pytest.approx(expected["score"], abs=1e-4)
        assert segment["words"] == expected["words"]
        assert (segment["flags"], segment["decision"]) == (expected["flags"], "review")
    assert found["segments"][11]["score"] is None
    by_score = client.get(f"{url}/segments", params={"order": "lowest", "limit": 11}).json()["segments"]
    scores = [segment["score"] for segment in by_score]
    assert scores == sorted(scores)
    best = client.get(f"{url}/segments", params={"order": "highest", "offset": 1, "limit": 1}).json()["segments"]
    assert best[0]["score"] == scores[-2]
    some = client.get(f"{url}/segments", params={"low": scores[2], "high": scores[4]}).json()
    assert some["total"] == 3
    assert 11 in [each["id"] for each in client.get(f"{url}/segments?flagged=true").json()["segments"]]
    assert client.get(f"{url}/segments?decision=approve").json()["total"] == 0
    assert client.get(f"{url}/segments?limit=101").status_code == 422
    assert client.delete(url).status_code == 204
    assert client.get(f"{url}/segments").status_code == 404

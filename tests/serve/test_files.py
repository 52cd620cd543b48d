"""Files that are uploaded: what their scored copies, and what is answered of their segments, have in common."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from kiwi.serve.options import ServeOptions
from kiwi.systems.manifest.rewriting import read_info, rewrite
from kiwi.systems.manifest.thresholds import PairThresholds
from tests.conftest import Corpus
from tests.serve.running import Server
from tests.systems.test_span_level import SOURCE, TARGET


@pytest.fixture(scope="module")
def client(text_system: Path, span_system: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server without keys, whose models have a threshold for one language pair."""
    models = {}
    for name, system, output in (("words", text_system, "target_tags"), ("spans", span_system, "error_spans")):
        place = tmp_path_factory.mktemp("paired") / name
        shutil.copytree(system, place)
        info = read_info(place)
        rewrite(place, replace(info, data=replace(info.data, thresholds=PairThresholds({output: {"en-de": 0.97}}))))
        models[name] = str(place)
    server = Server(ServeOptions(models), tmp_path_factory.mktemp("files"))
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client
    server.close()


def score(client: httpx.Client, content: str, **asked: Any) -> str:
    """Score a file, and return its address."""
    answer = client.post("/v1/files", params=asked, content=content.encode())
    assert answer.status_code == 202, answer.text
    url = answer.headers["location"]
    while (job := client.get(url).json())["state"] not in ("done", "failed"):
        time.sleep(0.05)
    assert job["state"] == "done", job
    return str(url)


def json_lines(rows: list[dict[str, str]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def labels(segment: dict[str, Any]) -> list[str]:
    return [word["label"] for word in segment["words"]["target"]]


def spans_of(segment: dict[str, Any]) -> list[tuple[str, ...]]:
    """What is marked, wherever it is: the answer has the translation without the spaces of the file."""
    spans = segment.get("spans", segment.get("error_spans"))
    return [(span["text"], span["severity"], span["confidence"]) for span in spans]


@pytest.mark.parametrize("has_column", [False, True])
def test_words_of_a_segment_are_those_of_the_file_in_its_language_pair(
    client: httpx.Client, corpus: Corpus, *, has_column: bool
) -> None:
    sides = [corpus.lines("test", name)[:8] for name in ("source", "target")]
    rows = [{"source": source, "target": target} for source, target in zip(*sides, strict=True)]
    pairs = ["en-de", "en-fr"] * 4 if has_column else ["en-de"] * 8
    given = [row | {"lp": pair} for row, pair in zip(rows, pairs, strict=True)] if has_column else rows
    asked = {"words": True, **({} if has_column else {"languages": "en,de"})}
    url = score(client, json_lines(given), name="a.jsonl", model="words", **asked)
    written = [json.loads(line)["target_tags_labels"] for line in client.get(f"{url}/content").text.splitlines()]
    found = client.get(f"{url}/segments", params={"words": True}).json()["segments"]
    assert [labels(each) for each in found] == written
    plain = client.post("/v1/score", json={"segments": rows, "model": "words", "words": True}).json()["segments"]
    assert [labels(each) for each in plain] != written  # or the threshold would not matter
    client.delete(url)


def test_spans_of_a_segment_are_those_of_the_file_in_its_language_pair(client: httpx.Client) -> None:
    rows = [{"source": source, "target": target} for source, target in zip(SOURCE, TARGET, strict=True)]
    url = score(client, json_lines(rows), name="a.jsonl", model="spans", words=True, languages="en,de")
    written = list(map(json.loads, client.get(f"{url}/content").text.splitlines()))
    found = client.get(f"{url}/segments", params={"spans": True}).json()["segments"]
    assert list(map(spans_of, found)) == list(map(spans_of, written))
    plain = client.post("/v1/score", json={"segments": rows, "model": "spans", "spans": True}).json()["segments"]
    assert list(map(spans_of, plain)) != list(map(spans_of, written))
    client.delete(url)


XLIFF = (
    '<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">'
    '<file original="a" source-language="en" target-language="de" datatype="plaintext"><body>'
    '<trans-unit id="1"><source>{source}</source><target>{target}</target></trans-unit></body></file></xliff>'
)


def test_a_scored_copy_of_xliff_has_the_error_spans_of_the_command(client: httpx.Client, span_system: Path) -> None:
    text = XLIFF.format(source=SOURCE[0], target=TARGET[0])
    url = score(client, text, name="a.xlf", model="spans")
    marked = client.get(f"{url}/content").text
    found = client.get(f"{url}/segments", params={"spans": True}).json()["segments"][0]["spans"]
    assert marked.count("<mrk ") >= len(found) > 0
    edited = re.sub("<target>.*</target>", "<target>Ja</target>", marked).replace("Ja", '<mrk mtype="x-its" X>Ja</mrk>')
    edited = edited.replace("X", 'its:locQualityIssueProfileRef="urn:x-kiwi:profile:error-spans"')
    again = score(client, edited, name="a.xlf", model="words")
    assert "<target>Ja</target>" in client.get(f"{again}/content").text  # no mark stays beside scores of another system
    for each in (url, again):
        client.delete(each)

"""What is wrong with requests: texts that are none, and requests of another form."""

from __future__ import annotations

import ast
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import kiwi
from kiwi.serve.jobs.wording import for_clients
from tests.conftest import Corpus
from tests.serve.running import ADMIN, Server
from tests.serve.test_http import events, segments

SCORE, FEEDBACK, CHAT = "/v1/score", "/v1/feedback", "/v1/chat/completions"


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {ADMIN}"}, timeout=30) as client:
        yield client


def post(client: httpx.Client, content: Any, url: str = SCORE, **headers: str) -> tuple[int, str, list[Any]]:
    body = content if isinstance(content, str | bytes) else json.dumps(content)
    answer = client.post(url, content=body, headers={"Content-Type": "application/json"} | headers)
    problem = answer.json()
    return answer.status_code, problem.get("detail", ""), problem.get("errors", [])


def evaluation(source: str, target: str = "b", **more: str) -> dict[str, Any]:
    units = [{"unit_id": 1, "strings": [{"source": source}], "translations": [target]}]
    return {"model": "text", "messages": [{"role": "user", "content": json.dumps({"units": units} | more)}]}


@pytest.mark.parametrize("character", ["\0", "\ud800"])
def test_no_call_takes_a_string_that_is_no_text(
    server: Server, client: httpx.Client, corpus: Corpus, character: str
) -> None:
    (segment,) = segments(corpus, 1)
    for field in ("source", "target", "id", "group", "alignments"):
        status, detail, errors = post(client, {"segments": [segment, segment | {field: f"a{character}"}]})
        assert (status, errors[0]["pointer"]) == (422, f"#/segments/1/{field}")
        assert " at position 2; expected text without it" in detail
    for field in ("model", "policy"):
        status, _, errors = post(client, {"segments": [segment], field: character})
        assert (status, errors[0]["pointer"]) == (422, f"#/{field}")
    fed = {"id": "7", "source": "a", "target": "b", "post_edit": "c", "group": "d"}
    for field in fed:
        status, _, errors = post(client, {"segments": [fed | {field: character}]}, FEEDBACK)
        assert (status, errors[0]["pointer"]) == (422, f"#/segments/0/{field}")
    for asked in (evaluation(character), evaluation("a", character)):
        status, _, errors = post(client, asked, CHAT)
        assert (status, errors[0]["pointer"]) == (422, "#/messages/0/content")
    asked["messages"][0]["content"] = character
    assert post(client, asked, CHAT)[2][0]["pointer"] == "#/messages/0/content"
    entered = {"source": "a", "target": "b\0", "key": ADMIN, "model": "text"}
    assert "found a NUL character" in httpx.post(str(client.base_url), data=entered).text


def test_languages_are_codes(client: httpx.Client, corpus: Corpus) -> None:
    asked = {"segments": segments(corpus, 1)}
    status, detail, errors = post(client, asked | {"languages": ["English", "de"]})
    assert (status, errors[0]["pointer"]) == (422, "#/languages/0")
    assert "found 'English'; expected the code of a language" in detail
    assert post(client, asked | {"languages": ["", "de"]})[0] == 422
    assert post(client, asked | {"languages": ["en", "zh-Hans_CN"]})[0] == 200
    # Weblate has codes of its own, which say nothing here.
    assert post(client, evaluation("a", source_language="be@latin", target_language="de"), CHAT)[0] == 200


@pytest.mark.parametrize(
    ("change", "pointer", "detail"),
    [
        ({"model": 5}, "#/model", "found 5; expected a valid string."),
        ({"scale": "50"}, "#/scale", "found '50'; expected 'own' or '0-100'."),
        ({"words": None}, "#/words", "found null; expected a valid boolean."),
        ({"segments": {"a": 1}}, "#/segments", "found an object; expected a valid list."),
        ({"segments": ["Geheimnis"]}, "#/segments/0", "found a string; expected an object."),
        ({"segments": [{"source": "a"}]}, "#/segments/0/target", "found nothing; expected a value, which is required."),
        (
            {"segments": [{"source": "a", "target": "b", "id": {}}]},
            "#/segments/0/id",
            "found an object; expected a valid string or a valid integer.",
        ),
        (
            {"segments": [{"source": "a", "target": "b", "id": True}]},
            "#/segments/0/id",
            "found true; expected a valid string or a valid integer.",
        ),
        (
            {"segments": [{"source": "a", "target": "b", "id": 1.0}]},
            "#/segments/0/id",
            "found 1.0; expected a valid string or a valid integer.",
        ),
        (
            {"segments": [{"source": "a", "target": "b", "tar/get~": 1}]},
            "#/segments/0/tar~1get~0",
            "found an unknown field; did you mean 'target'?",
        ),
        ({"languages": "en"}, "#/languages", "found a string; expected a valid list."),
    ],
)
def test_mistakes_say_what_was_found(
    client: httpx.Client, corpus: Corpus, change: dict[str, Any], pointer: str, detail: str
) -> None:
    status, found, errors = post(client, {"segments": segments(corpus, 1)} | change)
    assert (status, found, errors[0]["pointer"]) == (422, f"{pointer}: {detail}", pointer)
    assert len(errors) == 1


def test_bodies_that_are_no_json(client: httpx.Client, corpus: Corpus) -> None:
    content = json.dumps({"segments": segments(corpus, 1)}).encode()
    for url in (SCORE, FEEDBACK, CHAT):
        for kind in ("text/plain", "application/x-www-form-urlencoded"):
            found = f"Content-Type: found '{kind}'; expected application/json."
            assert post(client, content, url, **{"Content-Type": kind})[:2] == (415, found)
        status, detail, _ = post(client, gzip.compress(content), url, **{"Content-Encoding": "gzip"})
        assert (status, detail) == (415, "Content-Encoding: found 'gzip'; expected none. Send the body as it is.")
        status, detail, errors = post(client, '{"segments": [}', url)
        assert (status, errors[0]["pointer"]) == (422, "")
        assert detail == "The body: found invalid JSON (Expecting value) at position 14; expected an object."
        status, detail, errors = post(client, '{"a": "ä"}'.encode("latin-1"), url)
        assert (status, errors[0]["pointer"]) == (422, "")
        assert detail == "The body: found byte 0xe4 at position 7; expected JSON in UTF-8."
        assert post(client, "[1]", url)[1] == "The body: found a list; expected an object."
    answer = client.post(SCORE, content=content)
    assert (answer.status_code, answer.json()["detail"]) == (
        415,
        "Content-Type: found none; expected application/json.",
    )
    for coding in ("identity", "utf-8"):
        assert post(client, content, **{"Content-Encoding": coding})[0] == 200
    assert client.get("/v1/models", headers={"Content-Encoding": "gzip"}).status_code == 200  # it has no body
    three = json.dumps({"segments": segments(corpus, 1), "languages": ["en", "de", "fr"]})
    assert post(client, three)[1] == "#/languages: found 3 items; expected at most 2."


def test_parameters_of_files(client: httpx.Client) -> None:
    def detail(**params: Any) -> str:
        answer = client.post("/v1/files", params={"name": "a.xlf", **params}, content=b"x")
        assert answer.status_code == 422
        return str(answer.json()["detail"])

    assert detail(treshold=5) == "treshold: found an unknown parameter; did you mean 'threshold'?"
    assert "found an unknown parameter; did you mean 'limit'?" in client.get("/v1/files/x/segments?limt=5").text
    assert client.get("/v1/files/x?_=1").status_code == 404  # as without a parameter, of which it has none
    for value in ("nan", "1e999", "-inf"):
        assert detail(threshold=value) == f"#/query/threshold: found '{value}'; expected a finite number."
    assert detail(state=True) == "state marks translations worse than a threshold. Add threshold=SCORE, or policy."
    assert detail(languages="en") == (
        "languages: found 1; expected the languages of source and target, such as languages=en,de."
    )
    assert detail(name=["a.csv", "b.xlf"]) == "name: found 2 values; expected one. Remove the others."
    assert detail(name="a.csv", columns="source=a,source=b") == (
        "columns: found source=a and source=b. Name one of them."
    )
    for limit, bound in ((101, "less than or equal to 100"), (0, "greater than or equal to 1")):
        answer = client.get("/v1/files/x/segments", params={"limit": limit})
        assert answer.json()["detail"] == f"#/query/limit: found {limit}; expected {bound}."
    assert detail(state=True, threshold=5, model="spans") == (
        "state: the model spans does not say which of its scores are good. Leave state out."
    )


def test_a_file_without_a_column_fails_in_the_words_of_the_call(client: httpx.Client) -> None:
    for name, content in {"a.csv": "source,mt\na,b\n", "a.jsonl": '{"source": "a", "mt": "b"}\n'}.items():
        url = client.post("/v1/files", params={"name": name, "model": "text"}, content=content.encode()).headers[
            "location"
        ]
        job = events(client, url)[-1][1]
        assert job["state"] == "failed"
        assert job["error"].startswith(f"{name}, line 1: found no column 'target'; expected one. ")
        assert job["error"].endswith(" Name the column of each field, such as columns=source=NAME.")
        client.delete(url)
    content = '{"source": "a", "target": "b"}\n{"source": "a", "target": ""}\n'
    url = client.post("/v1/files", params={"name": "a.jsonl", "model": "text"}, content=content.encode()).headers[
        "location"
    ]
    (warning,) = events(client, url)[-1][1]["warnings"]
    assert warning.startswith("1 of 2 segments are bad and have no score (nan). The first: a.jsonl, line 2: ")
    client.delete(url)


NEVER_SERVED = {
    "--aligner",  # of the server itself
    "--audit",
    "--group",  # of files with one segment per line
    "--higher-is-better",
    "--lower-is-better",
    "--lp",
    "--by",
    "--on-bad",
    "--overwrite",
    "--rejects",
    "--stream",
}
"""The options of messages that no file of a client leads to."""


def test_messages_about_files_name_no_options() -> None:
    root = Path(kiwi.__file__).parent
    modules = [*root.glob("data/documents/**/*.py"), *root.glob("lib/score/document/*.py")]
    modules += [root / "data/files/cells.py"]
    modules += [
        root / f"lib/score/{name}.py" for name in ("scorer", "flagging", "deciding", "pairs", "choices", "scale")
    ]
    messages = [
        node.value
        for path in modules
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "``" not in node.value
    ]
    options = [each for each in messages if re.search(r"--[a-z]", each)]
    assert len(options) > 20
    for message in options:
        shown = re.sub(r"(kiwi [a-z]|inspect MODEL)[^.;,]*", "", for_clients(message))
        assert {*re.findall(r"--[a-z][a-z-]*", shown)} <= NEVER_SERVED, message

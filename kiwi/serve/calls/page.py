"""The page of the server: a form that works without JavaScript, what it answers, and what it is made of."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import HTMLResponse, Response

from kiwi import __version__, constants as const
from kiwi.data.documents.formats import FORMATS
from kiwi.data.flags import FLAGS
from kiwi.data.languages import TAG
from kiwi.pages.assets import read_asset
from kiwi.serve.calls.api import Service, service_of
from kiwi.serve.problems import Problem
from kiwi.serve.registry import ServedModel
from kiwi.serve.schemas import ScoreRequest, SegmentIn
from kiwi.serve.scoring import find_model, score_request
from kiwi.serve.views.examples import Example, choose_examples, find_example
from kiwi.serve.views.view import compare, number, shown_scores, view
from kiwi.utils.templates import render

router = APIRouter()

MOST_FIELDS = 20
"""The maximum number of fields of a form."""

LINE_END = re.compile(r"\r\n|\r|\n")

ASSETS = {"serve.css": "text/css", "serve.js": "text/javascript", "kiwi.svg": "image/svg+xml"}
"""The files that the page loads, and their types."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""The content security policy of the page. No other answer of the server has a type that a browser runs as a script."""


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
async def form(request: Request, example: str = "") -> Response:
    """Return the form, empty or with an example."""
    found = find_example(example)
    names = ("source", "target", "other", "languages")
    given = {} if found is None else {name: getattr(found, name) for name in names}
    return _page(service_of(request), given)


@router.get("/assets/{name}", include_in_schema=False)
async def asset(name: str) -> Response:
    """Return a file that the page loads."""
    if name not in ASSETS:
        raise Problem(404, "http", "Not Found")
    # Its address changes with its content.
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(read_asset(name), media_type=ASSETS[name], headers=headers)


@router.post("/", response_class=HTMLResponse, include_in_schema=False)
async def result(request: Request) -> Response:
    """Score what was entered, and return the form with the result."""
    service, given = service_of(request), _fields(await request.body())
    try:
        _check_key(service, given.get("key", ""))
        served = find_model(service.registry, given.get("model") or None)
        asked = _asked(served, given)
        answer = await score_request(service.registry, asked, service.options.limits, request.receive)
    except Problem as problem:
        return _page(service, given, problem=problem)
    n_rows = len(asked.segments) // (2 if given.get("other", "").strip() else 1)
    return _page(service, given, result=_result(asked, answer, served, n_rows))


def _result(asked: ScoreRequest, answer: Mapping[str, Any], served: ServedModel, n_rows: int) -> dict[str, Any]:
    """Return what is shown of the answer to a form, whose first translations are followed by the others, if any."""
    segments, scale = shown_scores(answer)
    texts = zip(asked.segments, segments, strict=True)
    views = [view(text.target, segment, scale) for text, segment in texts]
    rows = [compare(index + 1, asked.segments[index].source, views[index::n_rows], scale) for index in range(n_rows)]
    scores = [shown.segment["score"] for shown in views[:n_rows] if shown.segment["score"] is not None]
    return {
        "model": served.name,
        "scale": scale,
        "own": served.own_scale.describe(),
        "policy": None if asked.policy is None else served.deciders[asked.policy].policy,
        "rows": rows,
        "mean": number(sum(scores) / len(scores), scale) if scores else "–",
        "wins": [sum(row.better == place for row in rows) for place in range(2)] if len(views) > n_rows > 1 else None,
    }


def _check_key(service: Service, given: str) -> None:
    if not service.keyring:
        return
    key = service.keyring.find(given.strip())
    if key is None:
        raise Problem(401, "no-key", "Key: found no valid API key.")
    if seconds := service.keyring.wait(key):
        detail = f"The key '{key.name}' has used up its rate. Try again in {seconds} s."
        raise Problem(429, "rate", detail, headers={"Retry-After": str(seconds)})


def _asked(served: ServedModel, given: Mapping[str, str]) -> ScoreRequest:
    names = {"source": "source", "target": "translation", "other": "the other translation"}
    if not given.get("other", "").strip():
        del names["other"]
    sides = {name: LINE_END.split(given.get(name, "").strip("\r\n")) for name in names}
    if len({len(lines) for lines in sides.values()}) > 1:
        found = " and ".join(
            f"{len(lines)}{' lines' if not index else ''} of {names[name]}"
            for index, (name, lines) in enumerate(sides.items())
        )
        raise Problem(422, "invalid", f"found {found}; expected the same number, with a segment on each line.")
    if not any(line.strip() for lines in sides.values() for line in lines):
        raise Problem(422, "invalid", "Enter a source text and its translation.")
    languages = [code.strip() for code in given.get("languages", "").split(",") if code.strip()]
    if len(languages) not in (0, 2) or not all(map(TAG.fullmatch, languages)):
        found, expected = f"found '{given['languages']:.60}'", "the codes of source and translation, such as en,de"
        raise Problem(422, "invalid", f"Languages: {found}; expected {expected}.")
    try:
        return ScoreRequest(
            segments=[
                SegmentIn(source=source, target=target)
                for name in [*sides][1:]
                for source, target in zip(sides["source"], sides[name], strict=True)
            ],
            model=served.name,
            policy=given.get("policy") or None,
            scale="own" if served.common_scale is None else "0-100",
            words=True,
            spans=const.ERROR_SPANS in served.runner.about.outputs,
            languages=(languages[0], languages[1]) if languages else None,
        )
    except ValidationError as error:
        raise Problem(422, "invalid", f"The text cannot be read: {error.errors()[0]['msg']}") from error


def _fields(body: bytes) -> dict[str, str]:
    try:
        found = parse_qs(body.decode("ascii", "replace"), max_num_fields=MOST_FIELDS, keep_blank_values=True)
    except ValueError as error:
        raise Problem(422, "invalid", "The form has too many fields.") from error
    return {name: values[0] for name, values in found.items()}


def _page(
    service: Service, given: Mapping[str, str], problem: Problem | None = None, result: Mapping[str, Any] | None = None
) -> Response:
    models = list(service.registry.models.values())
    text = render(
        "serve.html.jinja",
        assets={name: f"/assets/{name}?{_digest(name)}" for name in ASSETS},
        given={name: given.get(name, "") for name in ("source", "target", "other", "languages", "model", "policy")},
        models=models,
        examples=_examples(models),
        policies=sorted({name for model in models for name in model.deciders}),
        needs_key=bool(service.keyring),
        problem=None if problem is None else problem.detail,
        result=result,
        flags=FLAGS,
        formats=FORMATS,
        keeps_texts=service.options.log_texts,
        minutes=service.options.limits.file_expiry / 60,
        version=__version__,
    )
    headers = {"Content-Security-Policy": POLICY} | dict((problem.headers if problem else None) or {})
    return HTMLResponse(text, 200 if problem is None else problem.status, headers)


def _examples(models: list[ServedModel]) -> dict[Example, list[str]]:
    """Return the examples, each with the names of the models that it is for."""
    found: dict[Example, list[str]] = {}
    for model in models:
        for example in choose_examples(model.runner.about.data.language_pairs):
            found.setdefault(example, []).append(model.name)
    return found


@cache
def _digest(name: str) -> str:
    return hashlib.sha256(read_asset(name).encode()).hexdigest()[:16]

"""The page of the server: a form that works without JavaScript, and its result."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import HTMLResponse, Response

from kiwi import constants as const
from kiwi.data.flags import FLAGS
from kiwi.pages.assets import read_asset
from kiwi.serve.calls.api import Service, service_of
from kiwi.serve.problems import Problem
from kiwi.serve.schemas import ScoreRequest, SegmentIn
from kiwi.serve.scoring import find_model, score_request
from kiwi.utils.templates import render

router = APIRouter()

MOST_FIELDS = 20
"""The maximum number of fields of a form."""

LIKELY = 0.5
"""The probability above which a word is marked."""

LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Part:
    """A stretch of a translation, marked if it has a title."""

    text: str
    kind: str = ""
    title: str = ""


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
async def form(request: Request) -> Response:
    """Return the form."""
    return _page(service_of(request), {})


@router.post("/", response_class=HTMLResponse, include_in_schema=False)
async def result(request: Request) -> Response:
    """Score what was entered, and return the form with the result."""
    service, given = service_of(request), _fields(await request.body())
    try:
        _check_key(service, given.get("key", ""))
        asked, served = _asked(service, given)
        answer = await score_request(service.registry, asked, service.options.limits, request.is_disconnected)
    except Problem as problem:
        return _page(service, given, problem=problem)
    rows = [
        {"segment": segment, "parts": mark(text.target, segment), "source": text.source}
        for segment, text in zip(answer["segments"], asked.segments, strict=True)
    ]
    return _page(service, given, answer=answer, rows=rows, model=served.name)


def mark(target: str, segment: Mapping[str, Any]) -> list[Part]:
    """Return a translation in parts: its error spans, or else the words that are probably wrong, are marked.

    Args:
        target: the translation.
        segment: its estimates, as ``POST /v1/score`` answers them.
    """
    if segment.get("spans") is not None:
        marks = [
            (span["start"], span["end"], span["severity"], f"{span['severity']}, confidence {span['confidence']:.0%}")
            for span in segment["spans"]
        ]
    else:
        words = (segment.get("words") or {}).get("target") or ()
        marks = [
            (word["start"], word["end"], "major", f"probably wrong: {word['probability']:.0%}")
            for word in words
            if word["probability"] > LIKELY
        ]
    parts, place = [], 0
    for start, end, kind, title in sorted(marks):
        if start < place:  # it overlaps the one before
            continue
        parts += [Part(target[place:start]), Part(target[start:end] or "\u2038", kind, title)]
        place = end
    return [part for part in [*parts, Part(target[place:])] if part.text]


def _check_key(service: Service, given: str) -> None:
    if not service.keyring:
        return
    key = service.keyring.find(given.strip())
    if key is None:
        raise Problem(401, "no-key", "Key: found no valid API key.")
    if seconds := service.keyring.wait(key):
        detail = f"The key '{key.name}' has used up its rate. Try again in {seconds} s."
        raise Problem(429, "rate", detail, headers={"Retry-After": str(seconds)})


def _asked(service: Service, given: Mapping[str, str]) -> tuple[ScoreRequest, Any]:
    served = find_model(service.registry, given.get("model") or None)
    sides = [LINE_END.split(given.get(name, "").strip("\r\n")) for name in ("source", "target")]
    if len(sides[0]) != len(sides[1]):
        found = f"found {len(sides[0])} lines of source and {len(sides[1])} of translation"
        raise Problem(422, "invalid", f"{found}; expected the same number, with a segment on each line.")
    if not any(line.strip() for side in sides for line in side):
        raise Problem(422, "invalid", "Enter a source text and its translation.")
    try:
        asked = ScoreRequest(
            segments=[SegmentIn(source=source, target=target) for source, target in zip(*sides, strict=True)],
            model=served.name,
            policy=given.get("policy") or None,
            scale="own" if served.common_scale is None else "0-100",
            words=True,
            spans=const.ERROR_SPANS in served.runner.about.outputs,
        )
    except ValidationError as error:  # half of a character
        raise Problem(422, "invalid", "The text cannot be read.") from error
    return asked, served


def _fields(body: bytes) -> dict[str, str]:
    try:
        found = parse_qs(body.decode("ascii", "replace"), max_num_fields=MOST_FIELDS, keep_blank_values=True)
    except ValueError as error:
        raise Problem(422, "invalid", "The form has too many fields.") from error
    return {name: values[0] for name, values in found.items()}


def _page(service: Service, given: Mapping[str, str], problem: Problem | None = None, **shown: Any) -> Response:
    style = read_asset("serve.css")
    models = list(service.registry.models.values())
    text = render(
        "serve.html.jinja",
        style=style,
        given={name: given.get(name, "") for name in ("source", "target", "model", "policy")},
        models=[model.name for model in models],
        policies=sorted({name for model in models for name in model.deciders}),
        needs_key=bool(service.keyring),
        problem=None if problem is None else problem.detail,
        flags=FLAGS,
        **({"answer": None, "rows": [], "model": ""} | shown),
    )
    headers = {"Content-Security-Policy": _policy(style)} | dict((problem.headers if problem else None) or {})
    return HTMLResponse(text, 200 if problem is None else problem.status, headers)


@cache
def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )

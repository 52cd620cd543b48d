"""The evaluation of translations in the form of chat completions, as Weblate asks language models for it.

The last message of the user is JSON with ``units``, each of which has a ``unit_id``, ``strings`` with the sources, and
``translations``. The answer is JSON too: the issues of each unit, which are its error spans, its flags, and a score or
words that are worse than a bound.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse

from kiwi import constants as const
from kiwi.data.flags import FLAGS
from kiwi.data.languages import TAG
from kiwi.serve.calls.api import service_of
from kiwi.serve.problems import Problem
from kiwi.serve.schemas import PROBLEMS, ScoreRequest, SegmentIn, Text
from kiwi.serve.scoring import find_model, score_request

router = APIRouter(prefix="/v1")

MOST_ISSUES = 100
"""The maximum number of issues of a unit."""

LONGEST_QUOTE = 200
"""The maximum number of characters of a text that an explanation quotes."""

GOOD, POOR = 70.0, 50.0
"""The scores, from 0 to 100, below which a translation has a minor and a major issue."""

LIKELY = 0.5
"""The probability above which words are bad."""

CATEGORIES = {"tags": "formatting", "script": "fluency"}
"""The category of flags; that of others is accuracy."""


class Message(BaseModel):
    """A message of a chat; other fields are not used."""

    role: str
    content: Text | list[dict[str, Any]] | None = None


class ChatRequest(BaseModel):
    """A request for a completion; the options of language models have no meaning here."""

    model: str | None = None
    messages: Annotated[list[Message], Field(min_length=1)]
    stream: Literal[False, None] = None


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True)


class SourceString(_Form):
    """A form of a source, such as its plural."""

    source: Text


class Unit(_Form):
    """A unit of Weblate."""

    unit_id: int
    strings: Annotated[list[SourceString], Field(min_length=1)]
    translations: Annotated[list[Text], Field(min_length=1)]


class Evaluation(_Form):
    """What Weblate asks for."""

    units: Annotated[list[Unit], Field(min_length=1)]
    source_language: str | None = None
    target_language: str | None = None


@router.post("/chat/completions", responses=PROBLEMS)
async def complete(request: Request, body: ChatRequest) -> Response:
    """Evaluate translations for Weblate; the default model stands for a model that the server does not have."""
    service = service_of(request)
    evaluation = _parse(body.messages)
    name = body.model if body.model in service.registry.models else None
    served = find_model(service.registry, name)
    pairs = [
        (place, unit.strings[min(form, len(unit.strings) - 1)].source, target)
        for place, unit in enumerate(evaluation.units)
        for form, target in enumerate(unit.translations)
    ]
    usable = [each for each in pairs if each[1].strip(" \t\r\n") and each[2].strip(" \t\r\n")]
    issues: list[list[dict[str, str]]] = [[] for _ in evaluation.units]
    if usable:
        outputs = served.runner.about.outputs
        asked = ScoreRequest(
            segments=[SegmentIn(source=source, target=target) for _, source, target in usable],
            model=served.name,
            scale="own" if served.common_scale is None else "0-100",
            words=True,
            spans=const.ERROR_SPANS in outputs,
            languages=_languages(evaluation),
        )
        found = await score_request(service.registry, asked, service.options.limits, request.receive)
        for (place, _, target), segment in zip(usable, found["segments"], strict=True):
            issues[place] += find_issues(segment, target, is_quality=asked.scale == "0-100")
    results = [
        {"unit_id": unit.unit_id, "issues": own[:MOST_ISSUES]}
        for unit, own in zip(evaluation.units, issues, strict=True)
    ]
    return JSONResponse(_completion(json.dumps({"results": results}, ensure_ascii=False), served.name))


def find_issues(segment: dict[str, Any], target: str, *, is_quality: bool) -> list[dict[str, str]]:
    """Return the issues of a translation, with what they are based on.

    Args:
        segment: its estimates, as ``POST /v1/score`` answers them.
        target: the translation.
        is_quality: whether its score is on the scale from 0 to 100.
    """
    issues = [
        _issue("accuracy", span["severity"], f"{_quote(target, span)} (confidence {span['confidence']:.2f})")
        for span in segment.get("spans") or ()
    ]
    issues += [
        _issue(CATEGORIES.get(flag, "accuracy"), "major", f"Flag '{flag}': {FLAGS[flag]}.")
        for flag in segment.get("flags") or ()
    ]
    score = segment["score"]
    if is_quality and score is not None and score < GOOD:
        bad = [
            target[word["start"] : word["end"]]
            for word in (segment.get("words") or {}).get("target") or ()
            if word["probability"] > LIKELY
        ]
        words = f" Words that are probably wrong: {' '.join(bad)[:LONGEST_QUOTE]}." if bad else ""
        severity = "major" if score < POOR else "minor"
        issues.append(_issue("accuracy", severity, f"The estimated quality is {score:.0f} of 100.{words}"))
    return issues


def _languages(evaluation: Evaluation) -> tuple[str, str] | None:
    """Return the languages of an evaluation; None if Weblate does not name both by codes, as it does not be@latin."""
    source, target = evaluation.source_language or "", evaluation.target_language or ""
    return (source, target) if TAG.fullmatch(source) and TAG.fullmatch(target) else None


def _quote(target: str, span: dict[str, Any]) -> str:
    text = target[span["start"] : span["end"]][:LONGEST_QUOTE]
    return f"Probably wrong: '{text}'" if text else f"Something is probably missing at character {span['start']}"


def _issue(category: str, severity: str, explanation: str) -> dict[str, str]:
    return {"category": category, "severity": severity, "explanation": explanation.replace("\x00", " ")}


def _parse(messages: Sequence[Message]) -> Evaluation:
    """Return what the last message of the user asks for.

    Raises:
        Problem: when it is no evaluation.
    """
    expected = "expected the JSON of an evaluation of Weblate, with units, in the last message of the user"
    last = max((index for index, message in enumerate(messages) if message.role == "user"), default=0)
    content = messages[last].content if messages[last].role == "user" else None
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content)
    if content is None:
        raise Problem(422, "no-evaluation", f"messages: found none of the user; {expected}.")
    try:
        return Evaluation.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = "/".join(map(str, first["loc"]))
        detail = f"{place}{': ' if place else ''}{first['msg'].rstrip('.')}; {expected}."
        errors = [{"detail": detail, "pointer": f"#/messages/{last}/content"}]
        raise Problem(422, "no-evaluation", f"messages: {detail}", errors) from None


def _completion(content: str, model: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    return {
        "id": f"chatcmpl-{time.time_ns():x}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }

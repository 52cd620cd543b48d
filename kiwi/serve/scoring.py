"""From the segments of a request to its answer."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, TypeVar

from kiwi import constants as const
from kiwi.data.flags.language import is_loaded
from kiwi.data.readers import check_columns
from kiwi.data.text.units import WORD
from kiwi.exceptions import DataError
from kiwi.lib.score.scale import Scale
from kiwi.outputs import OUTPUTS, SPAN_SCORES
from kiwi.runner import Predictions
from kiwi.serve.batching.cache import Row, Texts
from kiwi.serve.batching.model import join_rows
from kiwi.serve.batching.queue import QueueClosedError, QueueFullError
from kiwi.serve.options import Limits
from kiwi.serve.problems import Problem, about_segment
from kiwi.serve.registry import Registry, ServedModel, UnknownNameError
from kiwi.serve.schemas import ScoreRequest, SegmentIn

LINE_END = re.compile(r"[\r\n]")

NO_PAIR = f"no {const.LANGUAGE_PAIR} is given"
"""The reason of a policy with language pairs for a segment without one, which requests say in their own words."""

SMALL = 4096
"""The maximum number of characters of a request that needs no thread to be prepared and answered."""

Result = TypeVar("Result")

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
"""The function of ASGI that waits for the next message of a client, whose request has been read."""


async def score_request(
    registry: Registry,
    request: ScoreRequest,
    limits: Limits,
    receive: Receive,
    pairs: Sequence[str | None] | None = None,
) -> dict[str, Any]:
    """Return the answer to a request.

    Args:
        registry: the models.
        request: the request.
        limits: what it may ask for.
        receive: tells when the client has gone away, so that its segments need not be computed.
        pairs: the language pair of each segment, None where it is not known; by default, that of the request.

    Raises:
        Problem: when it cannot be answered.
    """
    served = find_model(registry, request.model)
    _check_request(request, served, limits)
    pairs = _pairs(request, served) if pairs is None else pairs
    segments = _texts(request, served, pairs)
    served, rows = await compute(registry, served, segments, limits, receive)
    has_languages = any(served.flagger(request.languages or ()).languages)
    is_small = _is_small(segments) and (is_loaded() or not has_languages)
    return await _aside(answer, request, served, rows, pairs, is_small=is_small)


def find_model(registry: Registry, name: str | None) -> ServedModel:
    """Return a model by its name.

    Raises:
        Problem: when there is none.
    """
    try:
        return registry.find(name)
    except UnknownNameError as error:
        raise Problem(404, "unknown-model", str(error), [{"detail": str(error), "pointer": "#/model"}]) from error


async def compute(
    registry: Registry, served: ServedModel, segments: list[Texts], limits: Limits, receive: Receive
) -> tuple[ServedModel, list[Row]]:
    """Score segments in the queue of a model.

    Returns:
        The version of the model that has scored them, and their results.

    Raises:
        Problem: when there is no room, it takes too long, or the client has gone away.
    """
    entries = await _aside(served.worker.measure, segments, is_small=_is_small(segments))
    if (n_tokens := sum(entry.length for entry in entries)) > limits.max_tokens:
        longest = max(range(len(entries)), key=lambda index: entries[index].length)
        detail = (
            f"found {n_tokens} words or pieces; expected at most {limits.max_tokens}, of which the longest segment has "
            f"{entries[longest].length}. Send several requests, or a file."
        )
        raise Problem(413, "too-many-tokens", detail, [about_segment(longest, "", "the longest segment", None)])
    try:
        served, future = registry.submit(served, entries, segments)
    except QueueFullError as error:
        raise Problem(503, "busy", str(error), headers={"Retry-After": str(error.retry_after)}) from error
    except QueueClosedError as error:
        raise Problem(503, "shutting-down", str(error), headers={"Retry-After": "1"}) from error
    if future.done():  # the cache has all of it
        return served, future.result()
    result, gone = asyncio.wrap_future(future), asyncio.ensure_future(_until_gone(receive))
    try:
        waiting: set[asyncio.Future[Any]] = {result, gone}
        await asyncio.wait(waiting, timeout=limits.timeout, return_when=asyncio.FIRST_COMPLETED)
        if result.done():
            return served, result.result()
        if gone.done():
            raise Problem(499, "client-gone", "The client has gone away.")
        detail = f"The segments were not scored within {limits.timeout:g} s. Send fewer, or send them later."
        raise Problem(503, "timeout", detail, headers={"Retry-After": str(served.worker.queue.retry_after)})
    finally:
        result.cancel()
        gone.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _is_small(segments: Sequence[Texts]) -> bool:
    return sum(len(text) for texts in segments for text in texts if text is not None) <= SMALL


async def _aside(function: Callable[..., Result], *arguments: Any, is_small: bool) -> Result:
    """Call a function in a thread, so that others are answered meanwhile, unless it is done in no time."""
    return function(*arguments) if is_small else await asyncio.to_thread(function, *arguments)


def _check_request(request: ScoreRequest, served: ServedModel, limits: Limits) -> None:
    n_segments = len(request.segments)
    if n_segments > limits.max_segments:
        detail = (
            f"found {n_segments} segments; expected at most {limits.max_segments}. Send several requests, or a file."
        )
        raise Problem(413, "too-many-segments", detail, [{"detail": detail, "pointer": "#/segments"}])
    if request.scale == "0-100" and served.common_scale is None:
        detail = f"scale: the model {served.name} has no scores on a known scale; ask for own."
        raise Problem(422, "no-scale", detail, [{"detail": detail, "pointer": "#/scale"}])
    if request.spans and const.ERROR_SPANS not in served.runner.about.outputs:
        detail = f"spans: the model {served.name} predicts no error spans. Leave spans out."
        raise Problem(422, "no-spans", detail, [{"detail": detail, "pointer": "#/spans"}])
    check_policy(request.policy, served)


def check_policy(policy: str | None, served: ServedModel, pointer: str = "#/policy") -> None:
    """Check that a model has a policy, if a request names one.

    Raises:
        Problem: when it has none of this name.
    """
    if policy is not None and policy not in served.deciders:
        known = ", ".join(served.deciders) or "none"
        detail = f"policy: found '{policy}'; the policies of the model {served.name} are: {known}."
        raise Problem(422, "unknown-policy", detail, [{"detail": detail, "pointer": pointer}])


def _pairs(request: ScoreRequest, served: ServedModel) -> list[str | None]:
    """Return the language pair of each segment, which is that of the languages of the request, if it names them."""
    pair = None if request.languages is None else served.runner.about.pair_of(*request.languages)
    return [pair] * len(request.segments)


def _texts(request: ScoreRequest, served: ServedModel, pairs: Sequence[str | None]) -> list[Texts]:
    """Return the texts of segments in the order of the fields that a model reads, and their language pair.

    Raises:
        Problem: when a segment cannot be used.
    """
    segments, about = request.segments, served.runner.about
    fields = about.input_fields
    columns: dict[str, list[str | None]] = {}
    for name in fields:
        given = [getattr(segment, name) for segment in segments]
        # Of the same length, so that positions stay as they are.
        columns[name] = [None if text is None else LINE_END.sub(" ", text) for text in given]
        is_needed = name != const.ALIGNMENTS or served.model.needs_alignments
        if is_needed and None in columns[name]:
            raise _bad_segment(segments, columns[name].index(None), name, f"missing; the model {served.name} reads it")
    checked = {name: ["" if text is None else text for text in column] for name, column in columns.items()}
    try:
        check_columns(checked, {name: name for name in fields}, first=0)
    except DataError as error:
        field = str(error).partition(",")[0]
        raise _bad_segment(segments, error.line or 0, field, error.reason) from error
    own = pairs if about.data.thresholds is not None else [None] * len(segments)
    return list(zip(*columns.values(), own, strict=True))


def _bad_segment(segments: Sequence[SegmentIn], index: int, field: str, reason: str) -> Problem:
    name = segments[index].id
    title = f"segment {index + 1}" if name is None else f"segment {name!r}"
    return Problem(422, "bad-segment", f"{title}, {field}: {reason}", [about_segment(index, field, reason, name)])


def answer(
    request: ScoreRequest, served: ServedModel, rows: Sequence[Row], pairs: Sequence[str | None] | None = None
) -> dict[str, Any]:
    """Return the answer to a request, for JSON.

    Args:
        request: the request.
        served: the version of the model that has scored it.
        rows: the predictions for each segment.
        pairs: the language pair of each segment, None where it is not known; by default, that of the request.
    """
    scale: Scale = served.own_scale
    if request.scale == "0-100" and served.common_scale is not None:
        scale = served.common_scale
    targets = [segment.target for segment in request.segments]
    pairs = _pairs(request, served) if pairs is None else pairs
    predictions = served.runner.about.with_intervals(
        join_rows(rows, served.runner.about), [each or "" for each in pairs]
    )
    own = predictions.columns(targets=targets, words=False)
    found = scale.apply(own)
    answers: list[dict[str, Any]] = []
    for index, segment in enumerate(request.segments):
        out: dict[str, Any] = {"id": index + 1 if segment.id is None else segment.id, "score": None}
        for name, column in _NUMBERS.items():
            if column in found:
                out[name] = number(found[column][index])
        if _LOW in found:
            ends = number(found[_LOW][index]), number(found[_HIGH][index])
            out["interval"] = None if None in ends else ends
        if (verdicts := found.get(f"{const.BINARY}_labels")) is not None:
            out["verdict"] = {"label": verdicts[index], "probability": number(found[const.BINARY][index])}
        if request.words:
            out["words"] = _words(predictions, index, segment)
        if request.spans:
            out["spans"] = found[const.ERROR_SPANS][index]
        answers.append(out)
    flags = _flags(request, served)
    for index, out in enumerate(answers):
        if request.flags:
            out["flags"] = flags[index]
        if request.policy is not None:
            score = own.get(const.SENTENCE_SCORES, [math.nan] * len(rows))[index]
            decider = served.deciders[request.policy].with_languages(request.languages or ())
            group = decider.group_of(request.segments[index].group)
            decided = decider.policy.decide(score, group, flags[index])
            is_unknown = not group and decider.policy.by == const.LANGUAGE_PAIR and decided.reason == NO_PAIR
            reason = "the request names no languages" if is_unknown else decided.reason
            out |= {"decision": decided.decision, "decision_reason": reason}
    return {"model": served.name, "sha256": served.sha256, "scale": scale.describe(), "segments": answers}


_NUMBERS = {
    "score": const.SENTENCE_SCORES,
    "deviation": f"{const.SENTENCE_SCORES}_deviation",
    **{name: name for name in SPAN_SCORES},
}
"""The columns of the numbers of an answer."""

*_, _LOW, _HIGH = OUTPUTS[const.SENTENCE_SCORES].columns


def number(value: float) -> float | None:
    """Return a number for JSON, which has no NaN."""
    return None if math.isnan(value) else value


def _flags(request: ScoreRequest, served: ServedModel) -> list[list[str]]:
    if not request.flags and request.policy is None:  # a policy reads them
        return [[] for _ in request.segments]
    columns = {
        const.SOURCE: [segment.source for segment in request.segments],
        const.TARGET: [segment.target for segment in request.segments],
    }
    return served.flagger(request.languages or ()).flag_columns(columns)


def _words(predictions: Predictions, index: int, segment: SegmentIn) -> dict[str, Any]:
    places = {
        "target": (const.TARGET_TAGS, _word_places(segment.target)),
        "gaps": (const.GAP_TAGS, _gap_places(segment.target)),
        "source": (const.SOURCE_TAGS, _word_places(segment.source)),
    }
    found: dict[str, Any] = {}
    for name, (output, spans) in places.items():
        probabilities = predictions.get(f"{output}_BAD_probabilities")
        labels = predictions.get(f"{output}_labels")
        if probabilities is None or labels is None:
            continue
        units = zip(spans, probabilities[index], labels[index], strict=False)  # no units without words
        found[name] = [
            {"start": start, "end": end, "probability": round(value, 6), "label": label}
            for (start, end), value, label in units
        ]
    return found


def _word_places(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in WORD.finditer(LINE_END.sub(" ", text))]


def _gap_places(text: str) -> list[tuple[int, int]]:
    words = _word_places(text)
    starts = [start for start, _ in words] + ([words[-1][1]] if words else [])
    return [(place, place) for place in starts]

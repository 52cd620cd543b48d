"""The segments of a scored file, to be read one after the other."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response

from kiwi import constants as const
from kiwi.serve.calls.api import Service, service_of
from kiwi.serve.calls.files import check_query, find_done
from kiwi.serve.jobs.job import Job
from kiwi.serve.schemas import PROBLEMS, FileSegmentsResponse, ScoreRequest, SegmentIn
from kiwi.serve.scoring import Receive, find_model, score_request
from kiwi.serve.views.segments import Order, StoredSegment, Wanted, read_segments

router = APIRouter(prefix="/v1/files", dependencies=[Depends(check_query)])

MOST_SEGMENTS = 100
"""The maximum number of segments of a page."""


@router.get(
    "/{job_id}/segments",
    response_model=FileSegmentsResponse,
    responses=PROBLEMS,
    response_model_exclude_unset=True,
)
async def segments(
    request: Request,
    job_id: str,
    order: Annotated[Order, Query(description="That of the file, or by score.")] = "file",
    low: Annotated[float | None, Query(description="The lowest score.", allow_inf_nan=False)] = None,
    high: Annotated[float | None, Query(description="The highest score.", allow_inf_nan=False)] = None,
    decision: Annotated[Literal["approve", "review"] | None, Query(description="The decision of the policy.")] = None,
    flagged: Annotated[bool, Query(description="Whether to answer only segments with flags.")] = False,
    offset: Annotated[int, Query(ge=0, le=2**53, description="The number of segments to pass over.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_SEGMENTS, description="The maximum number of segments.")] = 20,
    words: Annotated[bool, Query(description="Whether to answer the probabilities of words and gaps.")] = False,
    spans: Annotated[bool, Query(description="Whether to answer error spans.")] = False,
) -> Response:
    """Return the segments of a file with their scores, by score or in the order of the file."""
    service, job = service_of(request), find_done(request, job_id)
    wanted = Wanted(order, low, high, decision, flagged, offset, limit)
    return JSONResponse(await look_up(service, job, wanted, request.receive, words=words, spans=spans))


async def look_up(
    service: Service, job: Job, wanted: Wanted, receive: Receive, *, words: bool, spans: bool
) -> dict[str, Any]:
    """Return segments of a file, for JSON.

    Args:
        service: what the calls share.
        job: the file, which is scored.
        wanted: which segments.
        receive: tells when the client has gone away.
        words: whether to add words and gaps; they are not stored, but estimated again.
        spans: whether to add error spans; as words.

    Raises:
        Problem: when words or spans cannot be estimated.
    """
    found = await asyncio.to_thread(read_segments, service.jobs.segments_of(job), wanted)
    marks: dict[Any, dict[str, Any]] = {}
    scored = [each for each in found.segments if each.score is not None]
    if scored and (words or spans):
        common = find_model(service.registry, job.model).common_scale
        asked = ScoreRequest(
            segments=list(map(_given, scored)),
            model=job.model,
            scale="0-100" if common is not None and common.describe() == found.scale else "own",
            words=words,
            spans=spans,
            flags=False,
        )
        # The file was taken with all of its segments, and they are few.
        limits = replace(service.options.limits, max_segments=len(scored), max_tokens=sys.maxsize)
        answer = await score_request(service.registry, asked, limits, receive, [each.pair for each in scored])
        marks = {each["id"]: each for each in answer["segments"]}
    segments = [
        {"source": each.texts.get(const.SOURCE, ""), "target": each.texts.get(const.TARGET, "")}
        | marks.get(each.number, {})
        | each.describe()
        for each in found.segments
    ]
    return {"total": found.total, "scale": found.scale, "segments": segments}


def _given(segment: StoredSegment) -> SegmentIn:
    return SegmentIn(id=segment.number, **{"source": "", "target": ""} | segment.texts)

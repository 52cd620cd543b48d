"""The part of the page that shows the segments of a scored file."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from kiwi import constants as const
from kiwi.data.flags import FLAGS
from kiwi.serve.calls.api import service_of
from kiwi.serve.calls.files import find_done
from kiwi.serve.calls.segments import look_up
from kiwi.serve.scoring import find_model
from kiwi.serve.views.segments import Order, Summary, Wanted, summarize
from kiwi.serve.views.view import compare, number, view
from kiwi.utils.templates import render

router = APIRouter()

PAGE_SIZE = 20
"""The number of segments that are shown at once."""

N_BINS = 20
"""The number of bars of the chart of scores."""

OrderShown = Literal["file", "worst", "best"]


@router.get("/review/{job_id}", response_class=HTMLResponse, include_in_schema=False)
async def review(
    request: Request,
    job_id: str,
    order: OrderShown = "worst",
    low: Annotated[float | None, Query(allow_inf_nan=False)] = None,
    high: Annotated[float | None, Query(allow_inf_nan=False)] = None,
    decision: Literal["approve", "review"] | None = None,
    flagged: bool = False,
    offset: Annotated[int, Query(ge=0, le=2**53)] = 0,
) -> Response:
    """Return segments of a file with their marks, and a summary of all of them."""
    service, job = service_of(request), find_done(request, job_id)
    served = find_model(service.registry, job.model)
    summary = await asyncio.to_thread(summarize, service.jobs.segments_of(job), N_BINS)
    wanted = Wanted(_order(order, summary.scale), low, high, decision, flagged, offset, PAGE_SIZE)
    spans = const.ERROR_SPANS in served.runner.about.outputs
    found = await look_up(service, job, wanted, request.receive, words=True, spans=spans)
    scale = found["scale"]
    rows = [
        compare(segment["id"], segment["source"], [view(segment["target"], segment, scale)], scale)
        for segment in found["segments"]
    ]
    text = render(
        "serve/review.html.jinja",
        job=job,
        summary=summary,
        bars=_bars(summary, low, high),
        mean="–" if summary.mean is None else number(summary.mean, summary.scale),
        total=found["total"],
        offset=offset,
        size=PAGE_SIZE,
        result={"scale": scale, "own": served.own_scale.describe(), "rows": rows},
        flags=FLAGS,
        has_policy=summary.decided > 0,
    )
    return HTMLResponse(text)


def _order(order: OrderShown, scale: dict[str, Any]) -> Order:
    if order == "file":
        return "file"
    return "lowest" if (order == "worst") == (scale["higher_is_better"] is not False) else "highest"


def _bars(summary: Summary, low: float | None, high: float | None) -> list[dict[str, Any]]:
    """Return the bars of the chart of scores: their heights in percent, and whether they are within the bounds."""
    if not summary.counts:
        return []
    scale = summary.scale
    first, last = scale["range"]
    most = max(1, *summary.counts)
    edges = [first + (last - first) * index / len(summary.counts) for index in range(len(summary.counts) + 1)]
    return [
        {
            "height": max(2.0, round(100 * count / most, 2)) if count else 0,
            "count": count,
            "low": number(start, scale),
            "high": number(end, scale),
            "is_shown": (low is None or end > low) and (high is None or start <= high),
        }
        for count, start, end in zip(summary.counts, edges, edges[1:], strict=False)
    ]

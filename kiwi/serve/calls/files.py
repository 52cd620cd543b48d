"""The calls for files: upload, progress, download."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, JSONResponse, StreamingResponse

from kiwi.data.documents.formats import content_size, require_format
from kiwi.exceptions import ConfigError, KiwiError
from kiwi.lib.score import DocumentOptions
from kiwi.serve.calls.api import Service, service_of
from kiwi.serve.calls.mistakes import check_parameters
from kiwi.serve.gate import check_length
from kiwi.serve.jobs.job import FINAL, Job, TooManyJobsError, scored_name
from kiwi.serve.jobs.wording import for_clients
from kiwi.serve.options import Limits
from kiwi.serve.problems import Problem, disk_problem
from kiwi.serve.schemas import PROBLEMS, JobOut, ScaleName
from kiwi.serve.scoring import check_policy, find_model


def check_query(request: Request) -> None:
    """Check that a call has all parameters of a query, each of which is there once.

    Raises:
        Problem: when it has not.
    """
    known = [each.alias for each in request.scope["route"].dependant.query_params]
    check_parameters([name for name, _ in request.query_params.multi_items()], known)


router = APIRouter(prefix="/v1/files")

POLL = 0.25
"""The number of seconds between two looks at the state of a job."""

SLOWEST = 10_000
"""The number of bytes of a second that an upload must have on the average, after the first seconds."""

QUIET = 15.0
"""The number of seconds after which a stream of events shows that it is alive."""

BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string"}}}}}
"""The body of an upload, for OpenAPI."""


@router.post(
    "",
    status_code=202,
    response_model=JobOut,
    responses=PROBLEMS,
    openapi_extra=BODY,
    dependencies=[Depends(check_query)],
)
async def upload(
    request: Request,
    name: Annotated[str, Query(description="The file's name, whose suffix tells the format, such as project.xlf.")],
    model: Annotated[str | None, Query(description="A model; by default, the first one.")] = None,
    policy: Annotated[str | None, Query(description="A policy, for tables.")] = None,
    scale: Annotated[ScaleName | None, Query(description="By default 0-100, and the model's own in tables.")] = None,
    threshold: Annotated[
        float | None, Query(description="The score between good translations and others.", allow_inf_nan=False)
    ] = None,
    state: Annotated[bool, Query(description="Whether to mark those that are worse for review.")] = False,
    words: Annotated[bool, Query(description="Whether to add the columns for words, in tables.")] = False,
    flags: Annotated[bool | None, Query(description="Whether to add flags.")] = None,
    languages: Annotated[str | None, Query(description="The languages of source and target, such as en,de.")] = None,
    columns: Annotated[str | None, Query(description="Columns of a table, such as source=src,target=mt.")] = None,
    header: Annotated[bool, Query(description="Whether the first line of CSV and TSV has names.")] = True,
) -> Response:
    """Take a file, which is the body of the request, and score it in the background."""
    service = service_of(request)
    served = find_model(service.registry, model)
    check_policy(policy, served, "#/query/policy")
    if scale == "0-100" and served.common_scale is None:
        raise Problem(422, "no-scale", f"scale: the model {served.name} has no scores on a known scale; ask for own.")
    if state and policy is None and served.own_scale.meaning is None:
        detail = f"state: the model {served.name} does not say which of its scores are good. Leave state out."
        raise Problem(422, "no-scale", detail)
    try:
        form = require_format(Path(name))
        how = DocumentOptions(
            columns=_columns(columns),
            has_header=header,
            languages=[] if languages is None else languages.split(","),
            threshold=threshold,
            set_state=state,
            scale=scale,
            words=words,
            scores_only=None if form.is_table and not words else False,
            flags=flags,
            policy=None if policy is None else service.options.policies[policy],
        )
        how.check(Path(name), form)
        job = await asyncio.to_thread(service.jobs.create, name, served.name, _owner(request))
    except ConfigError as error:
        raise Problem(422, "unfit-file", for_clients(str(error))) from error
    except TooManyJobsError as error:
        raise _no_room(error) from error
    except OSError as error:
        raise disk_problem(error) from error
    try:
        await _receive(request, service, job)
        await asyncio.to_thread(_check_content, service.jobs.received(job), job.name, service.options.limits)
        service.job_scorer.start(job, how)
    except TooManyJobsError as error:
        service.jobs.forget(job)
        raise _no_room(error) from error
    except BaseException:
        service.jobs.forget(job)
        raise
    return JSONResponse(job.describe(), 202, {"Location": f"/v1/files/{job.id}"})


@router.get("/{job_id}", response_model=JobOut, responses=PROBLEMS)
async def state(request: Request, job_id: str) -> Response:
    """Return the state of a file."""
    return JSONResponse(find_job(request, job_id).describe())


@router.get("/{job_id}/events", response_class=StreamingResponse, responses=PROBLEMS)
async def events(request: Request, job_id: str) -> Response:
    """Tell the state of a file as it changes, in server-sent events: how many of its segments are scored, of all."""
    service, job = service_of(request), find_job(request, job_id)
    return StreamingResponse(_events(service, job), media_type="text/event-stream")


@router.get("/{job_id}/content", response_class=FileResponse, responses=PROBLEMS)
async def content(request: Request, job_id: str) -> Response:
    """Download the file with its scores."""
    service, job = service_of(request), find_done(request, job_id)
    return FileResponse(
        service.jobs.output_of(job),
        media_type="application/octet-stream",
        filename=scored_name(job.name),
        content_disposition_type="attachment",
    )


@router.delete("/{job_id}", status_code=204, responses=PROBLEMS)
async def remove(request: Request, job_id: str) -> Response:
    """Remove a file, and stop scoring it."""
    await asyncio.to_thread(service_of(request).jobs.remove, find_job(request, job_id))
    return Response(status_code=204)


def _no_room(error: TooManyJobsError) -> Problem:
    return Problem(503, "too-many-files", str(error), headers={"Retry-After": "60"})


def _owner(request: Request) -> str:
    key = request.scope.get("kiwi.key")
    return "" if key is None else str(key.name)


def find_job(request: Request, job_id: str) -> Job:
    """Return a file.

    Raises:
        Problem: when there is none for this key.
    """
    job = service_of(request).jobs.find(job_id)
    if job is None or job.owner != _owner(request):
        raise Problem(404, "no-file", "There is no such file, or it has expired.")
    return job


def find_done(request: Request, job_id: str) -> Job:
    """Return a file that is scored.

    Raises:
        Problem: when there is none for this key, or it is not scored.
    """
    job = find_job(request, job_id)
    if job.state != "done":
        raise Problem(409, "not-done", f"The file is {job.state}{'' if job.error is None else f': {job.error}'}")
    return job


def _columns(text: str | None) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",")] if text else []
    if not all(field and name for field, _, name in pairs):
        raise ConfigError(f"columns: found '{text}'; expected field=name, such as source=src,target=mt.")
    columns: dict[str, str] = {}
    for field, _, name in pairs:
        if field in columns:
            raise ConfigError(f"columns: found {field}={columns[field]} and {field}={name}. Name one of them.")
        columns[field] = name
    return columns


async def _receive(request: Request, service: Service, job: Job) -> None:
    """Write the body of a request to the file of a job.

    Raises:
        Problem: when it is too large, too slow, or there is no room for it.
    """
    limits = service.options.limits
    too_large = Problem(413, "too-large", f"The file is too large; expected at most {limits.max_file_bytes} bytes.")
    check_length(Headers(scope=request.scope), limits.max_file_bytes, too_large)
    chunks, n_bytes = request.stream(), 0
    now = asyncio.get_running_loop().time
    started = now()
    try:
        with service.jobs.received(job).open("wb") as file:
            while True:
                # Or a byte now and then would keep a place for ever.
                end = min(now(), started + n_bytes / SLOWEST) + limits.timeout
                async with asyncio.timeout_at(end):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    break
                n_bytes += len(chunk)
                if n_bytes > limits.max_file_bytes:
                    raise too_large
                await asyncio.to_thread(file.write, chunk)
    except TimeoutError:
        raise Problem(
            408,
            "slow-request",
            f"The file is too slow; expected a part within {limits.timeout:g} s, and {SLOWEST} bytes a second.",
        ) from None
    except ClientDisconnect:
        raise Problem(499, "client-gone", "The client has gone away.") from None
    except OSError as error:
        raise disk_problem(error) from error
    if not n_bytes:
        raise Problem(422, "empty-file", "The request has no body; expected the content of the file.")


def _check_content(path: Path, name: str, limits: Limits) -> None:
    """Check the size that a file has when it is decompressed, because a small file may fill the disk or the memory.

    Raises:
        Problem: when it is too large, or damaged.
    """
    limit = limits.max_content_bytes
    try:
        n_bytes = content_size(path, limit)
    except KiwiError as error:
        raise Problem(422, "unfit-file", str(error).replace(str(path), name)) from error
    if n_bytes > limit:
        detail = f"{name}: found more than {limit} bytes when it is decompressed; expected at most these. Split it."
        raise Problem(413, "too-large", detail)


async def _events(service: Service, job: Job) -> AsyncIterator[str]:
    last: dict[str, Any] = {}
    quiet = 0.0
    while not service.is_stopping.is_set():
        found: Job | None = service.jobs.find(job.id)
        if found is None:
            yield "event: removed\ndata: {}\n\n"
            return
        if (described := found.describe()) != last:
            kind: Literal["progress", "end"] = "end" if found.state in FINAL else "progress"
            yield f"event: {kind}\ndata: {json.dumps(described)}\n\n"
            last, quiet = described, 0.0
        elif quiet >= QUIET:
            yield ": waiting\n\n"
            quiet = 0.0
        if found.state in FINAL:
            return
        await asyncio.sleep(POLL)
        quiet += POLL

"""The calls of the API."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from kiwi.exceptions import KiwiError
from kiwi.serve import metrics as counted
from kiwi.serve.calls.feedback import store_feedback
from kiwi.serve.jobs.scoring import JobScorer
from kiwi.serve.jobs.store import JobStore
from kiwi.serve.keys import Keyring
from kiwi.serve.metrics import Metrics
from kiwi.serve.options import ServeOptions
from kiwi.serve.problems import Problem, disk_problem
from kiwi.serve.registry import Registry, ReloadingError, UnknownNameError
from kiwi.serve.schemas import (
    PROBLEMS,
    FeedbackRequest,
    FeedbackResponse,
    ModelsResponse,
    ScoreRequest,
    ScoreResponse,
)
from kiwi.serve.scoring import check_policy, find_model, score_request

logger = logging.getLogger(__name__)

router = APIRouter()


@dataclass
class Service:
    """What the calls share."""

    options: ServeOptions
    registry: Registry
    keyring: Keyring
    metrics: Metrics
    jobs: JobStore
    job_scorer: JobScorer
    is_stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server shuts down."""

    reload_is_due: threading.Event = field(default_factory=threading.Event)
    """Set when the models are to be reloaded, which signals may ask for while they are being loaded."""

    is_replaced: threading.Event = field(default_factory=threading.Event)
    """Set when another process takes the place of this one, which then finishes the files that it took."""

    def stop(self) -> None:
        """Note that the server is to end or, the second time, that it is not to finish files first."""
        if self.is_stopping.is_set():
            self.job_scorer.cancel()
        self.is_stopping.set()


def service_of(request: Request) -> Service:
    """Return what the calls share."""
    service: Service = request.app.state.service
    return service


@router.post("/v1/score", response_model=ScoreResponse, responses=PROBLEMS, response_model_exclude_unset=True)
async def score(request: Request, body: ScoreRequest) -> Response:
    """Score segments; their estimates come in the same order."""
    service = service_of(request)
    return JSONResponse(await score_request(service.registry, body, service.options.limits, request.receive))


@router.post("/v1/feedback", response_model=FeedbackResponse, responses=PROBLEMS)
async def feedback(request: Request, body: FeedbackRequest) -> Response:
    """Store what people have made of translations, if the server was started with a directory for it."""
    service = service_of(request)
    if service.options.feedback is None:
        raise Problem(403, "no-feedback", "This server stores no feedback; kiwi serve --feedback DIRECTORY does.")
    served = find_model(service.registry, body.model)
    check_policy(body.policy, served)
    try:
        n_stored = await asyncio.to_thread(store_feedback, service.options.feedback, body, served)
    except OSError as error:
        raise disk_problem(error) from error
    return JSONResponse({"stored": n_stored})


@router.get("/v1/models", response_model=ModelsResponse, responses={401: PROBLEMS[401]})
async def models(request: Request) -> Response:
    """Describe the models, the default first."""
    served = service_of(request).registry.models.values()
    return JSONResponse({"models": [each.describe() for each in served]})


@router.post("/v1/models/{name}/reload", response_model=ModelsResponse, responses=PROBLEMS)
async def reload(request: Request, name: str) -> Response:
    """Load the current version of a model from its place; needs a key that may do so.

    Several processes are replaced one after the other, in the background, with all of their models.
    """
    service, key = service_of(request), request.scope.get("kiwi.key")
    if key is None or not key.admin:
        raise Problem(403, "not-allowed", "Models are reloaded with a key that has admin: true.")
    try:
        service.registry.find(name)
        if service.options.workers > 1:
            os.kill(os.getppid(), signal.SIGHUP)
            return JSONResponse({"models": []}, status_code=202)
        reloaded = await asyncio.to_thread(service.registry.reload, name, wait=False)
    except UnknownNameError as error:
        raise Problem(404, "unknown-model", str(error)) from error
    except ReloadingError as error:
        raise Problem(409, "reloading", str(error)) from error
    except KiwiError as error:
        logger.error("The model %s was not reloaded, and stays in use: %s", name, error)
        raise Problem(500, "not-reloaded", "The model was not reloaded, and stays in use. The log says why.") from error
    return JSONResponse({"models": [each.describe() for each in reloaded]})


@router.get("/health/live")
async def live() -> dict[str, str]:
    """Answer while the process runs."""
    return {"status": "live"}


@router.get("/health/ready", responses={503: PROBLEMS[503]})
async def ready(request: Request) -> dict[str, Any]:
    """Answer while requests are taken."""
    service = service_of(request)
    if service.is_stopping.is_set():
        raise Problem(503, "shutting-down", "The server is shutting down.", headers={"Retry-After": "1"})
    return {"status": "ready", "models": list(service.registry.models)}


@router.get("/metrics", responses={200: {"content": {"text/plain": {}}}, 401: PROBLEMS[401]})
async def metrics(request: Request) -> Response:
    """Return what the server counts, for Prometheus."""
    content = await asyncio.to_thread(service_of(request).metrics.render)
    return Response(content, headers={"Content-Type": counted.CONTENT_TYPE})

"""The application: the calls behind the gate, and what happens when the server starts and ends."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from kiwi import __version__
from kiwi.exceptions import KiwiError
from kiwi.serve.calls import api, chat, files, page, review, segments
from kiwi.serve.calls.api import Service
from kiwi.serve.calls.mistakes import invalid_request, unreadable_body
from kiwi.serve.gate import Gate
from kiwi.serve.jobs.scoring import JobScorer
from kiwi.serve.jobs.store import JobStore
from kiwi.serve.keys import Keyring
from kiwi.serve.metrics import Metrics
from kiwi.serve.options import ServeOptions
from kiwi.serve.problems import Problem
from kiwi.serve.registry import Registry
from kiwi.serve.shortcut import Shortcut

logger = logging.getLogger(__name__)

DESCRIPTION = "Quality estimation of machine translation: how good is a translation, and which words are wrong?"

EXPIRY_SECONDS = 60
"""The number of seconds between two looks for files that have expired."""


def make_service(
    options: ServeOptions,
    directory: Path,
    reload_is_due: threading.Event | None = None,
    is_replaced: threading.Event | None = None,
) -> Service:
    """Load the models, and return what the calls share.

    Args:
        options: what to serve, and how.
        directory: a directory for uploaded files, which the caller removes.
        reload_is_due: is set when models are to be reloaded.
        is_replaced: is set when another process takes the place of this one.

    Raises:
        KiwiError: when a model or a policy cannot be loaded.
    """
    metrics = Metrics()
    registry = Registry(options, metrics.observer)
    jobs = JobStore(directory, options.limits)
    return Service(
        options,
        registry,
        Keyring(options.keys),
        metrics,
        jobs,
        JobScorer(jobs, registry),
        reload_is_due=reload_is_due or threading.Event(),
        is_replaced=is_replaced or threading.Event(),
    )


def make_app(service: Service) -> ASGIApp:
    """Return the application.

    Args:
        service: what the calls share; it is closed when the application ends.
    """
    app = FastAPI(
        title="kiwi",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,  # its pages load scripts from other hosts
        redoc_url=None,
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    app.state.service = service
    routers = [each.router for each in (api, files, segments, chat, page, review)]
    for router in routers:
        app.include_router(router)
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_failure)
    routes = [route for router in routers for route in router.routes]
    return Gate(Shortcut(app), service.options, service.keyring, service.metrics, routes)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    loop, due = asyncio.get_running_loop(), service.reload_is_due
    reloading: asyncio.Task[None] | None = None

    async def reload_while_due() -> None:
        while due.is_set() and not service.is_stopping.is_set():
            due.clear()
            await asyncio.to_thread(_reload, service.registry)

    def reload() -> None:
        nonlocal reloading
        due.set()
        if reloading is None or reloading.done():  # otherwise it goes on, once for all signals of the meantime
            reloading = loop.create_task(reload_while_due())

    if threading.current_thread() is threading.main_thread():
        if service.options.workers == 1 and hasattr(signal, "SIGHUP"):  # several processes are replaced by their parent
            loop.add_signal_handler(signal.SIGHUP, reload)
            if due.is_set():
                reload()
        _note_signals(lambda: loop.call_soon_threadsafe(service.stop))
    expiring = loop.create_task(_remove_expired(service))
    yield
    service.is_stopping.set()
    expiring.cancel()
    timeout = service.options.drain_timeout if service.is_replaced.is_set() else 0.0
    await asyncio.to_thread(service.job_scorer.close, timeout)
    if not await asyncio.to_thread(service.registry.close, service.options.shutdown_timeout):
        logger.warning("Segments were still being scored after %g s.", service.options.shutdown_timeout)


async def _remove_expired(service: Service) -> None:
    while True:
        await asyncio.sleep(EXPIRY_SECONDS)
        await asyncio.to_thread(service.jobs.remove_expired)


def _note_signals(note: Callable[[], object]) -> None:
    """Call a function when the server is told to end, before it waits for its requests."""
    for number in (signal.SIGINT, signal.SIGTERM):
        former: Any = signal.getsignal(number)

        def handle(received: int, frame: Any, former: Any = former) -> None:
            note()
            if callable(former):
                former(received, frame)

        signal.signal(number, handle)


def _reload(registry: Registry) -> None:
    try:
        registry.reload()
    except KiwiError as error:
        logger.error("The models were not reloaded, and stay in use: %s", error)


async def _on_failure(request: Request, error: Exception) -> Response:
    return Problem(500, "internal", "The server has failed. Its log says where.").response()


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.BAD_REQUEST and error.__cause__ is not None:  # of the parser of bodies
        return unreadable_body(error.__cause__).response()
    return Problem(error.status_code, "http", str(error.detail), headers=error.headers).response()


async def _on_invalid(request: Request, error: Exception) -> Response:
    """Say which parts of a request are invalid, by segment."""
    assert isinstance(error, RequestValidationError)
    body_field = getattr(request.scope.get("route"), "body_field", None)
    model = None if body_field is None else body_field.field_info.annotation
    return invalid_request(error.errors(), error.body, request.headers, model).response()

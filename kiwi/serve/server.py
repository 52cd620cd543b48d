"""The processes of the server."""

from __future__ import annotations

import logging
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE

from kiwi.exceptions import KiwiError
from kiwi.serve.calls.feedback import check_directory
from kiwi.serve.jobs.log import HideJobs
from kiwi.serve.options import LOCAL, ServeOptions
from kiwi.serve.processes import REPLACED, Supervisor
from kiwi.serve.protocol import BoundedProtocol

logger = logging.getLogger(__name__)

START_SECONDS = 120
"""The number of seconds in which a new process must have loaded its models, and any process must show that it lives."""

BACKLOG = 2048
"""The number of connections that the system holds until they are accepted."""

METRICS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable of the directory in which several processes count together."""

KEEP_ALIVE = 15
"""The number of seconds after which an idle connection is closed."""


def configure_log(level: int, *, log_texts: bool = False) -> None:
    """Show the log on standard error: kiwi's from a level on, and warnings of libraries.

    Args:
        level: the level.
        log_texts: whether it may have texts.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    logging.getLogger("kiwi").setLevel(level)
    if not log_texts:
        for handler in logging.getLogger().handlers:
            handler.addFilter(HideJobs())


def serve(options: ServeOptions, log_level: int = logging.INFO) -> None:
    """Serve until a signal ends it; what has been taken is finished.

    Args:
        options: what to serve, and how.
        log_level: the level from which on kiwi's messages are shown.

    Raises:
        KiwiError: when a model cannot be loaded, or the address is taken.
    """
    configure_log(log_level, log_texts=options.log_texts)
    _allow_connections()
    if options.feedback is not None:
        check_directory(options.feedback)
    if not options.keys and options.host not in LOCAL:
        logger.warning("%s: everyone who reaches this address may use the server. Give keys with --keys.", options.host)
    if options.workers == 1:
        _serve_alone(options)
    else:
        _serve_in_processes(options, log_level)


def _allow_connections() -> None:
    """Allow as many open files as the system does, of which each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _serve_alone(options: ServeOptions) -> None:
    from kiwi.serve.app import make_app, make_service

    reload_is_due = threading.Event()
    signal.signal(signal.SIGHUP, lambda number, frame: reload_is_due.set())  # from now on, while models are loaded
    with tempfile.TemporaryDirectory(prefix="kiwi-files-") as files:
        _run_alone(options, make_app(make_service(options, Path(files), reload_is_due=reload_is_due)))


def _run_alone(options: ServeOptions, app: ASGIApp) -> None:
    config = make_config(options, app)
    with _listening(config, options) as sockets, suppress(KeyboardInterrupt):
        # The server repeats the signal that has ended it, when everything is finished.
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        server = uvicorn.Server(config)
        server.run(sockets)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would kill it while Python ends
    if not server.started:
        raise KiwiError("The server could not start; its log says why.")


def _serve_in_processes(options: ServeOptions, log_level: int) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="kiwi-files-") as files,
        tempfile.TemporaryDirectory(prefix="kiwi-metrics-") as counted,
    ):
        os.environ[METRICS_DIRECTORY] = counted  # the library reads it in each process
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there are processes to replace
        config = make_config(options, partial(_make_worker_app, options, Path(files), log_level), factory=True)
        try:
            with _listening(config, options) as sockets:
                supervisor = Supervisor(config, sockets, options.shutdown_timeout, options.drain_timeout)
                supervisor.run()
        finally:
            del os.environ[METRICS_DIRECTORY]
    if supervisor.has_failed:
        raise KiwiError("A process of the server could not start; its error is above.")


def _make_worker_app(options: ServeOptions, files: Path, log_level: int) -> ASGIApp:
    configure_log(log_level, log_texts=options.log_texts)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # which is for the parent, and comes here with the end of a terminal
    is_replaced = threading.Event()
    signal.signal(REPLACED, lambda number, frame: is_replaced.set())
    from kiwi.serve.app import make_app, make_service

    try:
        return make_app(make_service(options, files, is_replaced=is_replaced))
    except KiwiError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(STARTUP_FAILURE)  # which ends the other processes too


def make_config(options: ServeOptions, app: object, *, factory: bool = False) -> uvicorn.Config:
    """Return how uvicorn runs the application.

    Args:
        options: what to serve, and how.
        app: the application, or a function that makes it.
        factory: whether it is a function.
    """
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        host=options.host,
        port=options.port,
        factory=factory,
        http=partial(BoundedProtocol, timeout=options.limits.timeout),  # type: ignore[arg-type]
        workers=options.workers,
        access_log=False,  # it has the queries of requests
        log_config=None,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=options.shutdown_timeout,  # type: ignore[arg-type]  # of which asyncio takes fractions
        timeout_worker_healthcheck=START_SECONDS,
    )


@contextmanager
def _listening(config: uvicorn.Config, options: ServeOptions) -> Iterator[list[socket.socket]]:
    """Listen at the address, and say which one it is, as port 0 is a free one."""
    try:
        sock = config.bind_socket()
    except SystemExit:
        raise KiwiError(
            f"{config.host}:{config.port}: cannot be listened at. Choose another --port or --host, or end the program "
            "that uses it."
        ) from None
    sock.listen(BACKLOG)  # so that whoever comes before a process is ready, or while none runs, waits
    host = f"[{config.host}]" if ":" in config.host else config.host
    logger.info("Serving %s at http://%s:%d", ", ".join(options.models), host, sock.getsockname()[1])
    try:
        yield [sock]
    finally:
        sock.close()

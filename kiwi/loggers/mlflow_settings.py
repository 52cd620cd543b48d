"""MLflow's log messages, retries and timeouts, which are set for a block of code."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

NOISY_LOGGERS = ("mlflow", "alembic", "urllib3.connectionpool")

START_SETTINGS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""MLflow's retries and timeout at the start of a run; its defaults amount to minutes."""

SEND_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""No retries, which the outbox makes, and nothing on standard output, which is for the results of pipelines."""

FILE_SETTINGS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
"""MLflow's default timeout, since a server may take long to store a large file."""


@contextmanager
def quiet() -> Iterator[None]:
    """Hide the log messages of MLflow and Alembic on tables and migrations; errors are still raised."""
    levels = {name: logging.getLogger(name).level for name in NOISY_LOGGERS}
    try:
        for name in levels:
            logging.getLogger(name).setLevel(logging.ERROR)
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


_lock = threading.Lock()
_users: Counter[str] = Counter()


@contextmanager
def settings(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables of MLflow within a block, except for those that the user has set.

    MLflow reads them at each request, and has no other interface for this. Several blocks may overlap.
    """
    with _lock:
        mine = [name for name in values if name not in os.environ or _users[name]]
        for name in mine:
            _users[name] += 1
            os.environ[name] = values[name]
    try:
        yield
    finally:
        with _lock:
            for name in mine:
                _users[name] -= 1
                if not _users[name]:
                    os.environ.pop(name, None)

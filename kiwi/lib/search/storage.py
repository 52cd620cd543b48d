"""The storage of a study: a journal file in the directory of the search, or a database."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from kiwi.exceptions import ConfigError, KiwiError, MissingExtraError
from kiwi.utils.deadline import within

logger = logging.getLogger("kiwi.lib.search")

JOURNAL_FILE = "study.journal"

CONNECT_TIMEOUT, STATEMENT_TIMEOUT, OPEN_TIMEOUT = 10, 60, 60
"""The times in seconds after which a database that does not answer is given up: to accept a connection, to execute a
statement, and to open the storage with its tables."""

MAX_ATTEMPTS = 10
"""Attempts to open a database while another worker creates its tables."""


def open_storage(url: str | None, directory: Path) -> BaseStorage:
    """Open the journal file of a search, or a database.

    Args:
        url: the URL of the database; None opens the journal file.
        directory: the directory of the search.

    Raises:
        ConfigError: when the database cannot be reached.
        MissingExtraError: when the driver of the database is not installed.
    """
    if url is None:
        path = directory / JOURNAL_FILE
        lock: Any = _JournalLock(directory / f".{JOURNAL_FILE}.lock")
        _cut_incomplete_line(path, lock)
        return JournalStorage(JournalFileBackend(str(path), lock))
    if "://" not in url:
        raise ConfigError(f"storage: found '{url}'; expected the URL of a database, such as sqlite:///search.db.")
    try:
        return _open_database(url)
    except ImportError as error:
        raise MissingExtraError(
            f"storage: the driver of {hide_password(url)} is not installed ({error.__cause__ or error}). Install it, "
            "such as 'psycopg[binary]' for postgresql+psycopg://, or name another driver in the URL."
        ) from error
    except Exception as error:  # SQLAlchemy and the drivers raise their own
        reason = str(error.__cause__ or error).splitlines()[0]
        raise ConfigError(
            f"storage: {hide_password(url)} cannot be used: {reason}. Check that the database exists, and the password."
        ) from error


@contextmanager
def explain_storage_errors(advice: str) -> Iterator[None]:
    """Turn errors of a storage that has stopped answering during a search into one of kiwi.

    Args:
        advice: a sentence that says how to resume the search.

    Raises:
        KiwiError: when the storage has failed.
    """
    try:
        yield
    except StorageInternalError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise KiwiError(f"storage: the database has stopped answering: {reason}. {advice}") from error


def _open_database(url: str) -> BaseStorage:
    """Open a database, and retry while workers that start at the same time create its tables."""
    options = {"pool_pre_ping": True, "connect_args": _timeouts(url)}
    for attempt in range(MAX_ATTEMPTS):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                storage = within(OPEN_TIMEOUT, lambda: RDBStorage(url, engine_kwargs=options))
            _limit_statements(storage)
            return storage
        except Exception as error:
            is_being_created = type(error).__name__ == "IntegrityError" or "already exists" in str(error)
            if not is_being_created or attempt == MAX_ATTEMPTS - 1:
                raise
            time.sleep(0.5)
    raise AssertionError("not reached")


def _timeouts(url: str) -> dict[str, Any]:
    """Return options with which the driver of a database gives up a server that is gone, except those of the URL."""
    place, _, query = url.partition("?")
    backend = place.partition("://")[0].partition("+")
    options: dict[str, Any] = {}
    if backend[0] in ("postgresql", "postgres") and backend[2] in ("", "psycopg", "psycopg2"):
        options = {
            "connect_timeout": CONNECT_TIMEOUT,
            "keepalives_idle": STATEMENT_TIMEOUT // 2,
            "keepalives_interval": STATEMENT_TIMEOUT // 6,
            "keepalives_count": 3,
            "tcp_user_timeout": STATEMENT_TIMEOUT * 1000,
        }
    elif backend[0] in ("mysql", "mariadb") and backend[2] in ("", "mysqldb", "pymysql"):
        options = {
            "connect_timeout": CONNECT_TIMEOUT,
            "read_timeout": STATEMENT_TIMEOUT,
            "write_timeout": STATEMENT_TIMEOUT,
        }
    given = {pair.partition("=")[0] for pair in query.split("&")}
    return {name: value for name, value in options.items() if name not in given}


def _limit_statements(storage: RDBStorage) -> None:
    """Let a PostgreSQL server end statements that take too long, such as those that wait for a lock."""
    if storage.engine.dialect.name != "postgresql":
        return
    from sqlalchemy import event

    @event.listens_for(storage.engine, "connect")
    def limit(connection: Any, record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT * 1000}")
        connection.commit()

    storage.engine.dispose()  # the connections that were opened before


def hide_password(url: str) -> str:
    """Return a URL without its password."""
    scheme, separator, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    return f"{scheme}{separator}{user.partition(':')[0]}:***{at}{place}" if ":" in user else url


class _JournalLock:
    """A lock of the journal file that the system releases when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path)

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


def _cut_incomplete_line(path: Path, lock: _JournalLock) -> None:
    """Remove the beginning of a line that a power cut has left, which would corrupt the next one."""
    lock.acquire()
    try:
        if not path.exists():
            return
        content = path.read_bytes()
        n_complete = content.rfind(b"\n") + 1
        if n_complete < len(content):
            logger.warning("%s: the last line is incomplete and was removed.", path)
            with path.open("r+b") as file:
                file.truncate(n_complete)
    finally:
        lock.release()

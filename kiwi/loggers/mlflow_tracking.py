"""Runs in MLflow."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from kiwi.exceptions import ConfigError
from kiwi.loggers.entries import LONGEST_PARAM, LONGEST_TAG, cut, normalized, parameters
from kiwi.loggers.outbox import FIRST_PAUSE, LAST_WAIT, Outbox, RefusedError
from kiwi.loggers.store import AT_START, WHILE_SENDING, WITH_FILES, mlflow_exceptions, open_store, quiet, settings

logger = logging.getLogger(__name__)

Status = Literal["FINISHED", "FAILED", "KILLED"]

RECORDS, FILES = {"tags": 100, "params": 100, "metrics": 1000, "status": 1}, {"files": 1}
"""What is sent, and how many at a time: as many as MLflow takes."""

REFUSALS = frozenset({"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE", "BAD_REQUEST"})
"""Codes of answers that would be the same the next time."""

HTTP_REFUSALS = frozenset({400, 401, 403, 405, 413})
"""The same, of a place for files."""


class MLFlowTrackingLogger:
    """One run in MLflow: parameters, metrics, tags, files, and how it ended.

    Everything but the constructor and :meth:`finish` returns at once: a thread sends it, keeps what cannot be sent,
    and tries again. Loggers do not disturb each other, nor the active run of MLflow's own functions.

    Args:
        experiment_name: made when it is not there.
        run_id: of a run to continue, which is running again; unset, or not known to MLflow, a new run is made. MLflow
            draws the ids of its runs; a run that was asked for by another id has it in the tag ``kiwi.run_id``, and
            is found by it in its experiment.
        tracking_uri: of a server, or a directory: its runs are in a SQLite database there.
        always_log_artifacts: send files to a directory too, not only to a server.
        anchor: directory that a relative one is under; the current one if not given.

    Raises:
        MissingExtraError: when MLflow is not installed.
        ConfigError: when there is no store, or the experiment or the run was deleted.
    """

    def __init__(
        self,
        experiment_name: str,
        run_id: str | None = None,
        tracking_uri: str = "mlruns/",
        always_log_artifacts: bool = False,
        anchor: Path | None = None,
    ) -> None:
        self._store = open_store(tracking_uri, anchor or Path())
        self._client = self._store.client
        self.logs_artifacts = self._store.is_remote or always_log_artifacts
        with quiet(), settings(AT_START):
            run = self._store.find_run(run_id, experiment_name) if run_id else None
            self._params: dict[str, str] = dict(run.data.params) if run else {}
            self._last_steps = self._store.last_steps(run) if run else {}
            if run:
                self._client.update_run(run.info.run_id, status="RUNNING")
            else:
                run = self._store.create_run(experiment_name, run_id)
        self._run_id: str = run.info.run_id
        self.experiment_id: str = run.info.experiment_id
        self.run_id: str = run_id or self._run_id
        self._numbers = itertools.count()
        # Files may have a place of their own, which can fail alone.
        self._records = Outbox(f"MLflow ({tracking_uri})", RECORDS, self._send)
        self._files = Outbox(self.name, FILES, self._send) if self.logs_artifacts else None
        self._is_finished = False

    @property
    def name(self) -> str:
        """Where the run is, for messages."""
        return self._records.name

    @property
    def is_remote(self) -> bool:
        """Whether runs are kept by a server, on whatever machine, and not in a directory."""
        return self._store.is_remote

    @property
    def mlflow_run_id(self) -> str:
        """The id that MLflow itself has given the run."""
        return self._run_id

    @property
    def tracking_uri(self) -> str:
        """What MLflow opens: the URL of the server, or the database of the directory."""
        return self._store.uri

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log a configuration; nested keys become dotted ones.

        MLflow keeps the first value of a parameter; the tag ``changed.NAME`` holds another that a continued run has.

        Args:
            params: by name.
        """
        flat = parameters(params)
        values = {normalized(name): cut(name, value, LONGEST_PARAM) for name, value in flat.items()}
        new = {name: value for name, value in values.items() if name not in self._params}
        changed = {name: value for name, value in values.items() if self._params.get(name, value) != value}
        self._params |= new
        self._records.put("params", new)
        if changed:
            logger.info("MLflow keeps the first values of %s; the present ones are in its tags.", ", ".join(changed))
            self.set_tags({f"changed.{name}": value for name, value in changed.items()})

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Log values of one step; those that a continued run has already sent are left out.

        Args:
            metrics: by name; characters that MLflow does not take become ``_``.
            step: on the axis of all metrics.
        """
        now = int(time.time() * 1000)
        entries = {}
        for given, value in metrics.items():
            name = normalized(given)
            if step > self._last_steps.get(name, -1):
                entries[next(self._numbers)] = (name, float(value), now, step)
        self._records.put("metrics", entries)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags; another value replaces the former one.

        Args:
            tags: by name.
        """
        self._records.put(
            "tags", {normalized(name): cut(name, str(value), LONGEST_TAG) for name, value in tags.items()}
        )

    def describe(self, text: str) -> None:
        """Set the description that MLflow shows with the run.

        Args:
            text: Markdown.
        """
        self.set_tags({"mlflow.note.content": text})

    def log_file(self, path: Path, directory: str = "") -> None:
        """Send a file, or all files of a directory, if this store is sent files (:attr:`logs_artifacts`).

        A file that waits under the same name is sent once, as it is then.

        Args:
            path: read when it is sent.
            directory: among the files of the run.
        """
        if self._files is None:
            return
        files = [file for file in sorted(path.rglob("*")) if file.is_file()] if path.is_dir() else [path]
        places = [
            Path(directory, path.name, file.relative_to(path).parent) if file != path else Path(directory)
            for file in files
        ]
        self._files.put(
            "files", {(place / file.name).as_posix(): file for place, file in zip(places, files, strict=True)}
        )

    def finish(self, status: Status) -> None:
        """Send what is left and set the status of the run; says what could not be sent.

        Args:
            status: ``FINISHED``, ``FAILED`` or ``KILLED``.
        """
        if self._is_finished:
            return
        self._is_finished = True
        lost = self._files.close(LAST_WAIT) if self._files else {}
        self._records.put("status", {"status": status})
        # Once waited for is enough.
        lost |= self._records.close(LAST_WAIT if not (self._files and self._files.failure) else 2 * FIRST_PAUSE)
        if lost:
            reason = self._records.failure or (self._files.failure if self._files else "")
            logger.warning(
                "Never sent to %s: %s%s. The run's directory has it all.",
                self.name,
                "; ".join(_described(kind, keys) for kind, keys in lost.items()),
                f" ({reason})" if reason else "",
            )

    def download(self, destination: Path) -> None:
        """Fetch all files of the run, whole or not at all.

        Args:
            destination: directory, which must not be there, or be empty.

        Raises:
            ConfigError: when there is something at the destination, or the run has no files, or cannot be reached.
        """
        self._store.download(self._run_id, destination)

    def _send(self, kind: str, entries: Mapping[Any, Any]) -> None:
        """Called by the outbox, in its thread."""
        try:
            with settings(WITH_FILES if kind == "files" else WHILE_SENDING):
                self._send_to_client(kind, entries)
        except mlflow_exceptions() as error:
            # What stands between, such as a proxy without a server behind it, has no answer of MLflow's form.
            is_answer = type(error).__name__ == "RestException" or not self.is_remote
            if is_answer and error.error_code in REFUSALS:
                raise RefusedError(error) from error
            raise
        except FileNotFoundError as error:
            raise RefusedError(error) from error
        except OSError as error:  # those of HTTP are of this class
            if getattr(getattr(error, "response", None), "status_code", None) in HTTP_REFUSALS:
                raise RefusedError(error) from error
            raise

    def _send_to_client(self, kind: str, entries: Mapping[Any, Any]) -> None:
        from mlflow.entities import Metric, Param, RunTag

        if kind == "metrics":
            self._client.log_batch(self._run_id, metrics=[Metric(*entry) for entry in entries.values()])
        elif kind == "params":
            self._client.log_batch(self._run_id, params=[Param(*entry) for entry in entries.items()])
        elif kind == "tags":
            self._client.log_batch(self._run_id, tags=[RunTag(*entry) for entry in entries.items()])
        elif kind == "files":
            for place, file in entries.items():
                directory = Path(place).parent.as_posix()
                self._client.log_artifact(self._run_id, str(file), None if directory == "." else directory)
        else:
            self._client.set_terminated(self._run_id, entries["status"])


def download_run(
    run_id: str,
    root: Path,
    experiment_name: str,
    tracking_uri: str = "mlruns/",
    anchor: Path | None = None,
    destination: Path | None = None,
) -> Path:
    """Fetch the files of a former run, whole or not at all.

    Args:
        run_id: as :class:`MLFlowTrackingLogger` takes it; the run is left as it is.
        root: of the directories of all runs.
        experiment_name: of the run.
        tracking_uri: of a server, or a directory.
        anchor: directory that a relative one is under; the current one if not given.
        destination: for the files; ``<root>/<experiment id>/<run id>`` if not given.

    Returns:
        The directory.

    Raises:
        MissingExtraError: when MLflow is not installed.
        ConfigError: when there is no such run, or it has no files, or there is something at the destination.
    """
    store = open_store(tracking_uri, anchor or Path())
    with quiet(), settings(AT_START):
        run = store.find_run(run_id, experiment_name)
    if run is None:
        raise ConfigError(
            f"run.run_id: found no run {run_id} in MLflow ({tracking_uri}); expected one of an earlier run, "
            f"and with it its run.experiment_name (now '{experiment_name}')."
        )
    destination = destination or root / str(run.info.experiment_id) / run_id
    store.download(run.info.run_id, destination)
    return destination


def _described(kind: str, keys: list[Any]) -> str:
    if kind == "status":
        return "the status of the run"
    names = f" ({', '.join(sorted(map(str, keys)))})" if kind == "files" else ""
    return f"{len(keys)} {kind}{names}"

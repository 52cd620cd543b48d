"""The logger of runs in MLflow."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from kiwi.loggers.entries import LONGEST_PARAM, LONGEST_TAG, flatten_params, sanitize_name, truncate
from kiwi.loggers.mlflow_settings import FILE_SETTINGS, SEND_SETTINGS, settings
from kiwi.loggers.outbox import CLOSE_TIMEOUT, FIRST_PAUSE, Outbox, RefusedError
from kiwi.loggers.store import REASON_TAG, mlflow_exceptions, open_store
from kiwi.utils.display import without_secrets

logger = logging.getLogger(__name__)

Status = Literal["FINISHED", "FAILED", "KILLED"]

RECORDS, FILES = {"start": 1, "tags": 100, "params": 100, "metrics": 1000, "status": 1}, {"files": 1}
"""The kinds of entries, and the number of each that MLflow accepts at a time."""

SEND_TIMEOUT = 60.0
"""The time in seconds that a run waits at its end for the server's answer to records. Files may take longer."""

REFUSALS = frozenset({"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE", "BAD_REQUEST"})
"""The error codes for which retrying is useless."""

HTTP_REFUSALS = frozenset({400, 401, 403, 405, 413})
"""The HTTP status codes of a file store for which retrying is useless."""


class MLFlowTrackingLogger:
    """A run in MLflow, with its parameters, metrics, tags, files and status.

    All methods but the constructor and :meth:`finish` return without waiting. A background thread sends the entries,
    and retries what cannot be sent. Loggers interfere neither with each other nor with MLflow's own active run.

    Args:
        experiment_name: the name of the experiment, which is created if necessary.
        run_id: the id of a run to continue; a new run is created if it is unset or unknown to MLflow. MLflow assigns
            ids of its own, so a new run has the given id in the tag ``kiwi.run_id``, by which it is found in its
            experiment.
        tracking_uri: the URL of a server, or a directory, whose runs are in a SQLite database.
        always_log_artifacts: whether to send files to a directory too, not only to a server.
        anchor: the directory that relative directories are resolved against; by default the current one.
        start: whether to :meth:`start` the run at once. Nothing changes in MLflow before it is started.

    Raises:
        MissingExtraError: when MLflow is not installed.
        ConfigError: when the store cannot be opened, or the experiment or the run was deleted.
    """

    def __init__(
        self,
        experiment_name: str,
        run_id: str | None = None,
        tracking_uri: str = "mlruns/",
        always_log_artifacts: bool = False,
        anchor: Path | None = None,
        *,
        start: bool = True,
    ) -> None:
        self._store = open_store(tracking_uri, anchor or Path())
        self._client = self._store.client
        self.logs_artifacts = self._store.is_remote or always_log_artifacts
        self._experiment_name, self._given_id = experiment_name, run_id
        run: Any = self._store.ask(lambda: self._store.find_run(run_id, experiment_name)) if run_id else None
        self._run = run
        self._params: dict[str, str] = dict(run.data.params) if run else {}
        self._former_steps = self._store.ask(lambda: self._store.steps(run)) if run else {}
        self._numbers = itertools.count()
        # Files may be stored elsewhere, and that can fail separately.
        self._records = Outbox(f"MLflow ({without_secrets(tracking_uri)})", RECORDS, self._send, SEND_TIMEOUT)
        self._files = Outbox(self.name, FILES, self._send) if self.logs_artifacts else None
        self.is_started = self._is_finished = False
        if start:
            self.start()

    def start(self) -> None:
        """Create the run, or continue the existing one, which is running again; a second call does nothing.

        Raises:
            ConfigError: when the experiment was deleted, or cannot be created.
        """
        if self.is_started:
            return
        if self._run is None:
            self._run = self._store.ask(lambda: self._store.create_run(self._experiment_name, self._given_id))
        else:
            self._records.put("start", {"status": "RUNNING"})
        self.is_started = True

    @property
    def name(self) -> str:
        """The name of the store, for log messages."""
        return self._records.name

    @property
    def is_remote(self) -> bool:
        """Whether the store is a server, possibly on this machine, and not a directory or SQLite file."""
        return self._store.is_remote

    @property
    def run_id(self) -> str:
        """The given id of the run, or else the one that MLflow has assigned to it."""
        return self._given_id or self.mlflow_run_id

    @property
    def mlflow_run_id(self) -> str:
        """The id that MLflow has assigned to the run, which a new run has from its start."""
        return str(self._run.info.run_id)

    @property
    def experiment_id(self) -> str:
        """The id that MLflow has assigned to the experiment."""
        return str(self._run.info.experiment_id)

    @property
    def tracking_uri(self) -> str:
        """The URI that MLflow opens, which is the URL of the server or that of the directory's database."""
        return self._store.uri

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log a configuration, with dotted names for nested keys.

        MLflow keeps the first value of a parameter; the tag ``changed.NAME`` has the new value of a continued run.

        Args:
            params: the parameters by name.
        """
        flat = flatten_params(params)
        values = {sanitize_name(name): truncate(name, value, LONGEST_PARAM) for name, value in flat.items()}
        new = {name: value for name, value in values.items() if name not in self._params}
        changed = {name: value for name, value in values.items() if self._params.get(name, value) != value}
        self._params |= new
        self._records.put("params", new)
        if changed:
            logger.info("MLflow keeps the first values of %s; the current ones are in its tags.", ", ".join(changed))
            self.set_tags({f"changed.{name}": value for name, value in changed.items()})

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Log the metrics of one step, except for those that MLflow has of a continued run.

        Args:
            metrics: the metrics by name; characters that MLflow does not accept become ``_``.
            step: the step, on the axis of all metrics.
        """
        now = int(time.time() * 1000)
        entries = {}
        for given, value in metrics.items():
            name = sanitize_name(given)
            if step not in self._former_steps.get(name, ()):
                entries[next(self._numbers)] = (name, float(value), now, step)
        self._records.put("metrics", entries)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags, replacing former values.

        Args:
            tags: the tags by name.
        """
        self._records.put(
            "tags", {sanitize_name(name): truncate(name, str(value), LONGEST_TAG) for name, value in tags.items()}
        )

    def describe(self, text: str) -> None:
        """Set the description that MLflow shows with the run.

        Args:
            text: the description in Markdown.
        """
        self.set_tags({"mlflow.note.content": text})

    def log_file(self, path: Path, directory: str = "") -> None:
        """Send a file, or all files of a directory, if :attr:`logs_artifacts` is set.

        A pending file of the same name is sent once, with the content that it has at that time.

        Args:
            path: the file or directory.
            directory: the directory within the files of the run.
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
        """Send pending entries, set the status of the run, and log what could not be sent.

        A run that was not started stays as it is.

        Args:
            status: the final status, ``FINISHED``, ``FAILED`` or ``KILLED``.
        """
        if self._is_finished:
            return
        self._is_finished = True
        lost = self._files.close(CLOSE_TIMEOUT) if self._files else {}
        if self.is_started:
            self._records.put("status", {"status": status})
        # Do not wait twice for a server that does not answer.
        lost |= self._records.close(CLOSE_TIMEOUT if not (self._files and self._files.failure) else 2 * FIRST_PAUSE)
        if lost:
            reason = self._records.failure or (self._files.failure if self._files else "")
            logger.warning(
                "Never sent to %s: %s%s. Everything is in the directory of the run.",
                self.name,
                "; ".join(dict.fromkeys(_describe_unsent(kind, keys) for kind, keys in lost.items())),
                f" ({reason})" if reason else "",
            )

    def download(self, destination: Path) -> None:
        """Download all files of the run atomically.

        Args:
            destination: the directory to write, which must not exist or be empty.

        Raises:
            ConfigError: when the destination is not empty, the run has no files, or the server cannot be reached.
        """
        self._store.download(self.mlflow_run_id, destination)

    def _send(self, kind: str, entries: Mapping[Any, Any]) -> None:
        """Send entries to MLflow; the outbox calls this in its thread."""
        try:
            with settings(FILE_SETTINGS if kind == "files" else SEND_SETTINGS):
                self._send_to_client(kind, entries)
        except mlflow_exceptions() as error:
            # A proxy whose server is down does not answer in MLflow's form.
            is_answer = type(error).__name__ == "RestException" or not self.is_remote
            if is_answer and error.error_code in REFUSALS:
                raise RefusedError(error) from error
            raise
        except FileNotFoundError as error:
            raise RefusedError(error) from error
        except OSError as error:  # HTTP errors are of this class
            if getattr(getattr(error, "response", None), "status_code", None) in HTTP_REFUSALS:
                raise RefusedError(error) from error
            raise

    def _send_to_client(self, kind: str, entries: Mapping[Any, Any]) -> None:
        from mlflow.entities import Metric, Param, RunTag

        run_id = self.mlflow_run_id
        if kind == "start":
            self._client.update_run(run_id, **entries)
            if REASON_TAG in self._run.data.tags:
                self._client.delete_tag(run_id, REASON_TAG)
        elif kind == "metrics":
            self._client.log_batch(run_id, metrics=[Metric(*entry) for entry in entries.values()])
        elif kind == "params":
            self._client.log_batch(run_id, params=[Param(*entry) for entry in entries.items()])
        elif kind == "tags":
            self._client.log_batch(run_id, tags=[RunTag(*entry) for entry in entries.items()])
        elif kind == "files":
            for place, file in entries.items():
                directory = Path(place).parent.as_posix()
                self._client.log_artifact(run_id, str(file), None if directory == "." else directory)
        else:
            self._client.set_terminated(run_id, entries["status"])


def _describe_unsent(kind: str, keys: list[Any]) -> str:
    if kind in ("start", "status"):
        return "the status of the run"
    names = f" ({', '.join(sorted(map(str, keys)))})" if kind == "files" else ""
    return f"{len(keys)} {kind}{names}"

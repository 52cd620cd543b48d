"""The MLflow store that a tracking URI names, opened without prompts and chatter."""

from __future__ import annotations

import getpass
import logging
import os
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from kiwi import __version__
from kiwi.exceptions import ConfigError
from kiwi.utils.imports import needs_extra
from kiwi.utils.io import staged
from kiwi.utils.staging import require_new_directory

logger = logging.getLogger(__name__)

DATABASE = "mlflow.db"
ARTIFACTS = "artifacts"

RUN_ID_TAG = "kiwi.run_id"
"""Holds the id that a run was asked for by, where MLflow has drawn another."""

CHATTERERS = ("mlflow", "alembic", "urllib3.connectionpool")

AT_START = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""How patient MLflow is when a run starts; its own defaults are minutes."""

WHILE_SENDING = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""The outbox does the retrying, and standard output is for the result of a pipeline."""

WITH_FILES = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
"""A server may take its time to store a large file."""


@dataclass(frozen=True)
class Store:
    """An open store."""

    client: Any
    """The ``MlflowClient``."""

    uri: str
    """As MLflow takes it: a directory has become its database."""

    artifact_location: str | None
    """Where experiments of a directory keep their files; None leaves it to the server."""

    is_remote: bool
    """Whether it is a server, be it on this machine, and no directory or SQLite file."""

    def find_run(self, run_id: str, experiment_name: str) -> Any:
        """The run of an id, MLflow's own or the one that the run was asked for by; None when there is none.

        Args:
            run_id: as configured.
            experiment_name: where a run that was asked for by an id is looked for.

        Raises:
            ConfigError: when the run was deleted, or MLflow does not let it be seen.
        """
        from mlflow.entities import ViewType
        from mlflow.exceptions import MlflowException

        try:
            run = self.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise ConfigError(f"run.run_id: {run_id} cannot be looked up in MLflow: {error}") from error
            run = None
            if experiment := self.client.get_experiment_by_name(experiment_name):
                query = f"tags.`{RUN_ID_TAG}` = '{run_id}'"
                found = self.client.search_runs([experiment.experiment_id], query, ViewType.ALL, max_results=1)
                run = found[0] if found else None
        if run and run.info.lifecycle_stage == "deleted":
            raise ConfigError(
                f"run.run_id: found run {run_id} deleted in MLflow; restore it (mlflow runs restore "
                f"--run-id {run.info.run_id}), or choose another id."
            )
        return run

    def create_run(self, experiment_name: str, run_id: str | None) -> Any:
        """A new run.

        Args:
            experiment_name: made when it is not there.
            run_id: that the run is to be found by, beside its own.

        Raises:
            ConfigError: when the experiment was deleted, or cannot be made.
        """
        from mlflow.exceptions import MlflowException

        experiment = self.client.get_experiment_by_name(experiment_name)
        if experiment is None:
            try:
                experiment_id = self.client.create_experiment(experiment_name, self.artifact_location)
            except MlflowException as error:  # another run may have been faster
                experiment = self.client.get_experiment_by_name(experiment_name)
                if experiment is None:
                    raise ConfigError(f"run.experiment_name: '{experiment_name}': {error}") from error
        if experiment is not None:
            if experiment.lifecycle_stage == "deleted":
                raise ConfigError(
                    f"run.experiment_name: found experiment '{experiment_name}' deleted in MLflow; restore it (mlflow "
                    f"experiments restore --experiment-id {experiment.experiment_id}), or choose another name."
                )
            experiment_id = experiment.experiment_id
        tags = {
            "mlflow.user": _user(),
            "mlflow.source.name": "kiwi",
            "mlflow.source.type": "LOCAL",
            "kiwi.version": __version__,
        }
        return self.client.create_run(experiment_id, tags=tags | ({RUN_ID_TAG: run_id} if run_id else {}))

    def last_steps(self, run: Any) -> dict[str, int]:
        """The last step of each metric that a run has.

        Args:
            run: of this store.
        """
        return {
            name: max(metric.step for metric in self.client.get_metric_history(run.info.run_id, name))
            for name in run.data.metrics
        }

    def download(self, mlflow_run_id: str, destination: Path) -> None:
        """Fetch all files of a run, whole or not at all.

        Args:
            mlflow_run_id: MLflow's own.
            destination: directory, which must not be there, or be empty.

        Raises:
            ConfigError: when there is something at the destination, or the run has no files, or cannot be reached.
        """
        require_new_directory(destination)
        with quiet(), settings(WITH_FILES):
            try:
                if not self.client.list_artifacts(mlflow_run_id):
                    raise ConfigError(
                        f"MLflow ({self.uri}): run {mlflow_run_id} has no files; a directory is sent files only with "
                        "run.mlflow_always_log_artifacts."
                    )
                with staged(destination) as stage:
                    stage.mkdir()
                    self.client.download_artifacts(mlflow_run_id, "", str(stage))
            except (mlflow_exceptions(), OSError) as error:
                raise ConfigError(f"The files of run {mlflow_run_id} cannot be downloaded: {error}") from error


def mlflow_exceptions() -> Any:
    """What MLflow raises on purpose."""
    from mlflow.exceptions import MlflowException

    return MlflowException


def open_store(tracking_uri: str, anchor: Path) -> Store:
    """Open what a tracking URI names.

    Args:
        tracking_uri: of a server, or a directory, or ``sqlite:///`` and a file.
        anchor: directory that a relative one is under.

    Raises:
        MissingExtraError: when MLflow is not installed.
        ConfigError: when nothing can be opened there.
    """
    with warnings.catch_warnings(), needs_extra("mlflow", "run.use_mlflow"):
        warnings.simplefilter("ignore")  # what MLflow's own dependencies tell MLflow
        from mlflow.tracking import MlflowClient

    parts = urlparse(tracking_uri)
    if parts.password is not None:  # it would be in config.yaml, and in the parameters of the run
        raise ConfigError(
            "run.mlflow_tracking_uri: found a password in the URL; expected user and password in the environment "
            "variables MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD."
        )
    scheme = parts.scheme
    if scheme not in ("", "file"):
        uri, location = tracking_uri, None
    else:
        directory = (anchor / (unquote(parts.path) if scheme else tracking_uri)).resolve()
        uri, location = _prepare_directory(directory), (directory / ARTIFACTS).as_uri()
    if uri.startswith("sqlite:"):
        with quiet(), needs_extra("mlflow", "run.use_mlflow with a directory"):
            import alembic  # noqa: F401
            import sqlalchemy  # noqa: F401
    try:
        with quiet(), settings(AT_START):
            client = MlflowClient(uri)
            client.search_experiments(max_results=1)
    except Exception as error:
        advice = "Is the server running? Without run.use_mlflow the run's directory has the whole story."
        if isinstance(error, ImportError):  # one that MLflow is too old for
            advice = "Bring MLflow up to date: pip install --upgrade 'kiwi-qe[mlflow]'"
        elif "schema" in str(error):
            advice = f"Bring it up to date: mlflow db upgrade {uri}"
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(
            f"run.mlflow_tracking_uri: {tracking_uri}: found no MLflow store that answers ({reason}). {advice}"
        ) from error
    return Store(client, uri, location, is_remote=not uri.startswith("sqlite:"))


def _prepare_directory(directory: Path) -> str:
    """URI of the database of a directory."""
    if directory.exists() and not directory.is_dir():
        raise ConfigError(
            f"run.mlflow_tracking_uri: {directory}: found a file; expected a directory or a server's URL."
        )
    if "?" in str(directory):  # begins the options of a database's URI
        raise ConfigError(f"run.mlflow_tracking_uri: {directory}: found a '?'; expected a path without one.")
    directory.mkdir(parents=True, exist_ok=True)
    database = directory / DATABASE
    if not database.exists() and any(directory.glob("*/meta.yaml")):
        logger.info(
            "%s holds a file store of an earlier MLflow, which today's MLflow does not open: it is left untouched, and "
            "runs go to %s. To see both: mlflow migrate-filestore --help",
            directory,
            database,
        )
    return f"sqlite:///{database}"


@contextmanager
def quiet() -> Iterator[None]:
    """Hide what MLflow and Alembic tell of tables and migrations; errors still come as exceptions."""
    levels = {name: logging.getLogger(name).level for name in CHATTERERS}
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
    """Set MLflow's environment variables for a while, those that the user has set excepted.

    MLflow reads them at each request, and has no other way to be told. Several loggers may overlap.
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


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user in a container
        return "unknown"

"""The MLflow store of a tracking URI, opened without prompts and log messages."""

from __future__ import annotations

import getpass
import logging
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlparse

from kiwi import __version__
from kiwi.exceptions import ConfigError
from kiwi.loggers.mlflow_settings import FILE_SETTINGS, START_SETTINGS, quiet, settings
from kiwi.utils.display import lost_secrets
from kiwi.utils.imports import needs_extra
from kiwi.utils.io import staged
from kiwi.utils.process.deadline import within

logger = logging.getLogger(__name__)

DATABASE = "mlflow.db"
ARTIFACTS = "artifacts"

RUN_ID_TAG = "kiwi.run_id"
"""The tag with the configured id of a run, since MLflow assigns ids of its own."""

REASON_TAG = "kiwi.reason"
"""The tag with the reason why a run was stopped or failed."""

START_TIMEOUT = 60.0
"""The time in seconds within which a server has to answer completely at the start of a run."""


IS_IT_RUNNING = "Is the server running? Without run.use_mlflow, everything is in the directory of the run."

Result = TypeVar("Result")


@dataclass(frozen=True)
class Store:
    """An open MLflow store."""

    client: Any
    """The ``MlflowClient``."""

    uri: str
    """The URI for MLflow, which for a directory is that of its database."""

    artifact_location: str | None
    """The location of the files of experiments in a directory; None leaves it to the server."""

    is_remote: bool
    """Whether the store is a server, possibly on this machine, and not a directory or SQLite file."""

    def ask(self, function: Callable[[], Result]) -> Result:
        """Return the result of calls of the client at the start of a run.

        Raises:
            ConfigError: when the server does not answer completely in time.
        """
        with quiet(), settings(START_SETTINGS):
            if not self.is_remote:
                return function()
            try:
                return within(START_TIMEOUT, function)
            except TimeoutError as error:
                raise ConfigError(f"run.mlflow_tracking_uri: {self.uri}: {error}. {IS_IT_RUNNING}") from error

    def find_run(self, run_id: str, experiment_name: str) -> Any:
        """Return the run with an id, either MLflow's own or a configured one; None if there is none.

        Args:
            run_id: the id of the run.
            experiment_name: the experiment in which a configured id is searched.

        Raises:
            ConfigError: when the run was deleted, or cannot be accessed.
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
        """Create a run.

        Args:
            experiment_name: the name of the experiment, which is created if necessary.
            run_id: the configured id of the run, in addition to MLflow's own.

        Raises:
            ConfigError: when the experiment was deleted, or cannot be created.
        """
        from mlflow.exceptions import MlflowException

        experiment = self.client.get_experiment_by_name(experiment_name)
        if experiment is None:
            try:
                experiment_id = self.client.create_experiment(experiment_name, self.artifact_location)
            except MlflowException as error:  # another run may have created it meanwhile
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

    def steps(self, run: Any) -> dict[str, set[int]]:
        """Return the steps of each metric of a run.

        Args:
            run: a run of this store.
        """
        return {
            name: {metric.step for metric in self.client.get_metric_history(run.info.run_id, name)}
            for name in run.data.metrics
        }

    def download(self, mlflow_run_id: str, destination: Path) -> None:
        """Download all files of a run atomically.

        Args:
            mlflow_run_id: the id that MLflow has assigned to the run.
            destination: the directory to write, which must not exist or be empty.

        Raises:
            ConfigError: when the destination is not empty, the run has no files, or the server cannot be reached.
        """
        if destination.is_file() or (destination.is_dir() and any(destination.iterdir())):
            raise ConfigError(
                f"{destination}: found files; expected no directory, or an empty one, to download the run to. Choose "
                "another run.output_dir."
            )
        with quiet(), settings(FILE_SETTINGS):
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
    """Return the base class of MLflow's exceptions."""
    from mlflow.exceptions import MlflowException

    return MlflowException


def open_store(tracking_uri: str, anchor: Path) -> Store:
    """Open the store of a tracking URI.

    Args:
        tracking_uri: the URL of a server, a directory, or ``sqlite:///`` and a file.
        anchor: the directory that relative directories are resolved against.

    Raises:
        MissingExtraError: when MLflow is not installed.
        ConfigError: when the store cannot be opened.
    """
    with warnings.catch_warnings(), needs_extra("mlflow", "run.use_mlflow"):
        warnings.simplefilter("ignore")  # MLflow's dependencies warn about MLflow's code
        from mlflow.tracking import MlflowClient

    if lost_secrets(tracking_uri):
        raise ConfigError(
            f"run.mlflow_tracking_uri: found '{tracking_uri}', which was written without its secrets. Give the URI "
            "again: run.mlflow_tracking_uri=URI."
        )
    parts = urlparse(tracking_uri)
    if parts.password is not None:  # it would be written to config.yaml and to the parameters of the run
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
        with quiet(), settings(START_SETTINGS):
            client = MlflowClient(uri)
            within(START_TIMEOUT, lambda: client.search_experiments(max_results=1))
    except Exception as error:
        advice = IS_IT_RUNNING
        if isinstance(error, ImportError):  # MLflow is too old for a dependency
            advice = "Upgrade MLflow: in a clone of kiwi, run pip install --upgrade '.[mlflow]'"
        elif "schema" in str(error):
            advice = f"Upgrade its schema with: mlflow db upgrade {uri}"
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(
            f"run.mlflow_tracking_uri: {tracking_uri}: found no MLflow store that answers ({reason}). {advice}"
        ) from error
    return Store(client, uri, location, is_remote=not uri.startswith("sqlite:"))


def _prepare_directory(directory: Path) -> str:
    """Create a directory if necessary, and return the URI of its database."""
    if directory.exists() and not directory.is_dir():
        raise ConfigError(
            f"run.mlflow_tracking_uri: {directory}: found a file; expected a directory or a server's URL."
        )
    # In the URI of a database, a '?' starts the options, and an escape is decoded. Escaping them does not help: MLflow
    # and some versions of SQLAlchemy take the URI as it is.
    if found := re.search(r"\?|%[0-9A-Fa-f]{2}", str(directory)):
        raise ConfigError(f"run.mlflow_tracking_uri: {directory}: found '{found[0]}'; expected a path without it.")
    directory.mkdir(parents=True, exist_ok=True)
    database = directory / DATABASE
    if not database.exists() and any(directory.glob("*/meta.yaml")):
        logger.info(
            "%s holds a file store of an earlier MLflow, which this version does not open. It is left untouched, and "
            "runs are written to %s. To merge both, see: mlflow migrate-filestore --help",
            directory,
            database,
        )
    return f"sqlite:///{database}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have no such user
        return "unknown"

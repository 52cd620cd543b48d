"""The files of an earlier run in MLflow."""

from __future__ import annotations

from pathlib import Path

from kiwi.exceptions import ConfigError
from kiwi.loggers.store import open_store


def download_run(
    run_id: str,
    root: Path,
    experiment_name: str,
    tracking_uri: str = "mlruns/",
    anchor: Path | None = None,
    destination: Path | None = None,
) -> Path:
    """Download the files of an earlier run atomically, without changing the run.

    Args:
        run_id: the id of the run; see :class:`kiwi.loggers.MLFlowTrackingLogger`.
        root: the directory of all runs.
        experiment_name: the experiment of the run.
        tracking_uri: the URL of a server, or a directory.
        anchor: the directory that relative directories are resolved against; by default the current one.
        destination: the directory of the files; by default ``<root>/<experiment id>/<run id>``.

    Returns:
        The directory of the files.

    Raises:
        MissingExtraError: when MLflow is not installed.
        ConfigError: when the run does not exist or has no files, or the destination is not empty.
    """
    store = open_store(tracking_uri, anchor or Path())
    run = store.ask(lambda: store.find_run(run_id, experiment_name))
    if run is None:
        raise ConfigError(
            f"run.run_id: found no run {run_id} in MLflow ({tracking_uri}); expected the id of an earlier run. "
            f"Check run.experiment_name too, which is '{experiment_name}'."
        )
    destination = destination or root / str(run.info.experiment_id) / run_id
    store.download(run.info.run_id, destination)
    return destination

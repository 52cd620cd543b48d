"""How a training run begins: its directory, its log, its seeds, and what it is tracked with."""

from __future__ import annotations

import logging
import os
import uuid
from pathlib import Path

from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.lib.utils import configure_logging, configure_seed
from kiwi.loggers import MLFlowTrackingLogger, download_run
from kiwi.training.config import RunConfig
from kiwi.training.devices import is_first_process, was_started_by_another
from kiwi.training.run_record import RUN_FILE, RUNS, find_run
from kiwi.utils.imports import needs_extra

logger = logging.getLogger(__name__)

RUN_ID_VARIABLE = "KIWI_RUN_ID"
"""Tells the processes of a run on several GPUs which run they belong to."""


def setup_run(
    config: RunConfig, debug: bool = False, quiet: bool = False, anchor_dir: Path | None = None
) -> tuple[Path, MLFlowTrackingLogger | None]:
    """Prepare a run: its tracking, its output directory, its log, and the random seeds.

    Args:
        config: of the run.
        debug: whether to log debug messages too.
        quiet: whether to log warnings only; has precedence.
        anchor_dir: directory that a relative output directory, or one of MLflow, is under; the current one if not
            given.

    Returns:
        The resolved output directory, and the experiment logger (None: the run is not tracked, or another process of it
        does that).

    Raises:
        ConfigError: when MLflow cannot be reached.
        MissingExtraError: when what the configuration asks for is not installed.
    """
    root, first = Path(anchor_dir or ""), is_first_process()
    tracker = _open_tracker(config, root)
    experiment_id = tracker.experiment_id if tracker else "0"
    run_id = tracker.run_id if tracker else config.run_id or _draw_run_id(config)
    # Of several processes, the first has made the directory, and knows the experiment.
    former = find_run(run_id, root / RUNS)
    output_dir = (root / (config.output_dir or former or Path(RUNS, experiment_id, run_id))).resolve()
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        log_file = output_dir / "output.log" if first else None
        configure_logging(verbose=debug, quiet=quiet or not first, log_file=log_file)
    except OSError as error:
        if tracker is not None:
            tracker.finish("FAILED")
        raise ConfigError(f"run.output_dir: {output_dir}: cannot be written to ({error.strerror}).") from error
    configure_seed(config.seed)
    logger.info("Experiment '%s', output directory %s", config.experiment_name, output_dir)
    if tracker is not None:
        logger.info("%s: run %s", tracker.name, tracker.mlflow_run_id)
    return output_dir, tracker


def _open_tracker(config: RunConfig, root: Path) -> MLFlowTrackingLogger | None:
    """What the run is tracked with; see that what else the configuration asks for is there."""
    if config.use_tensorboard:
        with needs_extra("tensorboard", "run.use_tensorboard"):
            import tensorboard  # noqa: F401
    if not config.use_mlflow or not is_first_process():
        return None
    return MLFlowTrackingLogger(
        config.experiment_name,
        config.run_id,
        config.mlflow_tracking_uri,
        config.mlflow_always_log_artifacts,
        anchor=root,
    )


def _draw_run_id(config: RunConfig) -> str:
    if os.environ.get("LOCAL_RANK", "0") != "0" and RUN_ID_VARIABLE in os.environ:
        return os.environ[RUN_ID_VARIABLE]  # started by the first process of a run on several GPUs
    if was_started_by_another() and config.output_dir is None:
        raise ConfigError("run.run_id: required where a launcher starts several processes: all have to have the same.")
    return uuid.uuid4().hex


def find_or_fetch(config: RunConfig) -> None:
    """See that there is a run to resume, before anything is made for it; one that is not here may be in MLflow."""
    here = config.output_dir or find_run(str(config.run_id), Path(RUNS))
    if here is not None and (here / RUN_FILE).exists():
        return
    if not config.use_mlflow or config.run_id is None:
        looked_in = config.output_dir or f"{Path(RUNS).resolve()}, for {config.run_id}"
        raise CheckpointError(
            f"trainer.resume: no run to resume: looked in {looked_in}. Check run.run_id and run.output_dir, or ask "
            "MLflow, if it has the run: run.use_mlflow, with run.run_id."
        )
    options = (config.experiment_name, config.mlflow_tracking_uri, None, config.output_dir)
    logger.info("Run %s from MLflow is in %s", config.run_id, download_run(config.run_id, Path(RUNS), *options))

"""The start of a training run: its directory, its log, its random seeds, and its tracking."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kiwi import constants as const
from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.lib.train.config import AnyConfiguration
from kiwi.lib.utils import configure_logging, configure_seed
from kiwi.loggers import MLFlowTrackingLogger, download_run, tracked
from kiwi.runner.prediction_files import prediction_files
from kiwi.systems.system import System
from kiwi.training.config import RunConfig
from kiwi.training.devices import is_first_process, was_started_by_launcher
from kiwi.training.optimizers import find_optimizer_state
from kiwi.training.run_record import RUN_FILE, RUNS, RunRecord, find_run, read_status, run_session
from kiwi.training.state import STATE_FILE
from kiwi.utils.display import hide_secrets
from kiwi.utils.guard import Guard, paths_in
from kiwi.utils.imports import needs_extra
from kiwi.utils.process.signals import stop_on_signals

logger = logging.getLogger(__name__)

FILES = (
    "config.yaml",
    RUN_FILE,
    STATE_FILE,
    "metrics.csv",
    "optimizer.safetensors",
    "output.log",
    "learning_curve.svg",
)
"""The files of a run in its directory, apart from its checkpoints."""

RUN_ID_VARIABLE = "KIWI_RUN_ID"
"""The environment variable with the id of the run, for the other processes of a run on several GPUs."""


def setup_run(
    config: RunConfig, debug: bool = False, quiet: bool = False, anchor_dir: Path | None = None
) -> tuple[Path, MLFlowTrackingLogger | None]:
    """Start a run: its tracking, its output directory, its log, and the random seeds.

    Args:
        config: the options of the run.
        debug: whether to log debug messages too.
        quiet: whether to log only warnings; has precedence.
        anchor_dir: the directory that relative output and MLflow directories are relative to; by default the current
            one.

    Returns:
        The resolved output directory, and the experiment logger; None when the run is not tracked, or another process
        of the run tracks it.

    Raises:
        ConfigError: when MLflow cannot be reached.
        MissingExtraError: when a library that the configuration asks for is not installed.
    """
    output_dir, tracker = _prepare_run(config, Path(anchor_dir or ""), debug, quiet)
    if tracker is not None:
        tracker.start()
    return output_dir, tracker


def _prepare_run(config: RunConfig, root: Path, debug: bool, quiet: bool) -> tuple[Path, MLFlowTrackingLogger | None]:
    """Do what :func:`setup_run` does, but leave a tracked run as it is if its directory is known without it."""
    first = is_first_process()
    tracker = _open_tracker(config, root)
    own = config.output_dir
    output_dir = (root / own if own else _find_or_name_directory(config, tracker, root / RUNS)).resolve()
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
    return output_dir, tracker


def _find_or_name_directory(config: RunConfig, tracker: MLFlowTrackingLogger | None, runs: Path) -> Path:
    """Return the directory of a run without ``run.output_dir``."""
    run_id = config.run_id or (None if tracker else _new_run_id(config))
    # Of several processes, the first has made the directory, and knows the experiment.
    former = find_run(run_id, runs) if run_id else None
    if former is not None:
        return former
    if tracker is None:
        return runs / "0" / str(run_id)
    tracker.start()  # MLflow assigns the ids, and no run that is here already can be refused
    return runs / tracker.experiment_id / tracker.run_id


def _open_tracker(config: RunConfig, root: Path) -> MLFlowTrackingLogger | None:
    """Return the experiment logger, if the configuration asks for one, and check that TensorBoard is installed."""
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
        start=False,
    )


def _new_run_id(config: RunConfig) -> str:
    if os.environ.get("LOCAL_RANK", "0") != "0" and RUN_ID_VARIABLE in os.environ:
        return os.environ[RUN_ID_VARIABLE]  # started by the first process of a run on several GPUs
    if was_started_by_launcher() and config.output_dir is None:
        raise ConfigError("run.run_id: required where a launcher starts several processes, which have to share it.")
    return uuid.uuid4().hex


def fetch_run_to_resume(config: RunConfig) -> None:
    """Check that there is a run to resume, before files are made for it; download it from MLflow if it is not here.

    Raises:
        CheckpointError: when there is no such run.
    """
    here = config.output_dir or find_run(str(config.run_id), Path(RUNS))
    if here is not None and (here / RUN_FILE).exists():
        return
    if not config.use_mlflow or config.run_id is None:
        looked_in = config.output_dir or f"{Path(RUNS).resolve()}, for {config.run_id}"
        raise CheckpointError(
            f"trainer.resume: no run to resume: looked in {looked_in}. Check run.run_id and run.output_dir. If MLflow "
            "has the run, set run.use_mlflow and run.run_id."
        )
    options = (config.experiment_name, config.mlflow_tracking_uri, None, config.output_dir)
    logger.info("Run %s from MLflow is in %s", config.run_id, download_run(config.run_id, Path(RUNS), *options))


def _check_directory(config: AnyConfiguration) -> None:
    """Reject a directory with files that the run would replace, but reads, or that kiwi has not written.

    Raises:
        ConfigError: when there is such a file.
    """
    run, system = config.run, config.system
    directory = run.output_dir or (find_run(run.run_id, Path(RUNS)) if run.run_id else None)
    if directory is None or not is_first_process():
        return
    reads = [*paths_in(config.data), *paths_in(system.data_processing)]
    loaded = [getattr(system, name, None) for name in ("load", "load_encoder", "load_vocabs")]
    reads += [Path(path) for path in loaded if path is not None]
    if system.optimizer is not None and system.optimizer.load is not None:
        reads.append(find_optimizer_state(system.optimizer.load))
    guard = Guard(reads, run.overwrite, "run.overwrite=true")
    is_own = "kiwi_version" in read_status(directory)
    guard.check((directory / name for name in FILES), is_own=is_own)
    if run.predict_after_training:
        names = (*prediction_files(), const.LANGUAGE_PAIR)
        guard.check(place / name for place in (directory, directory / "test") for name in names)


@contextmanager
def open_run(
    config: AnyConfiguration, tags: Mapping[str, str] | None = None
) -> Iterator[tuple[RunRecord, MLFlowTrackingLogger | None]]:
    """Set up a new run, or the one to resume, and record in its directory and in MLflow how the block ends.

    Args:
        config: the options of the run.
        tags: the tags of the run in MLflow.

    Yields:
        The record of the run, and its experiment logger, see :func:`setup_run`.

    Raises:
        StoppedError: when SIGTERM or Ctrl-C stops the block.
    """
    if config.trainer.resume:
        fetch_run_to_resume(config.run)
    else:
        _check_directory(config)
    output_dir, tracker = _prepare_run(config.run, Path(), config.verbose, config.quiet)
    options = hide_secrets(config.model_dump(mode="json"))

    def start_tracking() -> None:
        if tracker is not None:
            tracker.start()
            tracker.set_tags(tags or {})
            tracker.log_params(options)
            logger.info("%s: run %s", tracker.name, tracker.mlflow_run_id)

    with (
        tracked(tracker, output_dir) as send_state,
        run_session(
            output_dir, options, resume=config.trainer.resume, on_accepted=start_tracking, on_saved=send_state
        ) as record,
        stop_on_signals(lambda: record.stop_advice),  # inside, so that the record has the reason
    ):
        yield record, tracker


def log_system(system: System, n_segments: int, tracker: MLFlowTrackingLogger | None) -> None:
    """Log the name and the size of a system, and make them the description of the run in MLflow."""
    n_weights = sum(weight.numel() for weight in system.parameters())
    logger.info("%s with %d weights.", system.class_name, n_weights)
    if tracker is not None:
        meaning = system.data_info.score
        if meaning is not None:
            tracker.set_tags({"kiwi.score_kind": meaning.kind, "kiwi.higher_is_better": meaning.higher_is_better})
        tracker.describe(f"{system.class_name}, {n_weights:,} weights, trained on {n_segments:,} segments")


def share_run_id(record: RunRecord) -> None:
    """Pass the id of the run on to the processes that Lightning starts for it."""
    os.environ[RUN_ID_VARIABLE] = record.output_dir.name

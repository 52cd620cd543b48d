"""Train a quality estimation system: ``kiwi train``."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ValidationError

from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.lib.utils import configure_logging, configure_seed, hidden_warnings, load_configuration
from kiwi.loggers import MLFlowTrackingLogger, download_run, tracked
from kiwi.systems.checkpoint_info import DataInfo
from kiwi.systems.qe_system import QESystem
from kiwi.systems.system import System
from kiwi.systems.system_config import sparse_fields
from kiwi.systems.tlm_system import TLMSystem
from kiwi.training.config import CheckpointsConfig, GPUConfig, RunConfig, TrainerConfig
from kiwi.training.devices import is_first_process, was_started_by_another
from kiwi.training.run_record import RUN_FILE, RUNS, begun, find_run
from kiwi.utils.imports import needs_extra
from kiwi.utils.io import BaseConfig, did_you_mean

__all__ = [
    "CheckpointsConfig",
    "Configuration",
    "GPUConfig",
    "RunConfig",
    "TrainRunInfo",
    "TrainerConfig",
    "run",
    "setup_run",
    "train_from_configuration",
    "train_from_file",
]

logger = logging.getLogger(__name__)

RUN_ID_VARIABLE = "KIWI_RUN_ID"
"""Tells the processes of a run on several GPUs which run they belong to."""


@dataclass(frozen=True)
class TrainRunInfo:
    """What came out of a training run."""

    model: Any
    """The model as it was when training finished: a :class:`QESystem`, or of ``kiwi pretrain`` a :class:`TLMSystem`."""

    best_metrics: dict[str, Any]
    """Validation metrics of the best model by the main metric, by name."""

    best_model_path: Path | None = None
    """Checkpoint of the best model; None when none was saved."""


class AnyConfiguration(BaseConfig):
    """Options that `kiwi train` and `kiwi pretrain` share."""

    system_type: ClassVar[type[QESystem] | type[TLMSystem]]

    run: RunConfig = RunConfig()
    """The run: where it lives, its seed."""

    trainer: TrainerConfig = TrainerConfig()
    """How long to train, on what device, and what counts as better."""

    data: Any
    """Files to train and validate on."""

    system: Any
    """What to train."""

    debug: bool = False
    """Run one batch of training and one of validation, to see whether everything fits."""

    verbose: bool = False
    """Show debug messages."""

    quiet: bool = False
    """Show warnings and errors only; has precedence over ``verbose``."""

    @classmethod
    def mistakes_of(cls, options: Mapping[str, Any]) -> dict[str, str]:
        """What training needs though it is optional elsewhere, and what data, outputs and metric need of each other."""
        data, system = (part if isinstance(part := options.get(name), Mapping) else {} for name in ("data", "system"))
        wrong: dict[str, str] = {}
        run, trainer = (part if isinstance(part := options.get(name), Mapping) else {} for name in ("run", "trainer"))
        if trainer.get("resume") is True and run.get("run_id") is None and run.get("output_dir") is None:
            wrong["run.run_id"] = "required with trainer.resume (or run.output_dir), to say which run goes on"
        if trainer.get("resume") is True and options.get("debug") is True:
            wrong["debug"] = "a run of one batch is not resumed"
        if "data" in options and data.get("train") is None:
            wrong["data.train"] = "required for training"
        if "data" in options and (data.get("valid") is None) == (data.get("split") is None):
            wrong["data.valid"] = "exactly one of data.valid and data.split is required"
        if "system" in options and system.get("optimizer") is None:
            wrong["system.optimizer"] = "required for training"
        if system.get("load") is None:  # what is loaded is known only when the run starts
            system_type: Any = cls.system_type
            with suppress(ValidationError):
                valid_system = system_type.Config.model_validate({**system, "optimizer": None})
                with suppress(ValidationError):
                    wrong |= system_type.missing_files(valid_system, system_type.Dataset.Config.model_validate(data))
                if mistake := main_metric_mistake(trainer.get("main_metric"), valid_system.model.metric_names):
                    wrong["trainer.main_metric"] = mistake
        return wrong


class Configuration(AnyConfiguration):
    """Options of ``kiwi train``."""

    system_type = QESystem

    data: WMTQEDataset.Config
    """Files to train and validate on."""

    system: QESystem.Config
    """What to train."""


def train_from_file(filename: str | Path) -> TrainRunInfo:
    """Train a system as a configuration file says.

    Args:
        filename: YAML or JSON.

    Returns:
        The trained model, its best metrics, and where the best model is.

    Raises:
        ConfigError: listing every mistake of the configuration.
        DataError: naming file and line.
    """
    return train_from_configuration(load_configuration(filename))


def train_from_configuration(configuration_dict: Mapping[str, Any]) -> TrainRunInfo:
    """Train a system as a mapping of options says.

    Args:
        configuration_dict: options of :class:`Configuration`.

    Returns:
        The trained model, its best metrics, and where the best model is.

    Raises:
        ConfigError: listing every mistake of the configuration.
        DataError: naming file and line.
    """
    configure_logging(verbose=configuration_dict.get("verbose") is True, quiet=configuration_dict.get("quiet") is True)
    return run(Configuration.from_dict(configuration_dict))


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
    is_first_process = os.environ.get("LOCAL_RANK", "0") == "0" and os.environ.get("NODE_RANK", "0") == "0"
    if not config.use_mlflow or not is_first_process:
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


def _find_or_fetch(config: RunConfig) -> None:
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


def run(config: AnyConfiguration, system_type: type[TLMSystem] | type[QESystem] = QESystem) -> TrainRunInfo:
    """Build the system that the configuration describes, and train it.

    Args:
        config: of the whole run.
        system_type: class of the system.

    Returns:
        The trained model, its best metrics, and where the best model is.

    Raises:
        StoppedError: when SIGTERM or Ctrl-C has stopped it; its state is saved.
    """
    kind: Any = system_type  # configuration, data and system go together
    system_config = kind.resolve(config.system)
    if missing := kind.missing_files(system_config, config.data):
        raise ConfigError("Files are missing:\n" + "\n".join(f"  {path}: {why}" for path, why in missing.items()))
    if config.trainer.gradient_max_norm and sparse_fields(system_config.model):
        raise ConfigError("trainer.gradient_max_norm: the norm of sparse gradients is not to be had; set it to 0.0.")
    main_metric = choose_main_metric(config.trainer.main_metric, system_config.model.metric_names)

    if config.trainer.resume:
        _find_or_fetch(config.run)
    output_dir, tracker = setup_run(config.run, debug=config.verbose, quiet=config.quiet)
    options = config.model_dump(mode="json")
    resume = config.trainer.resume
    with (
        tracked(tracker, output_dir, options) as send_state,
        begun(output_dir, options, resume=resume, on_saved=send_state) as record,
    ):
        train, valid = kind.read_datasets(system_config, config.data, config.run.seed)
        record.see_data(train=train.columns, valid=valid.columns)
        logger.info("Training on %d segments, validating on %d.", len(train), len(valid))
        system: System = kind.build(system_config, train.columns)
        system.data_info = DataInfo(*config.data.languages, len(train), len(valid))
        system.note_long_segments(train.columns)
        n_weights = sum(weight.numel() for weight in system.parameters())
        logger.info("%s with %d weights.", system.class_name, n_weights)
        if tracker is not None:
            tracker.describe(f"{system.class_name}, {n_weights:,} weights, trained on {len(train):,} segments")

        # Lightning is slow to import: mistakes in configuration and data are found before.
        with hidden_warnings("lightning", "torch.distributed", shown=config.verbose):
            from kiwi.training.metrics_log import build_loggers
            from kiwi.training.module import TrainingModule
            from kiwi.training.optimizers import OPTIMIZER_FILE, save_optimizer_state
            from kiwi.training.trainer import build_trainer

            module = TrainingModule(
                system,
                system_config,
                train,
                valid,
                main_metric=main_metric,
                buffer_size=config.data.buffer_size,
                seed=config.run.seed,
                first_batch=record.first_batch,
            )
            loggers = build_loggers(output_dir, config.run, config.trainer, tracker)
            trainer, checkpoints = build_trainer(
                config.trainer, module, record, loggers, debug=config.debug, quiet=config.quiet
            )
            if trainer.num_devices > 1:
                os.environ[RUN_ID_VARIABLE] = output_dir.name
            with module.named_memory_errors():
                trainer.fit(module, ckpt_path=record.state_file if record.former else None)
        save_optimizer_state(trainer.optimizers[0], system, output_dir / OPTIMIZER_FILE, write=trainer.is_global_zero)
    logger.info("Best model: %s", checkpoints.best_model_path or "not saved (trainer.checkpoint.save_top_k=0)")
    return TrainRunInfo(system, checkpoints.best_metrics, checkpoints.best_model_path)


def main_metric_mistake(configured: Any, known: Sequence[str]) -> str | None:
    """What is wrong with a choice of metrics: names that the configured outputs do not have."""
    names = [configured] if isinstance(configured, str) else configured if isinstance(configured, list) else []
    for name in names:
        if str(name).removeprefix("val_") not in known:
            return f"'{name}' is not a metric of the configured outputs; {did_you_mean(name, known)}"
    return None


def choose_main_metric(configured: str | list[str] | None, known: Sequence[str]) -> list[str]:
    """The metrics that are added up to say what is better.

    Args:
        configured: in ``trainer.main_metric``.
        known: those of the configured outputs, the main one first.

    Raises:
        ConfigError: when the configured outputs do not have such a metric.
    """
    if mistake := main_metric_mistake(configured, known):
        raise ConfigError(f"trainer.main_metric: {mistake}")
    names = [configured] if isinstance(configured, str) else configured or known[:1]
    return [name.removeprefix("val_") for name in names]

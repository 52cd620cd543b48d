"""Train a quality estimation system: ``kiwi train``."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiwi.data.collate import note_long_segments
from kiwi.exceptions import ConfigError
from kiwi.lib.train.config import AnyConfiguration, Configuration, choose_main_metric
from kiwi.lib.train.setup import RUN_ID_VARIABLE, find_or_fetch, setup_run
from kiwi.lib.utils import configure_logging, ignore_warnings_of, load_configuration
from kiwi.loggers import tracked
from kiwi.systems.config.system import sparse_fields
from kiwi.systems.manifest.checkpoint import DataInfo
from kiwi.systems.qe_system import QESystem
from kiwi.systems.system import System
from kiwi.systems.tlm_system import TLMSystem
from kiwi.training.run_record import begun

logger = logging.getLogger("kiwi.lib.train")


@dataclass(frozen=True)
class TrainRunInfo:
    """What came out of a training run."""

    model: Any
    """The model as it was when training finished: a :class:`QESystem`, or of ``kiwi pretrain`` a :class:`TLMSystem`."""

    best_metrics: dict[str, Any]
    """Validation metrics of the best model by the main metric, by name."""

    best_model_path: Path | None = None
    """Checkpoint of the best model; None when none was saved."""


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


def run(
    config: AnyConfiguration,
    system_type: type[TLMSystem] | type[QESystem] = QESystem,
    *,
    on_validation: Callable[[int, float], bool] | None = None,
    tags: Mapping[str, str] | None = None,
) -> TrainRunInfo:
    """Build the system that the configuration describes, and train it.

    Args:
        config: of the whole run.
        system_type: class of the system.
        on_validation: takes the number of each validation, from 1, and its main metric; whether the run is to end.
        tags: of the run in MLflow.

    Returns:
        The trained model, its best metrics, and where the best model is.

    Raises:
        PrunedError: when ``on_validation`` has ended it.
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
        find_or_fetch(config.run)
    output_dir, tracker = setup_run(config.run, debug=config.verbose, quiet=config.quiet)
    if tracker is not None:
        tracker.set_tags(tags or {})
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
        source_languages, target_languages = config.data.languages
        system.data_info = DataInfo(source_languages, target_languages, len(train), len(valid))
        note_long_segments([system.collate.count_long(train.columns)])
        n_weights = sum(weight.numel() for weight in system.parameters())
        logger.info("%s with %d weights.", system.class_name, n_weights)
        if tracker is not None:
            tracker.describe(f"{system.class_name}, {n_weights:,} weights, trained on {len(train):,} segments")

        # Lightning is slow to import: mistakes in configuration and data are found before.
        with ignore_warnings_of("lightning", "torch.distributed", shown=config.verbose):
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
            quiet = config.quiet or on_validation is not None  # who watches shows how it goes
            trainer, checkpoints = build_trainer(
                config.trainer, module, record, loggers, debug=config.debug, quiet=quiet, on_validation=on_validation
            )
            if trainer.num_devices > 1:
                os.environ[RUN_ID_VARIABLE] = output_dir.name
            with module.named_memory_errors():
                trainer.fit(module, ckpt_path=record.state_file if record.former else None)
        save_optimizer_state(trainer.optimizers[0], system, output_dir / OPTIMIZER_FILE, write=trainer.is_global_zero)
    logger.info("Best model: %s", checkpoints.best_model_path or "not saved (trainer.checkpoint.save_top_k=0)")
    return TrainRunInfo(system, checkpoints.best_metrics, checkpoints.best_model_path)

"""Train a quality estimation system: ``kiwi train``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiwi import constants as const
from kiwi.data.collate import note_long_segments
from kiwi.lib.train.config import AnyConfiguration, Configuration, check_run, choose_main_metric
from kiwi.lib.train.language_pairs import check_metrics_of_pairs, describe_data, has_pairs, note_pairs
from kiwi.lib.train.predictions import check_test_data, predict_after_training
from kiwi.lib.train.setup import log_system, open_run, share_run_id
from kiwi.lib.utils import configure_logging, ignore_warnings_of, load_configuration
from kiwi.systems.config.qe import input_fields
from kiwi.systems.precision import warn_if_emulated
from kiwi.systems.pretrained.tokenizer import check_text
from kiwi.systems.qe_system import QESystem
from kiwi.systems.system import System
from kiwi.systems.tlm_system import TLMSystem
from kiwi.utils.inputs import pipes_as_files
from kiwi.utils.process.signals import stop_on_signals

logger = logging.getLogger("kiwi.lib.train")


@dataclass(frozen=True)
class TrainRunInfo:
    """The result of a training run."""

    model: Any
    """The model at the end of training, a :class:`QESystem` or, from ``kiwi pretrain``, a :class:`TLMSystem`."""

    best_metrics: dict[str, Any]
    """The validation metrics, by name, of the best model by the main metric."""

    best_model_path: Path | None = None
    """The checkpoint of the best model; None when none was saved."""


def train_from_file(filename: str | Path) -> TrainRunInfo:
    """Train a system with the options of a configuration file.

    Args:
        filename: a YAML or JSON file.

    Returns:
        The trained model, its best metrics, and the path of the best model.

    Raises:
        ConfigError: when the configuration is invalid; the message lists all mistakes.
        DataError: when the data cannot be used; the message names file and line.
    """
    return train_from_configuration(load_configuration(filename))


def train_from_configuration(configuration_dict: Mapping[str, Any]) -> TrainRunInfo:
    """Train a system with a mapping of options.

    Args:
        configuration_dict: the options of :class:`Configuration`.

    Returns:
        The trained model, its best metrics, and the path of the best model.

    Raises:
        ConfigError: when the configuration is invalid; the message lists all mistakes.
        DataError: when the data cannot be used; the message names file and line.
    """
    configure_logging(verbose=configuration_dict.get("verbose") is True, quiet=configuration_dict.get("quiet") is True)
    return run(Configuration.from_dict(configuration_dict))


@stop_on_signals("Nothing was trained yet. Run the same command again.")
@pipes_as_files()
def run(
    config: AnyConfiguration,
    system_type: type[TLMSystem] | type[QESystem] = QESystem,
    *,
    on_validation: Callable[[int, float], bool] | None = None,
    tags: Mapping[str, str] | None = None,
) -> TrainRunInfo:
    """Build the system that the configuration describes, and train it.

    Args:
        config: the options of the run.
        system_type: the class of the system.
        on_validation: a function that takes the number of each validation, from 1, and its main metric, and returns
            whether to end the run.
        tags: the tags of the run in MLflow.

    Returns:
        The trained model, its best metrics, and the path of the best model.

    Raises:
        PrunedError: when ``on_validation`` has ended the run.
        StoppedError: when SIGTERM or Ctrl-C has stopped the run; its state is saved from the first batch on.
    """
    kind: Any = system_type  # configuration, data and system go together
    system_config = kind.resolve(config.system)
    check_run(kind, system_config, config)
    metrics = kind.metric_names(system_config, config.data)
    main_metric = choose_main_metric(config.trainer.main_metric, metrics, has_pairs=has_pairs(config.data))
    with open_run(config, tags) as (record, tracker):
        if config.trainer.gpus == 0:
            warn_if_emulated("trainer.precision", config.trainer.precision)
        train, valid = kind.read_datasets(system_config, config.data, config.run.seed)
        system_config = kind.resolve_data(system_config, config.data, train, valid)
        if config.run.predict_after_training and system_type is QESystem and config.data.test is not None:
            fields = input_fields(system_config.class_name, system_config.model)
            check_test_data(config.data.test, fields, system_config.class_name)
        record.check_data(train=train.columns, valid=valid.columns)
        logger.info("Training on %d segments, validating on %d.", len(train), len(valid))
        data_info = describe_data(config.data, train.columns, valid.columns)
        check_metrics_of_pairs(main_metric, valid.columns, metrics)

        system: System = kind.build(system_config, train.columns)
        system.adopt_data(data_info, train.columns)
        if system.collate.pieces is not None:
            texts = {side: train.columns[side] for side in (const.SOURCE, const.TARGET)}
            check_text(system.collate.pieces, texts, system_config.model.encoder.model_name)
        note_long_segments([system.collate.count_long(train.columns)])
        log_system(system, len(train), tracker)

        # Lightning is slow to import: mistakes in configuration and data are found before.
        with ignore_warnings_of("lightning", "torch.distributed", shown=config.verbose):
            from kiwi.training.metrics_log import build_loggers
            from kiwi.training.module import TrainingModule
            from kiwi.training.optimizers import OPTIMIZER_FILE, save_optimizer_state
            from kiwi.training.trainer import TrainingRun, build_trainer

            module = TrainingModule(
                system,
                system_config,
                train,
                valid,
                main_metric=main_metric,
                buffer_size=config.data.buffer_size,
                seed=config.run.seed,
                start_position=record.start_position,
                pair_temperature=getattr(config.data, "pair_temperature", 1.0),
            )
            note_pairs(data_info.language_pairs, module.validation.counts, module.sampling)
            loggers = build_loggers(record.output_dir, config.run, config.trainer, tracker)
            quiet = config.quiet or on_validation is not None  # the caller shows the progress
            training_run = TrainingRun(config.trainer, module, record, loggers, config.debug, quiet, on_validation)
            trainer, checkpoints = build_trainer(training_run)
            if trainer.num_devices > 1:
                share_run_id(record)
            with module.explain_memory_errors():
                trainer.fit(module, ckpt_path=record.state_file if record.resumed_from else None)
        path = record.output_dir / OPTIMIZER_FILE
        save_optimizer_state(trainer.optimizers[0], system, path, write=trainer.is_global_zero)
        if config.run.predict_after_training and system_type is QESystem and trainer.is_global_zero:
            _predict(config, record.output_dir, checkpoints.best_model_path, valid)
    logger.info("Best model: %s", checkpoints.best_model_path or "not saved (trainer.checkpoint.save_top_k=0)")
    return TrainRunInfo(system, checkpoints.best_metrics, checkpoints.best_model_path)


def _predict(config: AnyConfiguration, output_dir: Path, model: Path | None, valid: Any) -> None:
    """Predict with the best model of a run, if it was saved."""
    if model is None:
        logger.warning("run.predict_after_training: there is no best model to predict with, since none was saved.")
        return
    predict_after_training(
        model,
        output_dir,
        valid.columns,
        config.data.test,
        gpu_id=None if config.trainer.gpus == 0 else 0,
        overwrite=config.run.overwrite,
    )

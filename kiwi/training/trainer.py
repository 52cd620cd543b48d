"""The Lightning trainer, from the options of ``trainer``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, RichProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins import HalfPrecision
from lightning.pytorch.strategies import Strategy

from kiwi.exceptions import ConfigError
from kiwi.training.averages import AveragedWeights
from kiwi.training.callbacks import BestCheckpoints, Throughput, Watched
from kiwi.training.config import TrainerConfig
from kiwi.training.devices import cpu_processes, processes
from kiwi.training.keep_state import KeepState, StateIO
from kiwi.training.learning_curve import LearningCurve
from kiwi.training.module import TrainingModule
from kiwi.training.run_record import RunRecord


class TrueHalf(HalfPrecision):
    """Weights and activations of 16 bits; batches hold indices, and scores that losses take in full precision."""

    def convert_input(self, data: Any) -> Any:
        """Leave batches as they are."""
        return data


def build_trainer(
    config: TrainerConfig,
    module: TrainingModule,
    record: RunRecord,
    loggers: Sequence[Logger],
    *,
    debug: bool = False,
    quiet: bool = False,
    on_validation: Callable[[int, float], bool] | None = None,
) -> tuple[Trainer, BestCheckpoints]:
    """A trainer, and the callback that knows the best model when it has run.

    Args:
        config: options of ``trainer``.
        module: that will be trained, for its main metric.
        record: of the run, with its directory.
        loggers: that get metrics, as :func:`kiwi.training.metrics_log.build_loggers` makes them.
        debug: run one batch of training and of validation.
        quiet: no progress bar.
        on_validation: as :class:`Watched` takes it.
    """
    # Its notices (devices found, advice on workers) are for its own users.
    for library in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(library).setLevel(logging.ERROR)
    on_gpu = config.gpus not in (0, [])
    checkpoints = BestCheckpoints(record.output_dir, config.checkpoint.save_top_k)
    callbacks: list[Callback] = [checkpoints, Throughput(), LearningCurve(record.output_dir, module)]
    if config.average_weights is not None:
        callbacks.append(AveragedWeights(config.average_weights))
    if config.checkpoint.early_stop_patience:
        callbacks.append(
            EarlyStopping(
                module.monitor,
                mode=module.monitor_mode,
                patience=config.checkpoint.early_stop_patience,
                check_on_train_epoch_end=False,
            )
        )
    if not debug:  # a run of one batch is not resumed
        callbacks.append(KeepState(record, checkpoints, loggers))
    if on_validation is not None:  # when the model of this validation has been saved
        callbacks.append(Watched(on_validation, record.how_to_go_on))
    show_progress = not quiet and sys.stderr.isatty()
    if show_progress:
        callbacks.append(RichProgressBar(leave=False, console_kwargs={"stderr": True}))
    options: dict[str, Any] = {
        "accelerator": "gpu" if on_gpu else "cpu",
        "devices": config.gpus if on_gpu else cpu_processes(),
        "num_nodes": config.num_nodes,
        "strategy": _strategy(config),
        "max_epochs": config.epochs,
        "accumulate_grad_batches": config.gradient_accumulation_steps,
        "gradient_clip_val": config.gradient_max_norm or None,
        "log_every_n_steps": config.log_interval,
        "deterministic": config.deterministic,
        "fast_dev_run": debug,
        "callbacks": callbacks,
        "default_root_dir": record.output_dir,
        "enable_checkpointing": False,
        "enable_progress_bar": show_progress,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "num_sanity_val_steps": 0,
        "logger": list(loggers),
        "plugins": [StateIO()],
    }
    if SLURMEnvironment.detect():
        # Lightning would queue a job again by itself, with a state that is a pickle.
        options["plugins"].append(SLURMEnvironment(auto_requeue=False))
    is_bfloat = config.precision == "bf16"
    if config.amp_level == "O3":
        options["plugins"].append(TrueHalf("bf16-true" if is_bfloat else "16-true"))
    else:
        mixed = "bf16-mixed" if is_bfloat else "16-mixed"
        options["precision"] = "32-true" if config.amp_level == "O0" else mixed
    interval = config.checkpoint.validation_steps
    options["val_check_interval"] = interval
    if isinstance(interval, int):
        # Batches of training counted over the whole run, so that an interval may be longer than an epoch.
        options["check_val_every_n_epoch"] = None
    return Trainer(**options), checkpoints


def _strategy(config: TrainerConfig) -> Strategy | str:
    n_processes = processes(config)
    if config.strategy == "fsdp":
        if n_processes == 1:
            raise ConfigError(
                "trainer.strategy: fsdp parts weights between processes, and this run has one; found trainer.gpus "
                f"{config.gpus} and num_nodes {config.num_nodes}. Use more, or ddp."
            )
        from kiwi.training.sharding import ShardedStrategy

        return ShardedStrategy(n_processes)
    # Outputs that are off, and parts that are frozen for some steps, leave weights without gradients.
    return "ddp_find_unused_parameters_true" if n_processes > 1 else "auto"

"""The Lightning trainer that the options of ``trainer`` describe."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins import HalfPrecision
from lightning.pytorch.strategies import Strategy
from typing_extensions import override

from kiwi.exceptions import ConfigError
from kiwi.training.averages import AveragedWeights
from kiwi.training.callbacks import BestCheckpoints, Throughput, ValidationHook
from kiwi.training.config import TrainerConfig
from kiwi.training.devices import count_cpu_processes, count_processes
from kiwi.training.keep_state import KeepState, StateIO
from kiwi.training.learning_curve import LearningCurve
from kiwi.training.lightning_internals import ProgressBar, warn_if_untested
from kiwi.training.module import TrainingModule
from kiwi.training.progress_log import ProgressLog
from kiwi.training.run_record import RunRecord


class TrueHalf(HalfPrecision):
    """Weights and activations of 16 bits; batches hold indices, and scores that losses take in full precision."""

    @override
    def convert_input(self, data: Any) -> Any:
        return data


@dataclass(frozen=True)
class TrainingRun:
    """What a trainer and its callbacks are built from."""

    config: TrainerConfig
    """The options of ``trainer``."""

    module: TrainingModule
    """The module to train, which knows the main metric."""

    record: RunRecord
    """The record of the run, with its directory."""

    loggers: Sequence[Logger]
    """The loggers that :func:`kiwi.training.metrics_log.build_loggers` returned."""

    debug: bool = False
    """Whether to run only one batch of training and one of validation."""

    quiet: bool = False
    """Whether to show no progress bar."""

    on_validation: Callable[[int, float], bool] | None = None
    """The function that :class:`ValidationHook` calls."""


def build_trainer(run: TrainingRun) -> tuple[Trainer, BestCheckpoints]:
    """Build the trainer of a run, and the callback that knows the best model after training.

    Raises:
        ConfigError: when the options ask for a strategy that the run cannot have.
    """
    # Its notices (devices found, advice on workers) are meant for its own users.
    for library in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(library).setLevel(logging.ERROR)
    warn_if_untested()
    checkpoints = BestCheckpoints(run.record.output_dir, run.config.checkpoint.save_top_k)
    show_progress = not run.quiet and sys.stderr.isatty()
    callbacks = _build_callbacks(run, checkpoints)
    if show_progress:
        callbacks.append(ProgressBar(leave=False, console_kwargs={"stderr": True}))
    else:
        callbacks.append(ProgressLog())
    trainer = Trainer(
        **_device_options(run.config),
        **_loop_options(run.config),
        fast_dev_run=run.debug,
        callbacks=callbacks,
        logger=list(run.loggers),
        default_root_dir=run.record.output_dir,
        enable_checkpointing=False,
        enable_progress_bar=show_progress,
        enable_model_summary=False,
    )
    return trainer, checkpoints


def _build_callbacks(run: TrainingRun, checkpoints: BestCheckpoints) -> list[Callback]:
    """Build the callbacks in the order in which they run."""
    config, module = run.config, run.module
    callbacks: list[Callback] = [checkpoints, Throughput()]
    if not run.debug:
        callbacks.append(LearningCurve(run.record.output_dir, module))
    if config.average_weights is not None:
        callbacks.append(AveragedWeights(config.average_weights))
    if patience := config.checkpoint.early_stop_patience:
        mode = module.monitor_mode
        callbacks.append(EarlyStopping(module.monitor, mode=mode, patience=patience, check_on_train_epoch_end=False))
    if not run.debug:  # a run of one batch is not resumed
        callbacks.append(KeepState(run.record, checkpoints, run.loggers))
    if run.on_validation is not None:  # last, when the model of this validation has been saved
        callbacks.append(ValidationHook(run.on_validation, run.record.resume_advice))
    return callbacks


def _device_options(config: TrainerConfig) -> dict[str, Any]:
    """Return the trainer's options of devices, processes and precision."""
    on_gpu = config.gpus not in (0, [])
    options: dict[str, Any] = {
        "accelerator": "gpu" if on_gpu else "cpu",
        "devices": config.gpus if on_gpu else count_cpu_processes(),
        "num_nodes": config.num_nodes,
        "strategy": _strategy(config),
        "deterministic": config.deterministic,
        "plugins": [StateIO()],
    }
    if SLURMEnvironment.detect():
        # Lightning would requeue the job by itself, with a state that is a pickle.
        options["plugins"].append(SLURMEnvironment(auto_requeue=False))
    is_bfloat = config.precision == "bf16"
    if config.amp_level == "O3":
        options["plugins"].append(TrueHalf("bf16-true" if is_bfloat else "16-true"))
    else:
        mixed = "bf16-mixed" if is_bfloat else "16-mixed"
        options["precision"] = "32-true" if config.amp_level == "O0" else mixed
    return options


def _loop_options(config: TrainerConfig) -> dict[str, Any]:
    """Return the trainer's options of epochs, steps, validation and logging."""
    interval = config.checkpoint.validation_steps
    options: dict[str, Any] = {
        "max_epochs": config.epochs,
        "accumulate_grad_batches": config.gradient_accumulation_steps,
        "gradient_clip_val": config.gradient_max_norm or None,
        "log_every_n_steps": config.log_interval,
        "val_check_interval": interval,
        "use_distributed_sampler": False,
        "num_sanity_val_steps": 0,
    }
    if isinstance(interval, int):
        # Batches are counted over the whole run, so that an interval may be longer than an epoch.
        options["check_val_every_n_epoch"] = None
    return options


def _strategy(config: TrainerConfig) -> Strategy | str:
    n_processes = count_processes(config)
    if config.strategy == "fsdp":
        if n_processes == 1:
            raise ConfigError(
                "trainer.strategy: fsdp shards the weights across processes, and this run has one; found trainer.gpus "
                f"{config.gpus} and num_nodes {config.num_nodes}. Use more, or ddp."
            )
        from kiwi.training.sharding import ShardedStrategy

        return ShardedStrategy(n_processes)
    # Outputs that are off, and modules that are frozen for some steps, leave weights without gradients.
    return "ddp_find_unused_parameters_true" if n_processes > 1 else "auto"

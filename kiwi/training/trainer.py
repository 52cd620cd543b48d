"""The Lightning trainer, from the options of ``trainer``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, RichProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins import HalfPrecision

from kiwi.training.callbacks import BestCheckpoints, Throughput
from kiwi.training.config import TrainerConfig
from kiwi.training.learning_curve import LearningCurve
from kiwi.training.module import TrainingModule


class TrueHalf(HalfPrecision):
    """Weights and activations of 16 bits; batches hold indices, and scores that losses take in full precision."""

    def convert_input(self, data: Any) -> Any:
        """Leave batches as they are."""
        return data


def build_trainer(
    config: TrainerConfig,
    module: TrainingModule,
    output_dir: Path,
    *,
    loggers: Sequence[Logger] = (),
    debug: bool = False,
    quiet: bool = False,
) -> tuple[Trainer, BestCheckpoints]:
    """A trainer, and the callback that knows the best model when it has run.

    Args:
        config: options of ``trainer``.
        module: that will be trained, for its main metric.
        output_dir: for checkpoints and the picture of the run.
        loggers: that get metrics.
        debug: run one batch of training and of validation.
        quiet: no progress bar.
    """
    # Its notices (devices found, advice on workers) are for its own users.
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    on_gpu = config.gpus not in (0, [])
    checkpoints = BestCheckpoints(output_dir, config.checkpoint.save_top_k)
    callbacks: list[Callback] = [checkpoints, Throughput(), LearningCurve(output_dir, module)]
    if config.checkpoint.early_stop_patience:
        callbacks.append(
            EarlyStopping(
                module.monitor,
                mode=module.monitor_mode,
                patience=config.checkpoint.early_stop_patience,
                check_on_train_epoch_end=False,
            )
        )
    show_progress = not quiet and sys.stderr.isatty()
    if show_progress:
        callbacks.append(RichProgressBar(leave=False, console_kwargs={"stderr": True}))
    n_devices = len(config.gpus) if isinstance(config.gpus, list) else config.gpus
    options: dict[str, Any] = {
        "accelerator": "gpu" if on_gpu else "cpu",
        "devices": config.gpus if on_gpu else 1,
        # Outputs that are off, and parts that are frozen for some steps, leave weights without gradients.
        "strategy": "ddp_find_unused_parameters_true" if n_devices not in (0, 1) else "auto",
        "max_epochs": config.epochs,
        "accumulate_grad_batches": config.gradient_accumulation_steps,
        "gradient_clip_val": config.gradient_max_norm or None,
        "log_every_n_steps": config.log_interval,
        "deterministic": config.deterministic,
        "fast_dev_run": debug,
        "callbacks": callbacks,
        "default_root_dir": output_dir,
        "enable_checkpointing": False,
        "enable_progress_bar": show_progress,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "num_sanity_val_steps": 0,
        "logger": list(loggers),
    }
    options |= _precision(config, on_gpu=on_gpu)
    interval = config.checkpoint.validation_steps
    options["val_check_interval"] = interval
    if isinstance(interval, int):
        # Batches of training counted over the whole run, so that an interval may be longer than an epoch.
        options["check_val_every_n_epoch"] = None
    return Trainer(**options), checkpoints


def _precision(config: TrainerConfig, *, on_gpu: bool) -> dict[str, Any]:
    """The option that stands for ``amp_level``; 16 bits are float16 on a GPU and bfloat16 on the CPU."""
    if config.amp_level == "O0":
        return {"precision": "32-true"}
    if config.amp_level == "O3":
        return {"plugins": TrueHalf("16-true" if on_gpu else "bf16-true")}
    return {"precision": "16-mixed" if on_gpu else "bf16-mixed"}

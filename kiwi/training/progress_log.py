"""Lines of progress in the log of a run that nobody watches on a terminal."""

from __future__ import annotations

import logging
import time
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from typing_extensions import override

from kiwi.utils.pace import Pace, format_time

logger = logging.getLogger(__name__)


class ProgressLog(Callback):
    """Logs the step, the training loss, the rate and the remaining time at regular intervals.

    The loss is the mean over the batches since the last line, the rate is that of training since the last line, and the
    remaining time includes validations at the rate of the run so far.
    """

    def __init__(self) -> None:
        self._pace = Pace()
        self._started = self._since = 0.0
        self._first_batch = self._n_batches = self._n_segments = 0
        self._losses: list[Tensor] = []

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._pace = Pace()
        self._started = self._since = time.monotonic()
        self._first_batch = self._n_batches = _count_batches(trainer)

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the batch, and log a line when it is due."""
        self._n_batches += 1
        self._n_segments += len(batch)
        if isinstance(outputs, dict) and isinstance(loss := outputs.get("loss"), Tensor):
            self._losses.append(loss.detach())
        if self._pace.is_due():
            self._log(trainer)

    def _log(self, trainer: Trainer) -> None:
        now = time.monotonic()
        n_processes, epochs = trainer.world_size, trainer.max_epochs or 1
        total = int(trainer.num_training_batches) * epochs
        seconds_per_batch = (now - self._started) / (self._n_batches - self._first_batch)
        loss = float(torch.stack(self._losses).float().mean()) if self._losses else float("nan")
        logger.info(
            "Epoch %d of %d, step %d, batch %d of %d: loss %.4f, %.1f segments/s, %s left",
            trainer.current_epoch + 1,
            epochs,
            trainer.global_step,
            self._n_batches,
            total,
            loss * trainer.accumulate_grad_batches,  # Lightning divides it
            self._n_segments * n_processes / max(now - self._since, 1e-9),
            format_time(max(total - self._n_batches, 0) * seconds_per_batch),
        )
        self._since, self._n_segments, self._losses = now, 0, []

    @override
    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Log a line when it is due, because a validation may take long."""
        if self._pace.is_due():
            total = sum(int(number) for number in trainer.num_val_batches)
            logger.info("Validating after step %d: batch %d of %d", trainer.global_step, batch_idx + 1, total)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the time of the validation out of the rate of training."""
        self._since, self._n_segments = time.monotonic(), 0


def _count_batches(trainer: Trainer) -> int:
    """Return the number of batches of a resumed run before its state was saved."""
    return int(trainer.fit_loop.epoch_loop.total_batch_idx) + 1

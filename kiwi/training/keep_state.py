"""Keeps the state of a run while it trains, and takes it up again."""

from __future__ import annotations

import logging
import random
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins import CheckpointIO

from kiwi.exceptions import ConfigError, StoppedError
from kiwi.training.callbacks import BestCheckpoints
from kiwi.training.metrics_log import MetricsFile
from kiwi.training.module import gathered
from kiwi.training.run_record import RunRecord
from kiwi.training.state import read_state, write_state

logger = logging.getLogger(__name__)

SHARE_OF_TIME = 0.01
"""Of a run, that keeping its state may cost: a state that takes a second to write is written every 100 seconds."""


class StateIO(CheckpointIO):
    """Lightning's own state of a run, as a file that is not pickled."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write it."""
        write_state(Path(path), checkpoint)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read it."""
        return read_state(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        """Remove it."""
        Path(path).unlink(missing_ok=True)


class KeepState(Callback):
    """Saves all that a run needs to go on as if it had never stopped, and goes on from it.

    The state is of the moment before a batch: whatever the batches before it owe (a validation, a checkpoint) is done.
    It is saved as often as costs at most :data:`SHARE_OF_TIME`, and when SIGTERM or Ctrl-C ask the run to stop.

    Args:
        record: of the run; goes with the state.
        checkpoints: the best models, whose files go with it too.
        loggers: of which ``metrics.csv`` goes with it too.
    """

    def __init__(self, record: RunRecord, checkpoints: BestCheckpoints, loggers: Sequence[Logger]) -> None:
        self.record = record
        self.checkpoints = checkpoints
        self.metrics_file = next(each for each in loggers if isinstance(each, MetricsFile))
        self._resumed: dict[str, Any] | None = None
        self._signal: int | None = None
        self._handlers: dict[int, Any] = {}
        self._next_save = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """From now on, signals stop the run between two batches."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._handlers[number] = signal.signal(number, self._on_signal)
        if self._resumed is not None:
            epoch, batch = self._resumed["epoch"], self._resumed["batches"]
            logger.info("Going on before batch %d of epoch %d.", batch + 1, epoch + 1)
            # A schedule may look at the metrics of a validation that is over.
            values = {name: torch.tensor(value) for name, value in self._resumed["metrics"].items()}
            trainer.callback_metrics.update(values)
            if trainer.is_global_zero:
                self.checkpoints.clean()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None:  # asked again: what was saved last has to do
            raise self._stopped(number, "at once")
        self._signal = number
        logger.warning("%s: stopping after this batch, or validation; again to stop at once.", _name(number))

    def _stopped(self, number: int, when: str) -> StoppedError:
        return StoppedError(f"Stopped by {_name(number)} {when}. {self.record.how_to_go_on}", signal_number=number)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Take up the state, or save it where that is due.

        Raises:
            StoppedError: when a signal has asked for it.
        """
        if self._resumed is not None:
            _set_random_states(self._resumed["random"][trainer.global_rank])
            # Lightning counts one more when it goes on: its own states are of the end of a batch.
            trainer.fit_loop.epoch_loop._batches_that_stepped = self._resumed["batches_that_stepped"]
            # It would spare a plateau schedule the end of this epoch, because it does not keep metrics; we do.
            trainer.fit_loop.restarting = False
            self._resumed = None
        if batch_idx % trainer.accumulate_grad_batches:
            return  # gradients are not kept
        stop = _of_any(trainer, self._signal is not None)
        if stop or _of_any(trainer, time.perf_counter() >= self._next_save):
            self.save(trainer)
        if stop:
            when = f"before batch {batch_idx + 1} of epoch {trainer.current_epoch + 1}"
            raise self._stopped(self._signal or signal.SIGTERM, when)

    def save(self, trainer: Trainer) -> None:
        """Write the state of this moment."""
        start = time.perf_counter()
        trainer.save_checkpoint(self.record.state_file)
        if trainer.is_global_zero:
            self.checkpoints.remove_superseded()
            self.record.on_saved()
        now = time.perf_counter()
        self._next_save = now + (now - start) / SHARE_OF_TIME

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add what Lightning does not keep."""
        metrics = {name: value.item() for name, value in trainer.callback_metrics.items() if name.startswith("val_")}
        loops = checkpoint["loops"]["fit_loop"]
        progress = loops["epoch_loop.batch_progress"]
        # This batch has not begun: Lightning would count it a second time.
        progress["is_last_batch"] = False
        for part in ("total", "current"):
            progress[part]["ready"] = progress[part]["completed"]
        checkpoint["run"] = {
            **self.record.kept,
            "metrics": metrics,
            "rows": self.metrics_file.flush(),
            "random": gathered(trainer, _random_states(trainer.strategy.root_device)),
            "epoch": trainer.current_epoch,
            "batches": progress["current"]["completed"],
            "batches_that_stepped": loops["epoch_loop.state_dict"]["_batches_that_stepped"],
        }

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Remember it for the first batch.

        Raises:
            ConfigError: when the run had another number of processes, which parts the data in other batches.
        """
        was, now = len(checkpoint["run"]["random"]), trainer.world_size
        if was != now:
            raise ConfigError(
                f"trainer.resume: found {now} process(es); expected {was}, with which the run was started. Use as many "
                "GPUs or processes, or train its best model further in a new run: system.load."
            )
        self._resumed = checkpoint["run"]
        if trainer.is_global_zero:
            self.metrics_file.go_on(checkpoint["run"]["rows"])

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the signals back, to whom Lightning takes to be their owner."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Give the signals back."""
        self.on_train_end(trainer, pl_module)


def _name(number: int) -> str:
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


def _of_any(trainer: Trainer, mine: bool) -> bool:
    """Whether it holds in any process."""
    return trainer.strategy.reduce_boolean_decision(mine, all=False) if trainer.world_size > 1 else mine


def _random_states(device: torch.device) -> dict[str, Any]:
    kind, keys, *rest = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "python": random.getstate(),
        "numpy": [kind, torch.from_numpy(np.asarray(keys, dtype=np.int64)), *rest],
    }


def _set_random_states(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["torch"])
    if states["cuda"] is not None:
        torch.cuda.set_rng_state(states["cuda"])
    version, keys, gauss = states["python"]
    random.setstate((version, tuple(keys), gauss))
    kind, words, *rest = states["numpy"]
    np.random.set_state((kind, words.numpy().astype(np.uint32), *rest))

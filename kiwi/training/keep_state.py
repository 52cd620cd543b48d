"""Saves the state of a run during training, and restores it when the run is resumed."""

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
from typing_extensions import override

from kiwi.exceptions import ConfigError, StoppedError
from kiwi.training.callbacks import BestCheckpoints
from kiwi.training.devices import gather_objects
from kiwi.training.lightning_internals import restore_counters, rewind_to_batch_start
from kiwi.training.metrics_log import MetricsFile, TrackerMetrics
from kiwi.training.run_record import RunRecord
from kiwi.training.state import read_state, write_state

logger = logging.getLogger(__name__)

SHARE_OF_TIME = 0.01
"""The share of its time that a run may spend on saving its state. At 0.01, a state that takes a second to write is
written every 100 seconds."""


class StateIO(CheckpointIO):
    """Writes and reads Lightning's state of a run without pickle."""

    @override
    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        write_state(Path(path), checkpoint)

    @override
    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        return read_state(Path(path))

    @override
    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


class KeepState(Callback):
    """Saves everything that a run needs to be resumed as if it had never stopped, and resumes it.

    The state is saved before a batch, when everything that follows from the batches before it (a validation, a
    checkpoint) is done. It is saved as often as :data:`SHARE_OF_TIME` allows, and when SIGTERM or Ctrl-C stops the run.

    Args:
        record: the record of the run, which is part of the state.
        checkpoints: the callback whose saved models belong to the state.
        loggers: the loggers; the length of ``metrics.csv`` is part of the state, and trackers get its rows again.
    """

    def __init__(self, record: RunRecord, checkpoints: BestCheckpoints, loggers: Sequence[Logger]) -> None:
        self.record = record
        self.checkpoints = checkpoints
        self.metrics_file = next(each for each in loggers if isinstance(each, MetricsFile))
        self.trackers = [each for each in loggers if isinstance(each, TrackerMetrics)]
        self._resumed: dict[str, Any] | None = None
        self._signal: int | None = None
        self._handlers: dict[int, Any] = {}
        self._next_save = 0.0

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Handle signals from now on; a resumed run restores its metrics and removes files that it does not know."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._handlers[number] = signal.signal(number, self._on_signal)
        if self._resumed is not None:
            epoch, batch = self._resumed["epoch"], self._resumed["batches"]
            logger.info("Resuming before batch %d of epoch %d.", batch + 1, epoch + 1)
            # A schedule may look at the metrics of a validation that is over.
            values = {name: torch.tensor(value) for name, value in self._resumed["metrics"].items()}
            trainer.callback_metrics.update(values)
            if trainer.is_global_zero:
                self.checkpoints.remove_unknown_models()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None:  # asked again: the state that was saved last remains
            raise self._stopped_error(number, "at once")
        self._signal = number
        logger.warning(
            "%s: stopping after this batch or validation. Send it again to stop at once.", _signal_name(number)
        )

    def _stopped_error(self, number: int, when: str) -> StoppedError:
        message = f"Stopped by {_signal_name(number)} {when}. {self.record.resume_advice}"
        return StoppedError(message, signal_number=number)

    @override
    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Restore the state of a resumed run, or save the state where that is due.

        Raises:
            StoppedError: when a signal has asked the run to stop.
        """
        if self._resumed is not None:
            _set_random_states(self._resumed["random"][trainer.global_rank])
            restore_counters(trainer, self._resumed["batches_that_stepped"])
            self._resumed = None
        if batch_idx % trainer.accumulate_grad_batches:
            return  # accumulated gradients are not part of the state
        stop = _in_any_process(trainer, self._signal is not None)
        if stop or _in_any_process(trainer, time.perf_counter() >= self._next_save):
            self.save(trainer)
        if stop:
            when = f"before batch {batch_idx + 1} of epoch {trainer.current_epoch + 1}"
            raise self._stopped_error(self._signal or signal.SIGTERM, when)

    def save(self, trainer: Trainer) -> None:
        """Save the current state."""
        start = time.perf_counter()
        trainer.save_checkpoint(self.record.state_file)
        if trainer.is_global_zero:
            self.checkpoints.remove_superseded()
            self.record.on_saved()
        now = time.perf_counter()
        self._next_save = now + (now - start) / SHARE_OF_TIME

    @override
    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add what Lightning does not save."""
        metrics = {name: value.item() for name, value in trainer.callback_metrics.items() if name.startswith("val_")}
        checkpoint["run"] = {
            **self.record.fingerprint,
            "metrics": metrics,
            "rows": self.metrics_file.flush(),
            "random": gather_objects(trainer, _random_states(trainer.strategy.root_device)),
            "epoch": trainer.current_epoch,
            **rewind_to_batch_start(checkpoint),
        }

    @override
    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keep the state for the first batch.

        Raises:
            ConfigError: when the run was started with another number of processes, which have other batches.
        """
        was, now = len(checkpoint["run"]["random"]), trainer.world_size
        if was != now:
            raise ConfigError(
                f"trainer.resume: found {now} process(es); expected {was}, with which the run was started. Use as many "
                "GPUs or processes, or train its best model further in a new run with system.load."
            )
        self._resumed = checkpoint["run"]
        if trainer.is_global_zero:
            rows = self.metrics_file.resume_after(checkpoint["run"]["rows"])
            for tracker in self.trackers:
                tracker.resume_after(rows)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the former signal handlers."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Restore the former signal handlers."""
        self.on_train_end(trainer, pl_module)


def _signal_name(number: int) -> str:
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


def _in_any_process(trainer: Trainer, mine: bool) -> bool:
    """Return whether a condition holds in any process."""
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

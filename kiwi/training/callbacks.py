"""Callbacks of the training loop: the best models, throughput, a hook for each validation."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from kiwi.exceptions import ConfigError, PrunedError
from kiwi.training.best_model import BestModel, name_checkpoint
from kiwi.training.module import TrainingModule

logger = logging.getLogger(__name__)


MOST_UNVALIDATED = 0.05
"""The share of an epoch after the last validation above which training warns."""


def count_unvalidated(n_batches: int, n_epochs: int, interval: float) -> int:
    """Return the number of batches of a run that are trained after its last validation.

    Args:
        n_batches: the number of batches of an epoch.
        n_epochs: the number of epochs.
        interval: the interval between validations, in batches of the run (an integer), or as a share of an epoch.
    """
    if isinstance(interval, int):
        return (n_batches * n_epochs) % interval
    return n_batches % max(int(n_batches * interval), 1)


class BestCheckpoints(Callback):
    """Saves the best models by the main metric, and remembers the metrics of the best one.

    Checkpoints are in ``checkpoints/`` of the output directory, whose :class:`BestModel` is the best one.

    Args:
        output_dir: the directory of the run.
        save_top_k: the number of models to keep; -1 keeps all, 0 saves none.
    """

    def __init__(self, output_dir: Path, save_top_k: int) -> None:
        self.output_dir = output_dir
        self.save_top_k = save_top_k
        self.best_metrics: dict[str, float] = {}
        self.best_model_path: Path | None = None
        self.best_models: list[tuple[float, Path]] = []
        """The merit (higher is better) and the path of each saved model, best first."""
        self._best_merit = float("-inf")
        self._superseded: list[Path] = []
        self._link = BestModel(output_dir)
        self._is_resumed = False

    @override
    def state_dict(self) -> dict[str, Any]:
        return {
            "best_metrics": self.best_metrics,
            "best_model": self.best_model_path and self.best_model_path.name,
            "best_merit": self._best_merit,
            "kept": [[merit, path.name] for merit, path in self.best_models],
        }

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        # What was saved after this state will be saved again.
        self._is_resumed = True
        self.best_metrics, self._best_merit = state_dict["best_metrics"], state_dict["best_merit"]
        self.best_models = [(merit, self._directory / name) for merit, name in state_dict["kept"]]
        self.best_model_path = state_dict["best_model"] and self._directory / state_dict["best_model"]

    @property
    def _directory(self) -> Path:
        return self.output_dir / "checkpoints"

    def remove_superseded(self) -> None:
        """Remove models that are no longer among the best.

        Call it when a state of the run is on disk that does not refer to them.
        """
        for path in self._superseded:
            shutil.rmtree(path, ignore_errors=True)
        self._superseded = []

    def remove_unknown_models(self) -> None:
        """Remove models that a resumed run does not know; they were saved after its state."""
        unknown = {path.name for path in self._directory.glob("*")} - {path.name for _, path in self.best_models}
        for name in unknown:
            shutil.rmtree(self._directory / name, ignore_errors=True)
        if self.best_model_path is not None:
            self._link.point_to(self.best_model_path)
        else:
            self._link.remove()

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check that there will be a validation, and remove the link to the best model of a former run.

        Raises:
            ConfigError: when the run ends before the first validation.
        """
        n_batches = int(trainer.num_training_batches) * (trainer.max_epochs or 1)
        interval = trainer.val_check_interval
        if isinstance(interval, int) and interval > n_batches:
            raise ConfigError(
                f"trainer.checkpoint.validation_steps: found {interval}; expected at most {n_batches}, the number of "
                "batches of the whole run, because without a validation no model is saved. Lower it, or raise "
                "trainer.epochs."
            )
        n_last = count_unvalidated(int(trainer.num_training_batches), trainer.max_epochs or 1, interval)
        if trainer.is_global_zero and n_last > MOST_UNVALIDATED * trainer.num_training_batches:
            logger.warning(
                "trainer.checkpoint.validation_steps: no validation follows the last %d batches of the run, so that no "
                "saved model has learned from them. Set a share that divides an epoch, such as 0.25.",
                n_last,
            )
        if trainer.is_global_zero and not self._is_resumed and self._link.remove():
            logger.warning(
                "%s: removed best_model, which was that of a former run, whose checkpoints stay in %s.",
                self.output_dir,
                self._directory,
            )

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the model if it is one of the best."""
        assert isinstance(pl_module, TrainingModule)
        if trainer.sanity_checking:
            return
        metrics = {name: value.item() for name, value in trainer.callback_metrics.items() if name.startswith("val_")}
        merit = metrics[pl_module.monitor] * (1.0 if pl_module.monitor_mode == "max" else -1.0)
        is_best = merit > self._best_merit
        if is_best:
            self._best_merit, self.best_metrics = merit, metrics
        full = self.save_top_k >= 0 and len(self.best_models) >= self.save_top_k
        if self.save_top_k == 0 or (full and merit <= self.best_models[-1][0]):
            return
        value = metrics[pl_module.monitor]
        name = name_checkpoint(trainer.current_epoch + 1, trainer.global_step, pl_module.main_metric, value)
        path = self._directory / name
        if any(path == other for _, other in self.best_models):
            return  # validated again before the next optimizer step: the same model
        weights = pl_module.system.weights()
        if trainer.is_global_zero:
            pl_module.system.save(path, metrics, weights)
        # After its equals: among models of the same merit, the first one stays.
        place = sum(other >= merit for other, _ in self.best_models)
        self.best_models.insert(place, (merit, path))
        if is_best:
            self.best_model_path = path
            if trainer.is_global_zero:
                self._link.point_to(path)
        if full:
            self._superseded.append(self.best_models.pop()[1])

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remove what was kept for a run that might have been resumed."""
        if trainer.is_global_zero:
            self.remove_superseded()


class Throughput(Callback):
    """Logs the number of segments per second that each epoch trains on, excluding validation."""

    def __init__(self) -> None:
        self._segments = 0
        self._seconds = 0.0
        self._since = 0.0

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock, because a resumed run may start inside an epoch."""
        self.on_train_epoch_start(trainer, pl_module)

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._segments, self._seconds, self._since = 0, 0.0, time.perf_counter()

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the segments of the batch."""
        self._segments += len(batch)

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._seconds += time.perf_counter() - self._since

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restart the clock."""
        self._since = time.perf_counter()

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        seconds = self._seconds + time.perf_counter() - self._since
        logger.info("Epoch %d: trained on %.0f segments/s", trainer.current_epoch + 1, self._segments / seconds)


class ValidationHook(Callback):
    """Calls a function after each validation, and ends the run when the function asks for it.

    Args:
        on_validation: the function; it takes the number of the validation, from 1, and the main metric, and returns
            whether to end the run.
        resume_advice: a sentence that says how to resume a run that was ended.
    """

    def __init__(self, on_validation: Callable[[int, float], bool], resume_advice: str) -> None:
        self.on_validation = on_validation
        self.resume_advice = resume_advice
        self.n_validations = 0

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"n_validations": self.n_validations}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.n_validations = state_dict["n_validations"]

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Call the function.

        Raises:
            PrunedError: when the function asks to end the run.
        """
        assert isinstance(pl_module, TrainingModule)
        if trainer.sanity_checking:
            return
        self.n_validations += 1
        value = float(trainer.callback_metrics[pl_module.monitor])
        if self.on_validation(self.n_validations, value):
            raise PrunedError(
                f"Ended early, after validation {self.n_validations} ({pl_module.monitor} {value:.4f}). "
                f"{self.resume_advice}"
            )

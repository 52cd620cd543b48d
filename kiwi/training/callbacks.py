"""What happens beside the training loop."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from kiwi.exceptions import ConfigError, PrunedError
from kiwi.training.module import TrainingModule

logger = logging.getLogger(__name__)

BEST_MODEL = "best_model"


class BestCheckpoints(Callback):
    """Saves the best models by the main metric, and remembers the metrics of the best.

    Checkpoints lie in ``checkpoints/`` of the output directory; ``best_model`` there links to the best of them.

    Args:
        output_dir: of the run.
        save_top_k: models to keep; -1 keeps all, 0 saves none.
    """

    def __init__(self, output_dir: Path, save_top_k: int) -> None:
        self.output_dir = output_dir
        self.save_top_k = save_top_k
        self.best_metrics: dict[str, float] = {}
        self.best_model_path: Path | None = None
        self.kept: list[tuple[float, Path]] = []
        """Merit (higher is better) and path, best first."""
        self._best_merit = float("-inf")
        self._superseded: list[Path] = []

    def state_dict(self) -> dict[str, Any]:
        """What a run that goes on has to know, paths relative to the output directory."""
        return {
            "best_metrics": self.best_metrics,
            "best_model": self.best_model_path and self.best_model_path.name,
            "best_merit": self._best_merit,
            "kept": [[merit, path.name] for merit, path in self.kept],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a former state; what was saved after it will be saved again."""
        self.best_metrics, self._best_merit = state_dict["best_metrics"], state_dict["best_merit"]
        self.kept = [(merit, self._directory / name) for merit, name in state_dict["kept"]]
        self.best_model_path = state_dict["best_model"] and self._directory / state_dict["best_model"]

    @property
    def _directory(self) -> Path:
        return self.output_dir / "checkpoints"

    def remove_superseded(self) -> None:
        """Remove models that are no longer among the best.

        They stay until the state of the run is on disk that does not ask for them any more.
        """
        for path in self._superseded:
            shutil.rmtree(path, ignore_errors=True)
        self._superseded = []

    def clean(self) -> None:
        """Leave on disk what the run knows of; an interrupted one may have written more."""
        there = {path.name for path in self._directory.glob("*")} - {path.name for _, path in self.kept}
        for name in there:
            shutil.rmtree(self._directory / name, ignore_errors=True)
        if self.best_model_path is not None:
            _link(self.output_dir / BEST_MODEL, self.best_model_path)
        else:
            (self.output_dir / BEST_MODEL).unlink(missing_ok=True)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """See that there will be a validation.

        Raises:
            ConfigError: when the run ends before the first one.
        """
        n_batches = int(trainer.num_training_batches) * (trainer.max_epochs or 1)
        interval = trainer.val_check_interval
        if isinstance(interval, int) and interval > n_batches:
            raise ConfigError(
                f"trainer.checkpoint.validation_steps: found {interval}; expected at most {n_batches}, the batches of "
                "the whole run, because without a validation no model is chosen."
            )

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save if this is one of the best."""
        assert isinstance(pl_module, TrainingModule)
        if trainer.sanity_checking:
            return
        metrics = {name: value.item() for name, value in trainer.callback_metrics.items() if name.startswith("val_")}
        merit = metrics[pl_module.monitor] * (1.0 if pl_module.monitor_mode == "max" else -1.0)
        is_best = merit > self._best_merit
        if is_best:
            self._best_merit, self.best_metrics = merit, metrics
        full = self.save_top_k >= 0 and len(self.kept) >= self.save_top_k
        if self.save_top_k == 0 or (full and merit <= self.kept[-1][0]):
            return
        value = metrics[pl_module.monitor]
        step = trainer.global_step
        path = self._directory / f"epoch={trainer.current_epoch + 1}-step={step}-{pl_module.monitor}={value:.4f}"
        if any(path == other for _, other in self.kept):
            return  # validated again before the next optimizer step: the same model
        weights = pl_module.system.weights()
        if trainer.is_global_zero:
            pl_module.system.save(path, metrics, weights)
        # Behind its equals: among models of the same merit, the first one stays.
        place = sum(other >= merit for other, _ in self.kept)
        self.kept.insert(place, (merit, path))
        if is_best:
            self.best_model_path = path
            if trainer.is_global_zero:
                _link(self.output_dir / BEST_MODEL, path)
        if full:
            self._superseded.append(self.kept.pop()[1])

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Nothing will be asked for again."""
        if trainer.is_global_zero:
            self.remove_superseded()


class Throughput(Callback):
    """Logs how many segments a second each epoch trains on, validation not counted."""

    def __init__(self) -> None:
        self._segments = 0
        self._seconds = 0.0
        self._since = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock; a run that goes on may begin inside an epoch."""
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._segments, self._seconds, self._since = 0, 0.0, time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count."""
        self._segments += len(batch)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock."""
        self._seconds += time.perf_counter() - self._since

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start it again."""
        self._since = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log."""
        seconds = self._seconds + time.perf_counter() - self._since
        logger.info("Epoch %d: trained on %.0f segments/s", trainer.current_epoch + 1, self._segments / seconds)


class Watched(Callback):
    """Tells who watches the run the main metric of each validation, and ends the run when asked to.

    Args:
        on_validation: takes the number of the validation, from 1, and the main metric; whether the run is to end.
        how_to_go_on: the advice of a run that was ended.
    """

    def __init__(self, on_validation: Callable[[int, float], bool], how_to_go_on: str) -> None:
        self.on_validation = on_validation
        self.how_to_go_on = how_to_go_on
        self.n_validations = 0

    def state_dict(self) -> dict[str, Any]:
        """What a run that goes on has to know."""
        return {"n_validations": self.n_validations}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a former state."""
        self.n_validations = state_dict["n_validations"]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell.

        Raises:
            PrunedError: when the run is to end.
        """
        assert isinstance(pl_module, TrainingModule)
        if trainer.sanity_checking:
            return
        self.n_validations += 1
        value = float(trainer.callback_metrics[pl_module.monitor])
        if self.on_validation(self.n_validations, value):
            raise PrunedError(
                f"Ended early, after validation {self.n_validations} ({pl_module.monitor} {value:.4f}). "
                f"{self.how_to_go_on}"
            )


def _link(link: Path, target: Path) -> None:
    """Make ``link`` point to ``target``, in one step."""
    stage = link.with_name(f".{link.name}.part")
    with suppress(FileNotFoundError):
        stage.unlink()
    stage.symlink_to(os.path.relpath(target, link.parent), target_is_directory=True)
    stage.replace(link)

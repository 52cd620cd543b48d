"""Each private part of Lightning that training relies on, on a real trainer of a tiny model."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from kiwi.lib.utils import ignore_warnings_of
from kiwi.training import lightning_internals
from kiwi.training.keep_state import StateIO
from kiwi.training.metrics_log import PlainLogger
from kiwi.training.state import read_state

N_BATCHES = 5


class Model(LightningModule):
    """A weight, with a schedule that lowers the rate at the end of each epoch without a better metric."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 1)

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        loss: Tensor = self.linear(batch).square().mean()
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("metric", 1.0)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        schedule = ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "monitor": "metric", "strict": False}}


class Log(PlainLogger):
    """The steps at which the loss was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int] = []

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if "loss" in metrics and step is not None:
            self.steps.append(step)


class Watch(Callback):
    """Counts batches; stops before one of them, with a state on disk, or starts from such a state."""

    def __init__(self, state_file: Path | None = None, stop_before: tuple[int, int] | None = None) -> None:
        self.state_file = state_file
        self.stop_before = stop_before
        self.batches: list[tuple[int, int]] = []
        self.logging_steps: list[int] = []
        self.resumed: dict[str, Any] | None = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if self.resumed is not None:
            trainer.callback_metrics["metric"] = torch.tensor(1.0)
            lightning_internals.restore_counters(trainer, self.resumed["batches_that_stepped"])
            self.resumed = None
        if (trainer.current_epoch, batch_idx) == self.stop_before:
            assert self.state_file is not None
            trainer.save_checkpoint(self.state_file)
            raise InterruptedError
        self.batches.append((trainer.current_epoch, batch_idx))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if lightning_internals.is_logging_step(trainer):
            self.logging_steps.append(trainer.global_step - 1)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["run"] = lightning_internals.rewind_to_batch_start(checkpoint)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self.resumed = checkpoint["run"]


class Batches:
    """The batches of an epoch that are left."""

    def __init__(self, start: int) -> None:
        self.start = start

    def __iter__(self) -> Iterator[Tensor]:
        start, self.start = self.start, 0
        return iter(torch.ones(N_BATCHES - start, 1, 1))

    def __len__(self) -> int:
        return N_BATCHES


def fit(directory: Path, watch: Watch, log: Log, start: int = 0, state_file: Path | None = None) -> Model:
    torch.manual_seed(1)
    model = Model()
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=3,
        callbacks=[watch],
        logger=log,
        log_every_n_steps=2,
        plugins=[StateIO()],
        default_root_dir=directory,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    with ignore_warnings_of("lightning"):
        trainer.fit(model, Batches(start), [torch.ones(1, 1)], ckpt_path=state_file)
    return model


def state_of(model: Model) -> tuple[list[float], float]:
    optimizer: Any = model.optimizers()
    return [weight.item() for weight in model.parameters()], optimizer.param_groups[0]["lr"]


def test_logging_steps_are_those_that_are_logged(tmp_path: Path) -> None:
    watch, log = Watch(), Log()
    fit(tmp_path, watch, log)
    assert watch.logging_steps == log.steps == [1, 3, 5, 7, 9, 11, 13]


@pytest.mark.parametrize("batch", [(0, 0), (0, 3), (1, 0), (1, N_BATCHES - 1), (2, 2)])
def test_a_run_resumes_with_the_batch_that_it_stopped_before(tmp_path: Path, batch: tuple[int, int]) -> None:
    whole, whole_log = Watch(), Log()
    expected = state_of(fit(tmp_path, whole, whole_log))
    assert expected[1] == 0.1 * 0.5**2  # two of three epochs were not better
    first, log = Watch(tmp_path / "state.safetensors", stop_before=batch), Log()
    with pytest.raises(InterruptedError):
        fit(tmp_path, first, log)
    progress = read_state(tmp_path / "state.safetensors")["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    assert not progress["is_last_batch"]
    second = Watch()
    found = state_of(fit(tmp_path, second, log, start=batch[1], state_file=first.state_file))
    assert first.batches + second.batches == whole.batches
    assert second.batches[0] == batch
    assert log.steps == whole_log.steps
    assert found == expected


def test_the_installed_version_is_tested() -> None:
    assert lightning.__version__.startswith(tuple(f"{version}." for version in lightning_internals.TESTED_WITH))


@pytest.mark.parametrize(
    ("version", "warns"), [("2.5.5", False), ("2.6.99", False), ("2.7.0", True), ("2.10.0.dev1", True), ("3.0", True)]
)
def test_a_newer_version_is_warned_of_once(
    version: str, warns: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lightning, "__version__", version)
    lightning_internals.warn_if_untested.cache_clear()
    with caplog.at_level(logging.WARNING, logger="kiwi"):
        lightning_internals.warn_if_untested()
        lightning_internals.warn_if_untested()
    lightning_internals.warn_if_untested.cache_clear()
    assert [f"Found Lightning {version}" in record.getMessage() for record in caplog.records] == [True] * warns

"""A run that is stopped anywhere, and goes on, ends as one that never stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kiwi.exceptions import StoppedError
from kiwi.lib.train import TrainRunInfo, train_from_configuration
from kiwi.training import keep_state

Options = Callable[..., dict[str, Any]]


def files(directory: Path) -> dict[str, bytes]:
    """Everything a run leaves but its log, times, and the paths of its own directory."""
    leave = {"output.log", "run.json", "config.yaml", ".lock"}
    there = [path for path in sorted(directory.rglob("*")) if path.is_file() and path.name not in leave]
    content = {str(path.relative_to(directory)): path.read_bytes() for path in there}
    return content | {
        str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.glob("checkpoints/*/*.yaml"))
    }


def stopped_everywhere(
    options: dict[str, Any], output_dir: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> TrainRunInfo:
    """Train, stopping again and again after so many batches."""
    plain = keep_state.KeepState.on_train_batch_start
    begun = 0

    def counted(self: keep_state.KeepState, *args: Any) -> None:
        nonlocal begun
        begun += 1
        if begun % every == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        plain(self, *args)

    monkeypatch.setattr(keep_state.KeepState, "on_train_batch_start", counted)
    options = {**options, "run": {**options["run"], "output_dir": str(output_dir)}}
    for attempt in range(100):
        try:
            return train_from_configuration(options)
        except StoppedError:
            options = {**options, "trainer": {**options["trainer"], "resume": True}}
    raise AssertionError(f"still not done after {attempt} stops")


VARIANTS: dict[str, dict[str, Any]] = {
    "validation each epoch": {},
    "twice an epoch, three kept": {
        "trainer.checkpoint.validation_steps": 0.5,
        "trainer.checkpoint.save_top_k": 3,
    },
    "every three batches": {"trainer.checkpoint.validation_steps": 3},
    "plateau": {
        "system.optimizer": {"class_name": "sgd", "learning_rate": 0.01, "learning_rate_decay": 0.5,
                             "learning_rate_decay_start": 0},
        "trainer.checkpoint.validation_steps": 2,
    },
    "warm-up": {"system.optimizer": {"class_name": "adamw", "learning_rate": 0.01, "warmup_steps": 0.3}},
    "accumulation": {"trainer.gradient_accumulation_steps": 2, "trainer.checkpoint.validation_steps": 3},
    "early stop": {"trainer.checkpoint.early_stop_patience": 2, "system.optimizer.learning_rate": 1e-9},
    "sparse": {
        "system.optimizer": {"class_name": "sparse_adam", "learning_rate": 0.01},
        "system.model.encoder.embeddings": {"source": {"dim": 8, "sparse_embeddings": True}, "target": {"dim": 8}}
    },
    "bfloat16": {"trainer.precision": "bf16", "trainer.amp_level": "O1"},
    "buckets and workers": {"data.buffer_size": 16, "system.num_data_workers": 2},
}


@pytest.mark.parametrize("name", list(VARIANTS))
@pytest.mark.parametrize("every", [2, 3])
def test_a_run_that_goes_on_ends_as_one_that_never_stopped(
    name: str, every: int, options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = options({"trainer.epochs": 3, "trainer.log_interval": 1, **VARIANTS[name]})
    settings["run"]["output_dir"] = str(tmp_path / "whole")
    whole = train_from_configuration(settings)
    parts = stopped_everywhere(settings, tmp_path / "parts", monkeypatch, every)
    for weight, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, parts.model.state_dict()[weight]), weight
    assert whole.best_metrics == parts.best_metrics
    assert (whole.best_model_path and whole.best_model_path.name) == (
        parts.best_model_path and parts.best_model_path.name
    )
    one, other = files(tmp_path / "whole"), files(tmp_path / "parts")
    assert list(one) == list(other)
    assert [file for file in one if one[file] != other[file]] == []

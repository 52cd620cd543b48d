"""The models that are kept, on real runs of several validations."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch.optim.optimizer import register_optimizer_step_post_hook

from kiwi.lib.train import train_from_configuration
from kiwi.systems.qe_system import QESystem
from kiwi.training.callbacks import count_unvalidated

Options = Callable[..., dict[str, Any]]

RUN = {
    "trainer.epochs": 3,
    "trainer.main_metric": "RMSE",
    "trainer.checkpoint.validation_steps": 0.5,
    "trainer.log_interval": 1,
    "system.optimizer": {"class_name": "sgd", "learning_rate": 0.02},
    "system.model.outputs": {"sentence_level": {"hter": True}},
}


@pytest.mark.parametrize(
    ("n_batches", "n_epochs", "interval", "expected"),
    [(1051, 1, 0.34, 337), (1051, 1, 0.5, 1), (1051, 3, 1.0, 0), (10, 3, 4, 2), (10, 3, 15, 0), (3, 1, 0.1, 0)],
)
def test_batches_after_the_last_validation(n_batches: int, n_epochs: int, interval: float, expected: int) -> None:
    assert count_unvalidated(n_batches, n_epochs, interval) == expected


def test_a_run_whose_end_is_not_validated_warns(
    options: Options, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    short = {"trainer.epochs": 1, "run.output_dir": str(tmp_path / "run"), "trainer.checkpoint.validation_steps": 0.4}
    train_from_configuration(options({**RUN, **short}))
    assert "no validation follows the last" in caplog.text


def validations(output_dir: Path, metric: str) -> list[float]:
    """Return the metric at each validation, as logged."""
    with (output_dir / "metrics.csv").open(encoding="utf-8") as file:
        return [float(row[metric]) for row in csv.DictReader(file) if row[metric]]


def kept(output_dir: Path) -> dict[str, float]:
    """Return the names of the checkpoints and their main metric."""
    return {
        path.name: yaml.safe_load((path / "config.yaml").read_text())["metrics"]["val_RMSE"]
        for path in (output_dir / "checkpoints").glob("*")
    }


@pytest.mark.parametrize("save_top_k", [1, 2, -1])
def test_the_best_are_kept(options: Options, tmp_path: Path, save_top_k: int) -> None:
    info = train_from_configuration(options({**RUN, "trainer.checkpoint.save_top_k": save_top_k}))
    values = validations(tmp_path / "run", "val_RMSE")
    assert len(values) == 6
    assert len(set(values)) == 6
    best = sorted(values)[: None if save_top_k == -1 else save_top_k]
    assert sorted(kept(tmp_path / "run").values()) == pytest.approx(best)
    assert info.best_metrics["val_RMSE"] == pytest.approx(best[0])
    assert info.best_model_path is not None
    assert kept(tmp_path / "run")[info.best_model_path.name] == pytest.approx(best[0])
    link = tmp_path / "run" / "best_model"
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert link.resolve() == info.best_model_path.resolve()
    for name in kept(tmp_path / "run"):
        assert QESystem.load(tmp_path / "run" / "checkpoints" / name).class_name == "NuQE"
        assert f"val_RMSE={kept(tmp_path / 'run')[name]:.4f}" in name


def test_none_is_kept(options: Options, tmp_path: Path) -> None:
    info = train_from_configuration(options({**RUN, "trainer.checkpoint.save_top_k": 0}))
    assert info.best_model_path is None
    assert info.best_metrics["val_RMSE"] == pytest.approx(min(validations(tmp_path / "run", "val_RMSE")))
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert not (tmp_path / "run" / "best_model").exists()


def test_higher_is_better_for_a_correlation(options: Options, tmp_path: Path) -> None:
    info = train_from_configuration(options({**RUN, "trainer.main_metric": "PEARSON"}))
    values = validations(tmp_path / "run", "val_PEARSON")
    assert info.best_metrics["val_PEARSON"] == pytest.approx(max(values))
    assert len(kept(tmp_path / "run")) == 1


def test_of_equals_the_first_stays(options: Options, tmp_path: Path) -> None:
    # A rate this low changes the loss, and no tag.
    changes = {
        **RUN,
        "trainer.main_metric": "target_tags_MCC",
        "system.optimizer.learning_rate": 1e-6,
        "system.model.outputs": {"word_level": {"target": True}},
    }
    info = train_from_configuration(options(changes))
    assert len(set(validations(tmp_path / "run", "val_target_tags_MCC"))) == 1
    losses = validations(tmp_path / "run", "val_loss")
    assert len(set(losses)) > 1
    assert info.best_metrics["val_loss"] == losses[0]
    assert info.best_model_path is not None
    saved = yaml.safe_load((info.best_model_path / "config.yaml").read_text())["metrics"]
    assert saved["val_loss"] == losses[0]
    assert info.best_model_path.name.startswith("epoch=1-")


def test_validations_between_optimizer_steps(options: Options, tmp_path: Path) -> None:
    # Several validations at the same optimizer step measure the same model; those of later steps are better.
    changes = {
        **RUN,
        "data.valid": options()["data"]["train"],
        "trainer.epochs": 4,
        "trainer.gradient_accumulation_steps": 4,
        "trainer.checkpoint.validation_steps": 1,
        "trainer.checkpoint.save_top_k": 2,
    }
    info = train_from_configuration(options(changes))
    assert info.best_model_path is not None
    assert info.best_model_path.is_dir()
    values = validations(tmp_path / "run", "val_RMSE")
    assert kept(tmp_path / "run")[info.best_model_path.name] == pytest.approx(min(values))
    assert len(kept(tmp_path / "run")) == 2


def test_a_second_run_in_the_same_directory(options: Options, tmp_path: Path) -> None:
    first = train_from_configuration(options({**RUN, "trainer.epochs": 1}))
    second = train_from_configuration(options({**RUN, "trainer.epochs": 1, "run.seed": 2}))
    assert second.best_model_path is not None
    assert (tmp_path / "run" / "best_model").resolve() == second.best_model_path.resolve()
    assert first.best_metrics != second.best_metrics
    saved = yaml.safe_load((tmp_path / "run" / "best_model" / "config.yaml").read_text())["metrics"]
    assert json.dumps(saved, sort_keys=True) == json.dumps(second.best_metrics, sort_keys=True)


def test_the_best_model_of_a_former_run_is_not_taken_for_that_of_this_one(
    options: Options, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = train_from_configuration(options({**RUN, "trainer.epochs": 1}))
    second = train_from_configuration(options({**RUN, "trainer.epochs": 1, "trainer.checkpoint.save_top_k": 0}))
    assert second.best_model_path is None
    assert not (tmp_path / "run" / "best_model").is_symlink()
    assert "removed best_model, which was that of a former run" in caplog.text
    assert first.best_model_path is not None
    assert QESystem.load(first.best_model_path).class_name == "NuQE"


@pytest.mark.parametrize("changes", [{}, {"trainer.gradient_accumulation_steps": 2}])
def test_what_is_logged_does_not_depend_on_how_often(options: Options, tmp_path: Path, changes: dict[str, Any]) -> None:
    rows = {}
    for interval in (1, 3):
        output_dir = tmp_path / str(interval)
        train_from_configuration(
            options({**RUN, **changes, "trainer.log_interval": interval, "run.output_dir": str(output_dir)})
        )
        with (output_dir / "metrics.csv").open(encoding="utf-8") as file:
            rows[interval] = {int(row["step"]): row for row in csv.DictReader(file) if row["train_loss"]}
    assert list(rows[3]) == [step for step in rows[1] if step % 3 == 2]
    assert len(rows[3]) > 1
    for step, row in rows[3].items():
        assert row == rows[1][step]


@pytest.mark.parametrize("precision", [32, "bf16"])
def test_the_norm_of_the_gradients_is_limited(
    options: Options, monkeypatch: pytest.MonkeyPatch, precision: int | str
) -> None:
    norms = []

    def look(optimizer: Any, *_: Any) -> None:
        grads = [w.grad for group in optimizer.param_groups for w in group["params"] if w.grad is not None]
        norms.append(torch.nn.utils.get_total_norm(grads).item())

    handle = register_optimizer_step_post_hook(look)
    try:
        changes = {
            "trainer.epochs": 1,
            "trainer.gradient_max_norm": 1e-3,
            "trainer.precision": precision,
            "trainer.amp_level": "O0" if precision == 32 else "O1",
            "system.optimizer": {"class_name": "adam", "learning_rate": 1e-3},
        }
        train_from_configuration(options({**RUN, **changes}))
    finally:
        handle.remove()
    assert max(norms) <= 1.001e-3

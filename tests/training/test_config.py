from __future__ import annotations

import logging
from typing import Any

import pytest

from kiwi.exceptions import ConfigError
from kiwi.training.config import CheckpointsConfig, GPUConfig, TrainerConfig


@pytest.mark.parametrize(("gpus", "warns"), [(0, False), ([], False), (1, True), (-1, True), ([0, 2], True), (8, True)])
def test_without_a_gpu_training_falls_back_to_the_cpu(
    gpus: int | list[int], warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="kiwi"):
        assert GPUConfig.from_dict({"gpus": gpus}).gpus == 0
    assert ("none is available: training on the CPU" in caplog.text) == warns
    assert len(caplog.records) == warns
    if warns:
        assert str(gpus) in caplog.text


@pytest.mark.parametrize(
    ("options", "precision", "amp_level", "warning"),
    [
        ({}, 32, "O0", None),
        ({"precision": 32, "amp_level": "O0"}, 32, "O0", None),
        ({"precision": "bf16"}, "bf16", "O1", "using O1, mixed precision"),
        ({"precision": "bf16", "amp_level": "O0"}, "bf16", "O1", "using O1, mixed precision"),
        ({"precision": "bf16", "amp_level": "O1"}, "bf16", "O1", None),
        ({"precision": "bf16", "amp_level": "O2"}, "bf16", "O2", None),
        ({"precision": "bf16", "amp_level": "O3"}, "bf16", "O3", None),
        ({"amp_level": "O1"}, 32, "O0", "using O0, full precision"),
        ({"precision": 32, "amp_level": "O3"}, 32, "O0", "using O0, full precision"),
    ],
)
def test_precision_and_level_agree(
    options: dict[str, Any],
    precision: int | str,
    amp_level: str,
    warning: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, logger="kiwi"):
        config = GPUConfig.from_dict(options)
    assert (config.precision, config.amp_level) == (precision, amp_level)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * (warning is not None)
    assert (warning or "") in caplog.text


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("target_tags_MCC", None),
        ("RMSE", None),
        (["target_tags_MCC", "PEARSON"], None),
        (["RMSE", "target_PERP"], None),
        (["val_target_tags_MCC", "val_PEARSON"], None),
        (["PEARSON", "RMSE"], "higher is better for PEARSON, lower for RMSE"),
        (["target_tags_F1_MULT", "SPEARMAN", "target_ExpErr"], "lower for target_ExpErr"),
        ([], "expected at least one metric"),
    ],
)
def test_metrics_that_are_added_up_agree_on_what_is_better(metric: Any, message: str | None) -> None:
    if message is None:
        assert TrainerConfig.from_dict({"main_metric": metric}).main_metric == metric
        return
    with pytest.raises(ConfigError) as error:
        TrainerConfig.from_dict({"main_metric": metric})
    assert "main_metric: " in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize("gpus", [0, []])
def test_float16_is_for_gpus(gpus: Any) -> None:
    with pytest.raises(ConfigError) as error:
        GPUConfig.from_dict({"gpus": gpus, "precision": 16})
    assert "precision: float16 is for GPUs, and this run is on the CPU; use auto" in str(error.value)


@pytest.mark.parametrize("flags", [set(), {"bf16"}, {"avx512_bf16"}, {"amx_bf16", "avx512_bf16"}])
@pytest.mark.parametrize(
    "options",
    [
        {"precision": "auto"},
        {"precision": "auto", "amp_level": "O1"},
        {"precision": "auto", "amp_level": "O3"},
        {"gpus": 1, "precision": 16, "amp_level": "O2"},
        {"gpus": [0, 1], "precision": 16},
        {"gpus": -1, "precision": "bf16"},
    ],
)
def test_auto_and_the_fallback_to_the_cpu_choose_what_the_processor_multiplies(
    options: dict[str, Any], flags: set[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("kiwi.systems.precision.cpu_flags", lambda: frozenset(flags))
    with caplog.at_level(logging.WARNING, logger="kiwi"):
        config = GPUConfig.from_dict(options)
    levels = {"O1": "O1", "O2": "O2", "O3": "O3"}
    expected = ("bf16", levels.get(options.get("amp_level", ""), "O1")) if flags else (32, "O0")
    assert (config.gpus, config.precision, config.amp_level) == (0, *expected)
    assert len(caplog.records) == ("gpus" in options)  # one warning, about the device
    for plain in ({}, {"precision": 32}):
        assert GPUConfig.from_dict({"gpus": options.get("gpus", 0), **plain}).precision == 32
    # What the run records leads to the same choice elsewhere.
    assert GPUConfig.from_dict(config.model_dump(mode="json")) == config


def test_defaults() -> None:
    assert TrainerConfig().model_dump() == {
        "gpus": 0,
        "precision": 32,
        "amp_level": "O0",
        "num_nodes": 1,
        "strategy": "ddp",
        "average_weights": None,
        "resume": False,
        "epochs": 50,
        "gradient_accumulation_steps": 1,
        "gradient_max_norm": 0.0,
        "main_metric": None,
        "log_interval": 100,
        "log_save_interval": 100,
        "checkpoint": {"validation_steps": 1.0, "save_top_k": 1, "early_stop_patience": 0},
        "deterministic": True,
    }


@pytest.mark.parametrize(("value", "kind"), [(1.0, float), (0.25, float), (1, int), (5, int), (1000, int)])
def test_validation_steps_are_a_share_or_a_number(value: float, kind: type) -> None:
    steps = CheckpointsConfig.from_dict({"validation_steps": value}).validation_steps
    assert steps == value
    assert type(steps) is kind


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"checkpoint": {"validation_steps": 0}}, "checkpoint.validation_steps"),
        ({"checkpoint": {"validation_steps": 0.0}}, "checkpoint.validation_steps"),
        ({"checkpoint": {"validation_steps": 1.5}}, "checkpoint.validation_steps"),
        ({"checkpoint": {"validation_steps": -1}}, "checkpoint.validation_steps"),
        ({"checkpoint": {"save_top_k": -2}}, "checkpoint.save_top_k"),
        ({"checkpoint": {"early_stop_patience": -1}}, "checkpoint.early_stop_patience"),
        ({"precision": 64}, "precision"),
        ({"precision": "fp8"}, "precision"),
        ({"num_nodes": 0}, "num_nodes"),
        ({"strategy": "dp"}, "strategy"),
        ({"amp_level": "O4"}, "amp_level"),
        ({"gpus": "all"}, "gpus"),
        ({"epochs": 0}, "epochs"),
        ({"gradient_accumulation_steps": 0}, "gradient_accumulation_steps"),
        ({"gradient_max_norm": -0.1}, "gradient_max_norm"),
        ({"log_interval": 0}, "log_interval"),
        ({"epoch": 3}, "epoch: unknown key; did you mean 'epochs'?"),
    ],
)
def test_configuration_errors(options: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as error:
        TrainerConfig.from_dict(options)
    assert key in str(error.value)

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from kiwi.exceptions import ConfigError
from kiwi.lib.train import train_from_configuration
from kiwi.training.averages import AveragedWeights

Options = Callable[..., dict[str, Any]]


def test_the_average_is_saved_and_training_continues_without_it(
    options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[dict[str, torch.Tensor]] = []  # the first is the beginning
    begin, add = AveragedWeights.on_train_start, AveragedWeights.on_train_batch_end

    def record(module: Any) -> None:
        steps.append({name: weight.detach().clone() for name, weight in module.system.named_parameters()})

    def beginning(self: AveragedWeights, trainer: Any, module: Any) -> None:
        record(module)
        begin(self, trainer, module)

    def adding(self: AveragedWeights, trainer: Any, module: Any, *rest: Any) -> None:
        record(module)
        add(self, trainer, module, *rest)

    changes = {"trainer.epochs": 1, "trainer.average_weights": 0.9, "trainer.checkpoint.validation_steps": 1.0}
    plain = train_from_configuration(options({"trainer.epochs": 1}))
    with monkeypatch.context() as patch:
        patch.setattr(AveragedWeights, "on_train_start", beginning)
        patch.setattr(AveragedWeights, "on_train_batch_end", adding)
        info = train_from_configuration(options(changes))
    assert len(steps) > 3
    for name, weight in plain.model.named_parameters():
        assert torch.equal(weight, dict(info.model.named_parameters())[name])
    assert info.best_model_path is not None
    saved = load_file(Path(info.best_model_path) / "model.safetensors")
    for name in ("outputs.by_name.target_tags.linear.weight", "decoder.target.block_1.1.weight"):
        expected = steps[0][name]
        for number, weights in enumerate(steps[1:], start=1):
            decay = min(0.9, (1 + number) / (10 + number))
            expected = decay * expected + (1 - decay) * weights[name]
        torch.testing.assert_close(saved[name], expected, rtol=0, atol=1e-6)
        assert not torch.allclose(saved[name], steps[-1][name], rtol=0, atol=1e-4)


def test_sharded_weights_have_no_average(options: Options) -> None:
    with pytest.raises(ConfigError, match="average_weights is not supported with strategy: fsdp"):
        train_from_configuration(options({"trainer.average_weights": 0.9, "trainer.strategy": "fsdp"}))

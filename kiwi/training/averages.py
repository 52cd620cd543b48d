"""Moving averages of the weights during training."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from typing_extensions import override


class AveragedWeights(Callback):
    """Validates and saves a moving average of the weights instead of the weights (Polyak and Juditsky 1992,
    doi:10.1137/0330046).

    Training itself continues with the weights. The callback runs after the one that saves models, so that averages are
    saved.

    Args:
        decay: the decay of the average per optimizer step; lower in the first steps, so that the initial weights are
            soon forgotten.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.n_steps = 0
        self.averages: dict[str, Tensor] = {}
        self._trained: dict[str, Tensor] = {}

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"n_steps": self.n_steps, "averages": self.averages}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.n_steps, self.averages = state_dict["n_steps"], state_dict["averages"]

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self.averages:
            self.averages = {name: weight.detach().clone() for name, weight in _trained_weights(pl_module).items()}
        self.averages = {name: weight.to(pl_module.device) for name, weight in self.averages.items()}

    @override
    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self.n_steps:
            return  # gradients are being accumulated
        self.n_steps = trainer.global_step
        share = 1 - min(self.decay, (1 + self.n_steps) / (10 + self.n_steps))
        weights = _trained_weights(pl_module)
        torch._foreach_lerp_(list(self.averages.values()), [weights[name] for name in self.averages], share)

    @override
    @torch.no_grad()
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        weights = _trained_weights(pl_module)
        self._trained = {name: weights[name].detach().clone() for name in self.averages}
        for name, average in self.averages.items():
            weights[name].copy_(average)

    @override
    @torch.no_grad()
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        weights = _trained_weights(pl_module)
        for name, weight in self._trained.items():
            weights[name].copy_(weight)
        self._trained = {}


def _trained_weights(module: LightningModule) -> dict[str, Tensor]:
    """Return the weights that are trained, by name."""
    return {name: weight for name, weight in module.named_parameters() if weight.requires_grad}

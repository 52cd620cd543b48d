"""Means of weights along the way of training."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor


class AveragedWeights(Callback):
    """Validates, and saves, a moving average of the weights in their place (Polyak and Juditsky 1992,
    10.1137/0330046).

    Training itself goes on with the weights as they are. Stands behind what saves models, which thereby saves averages.

    Args:
        decay: of the average, after each optimizer step; lower in the first steps, so that the beginning
            is soon forgotten.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.n_steps = 0
        self.averages: dict[str, Tensor] = {}
        self._trained: dict[str, Tensor] = {}

    def state_dict(self) -> dict[str, Any]:
        """What a run that goes on has to know."""
        return {"n_steps": self.n_steps, "averages": self.averages}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a former state."""
        self.n_steps, self.averages = state_dict["n_steps"], state_dict["averages"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin with the weights that there are."""
        if not self.averages:
            self.averages = {name: weight.detach().clone() for name, weight in _weights(pl_module).items()}
        self.averages = {name: weight.to(pl_module.device) for name, weight in self.averages.items()}

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add the weights of a step."""
        if trainer.global_step == self.n_steps:
            return  # gradients are being gathered
        self.n_steps = trainer.global_step
        share = 1 - min(self.decay, (1 + self.n_steps) / (10 + self.n_steps))
        weights = _weights(pl_module)
        torch._foreach_lerp_(list(self.averages.values()), [weights[name] for name in self.averages], share)

    @torch.no_grad()
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the averages in the place of the weights."""
        weights = _weights(pl_module)
        self._trained = {name: weights[name].detach().clone() for name in self.averages}
        for name, average in self.averages.items():
            weights[name].copy_(average)

    @torch.no_grad()
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the weights back."""
        weights = _weights(pl_module)
        for name, weight in self._trained.items():
            weights[name].copy_(weight)
        self._trained = {}


def _weights(module: LightningModule) -> dict[str, Tensor]:
    """Those that are trained."""
    return {name: weight for name, weight in module.named_parameters() if weight.requires_grad}

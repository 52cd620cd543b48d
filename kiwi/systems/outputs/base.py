"""The base class of outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from kiwi.data.batch import QEBatch
from kiwi.metrics.accumulators import Accumulator
from kiwi.systems.features import Features, FeatureSizes
from kiwi.utils.io import BaseConfig


@torch.no_grad()
def divide_logits(layer: nn.Linear, temperature: float) -> None:
    """Divide the logits of the last layer of an output by a temperature.

    Args:
        layer: the layer, with a bias.
        temperature: the temperature, positive.
    """
    layer.weight.div_(temperature)
    layer.bias.div_(temperature)


class NoOptions(BaseConfig):
    """The options of an output that has none."""


class Output(nn.Module, ABC):
    """A module that makes one kind of prediction from features."""

    Config: ClassVar[type[BaseConfig]] = NoOptions
    """The options below ``system.model.outputs.custom.NAME`` of an output that was added to the table."""

    label_field: str
    """The field of the data that has its labels."""

    @classmethod
    @abstractmethod
    def build(cls, name: str, config: Any, sizes: FeatureSizes) -> Self:
        """Build the output.

        Args:
            name: the name of its row in :data:`kiwi.outputs.OUTPUTS`.
            config: the options of ``system.model.outputs`` (:class:`QEOutputs.Config`).
            sizes: the sizes of the decoder's features.
        """

    @abstractmethod
    def forward(self, features: Features) -> Tensor:
        """Return logits, segments first."""

    @abstractmethod
    def loss(self, logits: Tensor, batch: QEBatch[Tensor]) -> Tensor:
        """Return the loss of a batch, summed over the tags of a segment and averaged over segments; a scalar."""

    @abstractmethod
    def update(self, accumulator: Accumulator, logits: Tensor, batch: QEBatch[Tensor]) -> None:
        """Add a batch to an accumulator."""

    @abstractmethod
    def values(self, logits: Tensor) -> dict[str, Tensor]:
        """Return predictions by name, segments first: probabilities of BAD, or scores."""

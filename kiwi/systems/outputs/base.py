"""What every output offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from kiwi.data.batch import QEBatch
from kiwi.metrics.accumulators import Accumulator
from kiwi.systems.features import Features, FeatureSizes
from kiwi.utils.io import BaseConfig


class NoOptions(BaseConfig):
    """The options of an output that has none."""


class Output(nn.Module, ABC):
    """Features to one kind of prediction."""

    Config: ClassVar[type[BaseConfig]] = NoOptions
    """The options below ``system.model.outputs.custom.NAME`` of an output that was added to the table."""

    label_field: str
    """The field of the data that it learns from."""

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
        """Logits, segments first."""

    @abstractmethod
    def loss(self, logits: Tensor, batch: QEBatch[Tensor]) -> Tensor:
        """Loss of the batch: summed over a segment's parts, mean over segments; a scalar."""

    @abstractmethod
    def update(self, accumulator: Accumulator, logits: Tensor, batch: QEBatch[Tensor]) -> None:
        """Add a batch to an accumulator."""

    @abstractmethod
    def values(self, logits: Tensor) -> dict[str, Tensor]:
        """Predictions by name, segments first: probabilities of BAD, or scores."""

"""What every output offers."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from kiwi.data.batch import QEBatch
from kiwi.metrics.accumulators import Accumulator
from kiwi.systems.features import Features


class Output(nn.Module, ABC):
    """Features to one kind of prediction."""

    label_field: str
    """The field of the data that it learns from."""

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

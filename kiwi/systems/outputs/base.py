"""The base class of outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from kiwi.data.batch import QEBatch
from kiwi.metrics.accumulators import Accumulator
from kiwi.systems.features import Features


class Output(nn.Module, ABC):
    """A module that makes one kind of prediction from features."""

    label_field: str
    """The field of the data that has its labels."""

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

"""What every decoder offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from torch import Tensor, nn

from kiwi.data.batch import QEBatch
from kiwi.systems.features import Features, FeatureSizes
from kiwi.utils.io import BaseConfig


class Decoder(nn.Module, ABC):
    """Features to features. Its class attribute ``Config`` is the form of ``system.model.decoder``."""

    Config: ClassVar[type[BaseConfig]]
    sizes: FeatureSizes
    source_parts: ClassVar[tuple[str, ...]] = ()
    """Prefixes of the weights that are there only when an output reads the source side."""

    sentence_reads_source: ClassVar[bool] = False
    """Whether the size of the sentence's features depends on the source side being read."""

    @classmethod
    @abstractmethod
    def build(cls, config: BaseConfig, sizes: FeatureSizes) -> Self:
        """A decoder with fresh weights for features of these sizes."""

    @abstractmethod
    def forward(self, features: Features, batch: QEBatch[Tensor]) -> Features:
        """Features for the outputs; ``sentence`` is always there."""

"""The base class of decoders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from torch import Tensor, nn

from kiwi.data.batch import QEBatch
from kiwi.systems.features import Features, FeatureSizes
from kiwi.utils.io import BaseConfig


class Decoder(nn.Module, ABC):
    """A module between encoder and outputs. Its attribute ``Config`` is the class of ``system.model.decoder``."""

    Config: ClassVar[type[BaseConfig]]
    sizes: FeatureSizes
    source_parts: ClassVar[tuple[str, ...]] = ()
    """Prefixes of the weights that exist only if an output reads the source side."""

    sentence_reads_source: ClassVar[bool] = False
    """Whether the size of the sentence's features depends on whether an output reads the source side."""

    @classmethod
    @abstractmethod
    def build(cls, config: BaseConfig, sizes: FeatureSizes) -> Self:
        """Build a decoder with newly initialized weights for features of the given sizes."""

    @abstractmethod
    def forward(self, features: Features, batch: QEBatch[Tensor]) -> Features:
        """Return features for the outputs, always including ``sentence``."""

"""What every encoder offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Self

from torch import Tensor, nn

from kiwi.data.batch import QEBatch
from kiwi.data.vocabulary import Vocabulary
from kiwi.systems.features import Features, FeatureSizes
from kiwi.utils.io import BaseConfig


class Encoder(nn.Module, ABC):
    """A batch to features of words. Its class attribute ``Config`` is the form of ``system.model.encoder``."""

    Config: ClassVar[type[BaseConfig]]
    sizes: FeatureSizes
    source_parts: ClassVar[tuple[str, ...]] = ()
    """Prefixes of the weights that are there only when an output reads the source side."""

    @classmethod
    @abstractmethod
    def input_fields(cls, config: BaseConfig) -> list[str]:
        """The fields of the data that it reads, with this configuration."""

    @classmethod
    @abstractmethod
    def build(cls, config: BaseConfig, vocabularies: Mapping[str, Vocabulary], *, with_source: bool) -> Self:
        """An encoder with fresh weights.

        Args:
            config: of the class's ``Config``.
            vocabularies: of the text fields it reads.
            with_source: whether an output reads the source side.
        """

    @abstractmethod
    def forward(self, batch: QEBatch[Tensor]) -> Features:
        """Features of every word of the batch."""

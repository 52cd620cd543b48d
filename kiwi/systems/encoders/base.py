"""What every encoder offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Self

from torch import Tensor, nn

from kiwi.data.batch import QEBatch
from kiwi.data.text.pieces import PieceTokenizer
from kiwi.data.text.vocabulary import Vocabulary
from kiwi.systems.features import Features, FeatureSizes, TokenStates
from kiwi.systems.pretrained.model import Pretrained
from kiwi.utils.io import BaseConfig


class Encoder(nn.Module, ABC):
    """A batch to features of words. Its class attribute ``Config`` is the form of ``system.model.encoder``."""

    Config: ClassVar[type[BaseConfig]]
    sizes: FeatureSizes
    uses_pretrained: ClassVar[bool] = False
    """Whether it is built on a pretrained model, and so reads pieces instead of vocabularies."""
    pieces: PieceTokenizer | None = None
    """What turns words into its pieces."""
    source_parts: ClassVar[tuple[str, ...]] = ()
    """Prefixes of the weights that are there only when an output reads the source side."""

    optional_parts: ClassVar[tuple[str, ...]] = ()
    """Prefixes of the weights that start fresh where another system's encoder is taken and does not have them."""

    @classmethod
    @abstractmethod
    def input_fields(cls, config: BaseConfig) -> list[str]:
        """The fields of the data that it reads, with this configuration."""

    @classmethod
    @abstractmethod
    def build(
        cls,
        config: BaseConfig,
        vocabularies: Mapping[str, Vocabulary],
        pretrained: Pretrained | None = None,
        *,
        with_source: bool,
        with_language_model: bool = False,
    ) -> Self:
        """An encoder with fresh weights, or with those of a pretrained model.

        Args:
            config: of the class's ``Config``.
            vocabularies: of the text fields it reads.
            pretrained: the model that it is built on, for those that are.
            with_source: whether an output reads the source side.
            with_language_model: whether :meth:`language_model` will be called.
        """

    def prepare_training(self) -> None:
        """Told when all weights are in place and training is next."""

    def weights(self) -> dict[str, Tensor]:
        """What a checkpoint keeps of it."""
        return self.state_dict()

    def language_model(self, batch: QEBatch[Tensor]) -> TokenStates:
        """Tokens of a batch that its language model is asked for; for encoders that have one."""
        raise TypeError(f"{type(self).__name__} has no language model")

    def at_step(self, step: int) -> None:
        """Told before each batch of training how many optimizer steps were made."""

    def depths(self) -> dict[str, int]:
        """For each weight of a pretrained model, by name, how many of its layers lie above."""
        return {}

    @abstractmethod
    def forward(self, batch: QEBatch[Tensor]) -> Features:
        """Features of every word of the batch."""

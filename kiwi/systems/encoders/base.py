"""The base class of encoders."""

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
    """A module that computes features of words. Its attribute ``Config`` is the class of ``system.model.encoder``."""

    Config: ClassVar[type[BaseConfig]]
    sizes: FeatureSizes
    uses_pretrained: ClassVar[bool] = False
    """Whether it is built on a pretrained model, and so has a tokenizer instead of vocabularies."""

    pieces: PieceTokenizer | None = None
    """The tokenizer that splits words into pieces, if any."""

    source_parts: ClassVar[tuple[str, ...]] = ()
    """Prefixes of the weights that exist only if an output reads the source side."""

    optional_parts: ClassVar[tuple[str, ...]] = ()
    """Prefixes of the weights that are newly initialized if the encoder of another system lacks them."""

    @classmethod
    @abstractmethod
    def input_fields(cls, config: BaseConfig) -> list[str]:
        """Return the fields of the data that the encoder reads."""

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
        """Build an encoder with newly initialized weights, or with those of a pretrained model.

        Args:
            config: the options, an instance of ``Config``.
            vocabularies: the vocabularies of the text fields that the encoder reads.
            pretrained: the pretrained model that the encoder is built on, if any.
            with_source: whether an output reads the source side.
            with_language_model: whether :meth:`language_model` will be called.
        """

    def prepare_training(self) -> None:
        """Prepare for training, after all weights have been loaded."""

    def check(self, *, training: bool) -> None:
        """Check, after all weights have been loaded, that the encoder does what a system relies on.

        Args:
            training: whether it is about to be trained.

        Raises:
            ConfigError: when it does not.
        """

    def weights(self) -> dict[str, Tensor]:
        """Return the weights to store in a checkpoint."""
        return self.state_dict()

    def language_model(self, batch: QEBatch[Tensor]) -> TokenStates:
        """Return the tokens of a batch that the language model has to predict, for encoders that have one."""
        raise TypeError(f"{type(self).__name__} has no language model")

    def at_step(self, step: int) -> None:
        """Update the encoder before a training batch, given the number of optimizer steps so far."""

    def depths(self) -> dict[str, int]:
        """Return the number of layers above each weight of a pretrained model, by name."""
        return {}

    @abstractmethod
    def forward(self, batch: QEBatch[Tensor]) -> Features:
        """Compute the features of a batch."""

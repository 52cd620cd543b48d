"""A small feed-forward network for each kind of features."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from kiwi.data.batch import QEBatch
from kiwi.modules.pooling import masked_mean
from kiwi.systems.decoders.base import Decoder
from kiwi.systems.features import Features, FeatureSizes
from kiwi.utils.io import BaseConfig, Size


class LinearDecoder(Decoder):
    """A hidden layer and a bottleneck, separately for the target (words and units), source words and the sentence.

    Args:
        config: the options of the layers.
        sizes: the sizes of the encoder's features.
    """

    source_parts = ("source.",)

    class Config(BaseConfig):
        """The options of ``system.model.decoder`` for systems with a pretrained encoder."""

        hidden_size: Size = 250
        """The size of the hidden layer."""

        dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
        """The dropout probability, in [0, 1), of the features and between the two layers."""

        bottleneck_size: Size = 100
        """The size of the features that the outputs read."""

    def __init__(self, config: Config, sizes: FeatureSizes) -> None:
        super().__init__()
        self.target = self._layers(config, sizes.target)
        self.source = self._layers(config, sizes.source) if sizes.source is not None else None
        self.sentence = self._layers(config, sizes.sentence if sizes.sentence is not None else sizes.target)
        size = config.bottleneck_size
        self.sizes = FeatureSizes(target=size, source=size if self.source else None, sentence=size)

    @staticmethod
    def _layers(config: Config, in_dim: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(in_dim, config.hidden_size),
            nn.Tanh(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden_size, config.bottleneck_size),
            nn.Tanh(),
        )

    @classmethod
    @override
    def build(cls, config: BaseConfig, sizes: FeatureSizes) -> Self:
        assert isinstance(config, cls.Config)
        return cls(config, sizes)

    @override
    def forward(self, features: Features, batch: QEBatch[Tensor]) -> Features:
        """Reduce the size of features; without sentence features, the mean over target words is used."""
        sentence = features.sentence
        if sentence is None:
            sentence = masked_mean(features.target, batch.target_mask)
        units = None
        if features.units is not None and batch.unit_mask is not None:
            units = self.target(features.units) * batch.unit_mask.unsqueeze(-1)
        return Features(
            units=units,
            target=self.target(features.target) * batch.target_mask.unsqueeze(-1),
            source=None
            if self.source is None or features.source is None
            else self.source(features.source) * batch.source_mask.unsqueeze(-1),
            sentence=self.sentence(sentence),
        )

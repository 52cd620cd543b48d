"""The estimator: recurrent layers over the features that the predictor computes for each word.

Kim, Lee and Na 2017, W17-4763.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from kiwi.data.batch import QEBatch
from kiwi.modules.recurrent import run_recurrent
from kiwi.systems.decoders.base import Decoder
from kiwi.systems.features import Features, FeatureSizes
from kiwi.utils.io import BaseConfig, Layers, Size


class EstimatorDecoder(Decoder):
    """A bidirectional LSTM over the target words and, if an output reads them, one over the source words.

    Args:
        config: the options of the layers.
        sizes: the sizes of the encoder's features.
    """

    source_parts = ("source.",)

    class Config(BaseConfig):
        """The options of ``system.model.decoder`` for PredictorEstimator."""

        hidden_size: Size = 100
        """The size of the recurrent states in each direction, and of the linear layer before them."""

        rnn_layers: Layers = 1
        """The number of recurrent layers."""

        use_mlp: bool = True
        """Whether to add a linear layer and tanh before the recurrent layers."""

        dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
        """The dropout probability, in [0, 1), of the features and between recurrent layers."""

    def __init__(self, config: Config, sizes: FeatureSizes) -> None:
        super().__init__()
        self.target = _SideLayers(sizes.target, config)
        self.source = _SideLayers(sizes.source, config) if sizes.source is not None else None
        size = 2 * config.hidden_size
        self.sizes = FeatureSizes(target=size, source=size if self.source else None, sentence=size)

    @classmethod
    @override
    def build(cls, config: BaseConfig, sizes: FeatureSizes) -> Self:
        assert isinstance(config, cls.Config)
        return cls(config, sizes)

    @override
    def forward(self, features: Features, batch: QEBatch[Tensor]) -> Features:
        """Return the states of the words; those of the sentence are the last states in both directions."""
        target, sentence = self.target(features.target, batch.target_mask)
        source = None if self.source is None else self.source(features.source, batch.source_mask)[0]
        return Features(target=target, source=source, sentence=sentence)


class _SideLayers(nn.Module):
    def __init__(self, in_dim: int, config: EstimatorDecoder.Config) -> None:
        super().__init__()
        size = config.hidden_size
        self.dropout = nn.Dropout(config.dropout)
        self.mlp = nn.Sequential(nn.Linear(in_dim, size), nn.Tanh()) if config.use_mlp else nn.Identity()
        self.rnn = nn.LSTM(
            size if config.use_mlp else in_dim,
            size,
            num_layers=config.rnn_layers,
            dropout=config.dropout if config.rnn_layers > 1 else 0.0,
            bidirectional=True,
            batch_first=True,
        )

    def forward(self, words: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Map (batch, words, in_dim) to states (batch, words, 2 * hidden) and last states (batch, 2 * hidden)."""
        states: tuple[Tensor, Tensor] = run_recurrent(self.rnn, self.mlp(self.dropout(words)), mask.sum(dim=1))
        return states

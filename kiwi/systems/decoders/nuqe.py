"""NuQE: alternating feed-forward and recurrent layers.

Martins et al. 2017: Pushing the Limits of Translation Quality Estimation, Q17-1015 (section 4.2).
"""

from __future__ import annotations

from typing import Annotated, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence
from typing_extensions import override

from kiwi.data.batch import QEBatch
from kiwi.modules.pooling import masked_mean
from kiwi.modules.recurrent import run_recurrent_onnx
from kiwi.systems.decoders.base import Decoder
from kiwi.systems.features import Features, FeatureSizes
from kiwi.utils.io import BaseConfig, Size


class SideConfig(BaseConfig):
    """The options of the layers over one side."""

    hidden_sizes: list[Size] = Field(default=[400, 200, 100, 50], min_length=4, max_length=4)
    """The sizes of the four stages; exactly four values."""

    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.4
    """The dropout probability, in [0, 1), before every feed-forward block."""


class NuQEDecoder(Decoder):
    """The layers of NuQE over the target side and, if an output reads it, over the source side.

    Args:
        config: the options of the layers.
        sizes: the sizes of the encoder's features.
    """

    source_parts = ("source.",)
    sentence_reads_source = True

    class Config(BaseConfig):
        """The options of ``system.model.decoder`` for NuQE."""

        target: SideConfig = SideConfig()
        """The layers over the target words."""

        source: SideConfig = SideConfig()
        """The layers over the source words, which exist only if ``outputs.word_level.source`` is on."""

    def __init__(self, config: Config, sizes: FeatureSizes) -> None:
        super().__init__()
        self.target = SideLayers(sizes.target, config.target.hidden_sizes, config.target.dropout)
        self.source = None
        if sizes.source is not None:
            self.source = SideLayers(sizes.source, config.source.hidden_sizes, config.source.dropout)
        size = config.target.hidden_sizes[-1]
        source_size = config.source.hidden_sizes[-1] if self.source else None
        self.sizes = FeatureSizes(target=size, source=source_size, sentence=size + (source_size or 0))

    @classmethod
    @override
    def build(cls, config: BaseConfig, sizes: FeatureSizes) -> Self:
        assert isinstance(config, cls.Config)
        return cls(config, sizes)

    @override
    def forward(self, features: Features, batch: QEBatch[Tensor]) -> Features:
        """Return the features of the words of each side; those of the sentence are their means."""
        target = self.target(features.target, batch.target_mask)
        sentence = masked_mean(target, batch.target_mask)
        if self.source is None:
            return Features(target=target, sentence=sentence)
        source = self.source(features.source, batch.source_mask)
        sentence = torch.cat([sentence, masked_mean(source, batch.source_mask)], dim=-1)
        return Features(target=target, source=source, sentence=sentence)


class SideLayers(nn.Module):
    """Two linear layers, a BiGRU, two linear layers, a BiGRU, two linear layers.

    All layers run on packed words, so padding neither costs time nor changes results.

    Args:
        in_dim: the size of the features.
        hidden_sizes: the sizes of the first linear layers, of the first GRU with the linear layers after it, of the
            second GRU with the linear layer after it, and of the last layer.
        dropout: the dropout probability before each block.
    """

    def __init__(self, in_dim: int, hidden_sizes: list[int], dropout: float) -> None:
        super().__init__()
        first, second, third, last = hidden_sizes
        self.block_1 = _block(in_dim, first, first, dropout)
        self.gru_1 = nn.GRU(first, second, bidirectional=True)
        self.block_2 = _block(2 * second, second, second, dropout)
        self.gru_2 = nn.GRU(second, third, bidirectional=True)
        self.block_3 = _block(2 * third, third, last, dropout)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.GRU):
                _initialize(module)

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        """Map (batch, words, in_dim) to (batch, words, hidden_sizes[-1])."""
        if torch.compiler.is_exporting():
            return self._forward_padded(words, mask)
        lengths = mask.sum(dim=1).cpu()
        packed = pack_padded_sequence(words, lengths, batch_first=True, enforce_sorted=False)
        packed = _replace_data(packed, self.block_1(packed.data))
        packed, _ = self.gru_1(packed)
        packed = _replace_data(packed, self.block_2(packed.data))
        packed, _ = self.gru_2(packed)
        packed = _replace_data(packed, self.block_3(packed.data))
        padded, _ = pad_packed_sequence(packed, batch_first=True, total_length=words.shape[1])
        return padded

    def _forward_padded(self, words: Tensor, mask: Tensor) -> Tensor:
        """Compute :meth:`forward` without packed sequences, which ONNX does not have."""
        lengths = mask.sum(dim=1)
        states, _ = run_recurrent_onnx(self.gru_1, self.block_1(words), lengths)
        states, _ = run_recurrent_onnx(self.gru_2, self.block_2(states), lengths)
        padded: Tensor = self.block_3(states) * mask.unsqueeze(-1)
        return padded


def _block(in_dim: int, hidden: int, out_dim: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(dropout),
        nn.Linear(in_dim, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, out_dim),
        nn.ReLU(inplace=True),
    )


def _initialize(module: nn.Linear | nn.GRU) -> None:
    """Initialize weights to preserve the scale of signals; with torch's defaults, learning starts epochs later."""
    for name, weight in module.named_parameters():
        # A GRU stacks the matrices of its three gates.
        gates = weight.detach().chunk(3) if isinstance(module, nn.GRU) else [weight.detach()]
        for matrix in gates:
            if "bias" in name:
                nn.init.zeros_(matrix)
            elif "weight_hh" in name:
                nn.init.orthogonal_(matrix)
            else:
                nn.init.xavier_uniform_(matrix)


def _replace_data(packed: PackedSequence, data: Tensor) -> PackedSequence:
    return PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)

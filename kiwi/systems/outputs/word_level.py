"""OK/BAD tags of target words, gaps and source words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.metrics.accumulators import Accumulator
from kiwi.outputs import OUTPUTS
from kiwi.systems.features import Features, FeatureSizes
from kiwi.systems.outputs.base import Output


class WordLevelOutput(Output):
    """A tag for each word of one side.

    Args:
        label_field: ``target_tags`` or ``source_tags``.
        in_dim: size of a word's features.
        class_weights: weight of each label in the loss; 1.0 where not given.
        dropout: of the features.
    """

    def __init__(
        self, label_field: str, in_dim: int, class_weights: Mapping[const.Label, float], dropout: float
    ) -> None:
        super().__init__()
        self.label_field = label_field
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(in_dim, len(const.LABELS))
        weights = torch.tensor([class_weights.get(label, 1.0) for label in const.LABELS])
        self.register_buffer("class_weights", weights, persistent=False)

    @classmethod
    def build(cls, name: str, config: Any, sizes: FeatureSizes) -> Self:
        """As :meth:`Output.build`."""
        size = sizes.source if OUTPUTS[name].unit == "source word" else sizes.target
        assert size is not None
        return cls(name, size, getattr(config.word_level.class_weights, name), config.dropout)

    def words(self, features: Features) -> Tensor:
        """The features that this output reads, (batch, words, in_dim)."""
        words = features.source if self.label_field == const.SOURCE_TAGS else features.target
        assert words is not None
        return words

    def forward(self, features: Features) -> Tensor:
        """(batch, words, classes)."""
        logits: Tensor = self.linear(self.dropout(self.words(features)))
        return logits

    def gold(self, batch: QEBatch[Tensor]) -> Tensor:
        """Classes, (batch, words)."""
        return batch.arrays()[self.label_field]

    def loss(self, logits: Tensor, batch: QEBatch[Tensor]) -> Tensor:
        """Weighted cross entropy."""
        weights: Tensor = self.get_buffer("class_weights")
        total = functional.cross_entropy(
            logits.flatten(0, 1), self.gold(batch).flatten(), weight=weights, ignore_index=const.IGNORE, reduction="sum"
        )
        return total / len(batch)

    def update(self, accumulator: Accumulator, logits: Tensor, batch: QEBatch[Tensor]) -> None:
        """Add the classes of a batch."""
        accumulator.update(self.gold(batch).cpu().numpy(), logits.argmax(dim=-1).cpu().numpy())

    def values(self, logits: Tensor) -> dict[str, Tensor]:
        """Probabilities of BAD, (batch, words)."""
        return {self.label_field: logits.float().softmax(dim=-1)[..., const.LABELS.index(const.BAD)]}

    @torch.no_grad()
    def move_threshold(self, threshold: float) -> None:
        """Let a probability of BAD that was this one be 0.5 from now on.

        Args:
            threshold: above 0 and below 1.
        """
        self.linear.bias[const.LABELS.index(const.BAD)] -= math.log(threshold / (1 - threshold))


class GapOutput(WordLevelOutput):
    """A tag for each place where a word could be missing: before, between and after the n target words (n+1).

    A gap's features are those of the words on its two sides, zeros beyond the ends; or a layer over both, their
    distance and their product, since what is missing shows in how the two go together.

    Args:
        in_dim: size of a word's features.
        class_weights: as in :class:`WordLevelOutput`.
        dropout: of the features.
        hidden_size: of the layer; 0 has none.
    """

    def __init__(
        self, in_dim: int, class_weights: Mapping[const.Label, float], dropout: float, hidden_size: int = 0
    ) -> None:
        super().__init__(const.GAP_TAGS, hidden_size or 2 * in_dim, class_weights, dropout)
        self.hidden = nn.Sequential(nn.Linear(4 * in_dim, hidden_size), nn.Tanh()) if hidden_size else None

    @classmethod
    def build(cls, name: str, config: Any, sizes: FeatureSizes) -> Self:
        """As :meth:`Output.build`."""
        word_level = config.word_level
        return cls(sizes.target, word_level.class_weights.gap_tags, config.dropout, word_level.gap_hidden_size)

    def words(self, features: Features) -> Tensor:
        """(batch, target_words + 1, 2 * in_dim), or hidden_size at the end."""
        padded = functional.pad(features.target, (0, 0, 1, 1))  # (batch, target_words + 2, in_dim)
        left, right = padded[:, :-1], padded[:, 1:]
        if self.hidden is None:
            return torch.cat([left, right], dim=-1)
        sides = torch.cat([left, right, (left - right).abs(), left * right], dim=-1)
        hidden: Tensor = self.hidden(self.dropout(sides))
        return hidden

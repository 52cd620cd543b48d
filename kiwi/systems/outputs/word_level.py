"""Word-level outputs: OK/BAD tags of target words, gaps and source words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.metrics.accumulators import Accumulator
from kiwi.outputs import OUTPUTS
from kiwi.systems.features import Features, FeatureSizes
from kiwi.systems.outputs.base import Output, divide_logits


class WordLevelOutput(Output):
    """A tag for each word of one side.

    Args:
        label_field: ``target_tags`` or ``source_tags``.
        in_dim: the size of a word's features.
        class_weights: the weight of each label in the loss; 1.0 if not given.
        dropout: the dropout probability of the features.
        name: the name of the output; by default, that of its label field.
    """

    def __init__(
        self,
        label_field: str,
        in_dim: int,
        class_weights: Mapping[const.Label, float],
        dropout: float,
        name: str | None = None,
    ) -> None:
        super().__init__()
        self.label_field = label_field
        self.name = name or label_field
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(in_dim, len(const.LABELS))
        weights = torch.tensor([class_weights.get(label, 1.0) for label in const.LABELS])
        self.register_buffer("class_weights", weights, persistent=False)

    @classmethod
    @override
    def build(cls, name: str, config: Any, sizes: FeatureSizes) -> Self:
        size = sizes.source if OUTPUTS[name].unit == "source word" else sizes.target
        assert size is not None
        field = OUTPUTS[name].label_field
        return cls(field, size, getattr(config.word_level.class_weights, field), config.dropout, name)

    def words(self, features: Features) -> Tensor:
        """Return the features that this output reads, (batch, words, in_dim)."""
        words = features.source if OUTPUTS[self.name].unit == "source word" else features.target
        assert words is not None
        return words

    @override
    def forward(self, features: Features) -> Tensor:
        """Return logits, (batch, words, classes)."""
        logits: Tensor = self.linear(self.dropout(self.words(features)))
        return logits

    def gold(self, batch: QEBatch[Tensor]) -> Tensor:
        """Return the gold classes, (batch, words)."""
        return batch.arrays()[self.label_field]

    @override
    def loss(self, logits: Tensor, batch: QEBatch[Tensor]) -> Tensor:
        """Return the weighted cross-entropy, summed over words and averaged over segments."""
        weights: Tensor = self.get_buffer("class_weights")
        total = functional.cross_entropy(
            logits.flatten(0, 1), self.gold(batch).flatten(), weight=weights, ignore_index=const.IGNORE, reduction="sum"
        )
        return total / len(batch)

    @override
    def update(self, accumulator: Accumulator, logits: Tensor, batch: QEBatch[Tensor]) -> None:
        accumulator.update(self.gold(batch).cpu().numpy(), logits.argmax(dim=-1).cpu().numpy())

    @override
    def values(self, logits: Tensor) -> dict[str, Tensor]:
        """Return probabilities of BAD, (batch, words)."""
        return {self.name: logits.float().softmax(dim=-1)[..., const.LABELS.index(const.BAD)]}

    @torch.no_grad()
    def move_threshold(self, threshold: float) -> None:
        """Change the bias so that this probability of BAD becomes 0.5.

        Args:
            threshold: the probability, in (0, 1).
        """
        self.linear.bias[const.LABELS.index(const.BAD)] -= math.log(threshold / (1 - threshold))

    def cool(self, temperature: float) -> None:
        """Divide the logits by a temperature, which leaves 0.5 where it is.

        Args:
            temperature: the temperature, positive; above 1, probabilities come closer to 0.5.
        """
        divide_logits(self.linear, temperature)


class GapOutput(WordLevelOutput):
    """A tag for each of the n+1 gaps before, between and after the n target words, where a word may be missing.

    The features of a gap are those of the words on its two sides, zeros beyond the ends, or a hidden layer over both
    vectors, their distance and their product.

    Args:
        in_dim: the size of a word's features.
        class_weights: the weight of each label in the loss; 1.0 if not given.
        dropout: the dropout probability of the features.
        hidden_size: the size of the hidden layer; 0 for none.
        name: the name of the output.
    """

    def __init__(
        self,
        in_dim: int,
        class_weights: Mapping[const.Label, float],
        dropout: float,
        hidden_size: int = 0,
        name: str = const.GAP_TAGS,
    ) -> None:
        super().__init__(const.GAP_TAGS, hidden_size or 2 * in_dim, class_weights, dropout, name)
        self.hidden = nn.Sequential(nn.Linear(4 * in_dim, hidden_size), nn.Tanh()) if hidden_size else None

    @classmethod
    @override
    def build(cls, name: str, config: Any, sizes: FeatureSizes) -> Self:
        options = config.word_level
        return cls(sizes.target, options.class_weights.gap_tags, config.dropout, options.gap_hidden_size, name)

    @override
    def words(self, features: Features) -> Tensor:
        """Return the features of gaps, (batch, target_words + 1, 2 * in_dim or hidden_size)."""
        padded = functional.pad(features.target, (0, 0, 1, 1))  # (batch, target_words + 2, in_dim)
        left, right = padded[:, :-1], padded[:, 1:]
        if self.hidden is None:
            return torch.cat([left, right], dim=-1)
        sides = torch.cat([left, right, (left - right).abs(), left * right], dim=-1)
        hidden: Tensor = self.hidden(self.dropout(sides))
        return hidden

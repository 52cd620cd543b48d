"""OK/BAD tags of target words, gaps and source words."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.metrics.accumulators import Accumulator
from kiwi.systems.features import Features
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


class GapOutput(WordLevelOutput):
    """A tag for each place where a word could be missing: before, between and after the n target words (n+1).

    A gap's features are those of the words on its two sides, zeros beyond the ends.

    Args:
        in_dim: size of a word's features.
        class_weights: as in :class:`WordLevelOutput`.
        dropout: of the features.
    """

    def __init__(self, in_dim: int, class_weights: Mapping[const.Label, float], dropout: float) -> None:
        super().__init__(const.GAP_TAGS, 2 * in_dim, class_weights, dropout)

    def words(self, features: Features) -> Tensor:
        """(batch, target_words + 1, 2 * in_dim)."""
        padded = functional.pad(features.target, (0, 0, 1, 1))  # (batch, target_words + 2, in_dim)
        return torch.cat([padded[:, :-1], padded[:, 1:]], dim=-1)

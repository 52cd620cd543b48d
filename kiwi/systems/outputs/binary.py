"""Binary classification of segments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.metrics.accumulators import Accumulator
from kiwi.outputs import OUTPUTS
from kiwi.systems.features import FeatureSizes
from kiwi.systems.outputs.base import divide_logits
from kiwi.systems.outputs.sentence_level import SentenceOutput


class BinaryOutput(SentenceOutput):
    """A verdict on each segment, such as whether it needs any edit.

    Its classes are the labels of ``verdict_field`` in its row of the table or, where the data has none, derived from
    scores by the function ``is_bad`` there.

    Args:
        in_dim: the size of the sentence's features.
        n_layers: the number of layers of the feed-forward network.
        dropout: the dropout probability of the features and between layers.
        name: the name of its row in :data:`kiwi.outputs.OUTPUTS`.
        class_weights: the weight of each label in the loss; 1.0 if not given.
    """

    def __init__(
        self,
        in_dim: int,
        n_layers: int,
        dropout: float,
        name: str = const.BINARY,
        class_weights: Mapping[const.Label, float] | None = None,
    ) -> None:
        super().__init__(in_dim, len(const.LABELS), n_layers, dropout)
        self.name = name
        weights = torch.tensor([(class_weights or {}).get(label, 1.0) for label in const.LABELS])
        self.register_buffer("class_weights", weights, persistent=False)

    @classmethod
    @override
    def build(cls, name: str, config: Any, sizes: FeatureSizes) -> Self:
        assert sizes.sentence is not None
        weights = config.sentence_level.class_weights.binary if name == const.BINARY else {}
        return cls(sizes.sentence, config.n_layers_output, config.dropout, name, weights)

    @override
    def gold(self, batch: QEBatch[Tensor]) -> Tensor:
        """Return the gold classes, (batch,)."""
        spec = OUTPUTS[self.name]
        if spec.verdict_field is not None and (verdicts := batch.arrays().get(spec.verdict_field)) is not None:
            return verdicts
        is_bad, scores = spec.is_bad, super().gold(batch)
        assert is_bad is not None, "the row of a verdict has it"
        return torch.where(scores.isnan(), const.IGNORE, is_bad(scores).long())

    @override
    def loss(self, logits: Tensor, batch: QEBatch[Tensor]) -> Tensor:
        """Return the weighted cross-entropy averaged over segments; that of segments without a verdict is 0."""
        weights, gold = self.get_buffer("class_weights"), self.gold(batch)
        losses = functional.cross_entropy(logits, gold, weight=weights, ignore_index=const.IGNORE, reduction="sum")
        return losses / len(batch)

    @override
    def update(self, accumulator: Accumulator, logits: Tensor, batch: QEBatch[Tensor]) -> None:
        gold = self.gold(batch).cpu().numpy()
        gold = np.where(gold == const.IGNORE, np.nan, gold)
        accumulator.update(gold, self.values(logits)[self.name].cpu().numpy())

    @override
    def values(self, logits: Tensor) -> dict[str, Tensor]:
        """Return probabilities of BAD, (batch,)."""
        return {self.name: logits.float().softmax(dim=-1)[:, const.LABELS.index(const.BAD)]}

    def cool(self, temperature: float) -> None:
        """Divide the logits by a temperature, which leaves 0.5 where it is.

        Args:
            temperature: the temperature, positive; above 1, probabilities come closer to 0.5.
        """
        last = [layer for layer in self.layers.modules() if isinstance(layer, nn.Linear)][-1]
        divide_logits(last, temperature)

"""Scores of whole segments."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.metrics.accumulators import Accumulator
from kiwi.modules.feedforward import feedforward
from kiwi.modules.truncated_normal import truncated_normal_moments, truncated_normal_nll
from kiwi.systems.features import Features
from kiwi.systems.outputs.base import Output

MIN_DEVIATION = 0.01
"""Least deviation of the Gaussian: many scores are exactly 0, and a density there must not grow without bound."""


class SentenceOutput(Output):
    """Layers over the features of the sentence.

    Args:
        in_dim: size of these features.
        out_dim: numbers that come out.
        n_layers: of the feed-forward network.
        dropout: of the features and between layers.
    """

    label_field = const.SENTENCE_SCORES

    def __init__(self, in_dim: int, out_dim: int, n_layers: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Dropout(dropout), feedforward(in_dim, out_dim, n_layers, dropout=dropout))

    def forward(self, features: Features) -> Tensor:
        """(batch, out_dim)."""
        logits: Tensor = self.layers(features.sentence)
        return logits

    def gold(self, batch: QEBatch[Tensor]) -> Tensor:
        """Scores, (batch,)."""
        assert batch.sentence_scores is not None
        return batch.sentence_scores


class ScoreOutput(SentenceOutput):
    """A score by regression.

    Args:
        in_dim: size of the sentence's features.
        n_layers: of the feed-forward network.
        dropout: of the features and between layers.
        last_activation: whether a sigmoid keeps scores in [0, 1].
    """

    def __init__(self, in_dim: int, n_layers: int, dropout: float, last_activation: bool) -> None:
        super().__init__(in_dim, 1, n_layers, dropout)
        self.last_activation = last_activation
        # Regressed scores are standardized inside, whatever their scale (HTER, DA, MQM), and returned on their own.
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))

    def fit(self, scores: Sequence[float]) -> None:
        """Take mean and deviation of the training data."""
        values = torch.tensor(scores, dtype=torch.float64)
        deviation = values.std(correction=0)
        self.get_buffer("mean").copy_(values.mean())
        self.get_buffer("deviation").copy_(deviation if deviation > 0 else torch.ones(()))

    def scores(self, logits: Tensor) -> Tensor:
        """(batch,)."""
        values = logits.squeeze(-1).float()
        if self.last_activation:
            return values.sigmoid()
        return self.get_buffer("mean") + self.get_buffer("deviation") * values

    def loss(self, logits: Tensor, batch: QEBatch[Tensor]) -> Tensor:
        """Mean squared error."""
        return functional.mse_loss(self.scores(logits), self.gold(batch))

    def update(self, accumulator: Accumulator, logits: Tensor, batch: QEBatch[Tensor]) -> None:
        """Add the scores of a batch."""
        accumulator.update(self.gold(batch).cpu().numpy(), self.scores(logits).cpu().numpy())

    def values(self, logits: Tensor) -> dict[str, Tensor]:
        """Scores, (batch,)."""
        return {self.label_field: self.scores(logits)}


class ScoreDistributionOutput(ScoreOutput):
    """A score as the mean of a Gaussian truncated to [0, 1], with its standard deviation.

    Args:
        in_dim: size of the sentence's features.
        n_layers: of the feed-forward network.
        dropout: of the features and between layers.
    """

    def __init__(self, in_dim: int, n_layers: int, dropout: float) -> None:
        SentenceOutput.__init__(self, in_dim, 2, n_layers, dropout)

    def fit(self, scores: Sequence[float]) -> None:
        """Nothing to take: these scores are in [0, 1]."""

    def parameters_of(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation before truncation, (batch,) each."""
        mean, deviation = logits.float().sigmoid().unbind(dim=-1)
        return mean, MIN_DEVIATION + deviation

    def loss(self, logits: Tensor, batch: QEBatch[Tensor]) -> Tensor:
        """Negative log-likelihood."""
        return truncated_normal_nll(self.gold(batch), *self.parameters_of(logits)).mean()

    def scores(self, logits: Tensor) -> Tensor:
        """Means after truncation, (batch,)."""
        return truncated_normal_moments(*self.parameters_of(logits))[0]

    def values(self, logits: Tensor) -> dict[str, Tensor]:
        """Scores, (batch,); and mean and deviation, (batch, 2)."""
        mean, deviation = truncated_normal_moments(*self.parameters_of(logits))
        return {self.label_field: mean, const.SENTENCE_SCORES_EXTRAS: torch.stack([mean, deviation], dim=1)}


class BinaryOutput(SentenceOutput):
    """Whether a segment needs any edit: OK where its score is exactly 0, BAD otherwise.

    Args:
        in_dim: size of the sentence's features.
        n_layers: of the feed-forward network.
        dropout: of the features and between layers.
    """

    def __init__(self, in_dim: int, n_layers: int, dropout: float) -> None:
        super().__init__(in_dim, len(const.LABELS), n_layers, dropout)

    def gold(self, batch: QEBatch[Tensor]) -> Tensor:
        """Classes, (batch,)."""
        return (super().gold(batch) != 0).long()

    def loss(self, logits: Tensor, batch: QEBatch[Tensor]) -> Tensor:
        """Cross entropy."""
        return functional.cross_entropy(logits, self.gold(batch))

    def update(self, accumulator: Accumulator, logits: Tensor, batch: QEBatch[Tensor]) -> None:
        """Add the classes of a batch."""
        accumulator.update(self.gold(batch).cpu().numpy(), logits.argmax(dim=-1).cpu().numpy())

    def values(self, logits: Tensor) -> dict[str, Tensor]:
        """Probabilities of BAD, (batch,)."""
        return {const.BINARY: logits.float().softmax(dim=-1)[:, const.LABELS.index(const.BAD)]}

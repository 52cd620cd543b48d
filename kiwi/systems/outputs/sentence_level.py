"""Sentence-level outputs: scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.metrics.accumulators import Accumulator
from kiwi.modules.feedforward import feedforward
from kiwi.modules.normal import normal_divergence, normal_nll
from kiwi.modules.truncated_normal import truncated_normal_moments, truncated_normal_nll
from kiwi.outputs import OUTPUTS
from kiwi.systems.features import Features, FeatureSizes
from kiwi.systems.outputs.base import Output
from kiwi.systems.outputs.options import DistributionLoss

MIN_DEVIATION = 0.01
"""The minimum deviation of the Gaussian. Many scores are exactly 0, and their density must not grow without bound."""


MIN_STANDARDIZED_DEVIATION = 0.05
"""The minimum deviation, predicted or of raters, in units of the deviation of the training scores. Raters who agree by
chance, or a single one, must not make a density that grows without bound."""


class SentenceOutput(Output):
    """A feed-forward network over the features of the sentence.

    Args:
        in_dim: the size of the features.
        out_dim: the number of logits.
        n_layers: the number of layers of the feed-forward network.
        dropout: the dropout probability of the features and between layers.
    """

    label_field = const.SENTENCE_SCORES

    def __init__(self, in_dim: int, out_dim: int, n_layers: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Dropout(dropout), feedforward(in_dim, out_dim, n_layers, dropout=dropout))

    @override
    def forward(self, features: Features) -> Tensor:
        """Return logits, (batch, out_dim)."""
        logits: Tensor = self.layers(features.sentence)
        return logits

    def gold(self, batch: QEBatch[Tensor]) -> Tensor:
        """Return the gold labels, (batch,)."""
        assert batch.sentence_scores is not None
        return batch.sentence_scores


class ScoreOutput(SentenceOutput):
    """A score predicted by regression.

    Args:
        in_dim: the size of the sentence's features.
        n_layers: the number of layers of the feed-forward network.
        dropout: the dropout probability of the features and between layers.
        last_activation: whether a sigmoid keeps scores in [0, 1].
        name: the name of the output.
    """

    n_logits: ClassVar[int] = 1

    def __init__(
        self, in_dim: int, n_layers: int, dropout: float, last_activation: bool, name: str = const.SENTENCE_SCORES
    ) -> None:
        super().__init__(in_dim, self.n_logits, n_layers, dropout)
        self.name = name
        self.last_activation = last_activation
        # The network predicts standardized scores, whatever their scale (HTER, DA, MQM).
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))

    @classmethod
    @override
    def build(cls, name: str, config: Any, sizes: FeatureSizes) -> ScoreOutput:
        assert sizes.sentence is not None
        level = config.sentence_level
        if OUTPUTS[name].has_distribution and level.use_distribution:
            if level.distribution == "gaussian":
                loss: DistributionLoss = level.distribution_loss or "nll"
                return GaussianScoreOutput(sizes.sentence, config.n_layers_output, config.dropout, loss)
            return ScoreDistributionOutput(sizes.sentence, config.n_layers_output, config.dropout)
        return cls(sizes.sentence, config.n_layers_output, config.dropout, config.last_activation, name)

    def fit(self, scores: Sequence[float]) -> None:
        """Set mean and standard deviation from the scores of the training data."""
        values = torch.tensor([score for score in scores if not math.isnan(score)], dtype=torch.float64)
        deviation = values.std(correction=0)
        self.get_buffer("mean").copy_(values.mean())
        self.get_buffer("deviation").copy_(deviation if deviation > 0 else torch.ones(()))

    @torch.no_grad()
    def move(self, scores: Sequence[float], *, turn: bool) -> None:
        """Bring the output to the scale of other scores, whose mean and deviation take the place of its own.

        Args:
            scores: the scores of the training data.
            turn: whether what was a high score is a low one there.
        """
        self.fit(scores)
        last = [layer for layer in self.layers.modules() if isinstance(layer, nn.Linear)][-1]
        if turn:  # the first logit is the score
            last.weight[0].neg_()
            last.bias[0].neg_()

    def scores(self, logits: Tensor) -> Tensor:
        """Return the predicted scores, (batch,)."""
        values = logits.squeeze(-1).float()
        if self.last_activation:
            return values.sigmoid()
        return self.get_buffer("mean") + self.get_buffer("deviation") * values

    @override
    def loss(self, logits: Tensor, batch: QEBatch[Tensor]) -> Tensor:
        """Return the mean squared error, in which that of segments without a score is 0."""
        scores, gold = self.scores(logits), self.gold(batch)
        return functional.mse_loss(scores, torch.where(gold.isnan(), scores.detach(), gold))

    @override
    def update(self, accumulator: Accumulator, logits: Tensor, batch: QEBatch[Tensor]) -> None:
        accumulator.update(self.gold(batch).cpu().numpy(), self.scores(logits).cpu().numpy())

    @override
    def values(self, logits: Tensor) -> dict[str, Tensor]:
        """Return scores, (batch,)."""
        return {self.name: self.scores(logits)}


class ScoreDistributionOutput(ScoreOutput):
    """A score predicted as a Gaussian truncated to [0, 1], with its mean and standard deviation.

    Args:
        in_dim: the size of the sentence's features.
        n_layers: the number of layers of the feed-forward network.
        dropout: the dropout probability of the features and between layers.
    """

    def __init__(self, in_dim: int, n_layers: int, dropout: float) -> None:
        SentenceOutput.__init__(self, in_dim, 2, n_layers, dropout)

    @override
    def fit(self, scores: Sequence[float]) -> None:
        """Do nothing, since the scores are in [0, 1] already."""

    def distribution(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation before truncation, (batch,) each."""
        mean, deviation = logits.float().sigmoid().unbind(dim=-1)
        return mean, MIN_DEVIATION + deviation

    @override
    def loss(self, logits: Tensor, batch: QEBatch[Tensor]) -> Tensor:
        """Return the mean negative log-likelihood, in which that of segments without a score is 0."""
        gold = self.gold(batch)
        labelled = ~gold.isnan()
        return (truncated_normal_nll(gold.nan_to_num(), *self.distribution(logits)) * labelled).mean()

    @override
    def scores(self, logits: Tensor) -> Tensor:
        """Return the means after truncation, (batch,)."""
        return truncated_normal_moments(*self.distribution(logits))[0]

    @override
    def values(self, logits: Tensor) -> dict[str, Tensor]:
        """Return scores, (batch,), and their mean and standard deviation, (batch, 2)."""
        return _with_extras(*truncated_normal_moments(*self.distribution(logits)))


class GaussianScoreOutput(ScoreOutput):
    """A score on any scale, predicted as a Gaussian with its mean and standard deviation (heteroscedastic regression).

    Args:
        in_dim: the size of the sentence's features.
        n_layers: the number of layers of the feed-forward network.
        dropout: the dropout probability of the features and between layers.
        training_loss: ``nll``, the negative log-likelihood of the score; or ``kl``, the divergence from the Gaussian of
            the raters.
    """

    n_logits: ClassVar[int] = 2

    def __init__(self, in_dim: int, n_layers: int, dropout: float, training_loss: DistributionLoss = "nll") -> None:
        super().__init__(in_dim, n_layers, dropout, last_activation=False)
        self.training_loss = training_loss

    def distribution(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the standardized score, (batch,) each."""
        mean, deviation = logits.float().unbind(dim=-1)
        return mean, MIN_STANDARDIZED_DEVIATION + functional.softplus(deviation)

    @override
    def loss(self, logits: Tensor, batch: QEBatch[Tensor]) -> Tensor:
        """Return the mean loss of standardized scores, so that it does not depend on their scale.

        The loss of segments without a score is 0.
        """
        scale, predicted = self.get_buffer("deviation"), self.distribution(logits)
        gold = (self.gold(batch) - self.get_buffer("mean")) / scale
        labelled, gold = ~gold.isnan(), gold.nan_to_num()
        if self.training_loss == "nll":
            return (normal_nll(gold, *predicted) * labelled).mean()
        assert batch.score_deviations is not None, "checked before training"
        raters = (batch.score_deviations.nan_to_num() / scale).clamp(min=MIN_STANDARDIZED_DEVIATION)
        return (normal_divergence(gold, raters, *predicted) * labelled).mean()

    @override
    def scores(self, logits: Tensor) -> Tensor:
        """Return the means, (batch,)."""
        return self.get_buffer("mean") + self.get_buffer("deviation") * self.distribution(logits)[0]

    @override
    def values(self, logits: Tensor) -> dict[str, Tensor]:
        """Return scores, (batch,), and their mean and standard deviation, (batch, 2)."""
        return _with_extras(self.scores(logits), self.get_buffer("deviation") * self.distribution(logits)[1])


def _with_extras(mean: Tensor, deviation: Tensor) -> dict[str, Tensor]:
    return {const.SENTENCE_SCORES: mean, const.SENTENCE_SCORES_EXTRAS: torch.stack([mean, deviation], dim=1)}

"""Losses and metrics of a language model that predicts the words of a translation or a post-edit."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from kiwi.metrics.accumulators import LanguageModelMetrics
from kiwi.modules.language_modelling import sampled_cross_entropy, statistics
from kiwi.systems.features import TokenStates
from kiwi.utils.io import BaseConfig

POST_EDIT_PREFIX = "pe"
"""The prefix of the metrics of a language model that is trained on post-edits."""

TARGET_PREFIX = "target"
"""The prefix of the metrics of a language model that is pretrained on translations."""


class TLMOutputsConfig(BaseConfig):
    """The options of ``system.model.tlm_outputs``."""

    fine_tune: bool = False
    """Whether to train the encoder's language model on source and post-edit along with quality estimation. It predicts
    words with a predictor, and masked pieces with a pretrained encoder. Its loss, a mean over tokens, is added to the
    others. Training then requires ``data.*.input.post_edit``."""


def language_model_loss(batch: TokenStates) -> Tensor:
    """Return the mean cross-entropy over tokens (a scalar, in nats), estimated if a sample size is set."""
    if not len(batch.tokens):  # post-edits can be empty
        return batch.states.sum()
    if batch.n_samples:
        return sampled_cross_entropy(batch.states, batch.tokens, batch.weight, batch.bias, batch.n_samples)
    logits = functional.linear(batch.states, batch.weight, batch.bias)
    return functional.cross_entropy(logits.float(), batch.tokens)


def update_metrics(metrics: LanguageModelMetrics, batch: TokenStates) -> Tensor:
    """Add the tokens of a batch to the metrics.

    Returns:
        The exact loss, see :func:`language_model_loss`.
    """
    results = statistics(batch.states, batch.tokens, batch.weight, batch.bias)
    metrics.update(results.log_probabilities.cpu().numpy(), results.correct.cpu().numpy())
    return -results.log_probabilities.mean() if len(batch.tokens) else results.log_probabilities.sum()

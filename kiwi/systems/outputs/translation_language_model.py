"""Predicting the words of a translation, or of a post-edit: losses and metrics of a language model."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from kiwi.metrics.accumulators import LanguageModelMetrics
from kiwi.modules.language_modelling import sampled_cross_entropy, statistics
from kiwi.systems.features import TokenStates
from kiwi.utils.io import BaseConfig

POST_EDIT_PREFIX = "pe"
"""Of the metrics of a language model that is trained on post-edits."""


TARGET_PREFIX = "target"
"""Of the metrics of a language model that is pretrained on translations."""


class TLMOutputsConfig(BaseConfig):
    """Form of ``system.model.tlm_outputs``."""

    fine_tune: bool = False
    """Train the encoder's language model on source and post-edit beside the quality estimation: the words of a
    predictor, masked pieces of a pretrained encoder. ``data.*.input.post_edit`` is then required in training. Its loss,
    a mean over tokens, is added to the others."""


def language_model_loss(asked: TokenStates) -> Tensor:
    """Cross-entropy, mean over tokens, perhaps from a sample of the vocabulary; a scalar, in nats."""
    if not len(asked.tokens):  # post-edits can be empty
        return asked.states.sum()
    if asked.n_samples:
        return sampled_cross_entropy(asked.states, asked.tokens, asked.weight, asked.bias, asked.n_samples)
    logits = functional.linear(asked.states, asked.weight, asked.bias)
    return functional.cross_entropy(logits.float(), asked.tokens)


def update_metrics(metrics: LanguageModelMetrics, asked: TokenStates) -> Tensor:
    """Add the tokens of a batch to the metrics.

    Returns:
        Their loss, as :func:`language_model_loss` has it.
    """
    found = statistics(asked.states, asked.tokens, asked.weight, asked.bias)
    metrics.update(found.log_probabilities.cpu().numpy(), found.correct.cpu().numpy())
    return -found.log_probabilities.mean() if len(asked.tokens) else found.log_probabilities.sum()

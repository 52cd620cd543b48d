"""Predicting the words of a translation, or of a post-edit: losses and metrics of a language model."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from kiwi.metrics.accumulators import LanguageModelMetrics
from kiwi.modules.language_modelling import statistics
from kiwi.systems.features import TokenStates
from kiwi.utils.io import BaseConfig

POST_EDIT_PREFIX = "pe"
"""Of the metrics of a language model that is trained on post-edits."""


class TLMOutputsConfig(BaseConfig):
    """Form of ``system.model.tlm_outputs``."""

    fine_tune: bool = False
    """Train the encoder's language model on source and post-edit beside the quality estimation: masked pieces of a
    pretrained encoder (``data.*.input.post_edit`` is then required in training). Its loss, a mean over tokens, is added
    to the others."""


def language_model_loss(asked: TokenStates) -> Tensor:
    """Cross-entropy, mean over tokens; a scalar, in nats."""
    logits = functional.linear(asked.states, asked.weight, asked.bias)
    return functional.cross_entropy(logits.float(), asked.tokens)


def update_metrics(metrics: LanguageModelMetrics, asked: TokenStates) -> Tensor:
    """Add the tokens of a batch to the metrics.

    Returns:
        Their loss, as :func:`language_model_loss` has it.
    """
    found = statistics(asked.states, asked.tokens, asked.weight, asked.bias)
    metrics.update(found.log_probabilities.cpu().numpy(), found.correct.cpu().numpy())
    return -found.log_probabilities.mean()

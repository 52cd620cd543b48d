"""Dropout within a pretrained model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kiwi.exceptions import ConfigError

DROPOUT_OPTIONS = frozenset(
    {
        "activation_dropout",
        "attention_dropout",
        "attention_probs_dropout_prob",
        "attn_pdrop",
        "dropout",
        "dropout_rate",
        "embd_pdrop",
        "embedding_dropout",
        "hidden_dropout",
        "hidden_dropout_prob",
        "mlp_dropout",
        "resid_pdrop",
    }
)
"""The names under which configurations of Transformers have the dropout probabilities within a model."""


def dropout_options(config: Mapping[str, Any], dropout: float) -> dict[str, float]:
    """Return the options of a configuration that are dropout probabilities, set to another one.

    Args:
        config: the configuration of the model, as Transformers writes it.
        dropout: the probability, in [0, 1).

    Raises:
        ConfigError: when there is none.
    """
    names = sorted(DROPOUT_OPTIONS & config.keys())
    if not names:
        raise ConfigError(
            f"system.model.encoder.dropout: found {dropout}, but a {config.get('model_type')} has no option of dropout "
            "that kiwi knows. Remove it."
        )
    return dict.fromkeys(names, dropout)

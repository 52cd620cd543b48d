"""Learned vectors of words and part-of-speech tags: their options, and how they are built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, PositiveInt
from torch import nn

from kiwi.data.text.vocabulary import Vocabulary
from kiwi.modules.token_embeddings import TokenEmbeddings
from kiwi.utils.io import BaseConfig

Probability = Annotated[float, Field(ge=0.0, lt=1.0)]


class TokenEmbeddingsConfig(BaseConfig):
    """Learned vectors for the tokens of one field."""

    dim: PositiveInt = 50
    """Size of a vector."""

    freeze: bool = False
    """Leave the vectors as they are initialized or loaded."""

    dropout: Probability = 0.0
    """Dropout of the vectors."""

    use_position_embeddings: bool = False
    """Add a learned vector for the position of the token."""

    max_position_embeddings: PositiveInt = 4000
    """Positions that have a vector of their own; later ones share the last."""

    sparse_embeddings: bool = False
    """Sparse gradients; for the optimizers that take them: ``sgd``, ``adagrad`` and ``sparse_adam``."""

    scale_embeddings: bool = False
    """Multiply the vectors by the square root of ``dim``."""

    input_layer_norm: bool = False
    """Layer norm of the vectors, before dropout."""


class EmbeddingsConfig(BaseConfig):
    """Vectors for each field that the encoder reads."""

    source: TokenEmbeddingsConfig = TokenEmbeddingsConfig()
    """Source words."""

    target: TokenEmbeddingsConfig = TokenEmbeddingsConfig()
    """Target words."""

    source_pos: TokenEmbeddingsConfig | None = None
    """Part-of-speech tags of the source, read when configured."""

    target_pos: TokenEmbeddingsConfig | None = None
    """Part-of-speech tags of the target, read when configured."""

    def of_fields(self) -> dict[str, TokenEmbeddingsConfig]:
        """Those that are configured, by field."""
        return {field: config for field, config in self if config is not None}


def build_embeddings(config: EmbeddingsConfig, vocabularies: Mapping[str, Vocabulary]) -> nn.ModuleDict:
    """A table of vectors for each configured field.

    Args:
        config: of the fields.
        vocabularies: of these fields.
    """
    return nn.ModuleDict(
        {
            field: TokenEmbeddings(
                len(vocabularies[field]),
                options.dim,
                dropout=options.dropout,
                freeze=options.freeze,
                max_positions=options.max_position_embeddings if options.use_position_embeddings else None,
                sparse=options.sparse_embeddings,
                scale=options.scale_embeddings,
                layer_norm=options.input_layer_norm,
            )
            for field, options in config.of_fields().items()
        }
    )

"""Learned embeddings of words and part-of-speech tags, and their options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field
from torch import nn

from kiwi.data.text.vocabulary import Vocabulary
from kiwi.modules.token_embeddings import TokenEmbeddings
from kiwi.utils.io import BaseConfig, Size

Probability = Annotated[float, Field(ge=0.0, lt=1.0)]


class TokenEmbeddingsConfig(BaseConfig):
    """The embeddings of one field."""

    dim: Size = 50
    """The size of an embedding."""

    freeze: bool = False
    """Whether to keep the embeddings as they are initialized or loaded."""

    dropout: Probability = 0.0
    """The dropout probability of the embeddings, in [0, 1)."""

    use_position_embeddings: bool = False
    """Whether to add a learned embedding of the token's position."""

    max_position_embeddings: Annotated[int, Field(gt=0, le=2**20)] = 4000
    """The number of positions that have an embedding; later positions share the last one."""

    sparse_embeddings: bool = False
    """Whether gradients are sparse. Supported by the optimizers ``sgd``, ``adagrad`` and ``sparse_adam``."""

    scale_embeddings: bool = False
    """Whether to multiply the embeddings by the square root of ``dim``."""

    input_layer_norm: bool = False
    """Whether to apply layer normalization to the embeddings, before dropout."""


class EmbeddingsConfig(BaseConfig):
    """The embeddings of each field that the encoder reads."""

    source: TokenEmbeddingsConfig = TokenEmbeddingsConfig()
    """The embeddings of source words."""

    target: TokenEmbeddingsConfig = TokenEmbeddingsConfig()
    """The embeddings of target words."""

    source_pos: TokenEmbeddingsConfig | None = None
    """The embeddings of the source's part-of-speech tags, which are read only if this is given."""

    target_pos: TokenEmbeddingsConfig | None = None
    """The embeddings of the target's part-of-speech tags, which are read only if this is given."""

    def by_field(self) -> dict[str, TokenEmbeddingsConfig]:
        """Return the options of the configured embeddings, by field."""
        return {field: config for field, config in self if config is not None}


def build_embeddings(config: EmbeddingsConfig, vocabularies: Mapping[str, Vocabulary]) -> nn.ModuleDict:
    """Build the embeddings of each configured field.

    Args:
        config: the options of the embeddings.
        vocabularies: the vocabularies of the fields.
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
            for field, options in config.by_field().items()
        }
    )

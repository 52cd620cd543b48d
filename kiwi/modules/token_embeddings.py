"""Learned embeddings of tokens."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class TokenEmbeddings(nn.Module):
    """The embeddings of tokens, optionally followed by scaling with the square root of ``dim``, addition of position
    embeddings, layer normalization and dropout, in this order.

    Args:
        n_tokens: the size of the vocabulary.
        dim: the size of an embedding.
        dropout: the dropout probability.
        freeze: whether to keep the token embeddings fixed.
        max_positions: the number of position embeddings, None for none; tokens beyond them share the last one.
        sparse: whether gradients are sparse.
        scale: whether to scale embeddings.
        layer_norm: whether to apply layer normalization.
    """

    def __init__(
        self,
        n_tokens: int,
        dim: int,
        *,
        dropout: float = 0.0,
        freeze: bool = False,
        max_positions: int | None = None,
        sparse: bool = False,
        scale: bool = False,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.tokens = nn.Embedding(n_tokens, dim, sparse=sparse)
        self.positions = nn.Embedding(max_positions, dim) if max_positions else None
        # Vectors of about unit length. With torch's default, entries of unit variance, a network memorizes the few
        # rare words of a small corpus.
        for table in filter(None, (self.tokens, self.positions)):
            nn.init.normal_(table.weight, std=dim**-0.5)
        self.tokens.weight.requires_grad_(not freeze)
        self.scale = math.sqrt(dim) if scale else 1.0
        self.norm = nn.LayerNorm(dim) if layer_norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)

    def forward(self, indices: Tensor) -> Tensor:
        """Map indices, int64 (batch, tokens), to embeddings, (batch, tokens, dim)."""
        vectors: Tensor = self.tokens(indices)  # (batch, tokens, dim)
        if self.scale != 1.0:
            vectors = vectors * self.scale
        if self.positions is not None:
            places = torch.arange(indices.shape[1], device=indices.device)
            vectors = vectors + self.positions(places.clamp(max=self.positions.num_embeddings - 1))
        normalized: Tensor = self.dropout(self.norm(vectors))
        return normalized

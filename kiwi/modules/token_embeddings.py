"""Learned vectors for tokens."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class TokenEmbeddings(nn.Module):
    """A vector for each token, with what is usually done to it, in this order: scale by the square root of ``dim``,
    add a learned vector for the position, layer norm, dropout.

    Args:
        n_tokens: size of the vocabulary.
        dim: size of a vector.
        dropout: of the result.
        freeze: whether the token vectors stay as they are.
        max_positions: positions that have a vector; None adds none. A token beyond them takes the last.
        sparse: whether gradients are sparse.
        scale: whether to scale.
        layer_norm: whether to normalize.
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
        # Vectors of about unit length, not torch's entries of unit size: from those, a network learns the few rare
        # words of a small corpus by heart.
        for table in filter(None, (self.tokens, self.positions)):
            nn.init.normal_(table.weight, std=dim**-0.5)
        self.tokens.weight.requires_grad_(not freeze)
        self.scale = math.sqrt(dim) if scale else 1.0
        self.norm = nn.LayerNorm(dim) if layer_norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)

    def forward(self, indices: Tensor) -> Tensor:
        """(batch, tokens) int64 to (batch, tokens, dim)."""
        vectors: Tensor = self.tokens(indices)  # (batch, tokens, dim)
        if self.scale != 1.0:
            vectors = vectors * self.scale
        if self.positions is not None:
            places = torch.arange(indices.shape[1], device=indices.device)
            vectors = vectors + self.positions(places.clamp(max=self.positions.num_embeddings - 1))
        normalized: Tensor = self.dropout(self.norm(vectors))
        return normalized

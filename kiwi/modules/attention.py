"""Attention of one sequence to another."""

from __future__ import annotations

import math

from torch import Tensor, nn


class Attention(nn.Module):
    """Attention with a bilinear score (Luong et al. 2015, D15-1166), scaled by the square root of the key size.

    The scaling is that of Vaswani et al. 2017 (arXiv 1706.03762).

    Args:
        query_dim: the size of queries.
        key_dim: the size of keys.
    """

    def __init__(self, query_dim: int, key_dim: int) -> None:
        super().__init__()
        self.queries = nn.Linear(query_dim, key_dim, bias=False)
        self.scale = 1.0 / math.sqrt(key_dim)

    def forward(self, queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """Return the weighted mean of the keys for each query, (batch, positions, key_dim).

        Args:
            queries: the queries, (batch, positions, query_dim).
            keys: the keys, which also serve as the values, (batch, others, key_dim).
            mask: False for padding, bool (batch, others); each row has at least one True.
        """
        scores = self.queries(queries) @ keys.transpose(1, 2) * self.scale  # (batch, positions, others)
        weights = scores.masked_fill(~mask.unsqueeze(1), float("-inf")).softmax(dim=-1)
        context: Tensor = weights @ keys
        return context

"""One sequence looks at another."""

from __future__ import annotations

import math

from torch import Tensor, nn


class Attention(nn.Module):
    """Means of one sequence, weighted for each position of another by how well the two agree.

    A bilinear score, scaled by the root of its size (Luong et al. 2015, D15-1166; Vaswani et al. 2017).

    Args:
        query_dim: of the sequence that looks.
        key_dim: of the sequence that is looked at.
    """

    def __init__(self, query_dim: int, key_dim: int) -> None:
        super().__init__()
        self.queries = nn.Linear(query_dim, key_dim, bias=False)
        self.scale = 1.0 / math.sqrt(key_dim)

    def forward(self, queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """(batch, positions, query_dim) and (batch, others, key_dim) to (batch, positions, key_dim).

        Args:
            queries: that look.
            keys: that are looked at, and averaged.
            mask: bool (batch, others), True where there is something; each row has at least one.
        """
        scores = self.queries(queries) @ keys.transpose(1, 2) * self.scale  # (batch, positions, others)
        weights = scores.masked_fill(~mask.unsqueeze(1), float("-inf")).softmax(dim=-1)
        context: Tensor = weights @ keys
        return context

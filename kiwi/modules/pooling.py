"""Many vectors to one, counting only those that are there."""

from __future__ import annotations

from torch import Tensor


def masked_mean(vectors: Tensor, mask: Tensor) -> Tensor:
    """Mean over positions.

    Args:
        vectors: (batch, positions, hidden).
        mask: bool (batch, positions), True where a position counts.

    Returns:
        (batch, hidden); zeros where no position counts.
    """
    weights = mask.unsqueeze(-1).to(vectors.dtype)  # (batch, positions, 1)
    return (vectors * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0)

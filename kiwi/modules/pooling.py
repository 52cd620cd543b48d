"""Pooling of vectors, without padding."""

from __future__ import annotations

from torch import Tensor


def masked_mean(vectors: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over the positions that a mask selects.

    Args:
        vectors: the vectors, (batch, positions, hidden).
        mask: True for the positions to include, bool (batch, positions).

    Returns:
        The means, (batch, hidden); zeros if no position is selected.
    """
    weights = mask.unsqueeze(-1).to(vectors.dtype)  # (batch, positions, 1)
    return (vectors * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0)

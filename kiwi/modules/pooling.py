"""Pooling of vectors, without padding."""

from __future__ import annotations

from contextlib import nullcontext

import torch
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


def weighted_sums(weights: Tensor, vectors: Tensor) -> Tensor:
    """Return weighted sums of vectors, in single precision even under mixed precision.

    A matrix product computes each sum in one thread and in one order. Operators that add into indices (``index_add_``)
    add in any order on a GPU, and their threads overwrite each other's sums in ONNX Runtime.

    Args:
        weights: the weight of each position in each sum, float32 (batch, sums, positions).
        vectors: the vectors, without NaN, (batch, positions, hidden).

    Returns:
        The sums, float32 (batch, sums, hidden).
    """
    exporting = torch.compiler.is_exporting()
    with nullcontext() if exporting else torch.autocast(vectors.device.type, enabled=False):
        return weights @ vectors.float()

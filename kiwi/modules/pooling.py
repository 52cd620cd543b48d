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
    """Sums of vectors, in single precision where everything else is mixed too.

    A product of matrices adds each sum up in one thread and one order. What adds into indices (``index_add_``) does not
    on a GPU, nor in ONNX Runtime, whose threads overwrite each other's sums.

    Args:
        weights: of the positions in each sum, float32 (batch, sums, positions).
        vectors: (batch, positions, hidden), none of which may be NaN.

    Returns:
        float32 (batch, sums, hidden).
    """
    exporting = torch.compiler.is_exporting()
    with nullcontext() if exporting else torch.autocast(vectors.device.type, enabled=False):
        return weights @ vectors.float()

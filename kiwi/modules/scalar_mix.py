"""A learned mixture of the layers of a model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class ScalarMix(nn.Module):
    """A weighted mean of layers, multiplied by a learned scale (Peters et al. 2018, arXiv 1802.05365).

    Args:
        n_layers: the number of layers.
        size: the size of their vectors.
        dropout: the probability with which a layer is left out in training.
        layer_norm: whether to apply layer normalization to each layer first.
    """

    def __init__(self, n_layers: int, size: int, *, dropout: float = 0.0, layer_norm: bool = False) -> None:
        super().__init__()
        self.dropout = dropout
        self.shape = (size,) if layer_norm else None
        self.weights = nn.Parameter(torch.zeros(n_layers))
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, layers: Sequence[Tensor]) -> Tensor:
        """Mix layers of (batch, positions, size) each into one."""
        weights: Tensor = self.weights
        if self.training and self.dropout:
            dropped = torch.rand_like(weights) < self.dropout
            if not dropped.all():
                weights = weights.masked_fill(dropped, float("-inf"))
        shares = weights.softmax(dim=0)
        if self.shape is not None:
            layers = [functional.layer_norm(layer, self.shape) for layer in layers]
        mixed = torch.stack([share * layer for share, layer in zip(shares, layers, strict=True)]).sum(dim=0)
        return self.scale * mixed

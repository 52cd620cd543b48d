"""Feed-forward networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def feedforward(in_dim: int, out_dim: int, n_layers: int, *, dropout: float = 0.0) -> nn.Sequential:
    """Build linear layers, each but the last followed by tanh and dropout, whose sizes halve from layer to layer.

    Args:
        in_dim: the size of the input, (..., in_dim).
        out_dim: the size of the output, (..., out_dim).
        n_layers: the number of linear layers, at least 1.
        dropout: the dropout probability after each activation.
    """
    layers: list[nn.Module] = []
    width = in_dim
    for _ in range(n_layers - 1):
        narrower = max(width // 2, out_dim)
        layers += [nn.Linear(width, narrower), nn.Tanh(), nn.Dropout(dropout)]
        width = narrower
    return nn.Sequential(*layers, nn.Linear(width, out_dim))


def by_rows(layers: nn.Module, rows: Tensor) -> Tensor:
    """Apply layers to rows, so that in an exported system the bits of a row do not depend on the other rows.

    ONNX Runtime multiplies a single row by a kernel of its own, which adds in another order. Therefore an export always
    computes a second row.

    Args:
        layers: layers that compute each row independently.
        rows: the rows, (rows, dim).
    """
    if not torch.compiler.is_exporting():
        result: Tensor = layers(rows)
        return result
    with_another: Tensor = layers(torch.cat([rows, torch.zeros_like(rows[:1])]))
    return with_another[:-1]

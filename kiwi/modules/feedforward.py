"""Feed-forward networks."""

from __future__ import annotations

from torch import nn


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

"""Feed-forward networks."""

from __future__ import annotations

from torch import nn


def feedforward(in_dim: int, out_dim: int, n_layers: int, *, dropout: float = 0.0) -> nn.Sequential:
    """``n_layers`` linear layers, each but the last followed by tanh and dropout; widths halve on the way.

    Args:
        in_dim: width of the input, (..., in_dim).
        out_dim: width of the output, (..., out_dim).
        n_layers: at least 1.
        dropout: after each activation.
    """
    layers: list[nn.Module] = []
    width = in_dim
    for _ in range(n_layers - 1):
        narrower = max(width // 2, out_dim)
        layers += [nn.Linear(width, narrower), nn.Tanh(), nn.Dropout(dropout)]
        width = narrower
    return nn.Sequential(*layers, nn.Linear(width, out_dim))

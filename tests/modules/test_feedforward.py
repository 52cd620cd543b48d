from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from kiwi.modules.feedforward import feedforward


@pytest.mark.parametrize(
    ("in_dim", "out_dim", "n_layers", "widths"),
    [
        (16, 2, 1, [(16, 2)]),
        (16, 2, 2, [(16, 8), (8, 2)]),
        (16, 2, 3, [(16, 8), (8, 4), (4, 2)]),
        (3, 2, 3, [(3, 2), (2, 2), (2, 2)]),
        (1, 1, 2, [(1, 1), (1, 1)]),
        (4, 8, 2, [(4, 8), (8, 8)]),
    ],
)
def test_widths_halve_but_not_below_the_output(
    in_dim: int, out_dim: int, n_layers: int, widths: list[tuple[int, int]]
) -> None:
    network = feedforward(in_dim, out_dim, n_layers)
    assert [(m.in_features, m.out_features) for m in network if isinstance(m, nn.Linear)] == widths
    assert network(torch.zeros(5, 7, in_dim)).shape == (5, 7, out_dim)


def test_tanh_between_layers_and_nothing_after_the_last() -> None:
    network = feedforward(2, 1, 2)
    first, last = (module for module in network if isinstance(module, nn.Linear))
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, 2.0]]))
        first.bias.fill_(0.5)
        last.weight.fill_(3.0)
        last.bias.fill_(-1.0)
    assert network(torch.tensor([[0.25, 0.125]])).item() == pytest.approx(3 * math.tanh(1.0) - 1, abs=1e-6)
    assert network(torch.tensor([[50.0, 0.0]])).item() == pytest.approx(2.0)


@pytest.mark.parametrize(("n_layers", "count"), [(1, 0), (2, 1), (4, 3)])
def test_dropout_after_each_activation(n_layers: int, count: int) -> None:
    rates = [module.p for module in feedforward(8, 2, n_layers, dropout=0.3) if isinstance(module, nn.Dropout)]
    assert rates == [0.3] * count

"""Recurrent layers over sequences of different lengths."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def run_recurrent(layers: nn.RNNBase, vectors: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Run recurrent layers on packed sequences, so that results do not depend on padding.

    Args:
        layers: the layers, with ``batch_first``.
        vectors: the sequences, (batch, positions, dim).
        lengths: the lengths of the sequences, at least 1 each, int64 (batch,).

    Returns:
        The states, (batch, positions, hidden), zeros for padding; and the last states of the top layer, both
        directions concatenated, (batch, hidden).
    """
    if torch.compiler.is_exporting():
        return run_recurrent_onnx(layers, vectors, lengths)
    packed = pack_padded_sequence(vectors, lengths.cpu(), batch_first=True, enforce_sorted=False)
    states, last = layers(packed)
    if isinstance(last, tuple):  # an LSTM returns cells too, which are not read
        last = last[0]
    padded, _ = pad_packed_sequence(states, batch_first=True, total_length=vectors.shape[1])
    n_directions = 2 if layers.bidirectional else 1
    return padded, last[-n_directions:].transpose(0, 1).flatten(1)


GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}
"""The position among torch's gates (LSTM: i, f, g, o; GRU: r, z, n) of each of ONNX's gates (i, o, f, c; z, r, h)."""


def run_recurrent_onnx(layers: nn.RNNBase, vectors: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Express :func:`run_recurrent` by ONNX operators, which accept the lengths of sequences; for export only.

    Args:
        layers: the LSTM or GRU.
        vectors: the sequences, (batch, positions, dim).
        lengths: the lengths of the sequences, int64 (batch,).
    """
    n_directions = 2 if layers.bidirectional else 1
    attributes: dict[str, Any] = {"hidden_size": layers.hidden_size}
    attributes["direction"] = "bidirectional" if layers.bidirectional else "forward"
    if layers.mode == "GRU":
        attributes["linear_before_reset"] = 1  # as in torch
    states, counts = vectors.transpose(0, 1), lengths.int()  # (positions, batch, dim)
    n_positions, n_sequences = states.shape[:2]
    last = states
    for layer in range(layers.num_layers):
        weights = [_stack_gates(layers, f"weight_{kind}_l{layer}") for kind in ("ih", "hh")]
        biases = [_stack_gates(layers, f"bias_{kind}_l{layer}") for kind in ("ih", "hh")]
        every, last = torch.onnx.ops.symbolic_multi_out(
            layers.mode,
            [states, *weights, torch.cat(biases, dim=-1), counts],
            attributes,
            dtypes=[vectors.dtype, vectors.dtype],
            shapes=[
                (n_positions, n_directions, n_sequences, layers.hidden_size),
                (n_directions, n_sequences, layers.hidden_size),
            ],
            version=14,
        )
        states = every.transpose(1, 2).flatten(2)  # (positions, batch, directions * hidden)
    return states.transpose(0, 1), last.transpose(0, 1).flatten(1)


def _stack_gates(layers: nn.RNNBase, name: str) -> Tensor:
    """Return a weight or bias of one layer with gates in the order of ONNX, (directions, gates * hidden, ...)."""
    suffixes = ("", "_reverse") if layers.bidirectional else ("",)
    sides = [getattr(layers, f"{name}{suffix}").chunk(len(GATES[layers.mode])) for suffix in suffixes]
    return torch.stack([torch.cat([gates[place] for place in GATES[layers.mode]]) for gates in sides])

"""Recurrent layers over sequences of different length."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def run_recurrent(layers: nn.LSTM, vectors: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Run on what is there and no padding, so that the batch does not matter to a sequence.

    Args:
        layers: with ``batch_first``.
        vectors: (batch, positions, dim).
        lengths: of the sequences, at least 1 each, int64 (batch,).

    Returns:
        States, (batch, positions, hidden), zeros for padding; and the last states of the uppermost layer, both
        directions side by side, (batch, hidden).
    """
    packed = pack_padded_sequence(vectors, lengths.cpu(), batch_first=True, enforce_sorted=False)
    states, (last, _) = layers(packed)
    padded, _ = pad_packed_sequence(states, batch_first=True, total_length=vectors.shape[1])
    n_directions = 2 if layers.bidirectional else 1
    return padded, last[-n_directions:].transpose(0, 1).flatten(1)

"""The pieces of a batch as tensors, and means over them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kiwi.data.batch import QEBatch
from kiwi.data.text.pieces import NO_WORD


@dataclass(frozen=True)
class Pieces:
    """The pieces of a batch; see :class:`kiwi.data.batch.QEBatch` for their shapes."""

    ids: Tensor
    mask: Tensor
    types: Tensor
    words: Tensor
    sides: Tensor
    weights: Tensor
    segments: Tensor

    @classmethod
    def of(cls, batch: QEBatch[Tensor]) -> Pieces:
        """Return the pieces of a batch."""
        arrays = batch.arrays()
        rest = {name: arrays[f"piece_{name}"] for name in ("mask", "types", "words", "sides", "weights", "segments")}
        return cls(arrays["pieces"], **rest)

    def of_words(self, side: int) -> Tensor:
        """Where there are pieces of words of a side, bool (windows, pieces)."""
        return (self.words != NO_WORD) & (self.sides == side)

    def means_of_words(self, states: Tensor, side: int, mask: Tensor) -> Tensor:
        """Means over the pieces of each word, in all windows that read it.

        Args:
            states: (windows, pieces, hidden).
            side: of the words.
            mask: of the words, bool (batch, words).

        Returns:
            (batch, words, hidden); zeros for a word without pieces.
        """
        chosen = self.of_words(side)
        groups = self.segments.unsqueeze(-1) * mask.shape[1] + self.words
        return self._means(states, chosen, groups, mask.numel()).view(*mask.shape, -1)

    def means_of_segments(self, states: Tensor, chosen: Tensor, n_segments: int) -> Tensor:
        """Means over chosen pieces in all windows of each segment.

        Args:
            states: (windows, pieces, hidden).
            chosen: bool (windows, pieces).
            n_segments: of the batch.

        Returns:
            (batch, hidden); zeros for a segment of which nothing is chosen.
        """
        return self._means(states, chosen, self.segments.unsqueeze(-1).expand_as(chosen), n_segments)

    def _means(self, states: Tensor, chosen: Tensor, groups: Tensor, n_groups: int) -> Tensor:
        """Means of the chosen pieces in each group, a piece that several windows read counting once.

        The others weigh nothing: to leave them out, the processor would have to wait for the number of those that stay.
        """
        weights = (self.weights * chosen).flatten()
        places = groups.masked_fill(~chosen, 0).flatten()
        there = states.masked_fill(~chosen.unsqueeze(-1), 0.0)  # padding can be no number
        vectors = there.flatten(0, 1).float() * weights.unsqueeze(-1)  # (windows * pieces, hidden)
        total = vectors.new_zeros(n_groups, vectors.shape[-1]).index_add_(0, places, vectors)
        weight = weights.new_zeros(n_groups).index_add_(0, places, weights).unsqueeze(-1)
        return (total / torch.where(weight > 0, weight, 1.0)).to(states.dtype)

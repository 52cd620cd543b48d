"""The pieces of a batch as tensors, and means over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kiwi.data.batch import QEBatch
from kiwi.data.text.pieces import NO_WORD, SOURCE_SIDE, TARGET_SIDE
from kiwi.modules.pooling import weighted_sums


@dataclass(frozen=True)
class Pieces:
    """The pieces of a batch, and the positions of words and segments among them.

    :class:`kiwi.data.batch.QEBatch` documents the shapes.
    """

    ids: Tensor
    mask: Tensor
    types: Tensor
    words: Tensor
    sides: Tensor
    weights: Tensor
    segment_windows: Tensor
    target_readings: Tensor
    source_readings: Tensor

    @classmethod
    def of(cls, batch: QEBatch[Tensor]) -> Pieces:
        """Return the pieces of a batch."""
        arrays = batch.arrays()
        rest = {name: arrays[f"piece_{name}"] for name in ("mask", "types", "words", "sides", "weights")}
        places = {name: arrays[name] for name in ("segment_windows", "target_readings", "source_readings")}
        return cls(arrays["pieces"], **rest, **places)

    @classmethod
    def without_words(cls, ids: Tensor, mask: Tensor, types: tuple[int, int]) -> Pieces:
        """Return pieces that belong to no word; the first two columns are the target, the others the source.

        Args:
            ids: the pieces, int64 (windows, pieces).
            mask: whether there is a piece, bool (windows, pieces).
            types: the token types of target and source.
        """
        sides = torch.zeros_like(ids)
        sides[:, 2:] = SOURCE_SIDE
        none = torch.full_like(ids, NO_WORD)
        places = torch.arange(len(ids), device=ids.device)[:, None]
        return cls(
            ids, mask, torch.tensor(types, device=ids.device)[sides], none, sides, mask.float(), places, none, none
        )

    def of_words(self, side: int) -> Tensor:
        """Return the mask of the pieces of one side's words, bool (windows, pieces)."""
        return (self.words != NO_WORD) & (self.sides == side)

    def means_of_words(self, states: Tensor, sides: Sequence[int] = (TARGET_SIDE, SOURCE_SIDE)) -> dict[int, Tensor]:
        """Return the mean over the pieces of each word, in all windows that contain it.

        The pieces of a word are first summed within each window, by a product with a matrix (pieces, pieces) that puts
        the sum at each piece of the word; these sums are then added over the windows.

        Args:
            states: the states of the pieces, (windows, pieces, hidden).
            sides: the sides whose words are needed.

        Returns:
            The means by side, (batch, words, hidden); zeros for a word without pieces.
        """
        is_word = self.words != NO_WORD
        numbers = self.words * 2 + self.sides
        same = numbers.unsqueeze(2) == numbers.unsqueeze(1)
        weights = same * (self.weights.float() * is_word).unsqueeze(1)  # (windows, pieces, pieces)
        there = states.masked_fill(~is_word.unsqueeze(-1), 0.0)  # padding may be NaN
        sums, weight = weighted_sums(weights, there).flatten(0, 1), weights.sum(dim=-1).flatten()
        readings = {TARGET_SIDE: self.target_readings, SOURCE_SIDE: self.source_readings}
        return {side: _mean(sums, weight, readings[side]).to(states.dtype) for side in sides}

    def means_of_units(self, states: Tensor, readings: Tensor) -> Tensor:
        """Return the mean over the windows that contain each unit.

        Args:
            states: the states of the pieces, (windows, pieces, hidden).
            readings: the positions of each unit, (batch, units, windows of a unit).

        Returns:
            The means, (batch, units, hidden); zeros for padding.
        """
        sums = (states.float() * self.weights.unsqueeze(-1)).flatten(0, 1)
        return _mean(sums, self.weights.flatten(), readings).to(states.dtype)

    def means_of_segments(self, states: Tensor, chosen: Tensor) -> Tensor:
        """Return the mean over chosen pieces in all windows of each segment.

        A piece that several windows contain counts once.

        Args:
            states: the states of the pieces, (windows, pieces, hidden).
            chosen: the mask of the chosen pieces, bool (windows, pieces).

        Returns:
            The means, (batch, hidden); zeros for a segment without a chosen piece.
        """
        weights = self.weights * chosen
        there = states.masked_fill(~chosen.unsqueeze(-1), 0.0)
        sums = (there.float() * weights.unsqueeze(-1)).sum(dim=1)  # (windows, hidden)
        return _mean(sums, weights.sum(dim=1), self.segment_windows).to(states.dtype)

    def pooled(self, mixed: Tensor, last: Tensor, pooling: str) -> Tensor:
        """Return the pooled features of each segment, (batch, vectors * hidden).

        Args:
            mixed: the states of the pieces, mixed of several layers, (windows, pieces, hidden).
            last: the states of the last layer, (windows, pieces, hidden).
            pooling: the option of the encoder.
        """
        if pooling == "ll_mean":
            return self.means_of_segments(last, self.mask)
        vectors = []
        if pooling in ("first_token", "mixed", "compare"):
            column = torch.arange(self.mask.shape[1], device=self.mask.device)
            vectors.append(self.means_of_segments(mixed, (column == 0).expand_as(self.mask)))
        if pooling in ("mean", "mixed"):
            vectors.append(self.means_of_segments(mixed, self.mask))
        if pooling == "compare":
            sides = (self.of_words(side) for side in (TARGET_SIDE, SOURCE_SIDE))
            target, source = (self.means_of_segments(mixed, side) for side in sides)
            vectors += [target, source, (target - source).abs(), target * source]
        return torch.cat(vectors, dim=-1)


def _mean(sums: Tensor, weights: Tensor, places: Tensor) -> Tensor:
    """Return weighted means over groups of positions.

    Args:
        sums: the sums of weighted vectors at each position, (positions, hidden).
        weights: the sum of the weights at each position, (positions,).
        places: the positions of each group, padded with -1, (..., positions of a group).

    Returns:
        The means, (..., hidden); zeros where the weights are zero.
    """
    missing, at = places < 0, places.clamp(min=0).flatten()
    total = (
        sums.index_select(0, at).view(*places.shape, sums.shape[-1]).masked_fill(missing.unsqueeze(-1), 0.0).sum(dim=-2)
    )
    weight = weights.index_select(0, at).view(places.shape).masked_fill(missing, 0.0).sum(dim=-1, keepdim=True)
    return total / weight.masked_fill(weight == 0, 1.0)

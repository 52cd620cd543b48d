"""What a system computes on at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = TypeVar("Array")


@dataclass(frozen=True)
class QEBatch(Generic[Array]):
    """Some segments, padded to the longest of them: arrays of NumPy, or tensors that share their memory.

    Shapes are in segments and words; a mask is True where there is a word. Tags are classes
    (:data:`kiwi.constants.LABELS`), :data:`kiwi.constants.IGNORE` where there is none. What the data does not have
    is None.
    """

    source_mask: Array
    """bool (batch, source_words)."""

    target_mask: Array
    """bool (batch, target_words)."""

    source: Array | None = None
    """Word indices, int64 (batch, source_words)."""

    target: Array | None = None
    """Word indices, int64 (batch, target_words)."""

    alignments: Array | None = None
    """int64 (pairs, 3): segment, source word, target word."""

    source_pos: Array | None = None
    """Part-of-speech indices, int64 (batch, source_words)."""

    target_pos: Array | None = None
    """Part-of-speech indices, int64 (batch, target_words)."""

    pieces: Array | None = None
    """Pieces of both sides for a pretrained encoder, int64 (windows, pieces); a long segment has several windows."""

    piece_mask: Array | None = None
    """True where there is a piece, bool (windows, pieces)."""

    piece_types: Array | None = None
    """Token types as the encoder counts them, int64 (windows, pieces)."""

    piece_words: Array | None = None
    """Word of each piece, counted on its side; -1 for special pieces and padding, int64 (windows, pieces)."""

    piece_sides: Array | None = None
    """0 for the target and 1 for the source, int64 (windows, pieces)."""

    piece_weights: Array | None = None
    """The inverse of the number of windows that read the piece, so that each counts once, float32 (windows, pieces)."""

    frozen_states: Array | None = None
    """Outputs of the encoder's frozen layers, where they are kept, float32 (windows, pieces, hidden)."""

    piece_segments: Array | None = None
    """Segment of each window, int64 (windows,)."""

    segment_windows: Array | None = None
    """Windows of each segment, -1 where it has no more, int64 (batch, most windows of a segment)."""

    target_readings: Array | None = None
    """Where each word stands, in every window that reads it: the place of its first piece there, counted through all
    windows, padding included; -1 where no more windows read it, int64 (batch, target_words, most readings)."""

    source_readings: Array | None = None
    """The same of source words, int64 (batch, source_words, most readings)."""

    target_tags: Array | None = None
    """int64 (batch, target_words)."""

    gap_tags: Array | None = None
    """int64 (batch, target_words + 1)."""

    source_tags: Array | None = None
    """int64 (batch, source_words)."""

    sentence_scores: Array | None = None
    """float32 (batch,)."""

    post_edit: QEBatch[Array] | None = None
    """The same segments with the post-edit as the target, for a language model that is trained on it."""

    def __len__(self) -> int:
        return len(self.target_mask)  # type: ignore[arg-type]

    def arrays(self) -> dict[str, Array]:
        """The arrays that are there, by name, without those of ``post_edit``."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "post_edit"}
        return {name: value for name, value in values.items() if value is not None}


NumpyBatch = QEBatch[NDArray[Any]]


def mask_of(lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """True for as many places of each row as its length says (rows, longest)."""
    mask: NDArray[np.bool_] = np.arange(lengths.max(initial=0)) < lengths[:, None]
    return mask


def pad(rows: Sequence[Sequence[Any]], fill: int, dtype: type[np.generic] = np.int64) -> NDArray[Any]:
    """Rows of different length in one array (rows, longest), filled at their ends."""
    mask = mask_of(np.array([len(row) for row in rows], dtype=np.int64))
    padded = np.full(mask.shape, fill, dtype=dtype)
    # All rows at once: an assignment for each of them takes longer than what is assigned.
    padded[mask] = np.array(list(chain.from_iterable(rows)), dtype=dtype)
    return padded

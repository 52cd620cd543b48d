"""A batch of segments as arrays."""

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
    """A batch of segments, padded to the longest one, as NumPy arrays or as tensors that share their memory.

    Tags are class indices (:data:`kiwi.constants.LABELS`), padded with :data:`kiwi.constants.IGNORE`. Fields that the
    data does not have are None.
    """

    source_mask: Array
    """Whether there is a source word, bool (batch, source_words)."""

    target_mask: Array
    """Whether there is a target word, bool (batch, target_words)."""

    source: Array | None = None
    """Indices of the source words, int64 (batch, source_words)."""

    target: Array | None = None
    """Indices of the target words, int64 (batch, target_words)."""

    alignments: Array | None = None
    """Alignments as triples of segment, source word and target word, int64 (pairs, 3)."""

    source_pos: Array | None = None
    """Part-of-speech indices of the source, int64 (batch, source_words)."""

    target_pos: Array | None = None
    """Part-of-speech indices of the target, int64 (batch, target_words)."""

    pieces: Array | None = None
    """Pieces of both sides for a pretrained encoder, int64 (windows, pieces); a long segment has several windows."""

    piece_mask: Array | None = None
    """Whether there is a piece, bool (windows, pieces)."""

    piece_types: Array | None = None
    """Token type IDs of the encoder, int64 (windows, pieces)."""

    piece_words: Array | None = None
    """The index of each piece's word on its side, or -1 for special pieces and padding, int64 (windows, pieces)."""

    piece_sides: Array | None = None
    """The side of each piece, 0 for the target and 1 for the source, int64 (windows, pieces)."""

    piece_weights: Array | None = None
    """The inverse of the number of windows that read the piece, so that each counts once, float32 (windows, pieces)."""

    frozen_states: Array | None = None
    """Cached outputs of the encoder's frozen layers, float32 (windows, pieces, hidden)."""

    piece_segments: Array | None = None
    """The segment of each window, int64 (windows,)."""

    segment_windows: Array | None = None
    """The windows of each segment, padded with -1, int64 (batch, windows of a segment)."""

    target_readings: Array | None = None
    """The position of each word's first piece in every window that contains the word, padded with -1, int64 (batch,
    target_words, windows of a word). Positions count through all windows, padding included."""

    source_readings: Array | None = None
    """The same for source words, int64 (batch, source_words, windows of a word)."""

    unit_mask: Array | None = None
    """Whether there is a unit of the target (:mod:`kiwi.data.text.units`), bool (batch, units)."""

    unit_bounds: Array | None = None
    """The positions of the first character of each unit and after its last one, in the target as given, padded with -1,
    int64 (batch, units, 2)."""

    unit_readings: Array | None = None
    """The position of each unit's piece in every window that contains it, as in ``target_readings``, int64 (batch,
    units, windows of a unit)."""

    span_labels: Array | None = None
    """The share of raters who marked each gap and unit as OK and with each severity, float32 (batch, 2 * units + 1, 1 +
    severities). Gaps and units alternate, from gap 0 to the gap after the last unit; zeros are padding."""

    gold_spans: Array | None = None
    """The error spans of the raters: segment, rater, start, end and index of the severity, int64 (spans, 5)."""

    n_raters: Array | None = None
    """The number of raters of each segment's error spans, int64 (batch,)."""

    target_tags: Array | None = None
    """Tags of the target words, int64 (batch, target_words)."""

    gap_tags: Array | None = None
    """Tags of the gaps between target words, int64 (batch, target_words + 1)."""

    source_tags: Array | None = None
    """Tags of the source words, int64 (batch, source_words)."""

    sentence_scores: Array | None = None
    """Sentence scores, float32 (batch,)."""

    score_deviations: Array | None = None
    """The standard deviations of the raters' scores, float32 (batch,)."""

    binary: Array | None = None
    """Verdicts on the segments, int64 (batch,)."""

    post_edit: QEBatch[Array] | None = None
    """The same segments with the post-edit as the target, for training a language model on it."""

    def __len__(self) -> int:
        return len(self.target_mask)  # type: ignore[arg-type]

    def arrays(self) -> dict[str, Array]:
        """Return the arrays that are not None by name, without those of ``post_edit``."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "post_edit"}
        return {name: value for name, value in values.items() if value is not None}


NumpyBatch = QEBatch[NDArray[Any]]


def mask_of(lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return a mask (rows, longest) that is True up to the length of each row."""
    mask: NDArray[np.bool_] = np.arange(lengths.max(initial=0)) < lengths[:, None]
    return mask


def pad(rows: Sequence[Sequence[Any]], fill: int, dtype: type[np.generic] = np.int64) -> NDArray[Any]:
    """Return rows of different lengths as one array (rows, longest), padded at their ends with ``fill``."""
    mask = mask_of(np.array([len(row) for row in rows], dtype=np.int64))
    padded = np.full(mask.shape, fill, dtype=dtype)
    # One assignment for all rows is faster than one per row.
    padded[mask] = np.array(list(chain.from_iterable(rows)), dtype=dtype)
    return padded

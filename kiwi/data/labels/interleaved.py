"""Predicted tags of target words that are interleaved with those of gaps, 2n+1 for n words, as in WMT18 and WMT19."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kiwi.data.labels.ragged import Ragged

MANY = 8
"""The number of segments that are hardly all of an odd number of words by chance."""


def is_interleaved(
    predicted: Ragged, gold_lengths: NDArray[np.int64], n_words: NDArray[np.int64] | None
) -> tuple[bool, bool]:
    """Return whether predicted tags are interleaved with gaps, and whether that is certain.

    Where predicted and gold tags have the same odd number in every segment and the texts are not known, both may be
    interleaved or both may be of words.

    Args:
        predicted: the predicted tags.
        gold_lengths: the number of gold tags of each segment, (segments,).
        n_words: the number of target words of each segment, (segments,), if the texts are known.
    """
    if len(predicted) != len(gold_lengths):
        return False, True
    filled = predicted.lengths > 0
    found = predicted.lengths[filled]
    if n_words is not None:
        return np.array_equal(found, 2 * n_words[filled] + 1), True
    if np.array_equal(found, 2 * gold_lengths[filled] + 1):
        return True, True
    if not len(found) or (found % 2 == 0).any() or not np.array_equal(found, gold_lengths[filled]):
        return False, True
    # A single tag is a word in one form and an empty translation in the other.
    return bool(found.min() > 1 or np.count_nonzero(found > 1) >= MANY), False


def split_rows(rows: Ragged) -> tuple[Ragged, Ragged]:
    """Return the tags of words and those of gaps of interleaved rows; a row without tags has neither."""
    places = np.arange(len(rows.values)) - np.repeat(rows.offsets[:-1], rows.lengths)
    parts = []
    for is_gap in (False, True):
        lengths = (rows.lengths + is_gap) // 2
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        parts.append(Ragged(rows.values[(places % 2 == 0) == is_gap], offsets))
    return parts[0], parts[1]

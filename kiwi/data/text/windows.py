"""Windows over pieces: which window reads what, as arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return concatenated ranges of numbers; for example, starts 5, 0 and lengths 3, 2 give 5, 6, 7, 0, 1."""
    before = np.cumsum(lengths) - lengths
    numbers: NDArray[np.int64] = np.arange(lengths.sum()) + np.repeat(starts - before, lengths)
    return numbers


def piece_weights(
    mask: NDArray[np.bool_],
    segments: NDArray[np.int64],
    chosen: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    places: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> NDArray[np.float32]:
    """Return the inverse of the number of windows that read each piece; special pieces are in all windows of a segment.

    Args:
        mask: whether there is a piece (windows, pieces).
        segments: the segment of each window (windows,).
        chosen: whether there is a piece of each side (windows, pieces).
        places: the indices of these pieces on their side, row by row.
    """
    n_windows = np.bincount(segments)
    if n_windows.max(initial=1) == 1:
        return mask.astype(np.float32)
    weights = np.where(mask, 1 / n_windows[segments][:, None], 0.0).astype(np.float32)
    for where, read in zip(chosen, places, strict=True):
        weights[where] = 1 / np.bincount(read)[read]
    return weights


def word_readings(
    words: NDArray[np.int64],
    chosen: NDArray[np.bool_],
    segments: NDArray[np.int64],
    shape: tuple[int, int],
    *,
    one_each: bool,
) -> NDArray[np.int64]:
    """Return the position of each word's first piece, in all windows that contain the word.

    See ``target_readings`` of :class:`kiwi.data.batch.QEBatch`.

    Args:
        words: the word of each piece, (windows, pieces).
        chosen: the mask of the side's pieces, (windows, pieces).
        segments: the segment of each window, (windows,).
        shape: the number of segments, and of the words of the longest one.
        one_each: whether each segment has one window.
    """
    first = chosen.copy()  # the first piece of each word
    first[:, 1:] &= (words[:, 1:] != words[:, :-1]) | ~chosen[:, :-1]
    windows, columns = np.nonzero(first)
    groups = segments[windows] * shape[1] + words[windows, columns]
    places = windows * words.shape[1] + columns
    return by_group(groups, places, shape[0] * shape[1], one_each=one_each).reshape(*shape, -1)


def by_group(
    groups: NDArray[np.int64], values: NDArray[np.int64], n_groups: int, *, one_each: bool
) -> NDArray[np.int64]:
    """Return the values of each group as rows, padded with -1, (groups, values of a group; at least one).

    Args:
        groups: the group of each value.
        values: the values; their order within a group is kept.
        n_groups: the number of groups.
        one_each: whether no group has more than one value.
    """
    if one_each:
        found = np.full((n_groups, 1), -1, dtype=np.int64)
        found[groups, 0] = values
        return found
    order = np.argsort(groups, kind="stable")
    groups, counts = groups[order], np.bincount(groups, minlength=n_groups)
    found = np.full((n_groups, counts.max(initial=1)), -1, dtype=np.int64)
    found[groups, np.arange(len(groups)) - (np.cumsum(counts) - counts)[groups]] = values[order]
    return found

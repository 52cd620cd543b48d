"""Assigns the segments of a corpus to its parts, in arrays of a few bytes per segment."""

from __future__ import annotations

from array import array
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from kiwi.exceptions import DataError
from kiwi.lib.corpus.options import PARTS, CorpusOptions

LEFT_OUT, DUPLICATE = -1, -2
"""What stands for the part of segments that are left out, by the rule ``duplicate`` or another one."""

DEFAULT_SIZE, DEFAULT_SHARE = 1000, 0.1
"""The size of ``dev`` and ``test``, and the share of the segments that they are at most, unless the user says more."""


class Keys:
    """Hashes of the segments of a corpus, by which duplicates are found and segments are kept together."""

    def __init__(self) -> None:
        self._is_kept = array("b")
        self._sources, self._groups, self._rows = array("Q"), array("Q"), array("Q")

    def add(self, is_kept: bool, source: str, group: str | None, row: str) -> None:
        """Add a segment.

        Args:
            is_kept: whether it is kept by the rules that concern single segments.
            source: its source.
            group: the name of its document, if known.
            row: all of it, by which duplicates are recognized.
        """
        self._is_kept.append(is_kept)
        self._sources.append(_hash(source.casefold()))
        self._rows.append(_hash(row))
        if group is not None:
            self._groups.append(_hash(group))

    def split(self, options: CorpusOptions, place: object) -> NDArray[np.int8]:
        """Return the index of the part of each segment, (segments,), or what stands for segments that are left out.

        Segments with the same source are in the same part, and those of a group are.

        Args:
            options: the sizes of the parts, and how they are drawn.
            place: the file of the segments, for errors.

        Raises:
            DataError: when no segment is left for a part.
        """
        is_kept = np.frombuffer(self._is_kept, np.int8) == 1
        parts = np.where(is_kept, np.int8(0), np.int8(LEFT_OUT))
        if "duplicate" not in options.keep:
            kept = np.flatnonzero(is_kept)
            _, first = np.unique(np.frombuffer(self._rows, np.uint64)[kept], return_index=True)
            parts[np.delete(kept, first)] = DUPLICATE
        kept = np.flatnonzero(parts == 0)
        if not len(kept):
            found = f"{len(is_kept):,} segments, all of which the cleaning rules leave out"
            advice = "Do the lines of the files match? --keep switches rules off, one by one."
            raise DataError.at(place, None, found=found, expected="some to train on", advice=advice)
        sizes = [_size(options.dev, len(kept)), _size(options.test, len(kept))]
        if sum(sizes) >= len(kept):
            sizes_given = f"{sizes[0]:,} for dev and {sizes[1]:,} for test"
            found, expected = f"{len(kept):,} segments", f"more than {sizes_given}, so that some are left to train on"
            raise DataError.at(place, None, found=found, expected=expected, advice="Lower --dev and --test.")
        keys = [np.frombuffer(self._sources, np.uint64)[kept]]
        if self._groups:
            keys.append(np.frombuffer(self._groups, np.uint64)[kept])
        blocks = _connected(keys)
        parts[kept] = of_kept = _fill(blocks, sizes, options)
        for part, size in zip((1, 2), sizes, strict=True):
            if size and not np.any(of_kept == part):
                found = f"no document or repeated source of at most {size:,} segments, the size of {PARTS[part]}"
                advice = f"Raise --{PARTS[part]}, or remove --group."
                raise DataError.at(place, None, found=found, expected="at least one", advice=advice)
        return parts


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def _size(given: float | None, n_segments: int) -> int:
    if given is None:
        return min(DEFAULT_SIZE, max(1, int(DEFAULT_SHARE * n_segments)))
    return round(given * n_segments) if given < 1 else int(given)


def _connected(keys: list[NDArray[np.uint64]]) -> NDArray[np.int64]:
    """Return a number for each segment that segments with a common key share, directly or through others."""
    inverses = [np.unique(key, return_inverse=True)[1] for key in keys]
    numbers = np.arange(len(keys[0]))
    while True:
        former = numbers
        for inverse in inverses:
            least = np.full(int(inverse.max(initial=0)) + 1, len(numbers))
            np.minimum.at(least, inverse, numbers)
            numbers = least[inverse]
        if np.array_equal(numbers, former):
            return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def _fill(blocks: NDArray[np.int64], sizes: list[int], options: CorpusOptions) -> NDArray[np.int8]:
    """Return the index of the part of each segment; blocks that do not fit a part anymore go to another one."""
    counts = np.bincount(blocks)
    if options.keep_order:
        last = np.zeros(len(counts), np.int64)
        np.maximum.at(last, blocks, np.arange(len(blocks)))
        order = np.argsort(-last)
    else:
        order = np.random.default_rng(options.seed).permutation(len(counts))
    of_block = np.zeros(len(counts), np.int8)
    waiting = order.tolist()
    for part, size in ((PARTS.index("test"), sizes[1]), (PARTS.index("dev"), sizes[0])):
        rest = []
        for position, block in enumerate(waiting):
            if size <= 0:
                rest += waiting[position:]
                break
            if counts[block] <= size:
                of_block[block] = part
                size -= int(counts[block])
            else:
                rest.append(block)
        waiting = rest
    return of_block[blocks]

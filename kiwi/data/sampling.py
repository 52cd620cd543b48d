"""Which segments share a batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_BLOCKS = 2**20
"""Segments that are shuffled one by one; of more, blocks of neighbours are, and then the segments of a few blocks."""

BLOCKS_AT_ONCE = 2**14


class ShuffledBatches:
    """Batches of indices in an order that depends on seed and epoch alone.

    Segments are shuffled; with ``buffer_size``, each run of that many shuffled segments is then sorted by length
    and cut into batches, whose order is shuffled again, so that segments of like length share a batch (less
    padding) while batches stay random. Memory does not grow with the number of segments beyond a million.

    Args:
        lengths: of each segment, in words or pieces of source plus target: a list, or whatever gives an array of
            lengths for an array of indices.
        batch_size: segments in a batch; the last one of a buffer may be smaller.
        buffer_size: segments sorted together, rounded up to whole batches; None shuffles only.
        seed: of the order.
        rank: of this process, which gets every ``world_size``-th batch.
        world_size: number of processes; each gets the same number of batches.
    """

    def __init__(
        self,
        lengths: Any,
        batch_size: int,
        *,
        buffer_size: int | None = None,
        seed: int = 42,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.lengths: Any = np.asarray(lengths) if isinstance(lengths, Sequence) else lengths
        self.batch_size = batch_size
        # Whole batches, so that a buffer's end cuts none short.
        self.buffer_size = buffer_size and -(-buffer_size // batch_size) * batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self._resumed_at = (0, 0)

    def resume_at(self, epoch: int, batch: int) -> None:
        """Begin with an epoch, and with this batch of it (counted from 0); later epochs are whole."""
        self.epoch = epoch
        self._resumed_at = (epoch, batch)

    @property
    def sampler(self) -> ShuffledBatches:
        """Itself: where Lightning looks for ``set_epoch``."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the order; called before each epoch."""
        self.epoch = epoch

    @property
    def _n_batches(self) -> int:
        """Of all processes together; buffers are whole batches, but for the last."""
        return -(-len(self.lengths) // self.batch_size)

    def __len__(self) -> int:
        return self._n_batches // self.world_size

    def __iter__(self) -> Iterator[list[int]]:
        epoch, first = self._resumed_at
        return islice(self.whole_epoch(), first if epoch == self.epoch else 0, None)

    def whole_epoch(self) -> Iterator[list[int]]:
        """All batches of this epoch."""
        random = np.random.default_rng((self.seed, self.epoch))
        for number, batch in enumerate(self._batches(random)):
            if number >= len(self) * self.world_size:
                return
            if number % self.world_size == self.rank:
                yield batch.tolist()

    def _batches(self, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        for buffer in _rechunked(_shuffled(len(self.lengths), random), self.buffer_size or self.batch_size):
            if self.buffer_size:
                buffer = buffer[np.argsort(self.lengths[buffer], kind="stable")]
            batches = [buffer[start : start + self.batch_size] for start in range(0, len(buffer), self.batch_size)]
            for index in random.permutation(len(batches)):
                yield batches[index]


def _shuffled(n_segments: int, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """All indices in a random order, some at a time."""
    size = max(1, -(-n_segments // MOST_BLOCKS))
    blocks = random.permutation(-(-n_segments // size))
    for start in range(0, len(blocks), BLOCKS_AT_ONCE):
        firsts = blocks[start : start + BLOCKS_AT_ONCE, None] * size
        indices = (firsts + np.arange(size)).ravel()
        yield indices if size == 1 else random.permutation(indices[indices < n_segments])


def _rechunked(arrays: Iterable[NDArray[np.int64]], size: int) -> Iterator[NDArray[np.int64]]:
    """The same values in arrays of one size, the last one perhaps smaller."""
    rest = np.zeros(0, dtype=np.int64)
    for array in arrays:
        rest = np.concatenate([rest, array])
        whole = len(rest) - len(rest) % size
        yield from np.split(rest[:whole], range(size, whole, size)) if whole else ()
        rest = rest[whole:]
    if len(rest):
        yield rest


def longest_first(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Batches of like length, longest first, so that what does not fit in memory fails at once.

    Equal lengths keep their order.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    return [order[start : start + batch_size].tolist() for start in range(0, len(order), batch_size)]


def batches_by_tokens(lengths: Sequence[int], tokens: int, most: int | None = None) -> list[list[int]]:
    """Batches of like length, longest first, as large as a budget allows.

    Args:
        lengths: of each segment, in words or pieces.
        tokens: the number of segments in a batch times the longest of them is no more than this; a segment that is
            longer is alone.
        most: segments in a batch; None sets no bound.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable").tolist()
    batches: list[list[int]] = []
    start = 0
    while start < len(order):
        size = max(1, tokens // max(1, lengths[order[start]]))
        size = size if most is None else min(size, most)
        batches.append(order[start : start + size])
        start += size
    return batches

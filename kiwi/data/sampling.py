"""Assigns segments to batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_BLOCKS = 2**20
"""The largest number of segments that are shuffled one by one. In larger data, blocks of neighbouring segments are
shuffled first, and then the segments of a few blocks at a time."""

BLOCKS_AT_ONCE = 2**14
"""The number of blocks whose segments are shuffled together."""


class GroupSampling:
    """Draws as many segments as there are, so that groups share an epoch in proportion to n^(1/T).

    n is the number of segments of a group, and T the temperature: Arivazhagan et al. 2019, Massively Multilingual
    Neural Machine Translation in the Wild (arXiv 1907.05019). A group whose share is larger than itself is read
    several times; what is left of its share, and that of a group that is not read completely, is drawn at random.

    Args:
        groups: the name of the group of each segment, such as its language pair.
        temperature: the temperature, at least 1, at which each segment is drawn once.
    """

    def __init__(self, groups: Sequence[str], temperature: float) -> None:
        names, of_segment = np.unique(np.asarray(groups), return_inverse=True)
        self._members = [np.flatnonzero(of_segment == number) for number in range(len(names))]
        sizes = np.array([len(members) for members in self._members])
        self._counts = _round_to_sum(sizes ** (1.0 / temperature), len(of_segment))
        self.counts: dict[str, int] = dict(zip(names.tolist(), self._counts.tolist(), strict=True))
        """The number of segments that are drawn from each group in an epoch."""

    def draw(self, random: np.random.Generator) -> NDArray[np.int64]:
        """Return the indices of the segments of an epoch, in the order of their groups."""
        drawn = []
        for members, count in zip(self._members, self._counts.tolist(), strict=True):
            n_times, n_more = divmod(count, len(members))
            drawn += [np.tile(members, n_times), random.permutation(members)[:n_more]]
        return np.concatenate(drawn)


def _round_to_sum(weights: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Return whole numbers in proportion to weights, with a given sum; the largest remainders are rounded up."""
    exact = weights * (total / weights.sum())
    rounded: NDArray[np.int64] = np.floor(exact + 1e-9).astype(np.int64)
    rounded[np.argsort(rounded - exact, kind="stable")[: total - int(rounded.sum())]] += 1
    return rounded


class ShuffledBatches:
    """Batches of segment indices in an order that depends only on seed and epoch.

    Segments are shuffled. With ``buffer_size``, each run of that many shuffled segments is then sorted by length and
    divided into batches, whose order is shuffled again, so that segments of similar length share a batch (less padding)
    while batches stay random. Memory use is constant beyond a million segments.

    Args:
        lengths: the length of each segment, in words or pieces of source plus target, as a list or as an object that
            returns an array of lengths for an array of indices.
        batch_size: the number of segments in a batch; the last batch of a buffer may be smaller.
        buffer_size: the number of segments to sort together, rounded up to whole batches; None disables sorting.
        groups: how often to read the segments of each group in an epoch; None reads each segment once.
        seed: the seed of the order.
        rank: the rank of this process, which receives every ``world_size``-th batch.
        world_size: the number of processes, which all receive the same number of batches.
    """

    def __init__(
        self,
        lengths: Any,
        batch_size: int,
        *,
        buffer_size: int | None = None,
        groups: GroupSampling | None = None,
        seed: int = 42,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.lengths: Any = np.asarray(lengths) if isinstance(lengths, Sequence) else lengths
        self.batch_size = batch_size
        # Whole batches, so that no batch is cut short at the end of a buffer.
        self.buffer_size = buffer_size and -(-buffer_size // batch_size) * batch_size
        self.groups = groups
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self._resumed_at = (0, 0)

    def resume_at(self, epoch: int, batch: int) -> None:
        """Start at a batch (counted from 0) of an epoch; later epochs are complete."""
        self.epoch = epoch
        self._resumed_at = (epoch, batch)

    @property
    def sampler(self) -> ShuffledBatches:
        """This object, because Lightning looks here for ``set_epoch``."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Select the order of an epoch; called before each epoch."""
        self.epoch = epoch

    @property
    def _n_batches(self) -> int:
        """The number of batches of all processes together; all buffers but the last have whole batches."""
        return -(-len(self.lengths) // self.batch_size)

    def __len__(self) -> int:
        return self._n_batches // self.world_size

    def __iter__(self) -> Iterator[list[int]]:
        epoch, first = self._resumed_at
        return islice(self.full_epoch(), first if epoch == self.epoch else 0, None)

    def full_epoch(self) -> Iterator[list[int]]:
        """Yield all batches of this epoch, from the first one on."""
        random = np.random.default_rng((self.seed, self.epoch))
        for number, batch in enumerate(self._batches(random)):
            if number >= len(self) * self.world_size:
                return
            if number % self.world_size == self.rank:
                yield batch.tolist()

    def _batches(self, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        order = _shuffle(len(self.lengths), random)
        if self.groups is not None:
            drawn = self.groups.draw(random)
            order = (drawn[places] for places in order)
        for buffer in _rechunk(order, self.buffer_size or self.batch_size):
            if self.buffer_size:
                buffer = buffer[np.argsort(self.lengths[buffer], kind="stable")]
            batches = [buffer[start : start + self.batch_size] for start in range(0, len(buffer), self.batch_size)]
            for index in random.permutation(len(batches)):
                yield batches[index]


def _shuffle(n_segments: int, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Yield all indices in a random order, in chunks."""
    size = max(1, -(-n_segments // MAX_BLOCKS))
    blocks = random.permutation(-(-n_segments // size))
    for start in range(0, len(blocks), BLOCKS_AT_ONCE):
        firsts = blocks[start : start + BLOCKS_AT_ONCE, None] * size
        indices = (firsts + np.arange(size)).ravel()
        yield indices if size == 1 else random.permutation(indices[indices < n_segments])


def _rechunk(arrays: Iterable[NDArray[np.int64]], size: int) -> Iterator[NDArray[np.int64]]:
    """Yield the same values in arrays of one size; the last one may be smaller."""
    rest = np.zeros(0, dtype=np.int64)
    for array in arrays:
        rest = np.concatenate([rest, array])
        whole = len(rest) - len(rest) % size
        yield from np.split(rest[:whole], range(size, whole, size)) if whole else ()
        rest = rest[whole:]
    if len(rest):
        yield rest


def longest_first(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Return batches of similar length, longest first, so that a batch that does not fit in memory fails at once.

    Segments of equal length keep their order.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    return [order[start : start + batch_size].tolist() for start in range(0, len(order), batch_size)]


def batches_by_group(
    lengths: Sequence[int], groups: Sequence[str], batch_size: int
) -> tuple[list[list[int]], list[str]]:
    """Return batches of similar length with segments of one group each, longest first, and the group of each batch.

    Args:
        lengths: the length of each segment.
        groups: the name of the group of each segment, such as its language pair.
        batch_size: the maximum number of segments in a batch.
    """
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    found = [
        (group, [indices[place] for place in places])
        for group, indices in sorted(members.items())
        for places in longest_first([lengths[index] for index in indices], batch_size)
    ]
    found.sort(key=lambda batch: -lengths[batch[1][0]])
    return [batch for _, batch in found], [group for group, _ in found]


def batches_by_tokens(lengths: Sequence[int], tokens: int, most: int | None = None) -> list[list[int]]:
    """Return batches of similar length, longest first, as large as a token budget allows.

    Args:
        lengths: the length of each segment, in words or pieces.
        tokens: the maximum number of tokens in a batch, padding included; a longer segment is a batch of its own.
        most: the maximum number of segments in a batch; None means no limit.
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

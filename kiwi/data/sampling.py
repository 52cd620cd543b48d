"""Which segments share a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np


class ShuffledBatches:
    """Batches of indices in an order that depends on seed and epoch alone.

    Segments are shuffled; with ``buffer_size``, each run of that many shuffled segments is then sorted by length
    and cut into batches, whose order is shuffled again, so that segments of like length share a batch (less
    padding) while batches stay random.

    Args:
        lengths: of each segment, in words of source plus target.
        batch_size: segments in a batch; the last one of a buffer may be smaller.
        buffer_size: segments sorted together, rounded up to whole batches; None shuffles only.
        seed: of the order.
        rank: of this process, which gets every ``world_size``-th batch.
        world_size: number of processes; each gets the same number of batches.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        *,
        buffer_size: int | None = None,
        seed: int = 42,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        # Whole batches, so that a buffer's end cuts none short.
        self.buffer_size = buffer_size and -(-buffer_size // batch_size) * batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0

    @property
    def sampler(self) -> ShuffledBatches:
        """Itself: where Lightning looks for ``set_epoch``."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the order; called before each epoch."""
        self.epoch = epoch

    def _buffers(self) -> list[int]:
        size = self.buffer_size or len(self.lengths)
        return [min(size, len(self.lengths) - start) for start in range(0, len(self.lengths), size)]

    def __len__(self) -> int:
        return sum(-(-size // self.batch_size) for size in self._buffers()) // self.world_size

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng((self.seed, self.epoch))
        order = random.permutation(len(self.lengths))
        batches = []
        for buffer in np.split(order, np.cumsum(self._buffers())[:-1]):
            if self.buffer_size:
                buffer = buffer[np.argsort(self.lengths[buffer], kind="stable")]
            batches += [buffer[start : start + self.batch_size] for start in range(0, len(buffer), self.batch_size)]
        if self.buffer_size:
            batches = [batches[i] for i in random.permutation(len(batches))]
        for batch in batches[self.rank : len(self) * self.world_size : self.world_size]:
            yield batch.tolist()


def longest_first(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Batches of like length, longest first, so that what does not fit in memory fails at once.

    Equal lengths keep their order.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    return [order[start : start + batch_size].tolist() for start in range(0, len(order), batch_size)]

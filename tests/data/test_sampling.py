from collections import Counter

import numpy as np
import pytest

from kiwi.data import sampling
from kiwi.data.sampling import GroupSampling, ShuffledBatches, batches_by_group, batches_by_tokens, longest_first

LENGTHS = np.random.default_rng(7).integers(2, 60, size=203).tolist()


def flat(batches):
    return [index for batch in batches for index in batch]


def padding(batches):
    return sum(max(LENGTHS[i] for i in batch) - LENGTHS[j] for batch in batches for j in batch)


@pytest.mark.parametrize("buffer_size", [None, 1, 25, 50, 203, 1000])
@pytest.mark.parametrize("batch_size", [1, 8, 300])
def test_every_segment_comes_once_an_epoch(batch_size, buffer_size):
    sampler = ShuffledBatches(LENGTHS, batch_size, buffer_size=buffer_size)
    batches = list(sampler)
    assert sorted(flat(batches)) == list(range(203))
    assert len(batches) == len(sampler)
    assert max(map(len, batches)) <= batch_size
    assert all(type(index) is int for index in flat(batches))


def test_batches_are_full_but_for_the_last():
    assert [len(batch) for batch in ShuffledBatches(range(10), 4)] == [4, 4, 2]
    assert sorted(len(batch) for batch in ShuffledBatches(range(10), 2, buffer_size=5)) == [2, 2, 2, 2, 2]
    assert sorted(len(batch) for batch in ShuffledBatches(range(9), 2, buffer_size=3)) == [1, 2, 2, 2, 2]


@pytest.mark.parametrize("buffer_size", [None, 50])
def test_the_order_depends_on_seed_and_epoch_alone(buffer_size):
    def order(seed, epoch):
        sampler = ShuffledBatches(LENGTHS, 8, buffer_size=buffer_size, seed=seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    first = order(1, 0)
    assert order(1, 0) == first
    assert order(2, 0) != first
    assert order(1, 1) != first
    assert order(0, 1) != order(1, 0)
    sampler = ShuffledBatches(LENGTHS, 8, buffer_size=buffer_size, seed=1)
    assert list(sampler) == list(sampler) == first
    sampler.sampler.set_epoch(3)
    assert list(sampler) == order(1, 3)
    sampler.set_epoch(0)
    assert list(sampler) == first


@pytest.mark.parametrize("seed", range(3))
def test_buckets_need_less_padding(seed):
    plain = padding(ShuffledBatches(LENGTHS, 8, seed=seed))
    some = padding(ShuffledBatches(LENGTHS, 8, buffer_size=64, seed=seed))
    most = padding(ShuffledBatches(LENGTHS, 8, buffer_size=203, seed=seed))
    assert most < some < plain / 2


def test_a_buffer_of_everything_cuts_the_sorted_lengths_and_shuffles_the_batches():
    batches = list(ShuffledBatches(LENGTHS, 8, buffer_size=500))
    lengths = [[LENGTHS[i] for i in batch] for batch in batches]
    assert flat(sorted(lengths)) == sorted(LENGTHS)
    assert flat(lengths) != sorted(LENGTHS)


@pytest.mark.parametrize("buffer_size", [None, 40])
@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_processes_get_different_batches_and_the_same_number(world_size, buffer_size):
    def of(rank, world_size):
        return ShuffledBatches(LENGTHS, 10, buffer_size=buffer_size, seed=3, rank=rank, world_size=world_size)

    samplers = [of(rank, world_size) for rank in range(world_size)]
    parts = [list(sampler) for sampler in samplers]
    every = list(of(0, 1))
    assert {len(part) for part in parts} == {len(every) // world_size}
    assert {len(sampler) for sampler in samplers} == {len(every) // world_size}
    together = [tuple(batch) for part in parts for batch in part]
    assert len(together) == len(set(together)) > len(every) - world_size
    assert set(together) <= {tuple(batch) for batch in every}


def test_no_batch_is_lost_when_the_processes_share_them_evenly():
    parts = [list(ShuffledBatches(range(40), 5, rank=rank, world_size=4)) for rank in range(4)]
    assert sorted(flat(flat(parts))) == list(range(40))


@pytest.mark.parametrize(
    ("lengths", "batch_size", "expected"),
    [
        ([3, 9, 5, 9, 1], 2, [[1, 3], [2, 0], [4]]),
        ([2, 2, 2], 3, [[0, 1, 2]]),
        ([1, 2, 3], 1, [[2], [1], [0]]),
        ([], 4, []),
    ],
)
def test_longest_first(lengths, batch_size, expected):
    assert longest_first(lengths, batch_size) == expected


@pytest.mark.parametrize("n_segments", [1, 7, 100, 1000])
@pytest.mark.parametrize("buffer_size", [None, 64])
def test_more_segments_than_blocks(n_segments, buffer_size, monkeypatch):
    """Neighbours are shuffled together, and every segment still comes once."""
    monkeypatch.setattr(sampling, "MAX_BLOCKS", 30)
    monkeypatch.setattr(sampling, "BLOCKS_AT_ONCE", 4)
    batches = list(ShuffledBatches(range(n_segments), 8, buffer_size=buffer_size))
    assert sorted(flat(batches)) == list(range(n_segments))
    assert len(batches) == len(ShuffledBatches(range(n_segments), 8, buffer_size=buffer_size))
    if n_segments == 1000:
        assert np.abs(np.diff(flat(batches))).mean() > 20
        assert [len(batch) for batch in batches] == [8] * 125


@pytest.mark.parametrize(
    ("lengths", "tokens", "most", "expected"),
    [
        ([3, 1, 2, 3], 6, None, [[0, 3], [2, 1]]),  # the longest of a batch counts for all of it
        ([3, 1, 2, 3], 7, None, [[0, 3], [2, 1]]),
        ([3, 1, 2, 3], 9, None, [[0, 3, 2], [1]]),
        ([9, 1, 1, 1], 2, None, [[0], [1, 2], [3]]),  # longer than the budget: alone
        ([2, 2, 2, 2, 2], 100, 2, [[0, 1], [2, 3], [4]]),
        ([0, 0], 1, None, [[0], [1]]),
        ([], 5, None, []),
    ],
)
def test_batches_by_tokens(lengths: list[int], tokens: int, most: int | None, expected: list[list[int]]) -> None:
    assert batches_by_tokens(lengths, tokens, most) == expected


GROUPS = ["a"] * 64 + ["b"] * 16 + ["c"]


# n^(1/2) is 8, 4 and 1, so that 81 segments are shared as 49.85, 24.92 and 6.23; n^(1/6) is 2, 1.587 and 1.
@pytest.mark.parametrize(
    ("temperature", "counts"),
    [(1.0, (64, 16, 1)), (2.0, (50, 25, 6)), (6.0, (35, 28, 18)), (1e6, (27, 27, 27))],
)
def test_the_share_of_a_group_depends_on_the_temperature(temperature, counts):
    sampling = GroupSampling(GROUPS, temperature)
    assert sampling.counts == dict(zip("abc", counts, strict=True))
    drawn = sampling.draw(np.random.default_rng(1)).tolist()
    assert [GROUPS[index] for index in drawn] == [name for name, n in sampling.counts.items() for _ in range(n)]
    times = np.bincount(drawn, minlength=81)
    for name, n in sampling.counts.items():
        # A small group is read as often as its share has room for it, and its segments as often as each other.
        own = [times[index] for index in range(81) if GROUPS[index] == name]
        assert max(own) - min(own) <= 1
        assert sum(own) == n


@pytest.mark.parametrize("buffer_size", [None, 20])
def test_sampled_epochs_keep_their_length_are_resumed_and_shared_by_processes(buffer_size):
    def of(rank=0, world_size=1, epoch=0, seed=3):
        groups = GroupSampling(GROUPS, 2.0)
        lengths = LENGTHS[: len(GROUPS)]
        sampler = ShuffledBatches(
            lengths, 10, buffer_size=buffer_size, groups=groups, seed=seed, rank=rank, world_size=world_size
        )
        sampler.set_epoch(epoch)
        return sampler

    whole = list(of())
    assert len(whole) == len(of()) == 9
    assert Counter(GROUPS[index] for index in flat(whole)) == {"a": 50, "b": 25, "c": 6}
    assert list(of()) == whole
    assert list(of(seed=4)) != whole
    later = list(of(epoch=1))
    assert {index for index in flat(later) if GROUPS[index] == "a"} != {i for i in flat(whole) if GROUPS[i] == "a"}
    sampler = of()
    sampler.resume_at(1, 4)
    assert list(sampler) == later[4:]
    parts = [list(of(rank, 2)) for rank in (0, 1)]
    assert [batch for pair in zip(*parts, strict=True) for batch in pair] == whole[:8]


def test_batches_of_groups_have_one_group_each_and_come_longest_first():
    lengths, groups = [5, 9, 2, 7, 3, 8], ["x", "y", "x", "y", "x", "y"]
    assert batches_by_group(lengths, groups, 2) == ([[1, 5], [3], [0, 4], [2]], ["y", "y", "x", "x"])

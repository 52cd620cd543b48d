import math

import numpy as np
import pytest

from kiwi.metrics.aligned import Aligned
from kiwi.pages import counts


def test_log_losses_are_finite():
    losses = counts.log_losses(np.array([1, 0, 1]), np.array([0.5, 0.25, 0.0]))
    assert losses == pytest.approx([math.log(2), -math.log(0.75), -math.log(1e-6)])


def test_means_of_segments():
    offsets = np.array([0, 2, 2, 5])
    assert counts.means_of_segments(np.array([1.0, 3.0, 1.0, 2.0, 6.0]), offsets).tolist() == [2.0, 0.0, 3.0]


@pytest.mark.parametrize(
    ("output", "tags", "words"),
    [
        ("target_tags", [3, 0], [3, 0]),
        ("source_tags", [3, 0], [3, 0]),
        ("gap_tags", [4, 0], [3, 0]),
        ("WMT19", [7, 0], [3, 0]),
    ],
)
def test_lengths_in_words(output, tags, words):
    n = sum(tags)
    aligned = Aligned(output, np.zeros(n), {}, np.cumsum([0, *tags]), np.array([1, 2]))
    found = counts.lengths_in_words(aligned)
    assert found is not None
    assert found.tolist() == words


@pytest.mark.parametrize(
    ("lengths", "names"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8], ["1–2", "3–4", "5–6", "7–8"]),
        ([5, 5, 5], ["5"]),
        ([4], ["4"]),
        ([1, 1, 1, 1, 1, 1, 1, 30], ["1", "30"]),
        ([1, 10], ["1", "10"]),
    ],
)
def test_quarters(lengths, names):
    found = counts.quarters(np.array(lengths))
    assert found.names == names
    assert np.bincount(found.group).all()


def test_confusions_of_quarters():
    aligned = Aligned("target_tags", np.array([0, 1, 1, 0]), {}, np.array([0, 1, 4]), np.array([1, 2]))
    quartered = counts.quarters(np.array([1, 3]))
    found = counts.confusions(aligned, quartered, np.array([0, 1, 1, 0]), np.array([True, True, False, False]))
    assert found.tolist() == [[[0, 1], [0, 0]], [[1, 0], [1, 1]]]


def test_a_sample_is_the_same_each_time():
    assert counts.sample(3, 5).tolist() == [0, 1, 2]
    first, second = counts.sample(10_000, 50), counts.sample(10_000, 50)
    assert first.tolist() == second.tolist() == sorted(set(first.tolist()))
    assert len(first) == 50

from __future__ import annotations

import numpy as np
import pytest

from kiwi.data.text.word_alignment import METHODS, align_words, alignment_line, similarities

A, B, C = [3.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]


def vectors(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


@pytest.mark.parametrize("method", METHODS)
def test_words_with_the_same_direction_are_linked(method: str) -> None:
    assert align_words(vectors(A, B, C), vectors(C, A, B), method) == [(0, 1), (1, 2), (2, 0)]


def test_a_word_that_is_nobody_s_best_has_no_link() -> None:
    # Of the two words near A, the nearer one is linked; the second source word has no counterpart.
    source, target = vectors(A, [2.9, 0.5, 0.0], C), vectors(A, C)
    assert align_words(source, target) == [(0, 0), (2, 1)]


def test_softmax_links_a_word_to_two() -> None:
    source, target = vectors(A, C), vectors(A, [3.0, 0.05, 0.0], C)
    assert align_words(source, target) == [(0, 0), (1, 2)] or align_words(source, target) == [(0, 1), (1, 2)]
    assert align_words(source, target, "softmax") == [(0, 0), (0, 1), (1, 2)]


def test_softmax_links_words_on_which_both_directions_agree() -> None:
    generator = np.random.default_rng(1)
    source, target = (generator.normal(size=(size, 3)).astype(np.float32) for size in (9, 8))
    weights = np.exp(30 * similarities(source, target))
    forward, backward = (weights / weights.sum(axis=axis, keepdims=True) for axis in (1, 0))
    agreed = np.argwhere(np.sqrt(forward * backward) > 0.2).tolist()
    assert align_words(source, target, "softmax") == [tuple(pair) for pair in agreed]
    # A bound on each direction would not do.
    assert agreed != np.argwhere((forward > 0.2) & (backward > 0.2)).tolist()


def test_each_side_is_centred_on_its_own_mean() -> None:
    shifted = vectors(A, B, C) + np.float32(100)
    np.testing.assert_allclose(
        similarities(shifted, vectors(A, B, C)), similarities(vectors(A, B, C), vectors(A, B, C)), atol=1e-4
    )


@pytest.mark.parametrize("method", METHODS)
def test_one_word_on_each_side(method: str) -> None:
    assert align_words(vectors(A), vectors(A), method) == [(0, 0)]


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_side_has_no_link(method: str) -> None:
    assert align_words(np.zeros((0, 0), np.float32), vectors(A), method) == []


def test_equal_words_do_not_depend_on_chance() -> None:
    same = vectors(A, A, A)
    assert align_words(same, same) == [(0, 0)]


def test_lines() -> None:
    assert alignment_line([(0, 0), (1, 2)]) == "0-0 1-2"
    assert alignment_line([]) == ""

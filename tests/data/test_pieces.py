from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from kiwi.data.pieces import NO_WORD, PieceTokenizer


def letters(pair: str = "[C] $A [S] $B:1 [S]:1") -> Tokenizer:
    """Each letter from a to z is a piece, and everything else is dropped."""
    entries = {"[PAD]": 0, "[UNK]": 1, "[C]": 2, "[S]": 3} | {chr(97 + i): 4 + i for i in range(26)}
    tokenizer = Tokenizer(models.WordLevel(entries, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split("_", "removed"), pre_tokenizers.Split("", "isolated")]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[C] $A [S]", pair=pair, special_tokens=[("[C]", 2), ("[S]", 3)]
    )
    return tokenizer


def test_a_pair_is_joined_as_the_post_processor_says() -> None:
    arrays = PieceTokenizer(letters(), 20)([["ab", "c"]], [["d"]])
    assert arrays["pieces"].tolist() == [[2, 4, 5, 6, 3, 7, 3]]
    assert arrays["piece_types"].tolist() == [[0, 0, 0, 0, 0, 1, 1]]
    assert arrays["piece_words"].tolist() == [[NO_WORD, 0, 0, 1, NO_WORD, 0, NO_WORD]]
    assert arrays["piece_sides"].tolist() == [[0, 0, 0, 0, 0, 1, 1]]
    assert arrays["piece_weights"].tolist() == [[1.0] * 7]
    assert arrays["piece_segments"].tolist() == [0]


def test_two_separators() -> None:
    arrays = PieceTokenizer(letters("[C] $A [S] [S] $B [S]"), 20)([["a"]], [["b"]])
    assert arrays["pieces"].tolist() == [[2, 4, 3, 3, 5, 3]]


def test_a_dropped_word_is_one_unknown_piece() -> None:
    assert PieceTokenizer(letters(), 20).encode(["a", "__", "b"]) == [[4], [1], [5]]


def test_padding_stands_at_the_end_and_is_masked() -> None:
    arrays = PieceTokenizer(letters(), 20)([["abc"], ["a"]], [["d"], ["d"]])
    assert arrays["piece_mask"].tolist() == [[True] * 7, [True] * 5 + [False] * 2]
    assert arrays["pieces"][1].tolist() == [2, 4, 3, 7, 3, 0, 0]
    assert arrays["piece_words"][1, 5:].tolist() == [NO_WORD, NO_WORD]


@pytest.mark.parametrize(
    ("n_target", "n_source"), [(1, 1), (9, 8), (10, 8), (50, 3), (3, 50), (200, 200), (1000, 1), (33, 47)]
)
def test_windows_read_every_piece_and_count_it_once(n_target: int, n_source: int) -> None:
    arrays = PieceTokenizer(letters(), 20)([["a"] * n_target], [["b"] * n_source])
    assert arrays["pieces"].shape[1] <= 20
    assert (arrays["pieces"].shape[0] == 1) == (n_target + n_source <= 17)
    for side, count in ((0, n_target), (1, n_source)):
        chosen = (arrays["piece_sides"] == side) & (arrays["piece_words"] != NO_WORD)
        weights = np.bincount(arrays["piece_words"][chosen], weights=arrays["piece_weights"][chosen])
        np.testing.assert_allclose(weights, np.ones(count), rtol=1e-6)


def test_windows_overlap_by_half_or_more() -> None:
    arrays = PieceTokenizer(letters(), 20)([["a"] * 100], [["b"] * 50])
    words = [
        set(row[(sides == 0) & (row != NO_WORD)].tolist())
        for row, sides in zip(arrays["piece_words"], arrays["piece_sides"], strict=True)
    ]
    for before, after in pairwise(words):
        assert len(before & after) >= len(before) // 2


def test_a_word_longer_than_the_encoder_takes() -> None:
    arrays = PieceTokenizer(letters(), 20)([["a" * 3000]], [["b"]])
    chosen = (arrays["piece_sides"] == 0) & (arrays["piece_words"] == 0)
    assert arrays["piece_weights"][chosen].sum() == pytest.approx(3000, rel=1e-5)


def test_caps_cut_and_are_counted() -> None:
    tokenizer = PieceTokenizer(letters(), 20, source_max_pieces=2, target_max_pieces=3)
    arrays = tokenizer([["ab", "cd", "ef"]], [["abc"]])
    assert arrays["pieces"].tolist() == [[2, 4, 5, 6, 3, 4, 5, 3]]
    assert tokenizer.count_long([["ab", "cd"], ["a"]], [["a"], ["b"]]) == (0, 1)
    assert PieceTokenizer(letters(), 20).count_long([["a"] * 30, ["a"]], [["a"], ["b"]]) == (1, 0)


def test_an_encoder_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="takes 6 pieces"):
        PieceTokenizer(letters(), 6)

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from typing_extensions import override

from kiwi.data.text import word_pieces
from kiwi.data.text.pieces import NO_WORD, PieceTokenizer
from kiwi.data.text.word_pieces import WordCache


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


def letters_with_spaces() -> Tokenizer:
    """A byte-level tokenizer: a letter from a to z after a space is another piece than without."""
    alphabet = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *(f"Ġ{chr(97 + i)}" for i in range(26))]
    entries = {"[PAD]": 0, "[UNK]": 1, "[C]": 2, "[S]": 3} | {piece: 4 + i for i, piece in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(entries, [("Ġ", chr(97 + i)) for i in range(26)], unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[C] $A [S]", pair="[C] $A [S] [S] $B [S]", special_tokens=[("[C]", 2), ("[S]", 3)]
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


def test_padding_is_at_the_end_and_masked() -> None:
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
    with pytest.raises(ValueError, match="at most 6 pieces"):
        PieceTokenizer(letters(), 6)


def read_plainly(
    pieces: PieceTokenizer, targets: list[list[str]], sources: list[list[str]], *, spaces: bool = False
) -> dict[str, list[list[Any]]]:
    """What each window reads, piece by piece, without padding."""
    template = pieces.template
    first_type, second_type = template.types
    rows: dict[str, list[list[Any]]] = {
        name: [] for name in ("pieces", "types", "words", "sides", "weights", "segment")
    }
    for number, segments in enumerate(zip(targets, sources, strict=True)):
        flat: list[list[tuple[int, int]]] = []
        for segment, cap in zip(segments, pieces.caps, strict=True):
            flat.append([])
            for index, word in enumerate(segment):
                text = f" {word}" if spaces and index else word
                ids = pieces.tokenizer.encode([text], is_pretokenized=True, add_special_tokens=False).ids
                flat[-1] += [(piece, index) for piece in ids or [pieces.unknown_id]]
            flat[-1] = flat[-1][:cap]
        spans = pieces.spans(*map(len, flat))
        times = [Counter(at for pair in spans for at in range(pair[side][0], sum(pair[side]))) for side in (0, 1)]
        for pair in spans:
            row: list[tuple[int, int, int, int, float]] = []  # piece, type, word, side, windows that read it
            for side, type_, before, after in (
                (0, first_type, template.before, template.between),
                (1, second_type, [], template.after),
            ):
                start, length = pair[side]
                row += [(piece, type_, NO_WORD, side, len(spans)) for piece in before]
                for at in range(start, start + length):
                    piece, index = flat[side][at]
                    row.append((piece, type_, index, side, times[side][at]))
                row += [(piece, type_, NO_WORD, side, len(spans)) for piece in after]
            for name, values in zip(("pieces", "types", "words", "sides"), zip(*row, strict=True), strict=False):
                rows[name].append(list(values))
            rows["weights"].append([np.float32(1 / count) for *_, count in row])
            rows["segment"].append([number])
    return rows


def odd_segments(draw: random.Random, n_segments: int) -> list[list[str]]:
    """Segments of no, some or many words, which are of known, unknown, dropped or no letters, some very long."""
    return [
        [
            "".join(draw.choice("abcxyzX_é") for _ in range(draw.choice([0, 1, 1, 2, 3, 5, draw.choice([1, 40])])))
            for _ in range(draw.choice([0, 1, 2, 5, draw.choice([5, 60])]))
        ]
        for _ in range(n_segments)
    ]


@pytest.mark.parametrize("caps", [(None, None), (9, None), (3, 2)])
@pytest.mark.parametrize(
    ("build", "spaces"),
    [
        (letters, False),
        (lambda: letters("$A $B:1"), False),
        (lambda: letters("[C] $A [S] [S] $B [S]"), False),
        (letters_with_spaces, True),
    ],
    ids=["one separator", "nothing between", "two separators", "byte level"],
)
def test_a_batch_is_what_is_read_piece_by_piece(
    build: Callable[[], Tokenizer], spaces: bool, caps: tuple[int | None, int | None]
) -> None:
    pieces = PieceTokenizer(build(), 20, target_max_pieces=caps[0], source_max_pieces=caps[1])
    draw = random.Random(1)
    for n_segments in (1, 1, 2, 5, 8, 8):
        targets, sources = odd_segments(draw, n_segments), odd_segments(draw, n_segments)
        arrays, rows = pieces(targets, sources), read_plainly(pieces, targets, sources, spaces=spaces)
        lengths = [len(row) for row in rows["pieces"]]
        assert arrays["piece_mask"].sum(axis=1).tolist() == lengths
        assert arrays["piece_segments"].tolist() == [row[0] for row in rows["segment"]]
        padding = {"pieces": pieces.pad_id, "types": 0, "words": NO_WORD, "sides": 0, "weights": 0.0}
        for name, fill in padding.items():
            array = arrays["pieces" if name == "pieces" else f"piece_{name}"]
            assert array.dtype == (np.float32 if name == "weights" else np.int64)
            padded = [row + [fill] * (max(lengths) - len(row)) for row in rows[name]]
            assert array.tolist() == padded, name
        for side, name, segments in ((0, "target", targets), (1, "source", sources)):
            readings: list[list[list[int]]] = [[[] for _ in segment] for segment in segments]
            for window, (words, sides, [segment]) in enumerate(
                zip(rows["words"], rows["sides"], rows["segment"], strict=True)
            ):
                for at in [at for at, word in enumerate(words) if word != NO_WORD and sides[at] == side]:
                    if at == 0 or (words[at - 1], sides[at - 1]) != (words[at], side):
                        readings[segment][words[at]].append(window * max(lengths) + at)
            width = max([1, *(len(places) for row in readings for places in row)])
            found = arrays[f"{name}_readings"]
            assert found.shape == (n_segments, max(map(len, segments)), width)
            for expected, row in zip(readings, found.tolist(), strict=True):
                padded = [places + [-1] * (width - len(places)) for places in expected]
                assert row == padded + [[-1] * width] * (len(row) - len(padded))
        windows = [[n for n, row in enumerate(rows["segment"]) if row == [i]] for i in range(n_segments)]
        width = max(map(len, windows))
        assert arrays["segment_windows"].tolist() == [each + [-1] * (width - len(each)) for each in windows]
        of_segments = [
            sum(len(r) for r, s in zip(rows["pieces"], rows["segment"], strict=True) if s == [i])
            for i in range(n_segments)
        ]
        assert pieces.lengths(targets, sources) == of_segments


def test_a_word_has_other_pieces_at_the_start_where_spaces_matter() -> None:
    start, *others = PieceTokenizer(letters_with_spaces(), 20).encode(["a", "a", "a"])
    assert others[0] == others[1] != start


def test_remembered_words_may_be_forgotten_within_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    targets, sources = [["ab", "c"], ["d", "ab", "__"]], [["e"], ["c", "f"]]
    expected = PieceTokenizer(letters(), 20)(targets, sources)
    monkeypatch.setattr(word_pieces, "CACHED_WORDS", 2)
    pieces = PieceTokenizer(letters(), 20)
    for _ in range(2):
        for name, array in pieces(targets, sources).items():
            np.testing.assert_array_equal(array, expected[name])


def test_words_that_come_again_are_remembered_and_long_ones_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[str] = []

    class Lengths(WordCache[int]):
        @override
        def value_of(self, word: str) -> int:
            computed.append(word)
            return len(word)

    monkeypatch.setattr(word_pieces, "CACHED_WORDS", 3)
    monkeypatch.setattr(word_pieces, "CACHED_CHARACTERS", 100)
    cache = Lengths()
    for word in [word for n in range(10) for word in ("often", f"{n}", "often")]:
        assert cache[word] == len(word)
    assert computed == ["often", *(f"{n}" for n in range(10))]
    assert len(cache) + len(cache._older) <= 6
    for n in range(5):
        assert cache[f"{n}" * 90] == 90
    assert sum(map(len, [*cache, *cache._older])) <= 200

"""Units tile the words of a translation as given, whatever an encoder's tokenizer does to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from kiwi.data.collate import Collate
from kiwi.data.text.pieces import PieceTokenizer
from kiwi.data.text.units import Unit, units_of_word, word_starts

TEXT = ["Das Haus ist klein .", "The house is small .", "Open 12 windows !"] * 3

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def finished(tokenizer: Tokenizer, trainer: Any) -> Tokenizer:
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return finished(tokenizer, trainers.UnigramTrainer(vocab_size=40, special_tokens=SPECIAL, unk_token="<unk>"))


def bytes_of_text() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return finished(tokenizer, trainers.BpeTrainer(vocab_size=270, special_tokens=SPECIAL, initial_alphabet=alphabet))


TOKENIZERS = {"unigram": PieceTokenizer(unigram(), 30), "bytes": PieceTokenizer(bytes_of_text(), 30)}


def batch_of(tokenizer: PieceTokenizer, *targets: str, labels: list[str] | None = None) -> Any:
    rows = [{"source": "a b c", "target": target} for target in targets]
    if labels is not None:
        rows = [row | {"error_spans": line} for row, line in zip(rows, labels, strict=True)]
    return Collate({}, tokenizer, severities=("minor", "major"))(rows)


def texts(batch: Any, target: str, segment: int = 0) -> list[str]:
    bounds = batch.unit_bounds[segment][batch.unit_mask[segment]].tolist()
    return [target[start:end] for start, end in bounds]


@pytest.mark.parametrize(
    ("word", "starts", "expected"),
    [
        ("abcd", [0, 2], [(0, 0, 2), (1, 2, 4)]),
        ("abc", [0, 0, 1], [(1, 0, 1), (2, 1, 3)]),  # the mark of a word's beginning, then a piece
        ("abc", [1], [(0, 0, 3)]),  # its first letter has no piece
        ("abc", [0, 3], [(0, 0, 3)]),  # a piece without characters
        ("ﬁx", [0, 0, 1], [(1, 0, 1), (2, 1, 2)]),  # two pieces of one ligature
        ("😀x", [0, 0, 0, 0, 1], [(3, 0, 1), (4, 1, 2)]),  # the bytes of an emoji
        ("a\u0301b", [0, 1, 2], [(0, 0, 2), (2, 2, 3)]),
        ("👩\u200d🚀!", [0, 1, 2, 3], [(0, 0, 3), (3, 3, 4)]),
        ("👍🏽!", [0, 1, 2], [(0, 0, 2), (2, 2, 3)]),
        ("🇩🇪🇫🇷", [0, 1, 2, 3], [(0, 0, 2), (2, 2, 4)]),
        ("क्षि", [0, 1, 2, 3], [(0, 0, 2), (2, 2, 4)]),
        ("\u00a0a\u3000", [0, 1, 2], [(1, 1, 2)]),  # white space that is no ASCII space is part of words
        ("\u00a0", [0], []),
        ("abc", [2, 0], [(1, 0, 3)]),
    ],
)
def test_units_of_a_word(word: str, starts: list[int], expected: list[tuple[int, int, int]]) -> None:
    assert units_of_word(word, starts) == tuple(Unit(*each) for each in expected)


@given(st.text(min_size=1, max_size=8).filter(lambda word: not set(word) & set(" \t")), st.data())
def test_units_are_in_order_and_miss_only_white_space(word: str, data: Any) -> None:
    starts = data.draw(st.lists(st.integers(0, len(word)), max_size=10).map(sorted))
    units = units_of_word(word, starts or [0])
    places = [place for unit in units for place in range(unit.start, unit.end)]
    assert places == sorted(set(places))
    assert not "".join(word[place] for place in {*range(len(word))}.difference(places)).strip()
    assert all(word[unit.start : unit.end] == word[unit.start : unit.end].strip() for unit in units)


def test_word_starts() -> None:
    assert word_starts("  ab\tc  d\u00a0e ") == [2, 5, 8]


@pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS)
@pytest.mark.parametrize(
    "target",
    [
        "Das Haus ist klein .",
        "  Das \t Haus  .  ",
        "中文字，没有空格",
        "ﬁne №5 e\u0301t\u0301e 10\u00a0000 x\u200by",
        "🏳️\u200d🌈 👍🏽 🇩🇪 \U00010348",
        "한국어 क्षि ا",
    ],
)
def test_units_tile_the_text_as_given(tokenizer: PieceTokenizer, target: str) -> None:
    batch = batch_of(tokenizer, target)
    assert "".join(texts(batch, target)).replace("\u200b", "") == "".join(target.split()).replace("\u200b", "")


@pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS)
def test_each_unit_is_read_at_its_own_piece_in_all_windows(tokenizer: PieceTokenizer) -> None:
    long = "Das Haus ist klein . " * 9
    targets = ["Das  Haus .", long, "\u3000"]
    batch = batch_of(tokenizer, *targets)
    assert batch.unit_mask.sum(axis=1).tolist()[2] == 0
    assert len(batch.pieces) > 4  # the second segment has several windows
    pieces, sides, segments = batch.pieces.ravel(), batch.piece_sides.ravel(), batch.piece_segments
    width = batch.pieces.shape[1]
    for segment, target in enumerate(targets):
        for unit, (start, end) in enumerate(batch.unit_bounds[segment][batch.unit_mask[segment]].tolist()):
            read = batch.unit_readings[segment, unit]
            read = read[read >= 0]
            assert len(read) > 0
            assert (sides[read] == 0).all()
            assert (segments[read // width] == segment).all()
            assert len({*(read // width).tolist()}) == len(read)
            (piece,) = {*pieces[read].tolist()}
            text = tokenizer.tokenizer.id_to_token(piece)
            assert text.lstrip("▁Ġ") == target[start:end]


def test_units_beyond_the_cap_are_left_out() -> None:
    tokenizer = PieceTokenizer(bytes_of_text(), 30, target_max_pieces=3)
    whole = batch_of(TOKENIZERS["bytes"], "Das Haus ist klein .", "Das")
    capped = batch_of(tokenizer, "Das Haus ist klein .", "Das")
    n = int(capped.unit_mask[0].sum())
    assert 0 < n <= 3 < whole.unit_mask[0].sum()
    assert capped.unit_bounds[0, :n].tolist() == whole.unit_bounds[0, :n].tolist()
    assert (capped.unit_readings[0, :n, 0] >= 0).all()
    assert capped.unit_mask[1].any()


def test_other_systems_have_no_units() -> None:
    row = {"source": "a", "target": "b", "error_spans": "0:1:minor"}
    batch = Collate({}, TOKENIZERS["bytes"])([row])
    assert not [name for name in batch.arrays() if name.startswith(("unit", "span", "gold", "n_raters"))]


def test_labels_alternate_between_gaps_and_units() -> None:
    batch = batch_of(TOKENIZERS["bytes"], "xz", "x", labels=["1:2:minor|0:1:critical 2:2:minor", "-"])
    ok, minor, major = [1, 0, 0], [0, 1, 0], [0, 0, 1]
    half_major, half_minor = [0.5, 0, 0.5], [0.5, 0.5, 0]
    assert batch.span_labels[0].tolist() == [ok, half_major, ok, half_minor, half_minor]
    assert batch.span_labels[1].tolist() == [ok, ok, ok, [0, 0, 0], [0, 0, 0]]
    assert minor != major
    assert batch.gold_spans.tolist() == [[0, 0, 1, 2, 0], [0, 1, 0, 1, 2], [0, 1, 2, 2, 0]]
    assert batch.n_raters.tolist() == [2, 1]
    assert batch.span_labels.dtype == np.float32

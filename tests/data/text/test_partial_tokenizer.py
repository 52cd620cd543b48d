"""A tokenizer that loads pieces as they occur splits texts as the whole one does."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer

from kiwi.data.text import partial_tokenizer
from kiwi.data.text.partial_tokenizer import PartialTokenizer, parse_partly
from kiwi.data.text.pieces import PieceTokenizer
from kiwi.data.text.special_pieces import single_template
from kiwi.data.text.vocabulary import parse_tokenizer
from tests.data.text.test_word_pieces import TOKENIZERS, WORDS

UNIGRAM = [name for name in TOKENIZERS if "unigram" in name]
ODD = [
    "<s>",
    "x<mask>",
    "</s><pad>",
    "<unk>",
    "a<unk>b",
    "𝕏",
    "\u0000",
    "\U0010ffff",
    "\u00a0",
    "▁▁a",
    "ẞẞ",
    "qqq🙂🙂q",
]


def partial(text: str) -> PartialTokenizer:
    """The tokenizer that has this JSON, as yet without most of its pieces."""
    tokenizer = parse_partly(text.encode())
    assert isinstance(tokenizer, PartialTokenizer)
    assert not tokenizer.is_whole
    return tokenizer


@pytest.mark.parametrize("name", UNIGRAM)
@pytest.mark.parametrize("are_expected", [True, False])
def test_texts_have_the_pieces_that_the_whole_tokenizer_gives_them(name: str, are_expected: bool) -> None:
    text, draw = TOKENIZERS[name]().to_str(), random.Random(2)
    part, whole = PieceTokenizer(partial(text), 64), PieceTokenizer(parse_tokenizer(text), 64)
    assert (part.template, part.pad_id, part.unknown_id, part.mask_id) == (
        *(whole.template, whole.pad_id, whole.unknown_id, whole.mask_id),
    )
    assert single_template(part.tokenizer) == single_template(whole.tokenizer)
    for _ in range(8):
        sides = [[draw.choices(WORDS + ODD, k=draw.randint(1, 6)) for _ in range(9)] for _ in range(2)]
        if are_expected:
            assert part.lengths(*sides) == whole.lengths(*sides)
            assert part.count_long(*sides) == whole.count_long(*sides)
        starts = [[7 * at for at in range(len(segment))] for segment in sides[0]]
        found, expected = part(*sides, starts), whole(*sides, starts)
        assert found.keys() == expected.keys()
        assert all(np.array_equal(found[key], expected[key]) for key in expected)
        assert part.count_unknown(sides[0]) == whole.count_unknown(sides[0])


def test_all_pieces_are_loaded_after_many_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    text = TOKENIZERS[UNIGRAM[0]]().to_str()
    monkeypatch.setattr(partial_tokenizer, "MOST_WORK", 200)
    tokenizer, whole = partial(text), parse_tokenizer(text)
    states = set()
    for word in WORDS:
        assert tokenizer.encode(word, add_special_tokens=False).ids == whole.encode(word, add_special_tokens=False).ids
        states.add(tokenizer.is_whole)
    assert states == {False, True}
    expecting = partial(text)
    expecting.expect({*WORDS})
    assert expecting.is_whole, "so many words that looking for their pieces takes longer"
    assert (
        expecting.encode("the <s>", add_special_tokens=False).ids == tokenizer.encode("the <s>", None, False, False).ids
    )


def test_threads_share_a_tokenizer() -> None:
    text = TOKENIZERS[UNIGRAM[0]]().to_str()
    tokenizer, whole = partial(text), parse_tokenizer(text)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda word: tokenizer.encode(word, add_special_tokens=False).ids, WORDS * 3))
    assert found == [whole.encode(word, add_special_tokens=False).ids for word in WORDS * 3]


def test_its_pieces_are_named_as_those_of_the_whole_tokenizer() -> None:
    text = TOKENIZERS[UNIGRAM[0]]().to_str()
    part, whole = partial(text), parse_tokenizer(text)
    assert part.get_vocab() == whole.get_vocab()
    assert [part.id_to_token(index) for index in range(-1, 999)] == [
        whole.id_to_token(index) if index >= 0 else None for index in range(-1, 999)
    ]
    assert part.token_to_id("▁") == whole.token_to_id("▁")
    assert part.token_to_id("no piece") is None
    assert {index: str(token) for index, token in part.get_added_tokens_decoder().items()} == {
        index: str(token) for index, token in whole.get_added_tokens_decoder().items()
    }
    assert not part.is_whole
    assert part.to_str() == whole.to_str()


def changed(**model: Any) -> str:
    """A tokenizer some of whose options differ."""
    content = json.loads(TOKENIZERS[UNIGRAM[0]]().to_str())
    return json.dumps(content | {"model": content["model"] | model})


def test_an_unknown_character_costs_what_the_lowest_score_of_all_pieces_says() -> None:
    content = json.loads(TOKENIZERS[UNIGRAM[0]]().to_str())
    special = {token["id"]: token["content"] for token in content["added_tokens"]}
    pieces = {"▁": -1.0, "ab": -20.0, "c": -15.0, "bc": 0.0, "zz": -40.0}  # there is no piece "a"
    vocab = [[special[index], 0.0] for index in sorted(special)] + [[*pair] for pair in pieces.items()]
    text = changed(vocab=vocab)
    whole = parse_tokenizer(text).encode("abc", add_special_tokens=False)
    assert whole.tokens[-2:] == ["ab", "c"]
    assert partial(text).encode("abc", add_special_tokens=False).ids == whole.ids


def test_other_tokenizers_are_loaded_as_a_whole() -> None:
    for name in set(TOKENIZERS) - set(UNIGRAM):
        assert isinstance(parse_partly(TOKENIZERS[name]().to_str().encode()), Tokenizer), name
    tagged = TOKENIZERS[UNIGRAM[0]]()
    tagged.add_tokens([AddedToken("{tag}", normalized=False)])
    further = TOKENIZERS[UNIGRAM[0]]()
    further.add_special_tokens(["<further>"])  # which is not in the model
    for text in (tagged.to_str(), further.to_str(), changed(byte_fallback=True), changed(unk_id=None)):
        assert isinstance(parse_partly(text.encode()), Tokenizer)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        changed(vocab=[]),
        changed(vocab=[["a"]]),
        changed(vocab=[["<unk>", "x"]]),
        changed(unk_id=10**6),
        changed(type="?"),
    ],
)
def test_damaged_ones_are_refused_as_ever(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a tokenizer: ") as found:
        parse_partly(text.encode())
    with pytest.raises(ValueError, match=r"^not a tokenizer: ") as expected:
        parse_tokenizer(text)
    assert str(found.value) == str(expected.value)


def test_other_encodings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^not UTF-8 text \(invalid start byte\)$"):
        parse_partly(b'{"version": "\xff"}')

"""The pieces of words are those that the tokenizer gives to the whole text, whatever it does with spaces."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import pytest
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    models,
    normalizers as n,
    pre_tokenizers as p,
    processors,
    trainers,
)

from kiwi.data.text.pieces import PieceTokenizer
from kiwi.exceptions import DataError

TEXT = [
    "Close the bank . Don't (a) 3.5 x",
    "Schließen Sie die Bank .",
    "The house is small and old , casa",
    "Das Haus ist klein und alt .",
    "Open 12 windows , please ! дом 人 中文",
] * 3

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]

BYTES = p.ByteLevel.alphabet()

QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def trained(kind: str, pre: Any, norm: Any = None, **changes: Any) -> Tokenizer:
    """A trained tokenizer, parts of whose JSON are then replaced."""
    model, trainer = {
        "unigram": (
            models.Unigram(),
            trainers.UnigramTrainer(vocab_size=110, special_tokens=SPECIAL, unk_token="<unk>"),
        ),
        "bpe": (
            models.BPE(unk_token="<unk>"),
            trainers.BpeTrainer(vocab_size=330, special_tokens=SPECIAL, initial_alphabet=BYTES),
        ),
        "wordpiece": (
            models.WordPiece(unk_token="<unk>"),
            trainers.WordPieceTrainer(vocab_size=150, special_tokens=SPECIAL),
        ),
        "wordlevel": (models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(special_tokens=SPECIAL)),
    }[kind]
    tokenizer: Any = Tokenizer(model)
    tokenizer.pre_tokenizer = pre
    if norm is not None:
        tokenizer.normalizer = norm
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return Tokenizer.from_str(json.dumps(json.loads(tokenizer.to_str()) | changes)) if changes else tokenizer


SPACES_TO_MARKS = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
PREPEND_AND_REPLACE = {
    "type": "Sequence",
    "normalizers": [{"type": "Prepend", "prepend": "▁"}, SPACES_TO_MARKS],
}
GEMMA = {
    "normalizer": SPACES_TO_MARKS,
    "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
}
STRIP = n.Sequence([n.NFKC(), n.Strip(), n.Lowercase()])

TOKENIZERS: dict[str, Callable[[], Tokenizer]] = {
    **{
        f"{kind}, metaspace {scheme}": lambda kind=kind, scheme=scheme: trained(
            kind, p.Metaspace(prepend_scheme=scheme)
        )
        for kind in ("unigram", "bpe")
        for scheme in ("always", "first", "never")
    },
    **{
        f"unigram, whitespace and metaspace {scheme}": lambda scheme=scheme: trained(
            "unigram", p.Sequence([p.WhitespaceSplit(), p.Metaspace(prepend_scheme=scheme)])
        )
        for scheme in ("always", "first", "never")
    },
    **{
        f"bytes, prefix {prefix}": lambda prefix=prefix: trained("bpe", p.ByteLevel(add_prefix_space=prefix))
        for prefix in (True, False)
    },
    **{
        f"bytes, stripped, prefix {prefix}": lambda prefix=prefix: trained(
            "bpe", p.ByteLevel(add_prefix_space=prefix), STRIP
        )
        for prefix in (True, False)
    },
    "bytes, split as Qwen does": lambda: trained(
        "bpe",
        p.Sequence([p.Split(Regex(QWEN), "isolated"), p.ByteLevel(add_prefix_space=False, use_regex=False)]),
        n.NFC(),
    ),
    "spaces are replaced by the normalizer": lambda: trained("bpe", p.Metaspace(prepend_scheme="never"), **GEMMA),
    "a mark is prepended by the normalizer": lambda: trained(
        "bpe", p.Metaspace(), normalizer=PREPEND_AND_REPLACE, pre_tokenizer=None
    ),
    "a mark is prepended by the normalizer, unigram": lambda: trained(
        "unigram", p.Metaspace(), normalizer=PREPEND_AND_REPLACE, pre_tokenizer=None
    ),
    "unigram without splitting": lambda: trained(
        "unigram",
        p.Metaspace(),
        pre_tokenizer={"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False},
    ),
    "bert": lambda: trained("wordpiece", p.BertPreTokenizer(), n.BertNormalizer(lowercase=True)),
    "punctuation and digits": lambda: trained(
        "wordpiece", p.Sequence([p.Whitespace(), p.Punctuation(), p.Digits(individual_digits=True)])
    ),
    "scripts": lambda: trained("bpe", p.Sequence([p.CharDelimiterSplit(" "), p.UnicodeScripts()]), n.NFD()),
    "whole words": lambda: trained("wordlevel", p.WhitespaceSplit()),
    "characters": lambda: trained("bpe", p.Split("", "isolated")),
    "spaces are pieces": lambda: trained("bpe", p.Split(" ", "isolated")),
}

WORDS = [
    *" ".join(TEXT).split(),
    *("unseen", "ẞ", "don't", "'s", "(a)", "12.5%", "...", "-", "A-b", "中文字", "дома", "한국", "🙂", "№", "ﬁn", "Ａ"),
    *("\u00a0a", "b\u00a0", "c\u00a0d", "e\u0301", "\u0301e", "▁x", "Ġy", "##z", "</w>", "x" * 120),
]


@pytest.mark.parametrize("name", TOKENIZERS)
def test_pieces_are_those_of_the_whole_text(name: str) -> None:
    tokenizer = TOKENIZERS[name]()
    own = Tokenizer.from_str(tokenizer.to_str())
    own.encode_special_tokens = True
    pieces, draw = PieceTokenizer(tokenizer, 64), random.Random(1)
    segments = [draw.choices(WORDS, k=draw.randint(1, 6)) for _ in range(300)] + [[word] for word in WORDS]
    for segment in segments:
        text = " ".join(segment)
        assert all(pieces.encode(segment)), "each word has a piece"
        assert list(chain.from_iterable(pieces.encode(segment))) == own.encode(text, add_special_tokens=False).ids, text


def test_what_is_not_a_word_of_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match="joins words over spaces: 'the house' has the pieces"):
        PieceTokenizer(trained("bpe", p.ByteLevel(use_regex=False)), 64)


@pytest.mark.parametrize("name", [name for name in TOKENIZERS if "whole words" not in name])
@pytest.mark.parametrize("special", ["added to the vocabulary", "not said to be special"])
def test_special_pieces_are_spelled_out(name: str, special: str) -> None:
    tokenizer = TOKENIZERS[name]()
    if special != "added to the vocabulary":
        content = json.loads(tokenizer.to_str())
        for token in content["added_tokens"]:
            token["special"] = False
        tokenizer = Tokenizer.from_str(json.dumps(content))
    pieces = PieceTokenizer(tokenizer, 64)
    plain = pieces.encode(["the", "house"])
    text = ["the", "<s>", "x<mask>", "</s>", "<pad>", "<unk>", "house", "<s></s>"]
    encoded = pieces.encode(text)
    assert encoded[0] == plain[0], "nothing else is changed"
    assert encoded[6] == plain[1], "nothing else is changed"
    assert not {0, 1, 2, 4}.intersection(chain.from_iterable(encoded))
    assert pieces.encode(["<s>"])[0] != [3], "its letters are known, or at least the space before them"
    arrays = pieces([text], [["<mask>"]])["pieces"][0].tolist()
    assert [arrays.count(index) for index in (0, 1, 2, 4)] == [1, 0, 3, 0], "those of the template only"


def test_a_tokenizer_that_matches_whole_words_spells_nothing_special() -> None:
    pieces = PieceTokenizer(TOKENIZERS["whole words"](), 64)
    assert pieces.encode(["<mask>", "the", "<s>"])[::2] == [[3], [3]]


def test_added_words_are_pieces_as_with_the_tokenizer_itself() -> None:
    tokenizer = TOKENIZERS["unigram, metaspace always"]()
    tokenizer.add_tokens([AddedToken("{tag}", normalized=False)])
    tokenizer.add_special_tokens(["<extra>"])
    pieces = PieceTokenizer(tokenizer, 64)
    tag, extra = (tokenizer.token_to_id(token) for token in ("{tag}", "<extra>"))
    encoded = pieces.encode(["the", "{tag}", "<extra>", "{tag}"])
    assert tag in encoded[1]
    assert tag in encoded[3]
    assert extra not in encoded[2]


def test_dropout_of_merges_is_switched_off() -> None:
    content = json.loads(TOKENIZERS["bytes, prefix True"]().to_str())
    content["model"]["dropout"] = 0.9
    words: Sequence[str] = ["house", "Schließen", "windows"] * 5
    once, again = (PieceTokenizer(Tokenizer.from_str(json.dumps(content)), 64).encode(words) for _ in range(2))
    assert once == again == PieceTokenizer(TOKENIZERS["bytes, prefix True"](), 64).encode(words)


def test_an_expression_that_backtracks_is_an_error_with_the_text(capfd: pytest.CaptureFixture[str]) -> None:
    tokenizer = trained("bpe", p.Sequence([p.Split(Regex(r"(x+x+)+y"), "isolated"), p.ByteLevel()]))
    pieces = PieceTokenizer(tokenizer, 64)
    with pytest.raises(DataError, match=r"Found the text 'x+'.*cannot split: .*retry-limit"):
        pieces.encode(["the", "x" * 60])
    capfd.readouterr()

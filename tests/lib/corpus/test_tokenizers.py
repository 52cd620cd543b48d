"""The tokenizers of a corpus, and how tokenized text is recognized."""

from __future__ import annotations

import pytest

from kiwi.exceptions import ConfigError
from kiwi.lib.corpus.tokenizers import Tokenizer, choose, looks_tokenized, tokenizer_for


@pytest.mark.parametrize(
    ("name", "language", "text", "expected"),
    [
        ("none", "en", "a,  b\tc", "a, b c"),
        ("none", "fr", "10\u00a0000 a", "10\u00a0000 a"),
        ("moses", "en", "He said: \"It's <b> & 5 % of Mr. X's.\"", "He said : \" It 's < b > & 5 % of Mr. X 's . \""),
        ("moses", "de", "Das ist z.B. gut, oder?", "Das ist z.B. gut , oder ?"),
        ("moses", "fr", "L'homme dit «\u00a0oui\u00a0».", "L' homme dit « oui » ."),
        ("moses", None, "One, two.", "One , two ."),
        ("zh", "zh", "我来到北京清华大学。", "我 来到 北京 清华大学 。"),
        ("zh", "zh", "我 爱\u3000北京", "我 爱 北京"),
        ("ja", "ja", "私は学生です。", "私 は 学生 です 。"),
    ],
)
def test_words_by_hand(name: str, language: str | None, text: str, expected: str) -> None:
    assert Tokenizer(name, language).load()(text) == expected.split(" ")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Press the key , then wait .", True),
        ("Press the key, then wait.", False),
        ("no marks here", True),
        ("我 来到 北京 清华大学 。", True),
        ("我来到北京清华大学。", False),
        ("私 は 学生 です 。", True),
        ("私は学生です。", False),
        ("", True),
    ],
)
def test_tokenized_text_is_recognized(text: str, expected: bool) -> None:
    assert looks_tokenized([text] * 3)[0] == expected


def test_the_choice_and_its_reason() -> None:
    raw, tokenized = ["One, two."], ["One , two ."]
    chosen = choose("auto", "en", "source", [tokenized])
    assert (chosen.name, chosen.why) == ("none", "100% of the punctuation of the first segments stands apart")
    assert choose("auto", "de", "target", [tokenized, raw]).name == "moses"
    assert choose("auto", "zh-Hans", "target", [["我来到北京清华大学。"]]).name == "zh"
    assert choose("ja", "zh", "target", [tokenized]).name == "ja"


@pytest.mark.parametrize(
    ("language", "message"),
    [(None, "--source-language: not given.*--tokenizer none"), ("th", "no tokenizer.*another tool.*--tokenizer none")],
)
def test_a_language_without_a_tokenizer(language: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tokenizer_for(language, "source")

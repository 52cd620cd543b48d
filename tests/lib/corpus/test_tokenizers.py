"""The tokenizers of a corpus, and how tokenized text is recognized."""

from __future__ import annotations

import unicodedata

import pytest

from kiwi.exceptions import ConfigError
from kiwi.lib.corpus.tokenizers import STAND_INS, Tokenizer, choose, looks_tokenized, tokenizer_for


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
    ("language", "text", "expected"),
    [
        ("si", "වි\u200dට, ශ්\u200dරී ලංකාව.", "වි\u200dට , ශ්\u200dරී ලංකාව ."),
        ("ne", "उनले भने, कि यो हो।", "उनले भने , कि यो हो ।"),
        ("fa", "او می\u200cخواهد، برود.", "او می\u200cخواهد ، برود ."),
        ("th", "สวัสดีที่นี่ครับ.", "สวัสดีที่นี่ครับ ."),
        ("my", "မြန်မာ.", "မြန်မာ ."),
        ("vi", "Tie\u0302\u0301ng Vie\u0323\u0302t.", "Tie\u0302\u0301ng Vie\u0323\u0302t ."),
        ("en", "The cafe\u0301's 'nai\u0308ve' art.", "The cafe\u0301 's ' nai\u0308ve ' art ."),
        ("en", "a 👩\u200d🚀 ❤\ufe0f 5\ufe0f\u20e3 b\u200d c.", "a 👩\u200d🚀 ❤\ufe0f 5\ufe0f\u20e3 b\u200d c ."),
        ("en", "a \u0301 b", "a \u0301 b"),
        ("hi", "डॉ. शर्मा", "डॉ. शर्मा"),
    ],
)
def test_moses_keeps_joiners_and_combining_marks_in_their_words(language: str, text: str, expected: str) -> None:
    assert Tokenizer("moses", language).load()(text) == expected.split(" ")


@pytest.mark.parametrize("text", ["Le café. c'était l'été, où ?", "Große Äpfel (schön), z.B. Öl."])
def test_moses_splits_decomposed_text_as_composed_text(text: str) -> None:
    tokenize = Tokenizer("moses", "fr").load()
    words = tokenize(unicodedata.normalize("NFD", text))
    assert [unicodedata.normalize("NFC", word) for word in words] == tokenize(text)


def test_moses_takes_a_text_with_more_marks_than_letters_that_can_hide_them() -> None:
    marks = "".join(chr(code) for code in range(0x300, 0x370))
    text = "".join(STAND_INS) + marks
    assert "".join(Tokenizer("moses", "en").load()(text)) == text


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


def test_moses_does_not_split_text_of_an_unknown_language_by_english_rules() -> None:
    with pytest.raises(ConfigError, match=r"--target-language: not given.* moses .*--target-language de"):
        choose("moses", None, "target", [["Am 3. Mai."]])
    assert choose("moses", "de", "target", []).load()("Am 3. Mai.") == ["Am", "3.", "Mai", "."]

"""Languages by the codes that name them."""

from __future__ import annotations

import pytest

from kiwi.data.flags import find_flags
from kiwi.data.languages import is_same_language, language_of
from kiwi.data.text.language_pairs import known_pairs, normalize_pair, pair_key
from kiwi.exceptions import ConfigError
from kiwi.lib.corpus.leaks import Leaks
from kiwi.lib.corpus.tokenizers import tokenizer_for

KNOWN = ["en-de", "en-pt-BR", "zh-en"]


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("DE_at", "de"),
        ("deu", "de"),
        ("ger", "de"),
        ("deu_Latn", "de"),
        ("zho-Hans", "zh"),
        ("chi", "zh"),
        ("cmn", "zh"),
        ("npi", "ne"),
        ("iw", "he"),
        ("yue", "yue"),
        ("gsw", "gsw"),
        ("x", "x"),
    ],
)
def test_codes(tag: str, language: str) -> None:
    assert language_of(tag) == language
    assert is_same_language(tag, language)
    assert not is_same_language(tag, "fr")


def test_pairs_are_those_that_are_known() -> None:
    given = ["en-de", "en-US-de-DE", "eng-deu", "zho-eng", "", " ", "en-pt-BR", "eng-por", "en-GB-pt-BR", "no pair"]
    assert known_pairs(given, KNOWN) == [
        *("en-de", "en-de", "en-de", "zh-en", "", "", "en-pt-BR", "eng-por", "en-GB-pt-BR", ""),
    ]


def test_pairs_of_three_letters_are_known_too() -> None:
    given = ["eng-deu", "en-de", "eng-Latn-deu-Latn", "en-GB-de", "in-en", "en-fr"]
    assert known_pairs(given, ["eng-deu", "in-en"]) == [*["eng-deu"] * 4, "in-en", "en-fr"]


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        (" en-de\t", "en-de"),
        ("en-cs_CZ", "en-cs-CZ"),
        ("zh_Hans_CN-pt_BR", "zh-Hans-CN-pt-BR"),
        ("zh-Hans_CN-en ", "zh-Hans-CN-en"),
        ("", ""),
        ("en_de", "en_de"),
        (" EN-DE", "EN-DE"),
    ],
)
def test_pairs_have_one_form(text: str, pair: str) -> None:
    assert normalize_pair(text) == pair
    assert pair_key(text) == pair_key(pair)
    assert known_pairs([text], [pair]) == [pair if "-" in pair and pair != "EN-DE" else ""]


def test_leaks_are_found_under_each_code_of_a_language() -> None:
    leaks = Leaks()
    leaks.add(0, "en-de", "Close the window.", "Schließen Sie das Fenster.")
    for pair in ("en-de", "eng-deu", "en-US-de-AT"):
        assert leaks.has(1, pair, "Close the window.", "Fenster zu.")
        assert leaks.has(1, pair, "Shut it.", "Schließen Sie das Fenster.")
    assert not leaks.has(1, "fra-deu", "Close the window.", "Fenster zu.")


def test_three_letters_have_the_rules_of_two() -> None:
    assert find_flags("Close the window now", "Закройте сейчас окно", "eng", "deu") == ["script"]
    assert find_flags("Close the window", "Close the window", "eng", "en-GB") == []
    for code, name in (("zho", "zh"), ("cmn", "zh"), ("jpn", "ja"), ("deu", "moses")):
        assert tokenizer_for(code, "target") == name
    with pytest.raises(ConfigError, match="found 'tha', for which there is no tokenizer"):
        tokenizer_for("tha", "target")

from __future__ import annotations

import time

import pytest
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from kiwi.data.text.patterns import check_patterns
from kiwi.data.text.vocabulary import parse_tokenizer


def tokenizer(pattern: str) -> Tokenizer:
    found = Tokenizer(models.WordLevel({"a": 0}, "a"))
    found.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex(pattern), "isolated")]
    )
    return found


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(\w+\s?)*:"])
def test_an_expression_that_backtracks_is_refused_in_bounded_time(pattern: str) -> None:
    start = time.monotonic()
    with pytest.raises(ValueError, match=r"the regular expression .* takes more than 1 s"):
        parse_tokenizer(tokenizer(pattern).to_str())
    assert time.monotonic() - start < 60


def test_an_expression_with_repeated_groups_may_be_fine() -> None:
    check_patterns(tokenizer(r"(?:[^\r\n\p{L}]?\p{L}+)|(?:\d{1,3})+(?!\d)"))


@pytest.mark.parametrize("pattern", [r" {2,}", r"\s+", r"[.,!?]", r"\p{N}{1,3}"])
def test_simple_expressions_start_no_process(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("a process was started"))
    check_patterns(tokenizer(pattern))


def test_replacements_that_multiply_a_text_are_refused() -> None:
    found = Tokenizer(models.WordLevel({"a": 0}, "a"))
    found.normalizer = normalizers.Sequence([normalizers.Replace("a", "aa")] * 40)
    with pytest.raises(ValueError, match="make a text 1099511627776 times as long"):
        parse_tokenizer(found.to_str())
    found.normalizer = normalizers.Sequence([normalizers.Replace(" ", "▁"), normalizers.Replace("“", '"')])
    parse_tokenizer(found.to_str())

"""The cleaning rules of a corpus."""

from __future__ import annotations

import pytest

from kiwi.data.flags.scripts import wrong_script
from kiwi.data.text.words import words
from kiwi.lib.corpus.cleaning import Bounds, check_texts, is_copied, is_unrelated


@pytest.mark.parametrize(
    ("source", "target", "post_edit", "rule", "reason"),
    [
        ("a b", "c", "d", "", ""),
        ("", "c", "d", "empty", "source"),
        ("a", "", "d", "empty", "translation"),
        ("a", "c", "", "empty", "post-edit"),
        ("\u00a0", "c", "d", "empty", "source"),
        ("a", "\u3000 \u2009", "d", "empty", "translation"),
        ("a", "c", "\u200b \ufeff", "empty", "post-edit"),
        ("Good morning !", "Good morning !", "Guten Morgen !", "copied", "source"),
        ("1 234 , 5", "1 234 , 5", "1 234 , 5", "", ""),
    ],
)
def test_texts(source: str, target: str, post_edit: str, rule: str, reason: str) -> None:
    found = check_texts(words(source), words(target), words(post_edit))
    assert found[0] == rule
    assert reason in found[1]
    assert is_copied(words(source), words(target)) == (rule == "copied")


@pytest.mark.parametrize(
    ("text", "language", "is_wrong"),
    [
        ("Das ist ein Satz .", "de", False),
        ("Это предложение .", "de", True),
        ("Это предложение .", "ru", False),
        ("This is a sentence .", "ru", True),
        ("Windows", "ru", False),  # too short to be judged
        ("这 是 一个 句子 , 用于 测试 .", "zh", False),
        ("これ は 日本語 の 文 です", "ja", False),
        ("これ は 日本語 の 文 です", "zh-Hant", False),  # enough characters of its script
        ("Это предложение .", "zh-Hant", True),
        ("Ово је реченица .", "sr-Latn", True),
        ("Ово је реченица .", "sr-Cyrl", False),
        ("Ово је реченица .", "sr", False),  # two scripts
        ("This is a sentence .", None, False),
        ("Update für Microsoft Windows на компьютере", "ru", False),
    ],
)
def test_scripts(text: str, language: str | None, is_wrong: bool) -> None:
    assert bool(wrong_script(text, language)) == is_wrong


@pytest.mark.parametrize(
    ("hter", "n_target", "n_post_edit", "expected"),
    [(1.0, 10, 3, True), (1.0, 3, 10, True), (1.0, 10, 9, False), (0.8, 10, 3, False), (0.9, 10, 3, False)],
)
def test_unrelated_post_edits(hter: float, n_target: int, n_post_edit: int, expected: bool) -> None:
    assert is_unrelated(hter, n_target, n_post_edit, Bounds()) == expected

"""The edits from a translation to its post-edit, its tags and its HTER."""

from __future__ import annotations

import random

import pytest
from sacrebleu.metrics.lib_ter import translation_edit_rate

from kiwi.data.labels.edits import edit_path, edits_of, gap_tags, source_tags, target_tags
from kiwi.data.labels.ter import count_edits, hter


def tags(path: str) -> tuple[str, str]:
    letters = {"OK": "o", "BAD": "B"}
    return "".join(letters[tag] for tag in target_tags(path)), "".join(letters[tag] for tag in gap_tags(path))


@pytest.mark.parametrize(
    ("target", "post_edit", "path", "words", "gaps"),
    [
        ("a b c", "a b c", "===", "ooo", "oooo"),
        ("a b c", "a x c", "=s=", "oBo", "oooo"),
        ("a b c", "a c", "=d=", "oBo", "oooo"),
        ("a c", "a b c", "=i=", "oo", "oBo"),
        ("a", "x a y", "i=i", "o", "BB"),
        ("a", "x y z a", "iii=", "o", "Bo"),
        ("", "a b", "ii", "", "B"),
        ("a b", "", "dd", "BB", "ooo"),
        # Words are matched without case, and compared with it.
        ("The cat", "the cat sat", "s=i", "Bo", "ooB"),
        # Read from the end, a substitution comes before a deletion or insertion of the same cost.
        ("x y a", "z a", "ds=", "BBo", "oooo"),
        ("z a", "x y a", "is=", "Bo", "Boo"),
        # Read from the end, a deletion comes before an insertion.
        ("a b", "b a", "ss", "BB", "ooo"),
        ("a b c", "c a b", "i==d", "ooB", "Booo"),
    ],
)
def test_edits_by_hand(target: str, post_edit: str, path: str, words: str, gaps: str) -> None:
    found = edit_path(target.split(), post_edit.split())
    assert found == path
    assert tags(found) == (words, gaps)


@pytest.mark.parametrize(("n_missing", "path"), [(19, "i" * 19 + "=" * 25), (30, "s" * 25 + "i" * 30)])
def test_the_beam_of_tercom_decides_long_segments(n_missing: int, path: str) -> None:
    """The first match costs 30 insertions, 29 more than a substitution at the same place, and is not followed."""
    target = [f"w{number}" for number in range(25)]
    found = edit_path(target, [f"missing{number}" for number in range(n_missing)] + target)
    assert sorted(found) == sorted(path)


@pytest.mark.parametrize(
    ("rule", "expected"), [("normal", ["OK", "BAD", "BAD", "OK"]), ("missing-only", ["OK", "OK", "BAD", "OK"])]
)
def test_source_tags_by_hand(rule: str, expected: list[str]) -> None:
    path = "=sid=" + "d"
    alignment = [(0, 0), (1, 1), (2, 2), (2, 3)]
    assert source_tags(path, alignment, 4, rule) == expected  # type: ignore[arg-type]


def test_words_of_edits() -> None:
    assert edits_of("=sdi", ["a", "b", "c"], ["a", "x", "y"]) == [
        ("=", "a", "a"),
        ("s", "b", "x"),
        ("d", "c", ""),
        ("i", "", "y"),
    ]


@pytest.mark.parametrize(
    ("target", "post_edit", "expected"),
    [
        ("a b c d", "a b c d", 0.0),
        ("a b c d", "d a b c", 0.25),  # one shift
        ("A b c d", "a b c d", 0.0),
        ("a b c", "a b c d", 0.25),
        ("v w x y z", "a", 1.0),  # five edits of one word, capped
        ("a", "", 1.0),
        ("", "", 0.0),
        ("", "a b", 1.0),
    ],
)
def test_hter_by_hand(target: str, post_edit: str, expected: float) -> None:
    assert hter(target.split(), post_edit.split()) == expected


def test_words_that_differ_in_their_unicode_normalization_alone_are_the_same() -> None:
    target, post_edit = ["scho\u0308n", "Cafe\u0301", "heute"], ["schön", "café", "morgen"]
    assert edit_path(target, post_edit) == "=ss"
    assert hter(target, post_edit) == pytest.approx(1 / 3)
    assert edit_path(post_edit, target) == "=ss"
    assert hter(["Cafe\u0301"], ["Café"]) == 0


def edited(words: list[str], drawn: random.Random) -> list[str]:
    words = list(words)
    for _ in range(drawn.randrange(10)):
        place = drawn.randrange(len(words) + 1)
        match drawn.randrange(3):
            case 0:
                del words[place : place + 1]
            case 1:
                words.insert(place, f"w{drawn.randrange(9)}")
            case 2:
                moved = words[place : place + 3]
                del words[place : place + 3]
                to = drawn.randrange(len(words) + 1)
                words[to:to] = moved
    return words


@pytest.mark.parametrize(
    ("seed", "lengths", "n_words", "n_segments"),
    [(1, (1, 2, 5, 9), 4, 150), (2, (12, 20, 24), 30, 60), (3, (26, 40, 55), 200, 12), (4, (60, 90), 2000, 3)],
)
def test_edits_are_those_of_sacrebleu(seed: int, lengths: tuple[int, ...], n_words: int, n_segments: int) -> None:
    drawn = random.Random(seed)
    for number in range(n_segments):
        target, other = ([f"w{drawn.randrange(n_words)}" for _ in range(drawn.choice(lengths))] for _ in range(2))
        reference = edited(target, drawn) if number % 4 else other
        if reference:
            assert count_edits(target, reference) == translation_edit_rate(target, reference)[0]


@pytest.mark.parametrize(("n_words", "n_reference"), [(1, 60), (2, 130), (60, 1), (80, 3)])
def test_sequences_of_very_different_length(n_words: int, n_reference: int) -> None:
    words = [f"w{number}" for number in range(n_words)]
    reference = [f"w{number % 7}" for number in range(n_reference)]
    assert count_edits(words, reference) == translation_edit_rate(words, reference)[0]

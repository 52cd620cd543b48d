"""The rules by which segments are left out of a corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kiwi.data.text.normal_form import compose_all, is_blank

RULES = {
    "empty": "a side without a word",
    "copied": "the source stands as its translation",
    "script": "most letters are of a script that the language does not use",
    "unrelated": "the post-edit is another sentence",
    "duplicate": "source, translation and post-edit were there before",
}
"""The cleaning rules, and what they leave out."""


@dataclass(frozen=True)
class Bounds:
    """The bounds of the rule ``unrelated``; a segment beyond both of them is left out."""

    hter: float = 0.9
    """The HTER above which a post-edit may be another sentence."""

    length_ratio: float = 2.0
    """The ratio of the longer to the shorter of translation and post-edit, in words."""


def check_texts(source: Sequence[str], target: Sequence[str], post_edit: Sequence[str]) -> tuple[str, str]:
    """Return the rule by which the words of a segment are left out, and the reason; empty strings if they are kept."""
    for side, side_words in (("source", source), ("translation", target), ("post-edit", post_edit)):
        if is_blank("".join(side_words)):
            return "empty", f"the {side} is empty"
    return ("copied", RULES["copied"]) if is_copied(source, target) else ("", "")


def is_copied(source: Sequence[str], target: Sequence[str]) -> bool:
    """Return whether the source stands as its translation, and has a letter that could have been translated."""
    return compose_all(source) == compose_all(target) and any(
        character.isalpha() for word in source for character in word
    )


def is_unrelated(hter: float, n_target: int, n_post_edit: int, bounds: Bounds) -> bool:
    """Return whether a post-edit seems to be another sentence than the translation."""
    longer, shorter = max(n_target, n_post_edit), min(n_target, n_post_edit)
    return hter > bounds.hter and longer > bounds.length_ratio * shorter

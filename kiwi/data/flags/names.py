"""Text that stays as it is in any language: names, numbers, addresses and identifiers."""

from __future__ import annotations

import re

MOST_WORDS = 4
"""The largest number of words of a name."""

LONGEST_UNIT = 3
"""The largest number of letters of a unit of measurement beside a number."""

IDENTIFIER = re.compile(r"(?:https?://|www\.)\S+|\S*[@_\\]\S*|\w+(?:[./:-]+\w+)+|\w*\d\w*")
"""An address, a path, a file name, or a word with digits."""


def stays_as_it_is(text: str) -> bool:
    """Return whether a text may be its own translation: a number with its unit, a name or an identifier.

    A name has at most four words, all of which begin with a capital letter, and does not end as a sentence does.
    """
    words = [word.strip("\"'()[]«»“”„,;") for word in text.split()]
    words = [word for word in words if any(map(str.isalpha, word)) and not IDENTIFIER.fullmatch(word)]
    if any(map(str.isdecimal, text)):
        words = [word for word in words if len(word) > LONGEST_UNIT]
    return not words or (len(words) <= MOST_WORDS and text[-1] not in ".!?…。！？।" and all(map(is_name, words)))


def is_name(word: str) -> bool:
    """Return whether a word may be a name: it has a capital letter at its start or in it, as in iPhone."""
    return any(character.isupper() or character.istitle() for character in word)


def without_names(text: str, other: str) -> str:
    """Return a text without the names and identifiers that another text has too."""
    others = set(other.split())
    return " ".join(
        word for word in text.split() if not (word in others and (is_name(word) or IDENTIFIER.fullmatch(word)))
    )

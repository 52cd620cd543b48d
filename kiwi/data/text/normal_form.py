"""The form in which texts are compared, and what a text of nothing but white space is.

A letter with an accent may be one code point or two (Unicode's forms NFC and NFD), and tools change white space. Texts
that differ in these alone look the same, and nobody edited one to get the other.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def compose(text: str) -> str:
    """Return a text in Unicode's form NFC."""
    return unicodedata.normalize("NFC", text)


def compose_all(words: Sequence[str]) -> list[str]:
    """Return words in Unicode's form NFC."""
    return [compose(word) for word in words]


def normal_form(text: str) -> str:
    """Return a text in NFC with single spaces between its words and none around them; any white space counts."""
    return " ".join(compose(text).split())


def is_blank(text: str) -> bool:
    """Return whether a text has nothing but white space and invisible characters, such as a zero-width space."""
    return all(character.isspace() or unicodedata.category(character) in ("Cc", "Cf") for character in text)

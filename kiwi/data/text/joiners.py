"""Characters that continue the one before them: combining marks, and joiners."""

from __future__ import annotations

import unicodedata
from functools import cache

ZERO_WIDTH_JOINER = "\u200d"
"""The character that also joins the one after it, such as an emoji."""

ZERO_WIDTH_NON_JOINER = "\u200c"
"""The character that keeps letters of one word from being joined in writing, as in Persian."""


@cache
def continues(character: str) -> bool:
    """Return whether a character belongs to the one before it, if that is no white space."""
    is_joiner = character in (ZERO_WIDTH_JOINER, ZERO_WIDTH_NON_JOINER)
    return is_joiner or unicodedata.category(character).startswith("M")


def is_continued(text: str, place: int) -> bool:
    """Return whether the character at a place of a text belongs to the one before it."""
    return place > 0 and continues(text[place]) and not text[place - 1].isspace()


def base(text: str, place: int) -> int:
    """Return the place of the character that the one at a place belongs to; its own if it stands for itself."""
    while is_continued(text, place):
        place -= 1
    return place

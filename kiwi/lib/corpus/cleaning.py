"""The rules by which segments are left out of a corpus."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

RULES = {
    "empty": "a side without a word",
    "copied": "the source stands as its translation",
    "script": "most letters are of a script that the language does not use",
    "unrelated": "the post-edit is another sentence",
    "duplicate": "source, translation and post-edit were there before",
}
"""The cleaning rules, and what they leave out."""

LEAST_LETTERS = 8
"""The number of letters from which the script of a text is judged."""

LEAST_OWN_SCRIPT = 0.2
"""The least share of letters in a script of the language."""

_SCRIPTS = {
    "CYRILLIC": "ab ba be bg ce cv kk ky mk mn os ru tg tt uk",
    "ARABIC": "ar ckb fa ps sd ug ur",
    "DEVANAGARI": "hi mr ne sa",
    "HEBREW": "he yi",
    "GREEK": "el",
    "CJK": "zh yue",
    "HANGUL": "ko",
    "SINHALA": "si",
    "THAI": "th",
    "LAO": "lo",
    "KHMER": "km",
    "MYANMAR": "my",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "BENGALI": "bn as",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "ORIYA": "or",
    "ETHIOPIC": "am ti",
    "LATIN": "af ca cs cy da de en es et eu fi fr ga gl hr hu id is it lt lv ms mt nb nl nn no pl pt ro sk sl sq sv sw "
    "tl tr vi",
}
SCRIPTS: dict[str, tuple[str, ...]] = {
    language: (script,) for script, languages in _SCRIPTS.items() for language in languages.split()
}
SCRIPTS |= {"ja": ("HIRAGANA", "KATAKANA", "CJK")}
"""The scripts of languages, by the first word of the Unicode names of their letters; languages that are written in
several scripts are left out."""


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
        if not side_words:
            return "empty", f"the {side} is empty"
    return ("copied", RULES["copied"]) if is_copied(source, target) else ("", "")


def is_copied(source: Sequence[str], target: Sequence[str]) -> bool:
    """Return whether the source stands as its translation, and has a letter that could have been translated."""
    return source == target and any(character.isalpha() for word in source for character in word)


def wrong_script(text: str, language: str | None) -> str:
    """Return a reason if hardly any letter of a text is of a script of its language, otherwise an empty string.

    Args:
        text: the text.
        language: the BCP 47 tag of its language; languages without an entry in :data:`SCRIPTS` are not judged.
    """
    if language is None or ((subtags := language.split("-")) and any(len(subtag) == 4 for subtag in subtags[1:])):
        return ""  # the tag names another script
    expected = SCRIPTS.get(subtags[0].lower())
    letters = [character for character in text if character.isalpha()]
    if expected is None or len(letters) < LEAST_LETTERS:
        return ""
    own = sum(_script(letter) in expected for letter in letters)
    if own >= LEAST_OWN_SCRIPT * len(letters):
        return ""
    return f"{own} of {len(letters)} letters are {' or '.join(expected).lower()}, as {subtags[0]} is written"


@cache
def _script(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]


def is_unrelated(hter: float, n_target: int, n_post_edit: int, bounds: Bounds) -> bool:
    """Return whether a post-edit seems to be another sentence than the translation."""
    longer, shorter = max(n_target, n_post_edit), min(n_target, n_post_edit)
    return hter > bounds.hter and longer > bounds.length_ratio * shorter

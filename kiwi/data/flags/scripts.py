"""The scripts that languages are written in."""

from __future__ import annotations

import unicodedata
from functools import cache

from kiwi.data.languages import language_of

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

_CODES = {
    "Cyrl": "CYRILLIC",
    "Arab": "ARABIC",
    "Deva": "DEVANAGARI",
    "Hebr": "HEBREW",
    "Grek": "GREEK",
    "Hani": "CJK",
    "Hans": "CJK",
    "Hant": "CJK",
    "Hang": "HANGUL",
    "Kore": "HANGUL",
    "Sinh": "SINHALA",
    "Thai": "THAI",
    "Laoo": "LAO",
    "Khmr": "KHMER",
    "Mymr": "MYANMAR",
    "Geor": "GEORGIAN",
    "Armn": "ARMENIAN",
    "Taml": "TAMIL",
    "Telu": "TELUGU",
    "Knda": "KANNADA",
    "Mlym": "MALAYALAM",
    "Beng": "BENGALI",
    "Gujr": "GUJARATI",
    "Guru": "GURMUKHI",
    "Orya": "ORIYA",
    "Ethi": "ETHIOPIC",
    "Latn": "LATIN",
}
EQUALLY_USUAL = {"sr"}
"""Languages that are read in each of their scripts."""

_OF_CODES = {code: (script,) for code, script in _CODES.items()} | {"Jpan": SCRIPTS["ja"]}


@cache
def scripts_of(tag: str) -> tuple[str, ...] | None:
    """Return the scripts that a BCP 47 tag says or, if it says none, those of its language; None if they are not known.

    Args:
        tag: the tag, such as ``sr-Latn``; an underscore stands for a hyphen.
    """
    said = _said(tag)
    return SCRIPTS.get(language_of(tag)) if said is None else _OF_CODES.get(said)


def is_usual_script(tag: str) -> bool:
    """Return whether a BCP 47 tag does not say another script than that of its language, or one of several."""
    usual, said = SCRIPTS.get(language_of(tag)), _said(tag)
    if said is None or language_of(tag) in EQUALLY_USUAL:
        return True
    return usual is not None and _OF_CODES.get(said) == usual


def _said(tag: str) -> str | None:
    """Return the code of the script that a BCP 47 tag says, if it says one."""
    _, *subtags = tag.replace("_", "-").split("-")
    return next((subtag.capitalize() for subtag in subtags if len(subtag) == 4 and subtag.isalpha()), None)


def wrong_script(text: str, language: str | None) -> str:
    """Return a reason if hardly any letter of a text is of a script of its language, otherwise an empty string.

    Args:
        text: the text.
        language: the BCP 47 tag of its language; those whose script is not known are not judged.
    """
    expected = None if language is None else scripts_of(language)
    if expected is None or _has_own(text, expected):
        return ""
    letters = [character for character in text if character.isalpha()]
    if len(letters) < LEAST_LETTERS:
        return ""
    own = sum(_script(letter) in expected for letter in letters)
    if own >= LEAST_OWN_SCRIPT * len(letters):
        return ""
    return f"{own} of {len(letters)} letters are {' or '.join(expected).lower()}, as {language} is written"


def _has_own(text: str, expected: tuple[str, ...]) -> bool:
    """Return whether enough characters are of some scripts, which most texts tell by their start."""
    wanted = LEAST_OWN_SCRIPT * len(text)
    n_own = 0
    for character in text:
        n_own += _script(character) in expected
        if n_own >= wanted:
            return bool(n_own)
    return False


def has_own_letter(text: str, language: str) -> bool:
    """Return whether a text has any letter of the scripts of its language, which :func:`scripts_of` must know."""
    expected = scripts_of(language) or ()
    return any(_script(character) in expected for character in text)


@cache
def _script(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]

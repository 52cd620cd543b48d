"""Flags of segments that must not look good, whatever a system says of them; they need no system."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from kiwi.data.flags import lengths, numbers
from kiwi.data.flags.codes import codes_in_text
from kiwi.data.flags.language import is_other_language
from kiwi.data.flags.names import stays_as_it_is, without_names
from kiwi.data.flags.scripts import has_own_letter, wrong_script
from kiwi.data.languages import TAG, is_same_language
from kiwi.data.lists import as_lists, as_texts
from kiwi.exceptions import ConfigError

FLAGS = {
    "copied": "the source stands as its translation",
    "empty": "the translation is empty, or has no letter, digit or symbol although the source has",
    "script": "most letters of the translation are of a script that its language does not use",
    "language": "the translation is not in the target language",
    "length": "the translation is much shorter or longer than the source",
    "numbers": "source and translation have different numbers",
    "tags": "source and translation have different tags or placeholders",
}
"""The flags that a segment may have, in their order, and what each of them says."""

OF_WHOLE = frozenset({"copied", "empty", "script", "language", "length"})
"""The flags of a translation that is wrong as a whole."""

COLUMN = "flags"
"""The column of the flags in tables."""

Codes = tuple[Sequence[str], Sequence[str]]
"""The codes of inline markup in source and translation."""


def find_flags(
    source: str,
    target: str,
    source_language: str | None = None,
    target_language: str | None = None,
    codes: Codes = ((), ()),
) -> list[str]:
    """Return the flags of a segment, of :data:`FLAGS`.

    Args:
        source: the source.
        target: the translation.
        source_language: the BCP 47 tag of the source's language.
        target_language: the BCP 47 tag of the translation's language, which the flags ``script`` and ``language`` need.
        codes: the codes of inline markup that are not in the texts, which the flag ``tags`` compares too.
    """
    source, target = " ".join(source.split()), " ".join(target.split())
    if not source or not target:
        return ["empty"] if source else []
    found = []
    if any(map(str.isalnum, source)) and not any(map(_says_something, target)):
        found.append("empty")
    is_translation = not (source_language and target_language and is_same_language(source_language, target_language))
    if is_translation and _has_text_of(source, target) and not stays_as_it_is(target):
        found.append("copied")
    if _has_wrong_script(source, target, target_language):
        found.append("script")
    if not found and is_other_language(source, target, target_language):
        found.append("language")
    if lengths.differ(source, target):
        found.append("length")
    if numbers.differ(source, target):
        found.append("numbers")
    if codes_in_text(source) != codes_in_text(target) or sorted(codes[0]) != sorted(codes[1]):
        found.append("tags")
    return found


def _says_something(character: str) -> bool:
    """Return whether a character may be a translation: a letter, a digit, or a symbol such as € and ✓."""
    return character.isalnum() or character == "%" or unicodedata.category(character) in ("Sc", "Sm", "So")


def _has_text_of(source: str, target: str) -> bool:
    """Return whether a translation is its source, but for capitals, punctuation, spaces and invisible characters."""
    return all(one == other for one, other in zip_longest(_letters(source), _letters(target)))


def _letters(text: str) -> Iterator[str]:
    """Yield the letters, digits, marks and symbols of a text, without the difference of capitals."""
    return (each for each in text.casefold() if each.isalnum() or unicodedata.category(each)[0] in "MS")


def _has_wrong_script(source: str, target: str, language: str | None) -> bool:
    """Return whether a translation is of a script that its language does not use, apart from names."""
    if language is None or not wrong_script(target, language):
        return False
    is_foreign = not has_own_letter(target, language) and not stays_as_it_is(target)
    return is_foreign or bool(wrong_script(without_names(target, source), language))


def flag_segments(
    source: Iterable[str],
    target: Iterable[str],
    source_language: str | None = None,
    target_language: str | None = None,
) -> list[list[str]]:
    """Return the flags of each segment, of :data:`FLAGS`: what must not look good, whatever a system says of it.

    Args:
        source: the source segments.
        target: the translations.
        source_language: the BCP 47 tag of the source language, such as ``en``.
        target_language: the BCP 47 tag of the target language, which the flags ``script`` and ``language`` need.

    Raises:
        DataError: when there are more segments on one side, or one is no string.
        ConfigError: when a language is no BCP 47 tag.
    """
    for name, language in (("source_language", source_language), ("target_language", target_language)):
        if language is not None and not (isinstance(language, str) and TAG.fullmatch(language)):
            raise ConfigError(
                f"{name}: found {language!r:.60}; expected the code of a language, such as en or pt-BR, or None."
            )
    lists = as_lists({"source": source, "target": target})
    pairs = zip(as_texts("source", lists["source"]), as_texts("target", lists["target"]), strict=True)
    return [find_flags(*pair, source_language, target_language) for pair in pairs]

"""Whether a translation is in the target language."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from threading import Lock, Thread
from typing import TYPE_CHECKING

from kiwi.data.flags.lengths import length_of
from kiwi.data.flags.names import without_names
from kiwi.data.flags.scripts import is_usual_script
from kiwi.data.languages import language_of
from kiwi.exceptions import KiwiError

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

LEAST_LENGTH = 20
"""The length of a translation from which on its language is judged, in letters."""

LEAST_PROBABILITY = 0.001
"""The probability of a language below which a text is in another one. It is so low that varieties and close languages,
such as Croatian and Serbian, Czech and Slovak, or Norwegian and Danish, are rarely told apart."""

VARIETIES = ("no nb nn", "tl fil", "zh yue wuu", "ku sdh", "ar ary arz", "uz uzs", "gn gug")
"""Languages and varieties under any of whose names the identifier may know a text."""

_SAME = {code: codes for codes in map(str.split, VARIETIES) for code in codes}

CODE = re.compile(r"<[^<>]*>|\{[^{}]*\}")
"""A tag or a placeholder in a text."""

_loading = Lock()


def is_other_language(source: str, target: str, language: str | None) -> bool:
    """Return whether a translation is almost certainly not in the target language.

    A naive Bayes classifier over byte n-grams judges it (Lui and Baldwin 2012, "langid.py"; the package ``py3langid``).

    Args:
        source: the source, whose names in the translation say nothing about its language.
        target: the translation.
        language: the BCP 47 tag of the target language. Languages that the identifier does not know, and those in
            another script than their usual one, are not judged.
    """
    if language is None or not is_usual_script(language):
        return False
    code = language_of(language)
    text = without_names(CODE.sub(" ", target), source)
    if length_of(text) < LEAST_LENGTH:
        return False
    identifier = load_identifier()
    own = {*_SAME.get(code, [code])}.intersection(identifier.labels)
    return bool(own) and sum(share for each, share in identifier.rank(text) if each in own) < LEAST_PROBABILITY


def load_identifier() -> LanguageIdentifier:
    """Load the identifier of languages, once in a process; this takes half a second.

    Raises:
        KiwiError: when it cannot be loaded.
    """
    with _loading:
        return _identifier()


def is_loaded() -> bool:
    """Return whether the identifier of languages is loaded."""
    return _identifier.cache_info().currsize > 0


def start_loading() -> None:
    """Load the identifier of languages in the background, while a system is loaded."""
    Thread(target=_load_quietly, name="kiwi-languages", daemon=True).start()


def _load_quietly() -> None:
    with suppress(KiwiError):  # raised where the identifier is used
        load_identifier()


@cache
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    try:
        return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    except OSError as error:
        raise KiwiError(
            f"The identifier of languages, for the flag 'language', cannot be loaded ({error}). It needs 70 MB in the "
            "directory for temporary files: set TMPDIR to one that has room, or use --no-flags."
        ) from error

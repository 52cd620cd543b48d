"""Translations that are not in the target language."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import pytest

from kiwi.data.flags import find_flags, language as identification
from kiwi.data.flags.language import is_loaded, is_other_language, load_identifier, start_loading
from kiwi.data.flags.scripts import is_usual_script, scripts_of
from kiwi.exceptions import KiwiError

SOURCE = "Close the door before you leave the house."
GERMAN = "Schließen Sie die Tür, bevor Sie das Haus verlassen."
FRENCH = "Fermez la porte avant de quitter la maison."
CROATIAN = "Ne znam gdje sam ostavio ključeve, ali mislim da su u kuhinji."
NORWEGIAN = "Styret har vedtatt at møtet skal holdes på torsdag klokken ti, og alle medlemmer må møte opp."


@pytest.mark.parametrize(
    ("target", "language", "is_other"),
    [
        (GERMAN, "de", False),
        (GERMAN, "de-AT", False),
        (GERMAN, "deu_Latn", False),
        (GERMAN, "ger", False),
        (FRENCH, "de", True),
        (FRENCH, "de_DE", True),
        (FRENCH, "deu_Latn", True),
        ("Please close the door before leaving the house.", "de", True),
        ("离开家之前请关门，并确认所有的窗户都已经关好。", "zh-Hant", False),
        ("离开家之前请关门，并确认所有的窗户都已经关好。", "ja", True),
        # Close languages are not told apart.
        (CROATIAN, "sr-Latn", False),
        (CROATIAN, "bs", False),
        (CROATIAN, "cs", True),
        (NORWEGIAN, "nb", False),
        (NORWEGIAN, "da", False),
        (NORWEGIAN, "sv", True),
        # Varieties.
        ("委員會話星期四朝早十點開會，所有人都一定要嚟，唔好遲到。", "zh-HK", False),
        ("委員會話星期四朝早十點開會，所有人都一定要嚟，唔好遲到。", "ja", True),
        ("دەستەی کارگێڕی بڕیاری داوە کە کۆبوونەوەکە ڕۆژی پێنجشەممە کاتژمێر دە بێت.", "ku", False),
        ("Eg veit ikkje kvar eg har lagt nøklane mine, men eg trur dei ligg på kjøkenet.", "nb", False),
        # What is not judged: no language, another script, a language that is not known, a short text.
        (FRENCH, None, False),
        (FRENCH, "ru-Latn", False),
        ("Бакы Азәрбајҹанын пајтахты вә ән бөјүк шәһәридир.", "az-Cyrl", False),
        (FRENCH, "tlh", False),
        ("Fermez la porte", "de", False),
    ],
)
def test_languages(target: str, language: str | None, is_other: bool) -> None:
    assert is_other_language(SOURCE, target, language) == is_other


def test_names_and_codes_say_nothing() -> None:
    title = "Latin Historiography and Poetry in the Early Empire Generic Interactions."
    assert is_other_language("", title, "de")
    assert not is_other_language(f"See {title}", title, "de")
    assert is_other_language("", '<a href="https://example.com">Fermez la porte avant de quitter</a>', "de")
    assert not is_other_language("", '<a title="Fermez la porte avant de quitter la maison">Tür</a>', "de")


def test_a_translation_has_one_reason() -> None:
    assert find_flags(SOURCE, FRENCH, "en", "de") == ["language"]
    assert find_flags(SOURCE, SOURCE, "en", "de") == ["copied"]
    assert find_flags(SOURCE, "Закройте дверь, прежде чем выйти из дома.", "en", "de") == ["script"]
    assert find_flags(SOURCE, FRENCH, "en") == []


def test_the_identifier_is_loaded_once_in_the_background() -> None:
    identification._identifier.cache_clear()
    start_loading()
    for thread in threading.enumerate():
        if thread.name == "kiwi-languages":
            thread.join()
    assert is_loaded()
    assert load_identifier() is load_identifier()


def test_without_room_for_temporary_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    identification._identifier.cache_clear()
    assert not is_loaded()
    with pytest.raises(KiwiError, match=r"set TMPDIR to one that has room, or use --no-flags\.$"):
        load_identifier()
    monkeypatch.undo()
    assert "de" in load_identifier().labels
    assert is_loaded()


@pytest.mark.parametrize(
    ("tag", "expected", "is_usual"),
    [
        ("de", ("LATIN",), True),
        ("de-latn-DE", ("LATIN",), True),
        ("rus_Cyrl", ("CYRILLIC",), True),
        ("ru-Latn", ("LATIN",), False),
        ("sr", None, True),
        ("sr-Latn", ("LATIN",), True),
        ("az-Cyrl", ("CYRILLIC",), False),
        ("zh-Hant-TW", ("CJK",), True),
        ("ja-Jpan", ("HIRAGANA", "KATAKANA", "CJK"), True),
        ("de-1996", ("LATIN",), True),  # a spelling
        ("de-Cher", None, False),
    ],
)
def test_scripts_of_tags(tag: str, expected: tuple[str, ...] | None, is_usual: bool) -> None:
    assert scripts_of(tag) == expected
    assert is_usual_script(tag) == is_usual

"""Flags of segments."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import kiwi
from kiwi.data.flags import FLAGS, find_flags
from kiwi.exceptions import ConfigError, DataError


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("Close the window.", "Schließen Sie das Fenster.", []),
        ("Close the window.", "Close  the Window.", ["copied"]),
        ("Hello!", "Hello!", ["copied"]),
        ("Close the window.", "Close the window", ["copied"]),
        ("Close the window.", "\u200bClose the\u00a0window\u2026", ["copied"]),
        ("Close the window.", "«Close the window»", ["copied"]),
        ("Use C++ here", "Use C here", []),
        ("settings", "settings", ["copied"]),
        ("Barack Obama", "Barack Obama", []),
        ("iPhone 15 Pro", "iPhone 15 Pro", []),
        ("2,5 kg", "2,5 kg", []),
        ("12.5", "12.5", []),
        ("https://example.com/a?b", "https://example.com/a?b", []),
        ("info@example.com", "info@example.com", []),
        ("config_file.yaml", "config_file.yaml", []),
        ("Close it.", " ", ["empty"]),
        ("Close it.", "...", ["empty"]),
        ("Close it.", "\u200b", ["empty"]),
        ("...", "…", []),
        ("Euro", "€", []),
        ("percent", "%", []),
        ("Hello %s", "…", ["empty", "tags"]),
        (" ", "", []),
        ("Pay 50 euros.", "Zahlen Sie 15 Euro.", ["numbers"]),
        ("Click <b>here</b>.", "Klicken Sie <b>hier.", ["tags"]),
        ("Click <b>here</b>.", 'Klicken Sie <b title="x">hier</b>.', []),
        ("A<br>B", "A<br/>B", []),
        ("Open %s of %s", "Öffnen: %2$s von %1$s", []),
        ("Open %s", "Öffnen", ["tags"]),
        ("%d files", "%s Dateien", ["tags"]),
        ("Save {0} as {name}", "{name} als {0} speichern", []),
        ("Save {0}", "Speichern {1}", ["numbers", "tags"]),
        ("Save {name}", "{nombre} speichern", ["tags"]),
        ("100% sure", "zu 100 % sicher", []),
        ("a <b and c", "a <b und c", []),
        ("Bitte schließen Sie die Tür", "Пожалуйста закройте", ["script"]),
    ],
)
def test_flags(source: str, target: str, expected: list[str]) -> None:
    assert find_flags(source, target, "en", "de") == expected
    assert set(expected) <= set(FLAGS)


def test_languages() -> None:
    assert find_flags("Close the window", "Close the window", "en", "ru") == ["copied", "script"]
    assert find_flags("Close the window", "Close the window", "en-US", "en_GB") == []
    assert find_flags("Use Microsoft Visual Studio", "Microsoft Visual Studio да", "en", "ru") == []
    assert find_flags("Закройте окно, пожалуйста", "Закройте окно", None, "en-US") == ["script"]
    assert find_flags("Закройте окно, пожалуйста", "Закройте окно", None, None) == []
    assert find_flags("Закройте окно, пожалуйста", "Закройте окно", None, "sr-Cyrl") == []


def test_codes_of_markup() -> None:
    codes = (["open 1", "close 1"], ["close 1", "open 1"])
    assert find_flags("a b", "c d", codes=codes) == []
    assert find_flags("a b", "c d", codes=(codes[0], [])) == ["tags"]


def test_lists() -> None:
    assert kiwi.flag_segments(["a 10", "b"], ["c 11", ""]) == [["numbers"], ["empty"]]
    with pytest.raises(DataError, match="source has 1, target has 2 segments"):
        kiwi.flag_segments(["a"], ["b", "c"])
    with pytest.raises(DataError, match="source: found one string"):
        kiwi.flag_segments("a", ["b"])
    with pytest.raises(DataError, match="source, segment 2: found None; expected a string"):
        kiwi.flag_segments(["a", None], ["b", "c"])  # type: ignore[list-item]
    assert kiwi.flag_segments(iter(["a 10"]), (text for text in ["c 11"])) == [["numbers"]]


@pytest.mark.parametrize("language", ["german", "", 1])
@pytest.mark.parametrize("name", ["source_language", "target_language"])
def test_languages_that_are_no_codes(name: str, language: Any) -> None:
    with pytest.raises(ConfigError, match=rf"{name}: found {language!r}; expected the code of a language, such as en"):
        kiwi.flag_segments(["a"], ["b"], **{name: language})


def test_flags_need_no_libraries() -> None:
    code = (
        "import sys, kiwi; kiwi.flag_segments(['a'], ['b']); print({'torch', 'numpy', 'transformers'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


LONG = "The contract ends tomorrow, and nobody has told the people who live in the house about it."


@pytest.mark.parametrize(
    ("source", "target", "is_flagged"),
    [
        (LONG, "Der Vertrag endet morgen, und niemand hat es den Leuten gesagt, die im Haus wohnen.", False),
        (LONG, "Der Vertrag endet morgen, und niemand hat es", True),
        (LONG, "Der Vertrag endet morgen. " * 7, True),
        (LONG, "合同明天到期,但是没有人把这件事告诉住在这栋房子里的人。", False),
        (LONG, "合同明天到期。", True),
        (LONG, "契約は明日で終わりますが、誰もその家に住む人たちに知らせていません。", False),
        (LONG, "계약은 내일 끝나는데, 아무도 그 집에 사는 사람들에게 알리지 않았다.", False),
        ("घरमा बस्ने मानिसहरूलाई यसको बारेमा कसैले भनेको छैन, र सम्झौता भोलि सकिन्छ।", LONG, False),
        ("घरमा बस्ने मानिसहरूलाई यसको बारेमा कसैले भनेको छैन, र सम्झौता भोलि सकिन्छ।", "Nobody told them.", True),
        ("Close the window, please.", "Zu.", False),  # too short to tell
    ],
)
def test_lengths(source: str, target: str, is_flagged: bool) -> None:
    assert ("length" in find_flags(source, target)) is is_flagged
    spaced = "\u200b".join(target)  # what is not seen does not count
    assert ("length" in find_flags(source, spaced)) is is_flagged

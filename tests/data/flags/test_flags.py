"""Flags of segments."""

from __future__ import annotations

import subprocess
import sys

import pytest

import kiwi
from kiwi.data.flags import FLAGS, find_flags
from kiwi.exceptions import DataError


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("Close the window.", "Schließen Sie das Fenster.", []),
        ("Close the window.", "Close  the Window.", ["copied"]),
        ("Hello!", "Hello!", ["copied"]),
        ("settings", "settings", ["copied"]),
        ("Barack Obama", "Barack Obama", []),
        ("iPhone 15 Pro", "iPhone 15 Pro", []),
        ("2,5 kg", "2,5 kg", []),
        ("12.5", "12.5", []),
        ("https://example.com/a?b", "https://example.com/a?b", []),
        ("info@example.com", "info@example.com", []),
        ("config_file.yaml", "config_file.yaml", []),
        ("Close it.", " ", ["empty"]),
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


def test_flags_need_no_libraries() -> None:
    code = (
        "import sys, kiwi; kiwi.flag_segments(['a'], ['b']); print({'torch', 'numpy', 'transformers'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"

"""Training segments that another corpus has in dev or test."""

from __future__ import annotations

import pytest

from kiwi.lib.corpus.leaks import Leaks


@pytest.mark.parametrize("source", ["shared café", "Shared  café", " shared\u00a0café ", "shared cafe\u0301"])
def test_a_leak_is_found_whatever_its_white_space_and_normalization(source: str) -> None:
    leaks = Leaks()
    leaks.add(0, "en-de", "Shared café", "geteilt")
    assert leaks.has(1, "en-de", source, "etwas anderes")
    assert leaks.has(1, "fr-de", "something else", "geteilt ")
    assert not leaks.has(0, "en-de", source, "etwas anderes")  # its own part of the same corpus
    assert not leaks.has(1, "fr-de", source, "etwas anderes")

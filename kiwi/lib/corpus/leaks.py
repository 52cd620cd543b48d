"""Training segments of a corpus that another one has in dev or test."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

from kiwi.data.languages import language_of
from kiwi.data.text.language_pairs import split_pair
from kiwi.data.text.normal_form import normal_form

LEAK = "leak"
LEAK_REASON = "the source or the translation is in dev or test of another corpus"

_SEVERAL = -1


class Leaks:
    """Hashes of the texts of dev and test, by which segments of train are found that another corpus has there."""

    def __init__(self) -> None:
        self._owners: dict[int, int] = {}

    def add(self, corpus: int, pair: str, source: str, target: str) -> None:
        """Add a segment of dev or test.

        Args:
            corpus: the number of its corpus.
            pair: its language pair.
            source: its source.
            target: its translation.
        """
        for key in _keys(pair, source, target):
            self._owners[key] = corpus if self._owners.get(key, corpus) == corpus else _SEVERAL

    def has(self, corpus: int, pair: str, source: str, target: str) -> bool:
        """Return whether another corpus has the source or the translation of a segment in dev or test."""
        return any(self._owners.get(key, corpus) != corpus for key in _keys(pair, source, target))


def _keys(pair: str, source: str, target: str) -> Iterator[int]:
    for side, (tag, text) in enumerate(zip(split_pair(pair), (source, target), strict=True)):
        key = f"{side}\n{language_of(tag)}\n{normal_form(text).casefold()}".encode()
        yield int.from_bytes(blake2b(key, digest_size=8).digest(), "big")

"""The pieces of single words, as they are in a segment: words get other pieces after a space, with many tokenizers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from typing import Any, TypeVar

from typing_extensions import override

from kiwi.data.text.spelling import TextEncoder
from kiwi.data.text.units import Unit, units_of_word

Value = TypeVar("Value")

CACHED_WORDS = 25_000
"""The number of words after which a cache forgets those that it was not asked for since it last did."""

CACHED_CHARACTERS = 2**20
"""The number of their characters after which it does so, too, as a text without spaces is one word."""

ORDINARY = ("the", "House", "12", ",", "casa", "straße", "3.5", "x", "дом", "人", "(a)", "don't", ".")
"""Words with which a tokenizer is probed."""

ODD = (
    "\u00a0a",
    "b\u00a0",
    "\u0301e",
    "\u200b",
    "'s",
    "...",
    "▁x",
    "Ġy",
    "中文字",
    "한국",
    "क्षि",
    "ا",
    "🙂",
    "-b",
    "№",
    "ﬁ",
)
"""More such words, in which some tokenizers find spaces, or none."""


@dataclass(frozen=True)
class Context:
    """The text around a word while it is encoded."""

    before: str = ""
    after: str = ""


class WordCache(dict[str, Value], ABC):
    """Values of words that are computed on first access, and forgotten when other words have been asked for since."""

    def __init__(self) -> None:
        super().__init__()
        self._older: dict[str, Value] = {}
        self._n_characters = 0

    def __missing__(self, word: str) -> Value:
        value = self._older.get(word)
        if value is None:
            value = self.value_of(word)
        self._n_characters += len(word)
        if len(self) >= CACHED_WORDS or self._n_characters > CACHED_CHARACTERS:
            self._older = dict(self)
            self._n_characters = len(word)
            self.clear()
        self[word] = value
        return value

    @abstractmethod
    def value_of(self, word: str) -> Value:
        """Return the value of a word without the cache."""


class WordUnits(WordCache[tuple[Unit, ...]]):
    """A cache of the units of words in one context; see :mod:`kiwi.data.text.units`.

    Args:
        pieces: what encodes words in this context.
    """

    def __init__(self, pieces: WordPieces) -> None:
        super().__init__()
        self._pieces = pieces

    @override
    def value_of(self, word: str) -> tuple[Unit, ...]:
        starts = [max(0, start) for _, start in self._pieces.encode(word)]
        return units_of_word(word, starts or [0])


class WordPieces(WordCache[list[int]]):
    """A cache of the pieces of words in one context.

    Args:
        encoder: the encoder of text.
        context: the text around each word.
        unknown_id: the piece of a word that the tokenizer drops.
    """

    def __init__(self, encoder: Callable[[str], Any], context: Context, unknown_id: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.context = context
        self.unknown_id = unknown_id
        self._units = WordUnits(self)

    @override
    def value_of(self, word: str) -> list[int]:
        return self.compute(word) or [self.unknown_id]

    def units(self, word: str) -> tuple[Unit, ...]:
        """Return the units of a word; see :mod:`kiwi.data.text.units`."""
        return self._units[word]

    def compute(self, word: str) -> list[int]:
        """Return the pieces of a word without the cache; none if the tokenizer drops the word."""
        return [index for index, _ in self.encode(word)]

    def encode(self, word: str) -> list[tuple[int, int]]:
        """Return the pieces of a word and where they start; a space before the word is at -1."""
        before, after = self.context.before, self.context.after
        encoding = self.encoder(f"{before}{word}{after}")
        # A piece belongs to the word in which it starts; the space before a word belongs to the word.
        first = -1 if before else 0
        return [
            (index, start - len(before))
            for index, (start, _) in zip(encoding.ids, encoding.offsets, strict=True)
            if first <= start - len(before) and (not after or start - len(before) < len(word))
        ]


class SegmentPieces:
    """The pieces of the words of segments, which together are those that the tokenizer gives to the whole text.

    Words are encoded one by one, in the simplest context in which the tokenizer gives them the pieces that they have
    in a segment, which is found by probing.

    Args:
        encoder: the encoder of text.
        unknown_id: the piece of a word that the tokenizer drops.
        neighbour: a word that has a piece.

    Raises:
        ValueError: when words have no pieces of their own, because pieces reach over spaces.
    """

    def __init__(self, encoder: TextEncoder, unknown_id: int, neighbour: str) -> None:
        self.encoder: Callable[[str], Any] = cache(encoder)  # the contexts have texts in common
        self.unknown_id = unknown_id
        alone, left, right = Context(), Context(before=f"{neighbour} "), Context(after=f" {neighbour}")
        both = Context(left.before, right.after)
        # The contexts of the word of a segment of one, of the first word, of words in the middle, and of the last word.
        choices = ((alone,) * 4, (alone, alone, left, left), (alone, right, both, left))
        fewest: int | None = None
        for contexts in choices:
            self._use(contexts)
            if self.first_mismatch(_probes(ORDINARY)) is None:
                n_mismatches = sum(self.first_mismatch([probe]) is not None for probe in _probes(ODD))
                if fewest is None or n_mismatches < fewest:
                    fewest, chosen = n_mismatches, contexts
            if not fewest and fewest is not None:
                break
        if fewest is None:
            raise ValueError(f"its tokenizer joins words over spaces: {self.first_mismatch(_probes(ORDINARY))}")
        self.encoder = encoder
        self._use(chosen)

    def _use(self, contexts: tuple[Context, ...]) -> None:
        caches = {context: WordPieces(self.encoder, context, self.unknown_id) for context in contexts}
        self.single, self.first, self.middle, self.last = (caches[context] for context in contexts)

    def __call__(self, segment: Sequence[str]) -> list[list[int]]:
        """Return the pieces of each word; a word that the tokenizer drops has one unknown piece."""
        if len(segment) < 2:
            return list(map(self.single.__getitem__, segment))
        middle = map(self.middle.__getitem__, islice(segment, 1, len(segment) - 1))
        return [self.first[segment[0]], *middle, self.last[segment[-1]]]

    def units(self, segment: Sequence[str]) -> list[tuple[Unit, ...]]:
        """Return the units of each word."""
        if len(segment) < 2:
            return list(map(self.single.units, segment))
        middle = map(self.middle.units, islice(segment, 1, len(segment) - 1))
        return [self.first.units(segment[0]), *middle, self.last.units(segment[-1])]

    def forget(self) -> None:
        """Clear the caches."""
        for pieces in (self.single, self.first, self.middle, self.last):
            pieces.clear()

    def first_mismatch(self, segments: Iterable[Sequence[str]]) -> str | None:
        """Return a description of the first segment whose words have other pieces together than one by one, if any."""
        for segment in segments:
            text = " ".join(segment)
            expected = self.encoder(text)
            caches = [self.first, *[self.middle] * (len(segment) - 2), self.last] if segment[1:] else [self.single]
            found = list(chain.from_iterable(cache.compute(word) for cache, word in zip(caches, segment, strict=True)))
            if found != expected.ids:
                pieces = " ".join(expected.tokens[:12])
                return f"{text[:60]!r} has the pieces {pieces}, which are not those of its words"
        return None


def _probes(words: Sequence[str]) -> list[tuple[str, ...]]:
    """Return segments in which each word is alone, the first, in the middle, and the last."""
    return [probe for word in words for probe in ((word,), (word, "house"), ("house", word, "house"), ("house", word))]

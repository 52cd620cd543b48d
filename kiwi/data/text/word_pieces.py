"""A cache of the pieces of single words."""

from __future__ import annotations

from tokenizers import Tokenizer

CACHED_WORDS = 200_000
"""The maximum number of words in the cache, which is cleared when it is full."""


class WordPieces(dict[str, list[int]]):
    """A cache of the pieces of words, which are computed on first access.

    Args:
        tokenizer: the tokenizer of the encoder.
        before: the text before each word, such as a space.
        unknown_id: the piece of a word that the tokenizer drops.
    """

    def __init__(self, tokenizer: Tokenizer, before: str, unknown_id: int) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.before = before
        self.unknown_id = unknown_id

    def __missing__(self, word: str) -> list[int]:
        encoding = self.tokenizer.encode([self.before + word], is_pretokenized=True, add_special_tokens=False)
        pieces: list[int] = encoding.ids or [self.unknown_id]
        if len(self) >= CACHED_WORDS:
            self.clear()
        self[word] = pieces
        return pieces


def spaces_matter(tokenizer: Tokenizer) -> bool:
    """Return whether the pieces of a word depend on the space before it, as with byte-level tokenizers."""
    state = tokenizer.pre_tokenizer.__getstate__() if tokenizer.pre_tokenizer is not None else b""
    content = state.decode() if isinstance(state, bytes) else str(state)
    return "ByteLevel" in content

"""The pieces of single words."""

from __future__ import annotations

from tokenizers import Tokenizer

CACHED_WORDS = 200_000
"""Words whose pieces are remembered; when there are more, remembering starts again."""


class WordPieces(dict[str, list[int]]):
    """The pieces of words, found when they are first asked for.

    Args:
        tokenizer: of the encoder.
        before: what stands before a word.
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
    """Whether a word within a text has other pieces than alone (byte-level tokenizers count the space before it)."""
    state = tokenizer.pre_tokenizer.__getstate__() if tokenizer.pre_tokenizer is not None else b""
    content = state.decode() if isinstance(state, bytes) else str(state)
    return "ByteLevel" in content

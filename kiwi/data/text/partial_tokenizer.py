"""Tokenizers that load only those pieces which occur in their texts, for processes that encode few."""

from __future__ import annotations

import json
import threading
from collections.abc import Set as AbstractSet
from itertools import compress
from operator import itemgetter
from types import SimpleNamespace
from typing import Any

from pydantic_core import from_json
from tokenizers import AddedToken, Encoding, Tokenizer

from kiwi.data.text.patterns import check_patterns
from kiwi.data.text.spelling import run_tokenizer
from kiwi.data.text.vocabulary import parse_tokenizer

MOST_WORK = 30_000
"""The number of characters searched and of pieces loaded, in total, that take about as long as loading all pieces."""


class PartialEncoding:
    """An encoding of a tokenizer that lacks pieces, with the indices of one that has all.

    Args:
        ids: the indices.
        encoding: the encoding.
    """

    def __init__(self, ids: list[int], encoding: Encoding) -> None:
        self.ids = ids
        self._encoding = encoding

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoding, name)


class PartialTokenizer:
    """A tokenizer with a unigram model that loads the pieces which occur in the texts that it encodes.

    The table of all pieces takes most of the time in which a small system is loaded. How a unigram model splits a text
    depends on the pieces that occur in the text and on the lowest score of all pieces, and on nothing else. The tokens
    of a text, joined, are the text that the model has read, so they tell which pieces occur in it, whatever normalizes
    and splits texts. All pieces are loaded when as much time has been spent as that takes.

    Its methods are those of :class:`tokenizers.Tokenizer`.

    Args:
        text: the JSON of a tokenizer, as :meth:`tokenizers.Tokenizer.to_str` returns it, in UTF-8.

    Raises:
        Exception: when it is damaged, or the pieces in a text do not tell how it is split.
    """

    model = SimpleNamespace()
    """The model, which has no options that concern texts."""

    def __init__(self, text: bytes) -> None:
        content = from_json(text, allow_inf_nan=False, cache_strings=False)
        self._text = text
        self._model: dict[str, Any] = content["model"]
        self._vocabulary: list[tuple[str, float]] = self._model["vocab"]
        self._indices = {piece: index for index, (piece, _) in enumerate(self._vocabulary)}
        self._longest = max(map(len, self._indices))
        added = sorted(content["added_tokens"], key=lambda token: int(token["id"]))
        if self._model["type"] != "Unigram" or self._model["byte_fallback"] or len(self._indices) != len(self):
            raise ValueError("not a unigram model of different pieces")
        if not all(token["special"] and self._indices[token["content"]] == token["id"] for token in added):
            raise ValueError("words are kept from the model")
        unknown = range(len(self))[self._model["unk_id"]]
        lowest = self._indices[min(self._vocabulary, key=itemgetter(1))[0]]
        self._loaded = [*dict.fromkeys([unknown, lowest, *(token["id"] for token in added)])]
        self._searched: set[str] = set()
        self._expected: set[str] = set()
        self._n_done = 0
        self._lock = threading.Lock()
        self._whole: Tokenizer | None = None
        plain: dict[str, Any] = {"truncation": None, "padding": None, "added_tokens": []}
        self._part = Tokenizer.from_str(json.dumps(content | plain | {"model": self._table()}))
        options = [{name: value for name, value in token.items() if name != "id"} for token in added]
        self._part.add_tokens([AddedToken(**each) for each in options])
        self._part.encode_special_tokens = True
        self._added = {self._loaded[index]: token for index, token in self._part.get_added_tokens_decoder().items()}
        check_patterns(self._part)

    def __len__(self) -> int:
        return len(self._vocabulary)

    @property
    def is_whole(self) -> bool:
        """Whether all pieces are loaded."""
        return self._whole is not None

    def expect(self, words: AbstractSet[str]) -> None:
        """Load the pieces of words that are encoded next, at once."""
        with self._lock:
            new = words - self._expected
            if self._whole is not None or not new:
                return
            self._expected |= new
            if self._n_done + sum(map(len, new)) > MOST_WORK:
                self._load_whole()
                return
            try:
                found = run_tokenizer(lambda: self._part.encode(" ".join(new), add_special_tokens=False))
            except ValueError:
                return  # the word will be reported when it is encoded
            self._load("".join(found.tokens))

    def encode(
        self, sequence: Any, pair: Any = None, is_pretokenized: bool = False, add_special_tokens: bool = True
    ) -> Any:
        """Encode a text."""
        with self._lock:
            while self._whole is None:
                found = self._part.encode(sequence, pair, is_pretokenized, add_special_tokens)
                own = [True] * len(found)
                if add_special_tokens:
                    own = [index is not None for index in found.sequence_ids]
                if not self._load("".join(compress(found.tokens, own))):
                    # The post-processor, which adds special pieces, has the indices of all pieces.
                    ids = [self._loaded[at] if is_own else at for at, is_own in zip(found.ids, own, strict=True)]
                    return PartialEncoding(ids, found)
        return self._whole.encode(sequence, pair, is_pretokenized, add_special_tokens)

    def token_to_id(self, token: str) -> int | None:
        """Return the index of a piece."""
        return self._indices.get(token)

    def id_to_token(self, index: int) -> str | None:
        """Return the piece of an index."""
        return self._vocabulary[index][0] if 0 <= index < len(self) else None

    def get_vocab(self) -> dict[str, int]:
        """Return the indices of all pieces."""
        return dict(self._indices)

    def get_added_tokens_decoder(self) -> dict[int, AddedToken]:
        """Return the special pieces."""
        return self._added

    def to_str(self) -> str:
        """Return the JSON of the tokenizer."""
        with self._lock:
            return self._load_whole().to_str()

    def _load(self, text: str) -> bool:
        """Load the pieces that occur in a text which the model has read; return whether some were not loaded."""
        if text in self._searched:
            return False
        self._searched.add(text)
        self._n_done += len(text)
        longest = self._longest
        parts = {text[start:end] for start in range(len(text)) for end in range(start + 1, start + longest + 1)}
        found = {self._indices[piece] for piece in parts & self._indices.keys()}.difference(self._loaded)
        self._loaded += sorted(found)
        self._n_done += len(self._loaded) if found else 0
        if self._n_done > MOST_WORK:
            self._load_whole()
        elif found:
            self._part.model = Tokenizer.from_str(json.dumps({"model": self._table()})).model
        return bool(found) or self._whole is not None

    def _load_whole(self) -> Tokenizer:
        if self._whole is None:
            self._whole = parse_tokenizer(self._text.decode())
            self._whole.no_truncation()
            self._whole.no_padding()
            self._whole.encode_special_tokens = True
            self._searched, self._expected = set(), set()
        return self._whole

    def _table(self) -> dict[str, Any]:
        """Return the JSON of a model of the pieces that are loaded, the first of which is the unknown one."""
        return self._model | {"unk_id": 0, "vocab": [self._vocabulary[index] for index in self._loaded]}


def parse_partly(text: bytes) -> Tokenizer | PartialTokenizer:
    """Parse the JSON of a tokenizer in UTF-8, without its pieces if it can load them later.

    Raises:
        ValueError: when it is not a tokenizer, or one that takes unreasonably long on some texts.
    """
    try:
        return run_tokenizer(lambda: PartialTokenizer(text))
    except ValueError:
        try:
            return parse_tokenizer(text.decode())
        except UnicodeDecodeError as error:
            raise ValueError(f"not UTF-8 text ({error.reason})") from error

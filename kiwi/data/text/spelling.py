"""Encodes text with a tokenizer as ordinary text, in which nothing is a special piece."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Set as AbstractSet
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from tokenizers import Tokenizer

from kiwi.exceptions import DataError

if TYPE_CHECKING:
    from kiwi.data.text.partial_tokenizer import PartialTokenizer

Result = TypeVar("Result")

HIDDEN = "\0"
"""A prefix that hides the special pieces of a vocabulary, since no text has it."""


class TextEncoder:
    """Encodes text, in which the names of special pieces, such as ``<mask>``, are spelled out like any other text.

    The option ``encode_special_tokens`` of a tokenizer does this for its list of added tokens only: a special piece
    that is in the vocabulary of its model too is still found there. Such text is encoded by a copy of the tokenizer
    whose special pieces are hidden, which is made when it is first needed.

    Args:
        tokenizer: the tokenizer, whose options are changed.
        unknown_id: the piece of unknown text.
        special_ids: the pieces that no text may have, in addition to those that the tokenizer says are special.
    """

    def __init__(
        self, tokenizer: Tokenizer | PartialTokenizer, unknown_id: int, special_ids: Collection[int] = ()
    ) -> None:
        self.tokenizer = tokenizer
        read_as_text(tokenizer)
        if getattr(tokenizer.model, "dropout", None) is not None:
            tokenizer.model.dropout = None  # the pieces of a word would be drawn at random
        added = tokenizer.get_added_tokens_decoder()
        self._special_ids = {index for index, token in added.items() if token.special} | {*special_ids, unknown_id}
        self._never = self._special_ids - {unknown_id}
        self._unknown = tokenizer.id_to_token(unknown_id)

    def __call__(self, text: str) -> Any:
        """Return the pieces of a text, without those of the post-processor.

        Raises:
            DataError: when the tokenizer fails, such as on a regular expression that backtracks without end.
        """
        encoding = self._encode(self.tokenizer, text)
        if self._never.isdisjoint(encoding.ids) and (self._unknown is None or self._unknown not in text):
            return encoding
        return self._encode(self._without_specials, text)

    @staticmethod
    def _encode(tokenizer: Tokenizer | PartialTokenizer, text: str) -> Any:
        try:
            return run_tokenizer(lambda: tokenizer.encode(text, add_special_tokens=False))
        except ValueError as error:
            raise DataError(
                f"Found the text {text[:80].strip()!r}, which the tokenizer of the encoder cannot split: {error}. "
                "Remove the segment, or use an encoder with another tokenizer."
            ) from error

    @cached_property
    def _without_specials(self) -> Tokenizer:
        names = {name for index in self._special_ids if (name := self.tokenizer.id_to_token(index)) is not None}
        copy = Tokenizer.from_str(json.dumps(_hide(json.loads(self.tokenizer.to_str()), names)))
        copy.encode_special_tokens = True
        return copy


def read_as_text(tokenizer: Tokenizer | PartialTokenizer) -> None:
    """Let a tokenizer encode texts as a whole, in which nothing is a special piece."""
    if isinstance(tokenizer, Tokenizer):  # others do so
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True


def run_tokenizer(function: Callable[[], Result]) -> Result:
    """Call a function of the library ``tokenizers``, which raises a bare Exception, or panics with a BaseException.

    Raises:
        ValueError: when it fails.
    """
    try:
        return function()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError | GeneratorExit):
            raise
        raise ValueError(str(error).strip() or type(error).__name__) from error


def _hide(content: dict[str, Any], names: AbstractSet[str]) -> dict[str, Any]:
    """Return the JSON of a tokenizer in which some pieces have names that no text has; all keep their indices."""

    def hide(name: str) -> str:
        return f"{HIDDEN}{name}" if name in names else name

    model = dict(content["model"])
    vocabulary = model["vocab"]
    if isinstance(vocabulary, dict):
        model["vocab"] = {hide(name): index for name, index in vocabulary.items()}
    else:  # Unigram
        model["vocab"] = [[hide(name), score] for name, score in vocabulary]
    if isinstance(model.get("unk_token"), str):
        model["unk_token"] = hide(model["unk_token"])
    if "merges" in model:
        pairs = [merge if isinstance(merge, list) else merge.split(" ") for merge in model["merges"]]
        model["merges"] = [pair for pair in pairs if names.isdisjoint({*pair, "".join(pair)})]
    added = [token | {"content": hide(token["content"])} for token in content.get("added_tokens") or ()]
    return content | {"model": model, "added_tokens": added, "post_processor": None}

"""The special pieces of a tokenizer, and the template with which it puts them around texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from kiwi.data.text.partial_tokenizer import PartialTokenizer


@dataclass(frozen=True)
class Template:
    """The template with which an encoder joins two texts: the special pieces around them, and the type of each text."""

    before: list[int]
    between: list[int]
    after: list[int]
    types: tuple[int, int]
    """The type IDs of the first and the second text, which include the special pieces that follow them."""

    @property
    def length(self) -> int:
        """The number of special pieces of a pair."""
        return len(self.before) + len(self.between) + len(self.after)

    @property
    def ids(self) -> set[int]:
        """The special pieces."""
        return {*self.before, *self.between, *self.after}


def special_id(tokenizer: Tokenizer | PartialTokenizer, names: Sequence[str]) -> int | None:
    """Return the index of the first of these pieces that a tokenizer has."""
    return next((index for name in names if (index := tokenizer.token_to_id(name)) is not None), None)


def template_of(tokenizer: Tokenizer | PartialTokenizer, probe: str) -> Template:
    """Return the template of a tokenizer, as its post-processor applies it to a pair of a text that has pieces."""
    encoding = tokenizer.encode([probe], [probe], is_pretokenized=True)
    sides = encoding.sequence_ids
    first, second = [[i for i, side in enumerate(sides) if side == which] for which in (0, 1)]
    ids, types = encoding.ids, encoding.type_ids
    return Template(
        before=ids[: first[0]],
        between=ids[first[-1] + 1 : second[0]],
        after=ids[second[-1] + 1 :],
        types=(types[first[0]], types[second[0]]),
    )


def single_template(tokenizer: Tokenizer | PartialTokenizer) -> tuple[list[int], list[int]]:
    """Return the special pieces before and after a single text."""
    encoding = tokenizer.encode([probe_of(tokenizer)], is_pretokenized=True)
    own = [index for index, side in enumerate(encoding.sequence_ids) if side is not None]
    return encoding.ids[: own[0]], encoding.ids[own[-1] + 1 :]


def probe_of(tokenizer: Tokenizer | PartialTokenizer) -> str:
    """Return a word that has at least one piece."""
    for texts in (lambda: ["a"], tokenizer.get_vocab):  # the vocabulary is slow to get
        for text in texts():
            if tokenizer.encode([text], is_pretokenized=True, add_special_tokens=False).ids:
                return text
    raise ValueError("its tokenizer has no piece")

"""The words and punctuation marks of a text, and the errors that are put between them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from kiwi.data.labels.error_spans import ErrorSpan
from kiwi.data.text.joiners import ZERO_WIDTH_JOINER, base, continues
from kiwi.data.text.words import words

INNER_MARKS = frozenset("'’-")
"""Characters that belong to a word when there are letters on both sides."""

UNSPACED = ("CJK ", "HIRAGANA ", "KATAKANA ", "THAI ", "LAO ", "KHMER ", "MYANMAR ", "TIBETAN ")
"""The beginnings of the Unicode names of letters that are written without spaces between words."""

Tokenize = Callable[[str], list[str]]


@dataclass(frozen=True, eq=False)
class Mark:
    """An error that was put into a text; two marks are never equal."""

    kind: str
    """The name of the corruption."""

    severity: str
    """The severity of the error."""


@dataclass(frozen=True)
class Unit:
    """A word or a punctuation mark; an empty one stands for words that are missing."""

    text: str

    before: str = ""
    """The white space before it."""

    mark: Mark | None = None
    """The error that it is part of; None if it is as it was translated."""

    missing: tuple[Unit, ...] = ()
    """The units that are missing where it stands, or stand elsewhere."""

    @property
    def is_word(self) -> bool:
        """Whether it has a letter or a digit."""
        return any(map(str.isalnum, self.text))


def split_units(text: str, tokenize: Tokenize | None = None) -> list[Unit]:
    """Split a text into words and punctuation marks, which together are the text.

    Args:
        text: the text; white space at its end is lost.
        tokenize: splits text that is written without spaces into words; None makes each of its characters a word.
    """
    units = []
    before = ""
    for kind, group in groupby(range(len(text)), key=lambda place: _kind(text, place)):
        places = list(group)
        part = text[places[0] : places[-1] + 1]
        if kind == "space":
            before = part
            continue
        if kind == "word":
            parts = [part]
        elif kind == "unspaced" and tokenize is not None:
            parts = _pieces(part, tokenize(part))
        else:
            parts = _characters(part)
        for piece in parts:
            units.append(Unit(piece, before))
            before = ""
    return units


def is_unspaced(character: str) -> bool:
    """Return whether a letter is of a script that is written without spaces between words."""
    return unicodedata.name(character, "").startswith(UNSPACED)


def _kind(text: str, place: int) -> str:
    place = base(text, place)
    character = text[place]
    if character.isspace():
        return "space"
    if character in INNER_MARKS:
        inside = 0 < place < len(text) - 1 and text[base(text, place - 1)].isalnum() and text[place + 1].isalnum()
        return "word" if inside else "other"
    if character.isalnum():
        return "unspaced" if is_unspaced(character) else "word"
    return "other"


def _characters(text: str) -> list[str]:
    """Split a text into characters with their combining marks and joiners."""
    parts: list[str] = []
    for character in text:
        if parts and (continues(character) or parts[-1][-1] == ZERO_WIDTH_JOINER):
            parts[-1] += character
        else:
            parts.append(character)
    return parts


def _pieces(text: str, tokens: Sequence[str]) -> list[str]:
    """Return the tokens of a text if they are the whole text, otherwise its characters."""
    found = [token for token in tokens if token]
    return found if "".join(found) == text else _characters(text)


def render(units: Sequence[Unit]) -> tuple[str, list[ErrorSpan]]:
    """Return the text of units, and its errors in the order of their places.

    Neighbouring units of one error are one span, with the white space between them; missing words are an empty span
    after the unit before them.
    """
    parts: list[str] = []
    spans: list[ErrorSpan] = []
    last: Mark | None = None
    for unit, before, start, end in _placed(units):
        parts += (before, unit.text)
        if unit.mark is not None and unit.mark is last:
            spans[-1] = spans[-1]._replace(end=end)
        elif unit.mark is not None:
            spans.append(ErrorSpan(start, end, unit.mark.severity))
        last = unit.mark
    return "".join(parts), spans


def _placed(units: Iterable[Unit]) -> Iterator[tuple[Unit, str, int, int]]:
    """Yield each unit with the white space that is written before it, and the places where it begins and ends."""
    end = 0
    for unit in units:
        before = unit.before if unit.text and end else ""  # a text does not begin with white space
        start = end + len(before)
        end = start + len(unit.text)
        yield unit, before, start, end


class Omission(NamedTuple):
    """A place at which units are missing."""

    place: int
    """The place in the text with errors."""

    is_cut_before: bool
    """Whether the word before it has lost its end."""

    is_cut_behind: bool
    """Whether the word behind it has lost its beginning."""

    n_words: int
    """By how many words the text became shorter there."""


def omissions(units: Iterable[Unit]) -> list[Omission]:
    """Return the places of missing units, where words are what spaces separate."""
    found = []
    groups = [list(group) for _, group in groupby(_placed(units), key=lambda each: bool(each[0].text))]
    for number, group in enumerate(groups):
        missing = [each for unit, _, _, _ in group for each in unit.missing]
        if not missing:
            continue
        behind = groups[number + 1][0][0] if number + 1 < len(groups) else None
        is_apart_before, is_apart_behind = is_apart(missing[0]), behind is not None and is_apart(behind)
        # Of the spaces on both sides, that behind remains, unless there is no word before.
        n_words = sum(map(is_apart, missing[1:])) + (is_apart_before if number else is_apart_behind)
        is_cut_before, is_cut_behind = number > 0 and not is_apart_before, behind is not None and not is_apart_behind
        found.append(Omission(group[0][2], is_cut_before, is_cut_behind, n_words))
    return found


def is_apart(unit: Unit) -> bool:
    """Return whether a unit begins a word."""
    return len(words(f"x{unit.before}x")) > 1


def runs(units: Sequence[Unit], length: int) -> Iterator[int]:
    """Yield the places at which a run of words begins that has no error yet.

    Args:
        units: the units of a text.
        length: the number of words of a run.
    """
    for start in range(len(units) - length + 1):
        if all(unit.is_word and unit.mark is None for unit in units[start : start + length]):
            yield start

"""The kinds of errors that are put into good translations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from random import Random

from kiwi.lib.corpus.corruption.units import Mark, Unit, is_apart, is_unspaced, runs

LONGEST_RUN = 3
"""The largest number of words of one error within a translation."""

SHORTEST_FORM = 5
"""The smallest number of letters of a word whose ending tells its form."""

MANY_TEXTS = 40
"""The number of translations in which words of the same form are looked for."""


@dataclass(frozen=True)
class Material:
    """What a corruption can take from."""

    source: Sequence[Unit]
    """The source of the segment."""

    others: Sequence[Sequence[Unit]]
    """Other translations into the same language."""

    foreign: Sequence[Sequence[Unit]]
    """Translations into other languages."""

    negations: Collection[str]
    """Words of the language that negate."""

    separator: str
    """What stands between two words of the translation: a space, or nothing."""


Result = tuple[list[Unit], int]
"""The units with the error, and the number of edits that correct it."""

Corrupt = Callable[[Sequence[Unit], Material, Random, Mark], Result | None]
"""Puts one error into a translation; returns None if the translation has no place for it."""


def drop(units: Sequence[Unit], material: Material, random: Random, mark: Mark) -> Result | None:
    """Leave out a run of words, but never all of them."""
    return _omit(units, random, mark, _run(units, random, spare=1))


def drop_negation(units: Sequence[Unit], material: Material, random: Random, mark: Mark) -> Result | None:
    """Leave out a word that negates."""
    places = [i for i in runs(units, 1) if units[i].text.lower() in material.negations]
    return _omit(units, random, mark, (random.choice(places), 1) if places and len(units) > 1 else None)


def repeat(units: Sequence[Unit], material: Material, random: Random, mark: Mark) -> Result | None:
    """Write a run of words twice, behind the word before it or, within a word, behind the run."""
    if (found := _run(units, random)) is None:
        return None
    start, length = found
    end = start + length
    if start == 0 or is_apart(units[start]):
        return _double(units, start, end, material, mark), length
    return _insert(units, end, units[start:end], material, mark), length


def swap(units: Sequence[Unit], material: Material, random: Random, mark: Mark) -> Result | None:
    """Exchange two neighbouring runs of words that differ."""
    if (found := _run(units, random, least=2, longest=2 * LONGEST_RUN)) is None:
        return None
    start, length = found
    middle, end = start + random.randint(1, length - 1), start + length
    spaces = [unit.before for unit in units[start:end]]
    moved = [*units[middle:end], *units[start:middle]]
    if [unit.text for unit in moved] == [unit.text for unit in units[start:end]]:
        return None
    marked = [Unit(unit.text, before, mark) for unit, before in zip(moved, spaces, strict=True)]
    return [*units[:start], *marked, *units[end:]], 1  # a shift is one edit of TER


def replace_words(units: Sequence[Unit], material: Material, random: Random, mark: Mark) -> Result | None:
    """Put words of another translation in the place of as many words."""
    return _substitute(units, random, mark, material.others, lambda unit: unit.is_word)


def confuse(units: Sequence[Unit], material: Material, random: Random, mark: Mark) -> Result | None:
    """Put a word of another translation in the place of one of the same form, so that only the meaning is wrong."""
    words = [unit.text for other in _some(material.others, random, MANY_TEXTS) for unit in other]
    places = [place for place in runs(units, 1) if _form(units[place].text) is not None]
    for place in random.sample(places, len(places)):
        own = units[place].text
        alike = [word for word in words if _form(word) == _form(own) and word[:2].lower() != own[:2].lower()]
        if alike:
            return [*units[:place], Unit(random.choice(alike), units[place].before, mark), *units[place + 1 :]], 1
    return None


def _form(word: str) -> tuple[bool, str, int] | None:
    """Return what words of one form share: a capital, the ending, or, without an alphabet, the number of characters."""
    if not word.isalpha():
        return None
    if is_unspaced(word[0]):
        return (False, "", len(word)) if len(word) > 1 else None
    return (word[0].isupper(), word[-2:], 0) if len(word) >= SHORTEST_FORM else None


def replace_name(units: Sequence[Unit], material: Material, random: Random, mark: Mark) -> Result | None:
    """Put a capitalized word of another translation in the place of one; the first word of a text does not count."""
    places = [i for i in runs(units[1:], 1) if _is_name(units[i + 1])]
    names = [unit for other in _some(material.others, random) for unit in other[1:] if _is_name(unit)]
    if not places or not names:
        return None
    place, name = random.choice(places) + 1, random.choice(names)
    if name.text == units[place].text:
        return None
    return [*units[:place], Unit(name.text, units[place].before, mark), *units[place + 1 :]], 1


def change_number(units: Sequence[Unit], material: Material, random: Random, mark: Mark) -> Result | None:
    """Change a digit of a number."""
    places = [i for i in runs(units, 1) if any(map(str.isdecimal, units[i].text))]
    if not places:
        return None
    place = random.choice(places)
    text = units[place].text
    at = random.choice([i for i, character in enumerate(text) if character.isdecimal()])
    zero = ord(text[at]) - int(text[at])  # the digits of a script follow each other
    digit = (int(text[at]) + random.randint(1, 9)) % 10
    if digit == 0 and at == 0:
        digit = 1 if text[at] != chr(zero + 1) else 2
    changed = text[:at] + chr(zero + digit) + text[at + 1 :]
    return [*units[:place], Unit(changed, units[place].before, mark), *units[place + 1 :]], 1


def leave_words(units: Sequence[Unit], material: Material, random: Random, mark: Mark) -> Result | None:
    """Put words of the source in the place of as many words."""
    own = {unit.text for unit in units}
    return _substitute(
        units, random, mark, [material.source], lambda unit: unit.is_word and unit.text not in own, all_words=True
    )


def add(units: Sequence[Unit], material: Material, random: Random, mark: Mark) -> Result | None:
    """Put a run of words of another translation between two words."""
    sources = [other for other in _some(material.others, random) if len(other) > 0]
    places = [i for i in range(1, len(units) + 1) if units[i - 1].mark is None and units[i - 1].is_word]
    if not sources or not places:
        return None
    other, place = random.choice(sources), random.choice(places)
    if (found := _run(other, random)) is None:
        return None
    start, length = found
    return _insert(units, place, other[start : start + length], material, mark), length


def truncate(units: Sequence[Unit], material: Material, random: Random, mark: Mark) -> Result | None:
    """Leave out the end, a third to two thirds of the text."""
    if len(units) < 4:
        return None
    left = random.randint(max(1, len(units) // 3), 2 * len(units) // 3)
    return [*units[:left], Unit("", mark=mark, missing=tuple(units[left:]))], len(units) - left


def say_twice(units: Sequence[Unit], material: Material, random: Random, mark: Mark) -> Result | None:
    """Write the whole text twice."""
    return _double(units, 0, len(units), material, mark), len(units)


def copy_source(units: Sequence[Unit], material: Material, random: Random, mark: Mark) -> Result | None:
    """Put the source in the place of the translation."""
    return _instead(units, material.source, mark)


def take_another(units: Sequence[Unit], material: Material, random: Random, mark: Mark) -> Result | None:
    """Put another translation in the place of the translation."""
    return _instead(units, random.choice(material.others), mark) if material.others else None


def take_foreign(units: Sequence[Unit], material: Material, random: Random, mark: Mark) -> Result | None:
    """Put a translation into another language in the place of the translation."""
    return _instead(units, random.choice(material.foreign), mark) if material.foreign else None


@dataclass(frozen=True)
class Corruption:
    """A kind of error."""

    corrupt: Corrupt
    severity: str
    is_whole: bool = False
    """Whether it concerns the whole translation, which then has no other error."""


CORRUPTIONS: dict[str, Corruption] = {
    "drop": Corruption(drop, "major"),
    "drop-negation": Corruption(drop_negation, "critical"),
    "repeat": Corruption(repeat, "minor"),
    "swap": Corruption(swap, "minor"),
    "replace": Corruption(replace_words, "major"),
    "confuse": Corruption(confuse, "major"),
    "name": Corruption(replace_name, "major"),
    "number": Corruption(change_number, "major"),
    "leave": Corruption(leave_words, "major"),
    "add": Corruption(add, "major"),
    "truncate": Corruption(truncate, "critical", is_whole=True),
    "twice": Corruption(say_twice, "critical", is_whole=True),
    "untranslated": Corruption(copy_source, "critical", is_whole=True),
    "unrelated": Corruption(take_another, "critical", is_whole=True),
    "foreign": Corruption(take_foreign, "critical", is_whole=True),
}
"""The kinds of errors by name."""


def _run(
    units: Sequence[Unit], random: Random, *, least: int = 1, longest: int = LONGEST_RUN, spare: int = 0
) -> tuple[int, int] | None:
    """Return the place and the length of a random run of words without an error.

    Args:
        units: the units of a text.
        random: the source of randomness.
        least: the smallest length.
        longest: the largest length.
        spare: the number of words of the text that must be left.
    """
    n_words = sum(unit.is_word for unit in units)
    longest = min(longest, n_words - spare)
    if longest < least:
        return None
    for length in range(random.randint(least, longest), least - 1, -1):
        if places := list(runs(units, length)):
            return random.choice(places), length
    return None


def _omit(units: Sequence[Unit], random: Random, mark: Mark, found: tuple[int, int] | None) -> Result | None:
    if found is None:
        return None
    start, length = found
    end = start + length
    return [*units[:start], Unit("", mark=mark, missing=tuple(units[start:end])), *units[end:]], length


def _insert(units: Sequence[Unit], place: int, new: Sequence[Unit], material: Material, mark: Mark) -> list[Unit]:
    """Return the units with new ones behind a word, which loses what no space separates from it."""
    behind = units[place].missing or units[place : place + 1] if place < len(units) else ()
    cut = [Unit("", missing=(behind[0],))] if behind and not is_apart(behind[0]) else []
    first, *others = (replace(unit, mark=mark) for unit in new)
    return [*units[:place], *cut, replace(first, before=material.separator), *others, *units[place:]]


def _double(units: Sequence[Unit], start: int, end: int, material: Material, mark: Mark) -> list[Unit]:
    """Return the units with a run twice; the first one is the error, as by the edits that correct the text."""
    copy = [replace(unit, mark=mark) for unit in units[start:end]]
    return [*units[:start], *copy, replace(units[start], before=material.separator), *units[start + 1 :]]


def _substitute(
    units: Sequence[Unit],
    random: Random,
    mark: Mark,
    others: Sequence[Sequence[Unit]],
    usable: Callable[[Unit], bool],
    *,
    all_words: bool = False,
) -> Result | None:
    """Replace a run of words by words of other texts, none of them by itself."""
    words = [unit.text for other in (others if all_words else _some(others, random)) for unit in other if usable(unit)]
    if not words or (found := _run(units, random)) is None:
        return None
    start, length = found
    changed = []
    for unit in units[start : start + length]:
        if not (different := [word for word in words if word != unit.text]):
            return None
        changed.append(Unit(random.choice(different), unit.before, mark))
    return [*units[:start], *changed, *units[start + length :]], length


def _instead(units: Sequence[Unit], other: Sequence[Unit], mark: Mark) -> Result | None:
    texts, own = [unit.text for unit in other], [unit.text for unit in units]
    if not texts or texts == own:
        return None
    return [replace(unit, mark=mark) for unit in other], max(len(texts), len(own))


def _some(others: Sequence[Sequence[Unit]], random: Random, count: int = 5) -> list[Sequence[Unit]]:
    """Return a few other texts, so that a long list need not be walked."""
    return [random.choice(others) for _ in range(count)] if others else []


def _is_name(unit: Unit) -> bool:
    return unit.text[:1].isupper() and len(unit.text) > 1

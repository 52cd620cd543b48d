"""Language pairs such as ``en-de``, one for each segment, as the shared tasks write them (LP)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from kiwi.data.languages import language_of
from kiwi.exceptions import DataError

_TAG = r"[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?"

PAIR = re.compile(rf"({_TAG})-({_TAG})")
"""Two BCP 47 tags of language, script and region, whose case tells where the second one begins, as in ``pt-BR-en``."""

_WITH_UNDERSCORES = re.compile(PAIR.pattern.replace("(?:-", "(?:[-_]"))
"""The same, with an underscore or a hyphen within each tag, as in ``en-cs_CZ``."""

EXPECTED = "two language codes joined by '-', such as en-de"
"""The form of a language pair, for errors."""

MOST_LISTED = 12
"""The maximum number of language pairs that a message lists."""


def normalize_pair(text: str) -> str:
    """Return a language pair in its only form, such as ``en-cs-CZ`` for ``en-cs_CZ`` with spaces around it.

    Args:
        text: what may be a language pair; other text is returned without white space around it.
    """
    pair = text.strip(" \t")
    return pair.replace("_", "-") if _WITH_UNDERSCORES.fullmatch(pair) else pair


def pair_key(text: str) -> str:
    """Return what language pairs are compared by where case does not matter, as in submissions to the shared tasks."""
    return text.strip().lower().replace("_", "-")


def split_pair(pair: str) -> tuple[str, str]:
    """Return source and target of a language pair.

    Raises:
        ValueError: when it is not a language pair.
    """
    found = PAIR.fullmatch(normalize_pair(pair))
    if found is None:
        raise ValueError(f"found '{pair:.60}'; expected {EXPECTED}")
    return found[1], found[2]


def _nearest_pair(text: str) -> str | None:
    """Return the language pair that a text may mean in another spelling, such as ``EN_DE``."""
    halves = re.split(r"[-_ /:>→]+", text.strip())
    nearest = name_pair(*halves) if len(halves) == 2 else ""
    return nearest if PAIR.fullmatch(nearest) else None


def name_pair(source: str, target: str) -> str:
    """Return the language pair of two BCP 47 tags, in their canonical case."""
    return f"{_canonical(source)}-{_canonical(target)}"


def known_pair(source: str, target: str, known: Collection[str]) -> str:
    """Return the language pair of two BCP 47 tags; by their languages alone, where it is known so.

    Args:
        source: the tag of the source.
        target: the tag of the translation.
        known: the language pairs that something depends on.
    """
    tags = source.replace("_", "-"), target.replace("_", "-")
    whole = name_pair(*tags)
    if whole in known:
        return whole
    asked = language_of(source), language_of(target)
    pairs = {
        pair: match.groups() for pair in known if (match := PAIR.fullmatch(pair)) and "-" not in match[1] + match[2]
    }
    return next((pair for pair, tags in pairs.items() if tuple(map(language_of, tags)) == asked), whole)


def known_pairs(pairs: Sequence[str], known: Collection[str]) -> list[str]:
    """Return the language pair of each segment, by its languages alone, where it is known so; see :func:`known_pair`.

    Args:
        pairs: the language pair of each segment; blank where it has none.
        known: the language pairs that something depends on.
    """
    found = {pair: match for pair in {*pairs} if (match := PAIR.fullmatch(normalize_pair(pair)))}
    names = {pair: known_pair(match[1], match[2], known) for pair, match in found.items()}
    return [names.get(pair, "") for pair in pairs]


def _canonical(tag: str) -> str:
    language, *others = tag.split("-")
    cased = [part.title() if len(part) == 4 else part.upper() if len(part) == 2 else part for part in others]
    return "-".join([language.lower(), *cased])


def parse_language_pairs(lines: Sequence[str], place: object, *, first: int = 1) -> list[str]:
    """Parse a language pair from each line; a blank line is returned as an empty string.

    Args:
        lines: the lines.
        place: the file of the lines, for errors.
        first: the number of the first line.

    Returns:
        The language pair of each line in its only form, equal ones as the same object, which saves memory.

    Raises:
        DataError: at the first other line.
    """
    known: dict[str, str] = {}
    for number, line in enumerate(lines, start=first):
        if line not in known:
            known[line] = parse_language_pair(line, place, number)
    return [known[line] for line in lines]


def parse_language_pair(text: str, place: object, number: int, advice: str = "") -> str:
    """Return a language pair in its only form; see :func:`normalize_pair`.

    Args:
        text: the language pair; a blank text is returned as an empty string.
        place: the file that it is in, for errors.
        number: the number of its line.
        advice: the next step for text that is no language pair in another spelling.

    Raises:
        DataError: when it is other text.
    """
    pair = normalize_pair(text)
    if pair and not PAIR.fullmatch(pair):
        advice = f"Did you mean '{nearest}'?" if (nearest := _nearest_pair(pair)) else advice
        raise DataError.at(place, number, found=f"'{pair:.60}'", expected=EXPECTED, advice=advice)
    return pair


def count_pairs(pairs: Iterable[str]) -> dict[str, int]:
    """Return the number of segments of each language pair, in alphabetical order; blank lines are not counted."""
    counts: dict[str, int] = {}
    for pair in pairs:
        counts[pair] = counts.get(pair, 0) + 1
    return {pair: counts[pair] for pair in sorted(counts) if pair}


def listed(names: Sequence[str]) -> str:
    """Return names separated by commas, of which the last ones are counted where there are many."""
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return ", ".join(names[:MOST_LISTED]) + more

"""Examples for the page: a sentence in many languages, and a wrong translation of it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from kiwi.data.text.language_pairs import split_pair
from kiwi.pages.assets import read_asset

GENERIC = ("en-de", "en-es", "en-fr", "en-zh", "en-ar", "de-en", "ru-en", "ja-en")
"""The language pairs of the examples for a model that does not say which ones it knows."""


class Sentence(NamedTuple):
    """A sentence in one language."""

    name: str
    """The name of the language, in English."""

    good: str
    bad: str
    """A sentence that says something else."""


@dataclass(frozen=True)
class Example:
    """A source text with two translations."""

    pair: str
    title: str
    source: str
    target: str
    """A wrong translation."""

    other: str
    """A right one."""

    @property
    def languages(self) -> str:
        """The codes of the two languages, as the form has them."""
        return ",".join(split_pair(self.pair))


@cache
def sentences() -> dict[str, Sentence]:
    """Return the sentence in all languages, by their codes."""
    rows = csv.DictReader(read_asset("examples.tsv").splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return {row["language"]: Sentence(row["name"], row["good"], row["bad"]) for row in rows}


def choose_examples(pairs: Sequence[str]) -> list[Example]:
    """Return an example for each language pair of a model.

    Args:
        pairs: the language pairs; empty if the model does not say them.
    """
    return [found for pair in pairs if (found := find_example(pair)) is not None] or [
        found for pair in GENERIC if (found := find_example(pair)) is not None
    ]


def find_example(pair: str) -> Example | None:
    """Return the example for a language pair; None if there is none."""
    try:
        codes = [tag.split("-")[0] for tag in split_pair(pair)]
    except ValueError:
        return None
    if codes[0] == codes[1] or not sentences().keys() >= {*codes}:
        return None
    source, target = (sentences()[code] for code in codes)
    return Example(pair, f"{source.name} → {target.name}", source.good, target.bad, target.good)

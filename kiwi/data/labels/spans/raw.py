"""Spans as files have them, and the quotes of CSV and the normalization that texts may have beside them."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kiwi.data.labels.error_spans import SEVERITIES
from kiwi.data.text.normal_form import compose

logger = logging.getLogger(__name__)

MISSING = "missing"
"""The position of an omission that has none."""

REMARKS = ("neutral", "undecided")
"""The severities of what is not an error, or not yet: these spans are left out, with a count."""

FEWEST_VOTES = 5
"""By how many positions fewer words have to be cut, before positions are taken to count the quotes of CSV."""

QUOTED = re.compile(r'"(?=.*"".*")(?:[^"]|"")*"', re.DOTALL)
"""A text in the quotes of CSV, in which a quote is written twice."""

NORMALIZATION = (
    "The texts differ in their Unicode normalization alone, but positions count code points: use texts of one form, "
    "such as NFC, with the positions in it."
)
"""The advice where two texts look the same, and are not."""


class RawSpan(NamedTuple):
    """A span as a file has it."""

    start: int
    end: int
    severity: str
    confidence: float = 1.0
    text: str | None = None
    """The text that it covers, where the file says it."""

    is_placed: bool = True
    """Whether it has a position; an omission may be said to be missing somewhere."""


def unquoted(text: str) -> str:
    """Remove the quotes that a writer of CSV puts around a text that has quotes, and undouble those inside."""
    return text[1:-1].replace('""', '"') if QUOTED.fullmatch(text) else text


def look_alike(one: str, other: str) -> bool:
    """Return whether two texts differ, but in their Unicode normalization alone."""
    return one != other and compose(one) == compose(other)


def has_in_other_form(text: str, part: str) -> bool:
    """Return whether a text has a part in another Unicode normalization only."""
    return part not in text and compose(part) in compose(text)


def quoted(text: str) -> str:
    """Return a text that :func:`unquoted` returns unchanged; only a text that looks quoted needs quotes."""
    return '"' + text.replace('"', '""') + '"' if QUOTED.fullmatch(text) else text


def count_quotes(texts: Sequence[str], spans: Sequence[Sequence[RawSpan]], path: Path) -> bool:
    """Return whether positions count the quotes of CSV in texts that have them, because fewer of them cut words then.

    Args:
        texts: the texts as a file has them.
        spans: the spans of each text.
        path: the file, which a warning names where too few positions say so.
    """
    votes = 0
    for text, own in zip(texts, spans, strict=True):
        if (plain := unquoted(text)) != text:
            places = [place for span in own for place in span[:2] if span.severity in SEVERITIES]
            votes += sum(_cuts_no_word(text, place) - _cuts_no_word(plain, place) for place in places)
    if 0 < votes < FEWEST_VOTES:
        logger.warning(
            "%s: positions are read as if the quotes of CSV were not there, which makes %d more of them fall within a "
            "word. If your positions count the quotes, remove the quotes and correct the positions.",
            path,
            votes,
        )
    return votes >= FEWEST_VOTES


def without_quotes(text: str, spans: Sequence[RawSpan]) -> list[RawSpan]:
    """Return spans whose positions count the quotes of CSV with positions in the plain text.

    Args:
        text: the text as a file has it.
        spans: its spans; those outside of the text stay outside.
    """
    plain = unquoted(text)
    if plain == text:
        return [*spans]
    beyond = len(text) - len(plain)

    def moved(place: int) -> int:
        if not 0 <= place <= len(text):
            return place if place < 0 else place - beyond
        return len(text[1 : min(place, len(text) - 1)].replace('""', '"'))

    return [span._replace(start=moved(span.start), end=moved(span.end)) for span in spans]


def _cuts_no_word(text: str, place: int) -> bool:
    """Return whether a position lies in a text, and not within one of its words."""
    if not 0 <= place <= len(text):
        return False
    return place in (0, len(text)) or not (text[place - 1].isalnum() and text[place].isalnum())

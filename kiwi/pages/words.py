"""The words and gaps of a segment, coloured by the probability of BAD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.text.words import words

MOST_WORDS = 250
"""The number of words of a segment that are shown."""

LEVELS = 10
"""The number of shades of colour."""


class Piece(NamedTuple):
    """A word or a gap; a word without tags has neither class nor hint."""

    text: str
    css: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Line:
    """The source or the target of a segment."""

    name: str
    pieces: list[Piece]

    left_out: int
    """The number of words that are not shown."""

    misfit: tuple[int, int] | None
    """Where the words do not match their tags: the number of words, and of words that have tags."""


@dataclass(frozen=True)
class Tags:
    """The gold classes and the probabilities of BAD of one segment's words or gaps."""

    gold: NDArray[np.int64]
    bad: NDArray[np.float64]
    threshold: float

    def __getitem__(self, part: slice) -> Tags:
        return Tags(self.gold[part], self.bad[part], self.threshold)

    def summary(self, name: str) -> str:
        """Return how many BAD tags were found, and how many others were predicted as BAD."""
        predicted = self.bad > self.threshold
        found, n_bad = int(predicted[self.gold == 1].sum()), int(self.gold.sum())
        false = int(predicted[self.gold == 0].sum())
        return f"{found} of {n_bad} BAD {name} found, {false} false alarm{'s' * (false != 1)}"

    def pieces(self, kind: str, texts: Sequence[str], prefix: str = "") -> list[Piece]:
        """Return the words (kind ``w``) or gaps (``g``) with their colours, as many as there are texts."""
        gold, bad = self.gold[: len(texts)], self.bad[: len(texts)]
        levels = np.minimum((bad * LEVELS).astype(np.int64), LEVELS - 1)
        columns = (gold.tolist(), bad.tolist(), levels.tolist(), (bad > self.threshold).tolist())
        return [
            Piece(
                text,
                f"{kind} p{level}{' said' if said else ''}{' bad' if label else ''}",
                f"{prefix}{probability:.2f}, gold {const.LABELS[label]}",
            )
            for text, label, probability, level, said in zip(texts, *columns, strict=True)
        ]


def make_line(name: str, text: str | None, tags: Tags | None, gaps: Tags | None) -> Line | None:
    """Colour the words of a text, or their positions where there is no text.

    Args:
        name: the name of the line.
        text: the text, if it is known.
        tags: the tags of its words, if there are any.
        gaps: the tags of the gaps before, between and after its words, if there are any.

    Returns:
        The line; None if there are neither text nor tags. A line whose words do not match its tags has no colours.
    """
    n_tags = max(0 if tags is None else len(tags.gold), 0 if gaps is None else len(gaps.gold) - 1)
    if text is None and not n_tags:
        return None
    tokens = words(text) if text is not None else [str(place) for place in range(1, n_tags + 1)]
    n, misfit = len(tokens), None
    if (tags is not None and len(tags.gold) != n) or (gaps is not None and len(gaps.gold) != n + 1):
        tags, gaps, misfit = None, None, (n, n_tags)
    shown = tokens[:MOST_WORDS]
    pieces = tags.pieces("w", shown) if tags is not None else [Piece(token) for token in shown]
    if gaps is not None:
        n_gaps = len(shown) + (len(shown) == n)
        between = gaps.pieces("g", [""] * n_gaps, "gap: ")
        pieces = [piece for pair in zip(between, pieces, strict=False) for piece in pair] + between[len(pieces) :]
    return Line(name, pieces, n - len(shown), misfit)

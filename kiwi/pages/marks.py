"""The error spans of a translation: those of a system as shades, and the gold ones as lines below the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kiwi.metrics.spans import Span
from kiwi.pages.words import Piece

SEVERITIES = ("minor", "major", "critical")
"""The severities, the least severe first."""

MOST_CHARACTERS = 2000
"""The number of characters of a translation that are shown."""


@dataclass(frozen=True)
class MarkedTexts:
    """Translations with the error spans of the gold standard and of systems."""

    targets: Sequence[str]
    """The translations."""

    gold: Sequence[Sequence[Span]]
    """The gold spans of each translation."""

    predicted: Mapping[str, Sequence[Sequence[Span]]]
    """The spans of each translation, by system."""

    numbers: Sequence[int]
    """The line number of each translation, counted from 1."""

    def select(self, rows: Sequence[int]) -> MarkedTexts:
        """Return some of the translations."""
        return MarkedTexts(
            [self.targets[row] for row in rows],
            [self.gold[row] for row in rows],
            {system: [spans[row] for row in rows] for system, spans in self.predicted.items()},
            [self.numbers[row] for row in rows],
        )


def mark(target: str, gold: Sequence[Span], predicted: Sequence[Span]) -> list[Piece]:
    """Return the stretches of a translation between the ends of spans, with the severities that mark them.

    Where spans of one side overlap, the most severe one is shown. An omission is a bar before its position.
    """
    places = {0, min(len(target), MOST_CHARACTERS)}
    places |= {min(place, len(target)) for span in (*gold, *predicted) for place in span[:2]}
    ordered = sorted(place for place in places if place <= MOST_CHARACTERS)
    pieces = []
    for place, end in zip(ordered, [*ordered[1:], ordered[-1]], strict=True):
        if omitted := _piece("", "g", [_omissions(own, place, len(target)) for own in (predicted, gold)]):
            pieces.append(omitted)
        if place < end:
            covering = [[span for span in own if span[0] <= place and end <= span[1]] for own in (predicted, gold)]
            pieces.append(_piece(target[place:end], "e", covering) or Piece(target[place:end]))
    return pieces


def _omissions(spans: Sequence[Span], place: int, size: int) -> list[Span]:
    return [span for span in spans if span[0] == span[1] and min(span[0], size) == place]


def _piece(text: str, kind: str, spans: list[list[Span]]) -> Piece | None:
    """Return a stretch or an omission with its colours; None if neither side marks it."""
    predicted, gold = (max(own, key=lambda span: SEVERITIES.index(span[2]), default=None) for own in spans)
    if predicted is None and gold is None:
        return None
    css, hints = [kind], []
    if predicted is not None:
        css.append(f"said-{predicted[2]}")
        confidence = f" {predicted[3]:.2f}" if len(predicted) > 3 else ""
        hints.append(f"predicted {predicted[2]}{confidence}")
    if gold is not None:
        css.append(f"gold-{gold[2]}")
        hints.append(f"gold {gold[2]}")
    what = "omission: " if kind == "g" else ""
    return Piece(text, " ".join(css), what + ", ".join(hints))


def disagreement(target: str, gold: Sequence[Span], predicted: Sequence[Span]) -> int:
    """Return the number of characters, and of omissions, that one side marks and the other does not."""
    marked = np.zeros((2, 2 * len(target) + 1), dtype=bool)  # omissions at even positions, characters at odd ones
    for own, spans in zip(marked, (gold, predicted), strict=True):
        for start, end, *_ in spans:
            own[2 * start + (start < end) : 2 * end + (start == end) : 2] = True
    return int((marked[0] != marked[1]).sum())

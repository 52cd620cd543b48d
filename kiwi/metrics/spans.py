"""Error spans, as in the fine-grained task of WMT 2023 (Blain et al. 2023, doi:10.18653/v1/2023.wmt-1.52)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Span = tuple[int, int, str] | tuple[int, int, str, float]
"""The position of the first character, the position after the last one, the severity and, perhaps, a confidence."""

MINOR, MAJOR = "minor", "major"


@dataclass(frozen=True)
class SpanCounts:
    """Counts of the marked characters of one or more segments; the counts of several segments add up."""

    hits: float = 0.0
    """The characters that both gold and system mark, with weight 1 for the same severity and 0.5 for different ones."""

    gold: int = 0
    """The number of characters that are marked in the gold spans."""

    predicted: int = 0
    """The number of characters that the system marks."""

    def __add__(self, other: SpanCounts) -> SpanCounts:
        return SpanCounts(self.hits + other.hits, self.gold + other.gold, self.predicted + other.predicted)

    @property
    def metrics(self) -> dict[str, float]:
        """F1, precision and recall by name; 0 where gold or system marks nothing."""
        precision = self.hits / self.predicted if self.predicted else 0.0
        recall = self.hits / self.gold if self.gold else 0.0
        both = precision + recall
        return {"F1": 2 * precision * recall / both if both else 0.0, "precision": precision, "recall": recall}


def count_spans(target: str, gold: Iterable[Span], predicted: Iterable[Span]) -> SpanCounts:
    """Count the marked characters of a segment.

    Args:
        target: the translation, in whose characters positions are counted; an additional position after the last
            character stands for omissions at the end.
        gold: the gold spans; an empty span marks one character, and positions beyond the end are cut off.
        predicted: the predicted spans.
    """
    gold_marks, system_marks = _mark(len(target), gold), _mark(len(target), predicted)
    in_gold, in_system = gold_marks.any(axis=0), system_marks.any(axis=0)
    in_both = in_gold & in_system
    # Where gold has both severities, either one matches.
    same = in_both & ((gold_marks & system_marks).any(axis=0))
    hits = float(same.sum() + 0.5 * (in_both & ~same).sum())
    return SpanCounts(hits, int(in_gold.sum()), int(in_system.sum()))


def _mark(length: int, spans: Iterable[Span]) -> NDArray[np.bool_]:
    """Return which characters have which severity, (severities, characters + 1); critical counts as major."""
    marked = np.zeros((2, length + 1), dtype=bool)
    for span in spans:
        start, end, severity = span[:3]
        begin = min(start, length)
        marked[int(severity != MINOR), begin : max(min(end, length + 1), begin + 1)] = True
    return marked

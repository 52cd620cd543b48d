"""Spans of errors, as in the fine-grained task of WMT 2023 (Blain et al. 2023)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Span = tuple[int, int, str]
"""First character, the one behind the last, and severity."""

MINOR, MAJOR = "minor", "major"


@dataclass(frozen=True)
class SpanCounts:
    """Characters of one or more segments; those of several add up."""

    hits: float = 0.0
    """Characters that both sides mark: 1 for the same severity, 0.5 for the other one alone."""

    gold: int = 0
    """Characters that gold marks."""

    predicted: int = 0
    """Characters that the system marks."""

    def __add__(self, other: SpanCounts) -> SpanCounts:
        return SpanCounts(self.hits + other.hits, self.gold + other.gold, self.predicted + other.predicted)

    @property
    def metrics(self) -> dict[str, float]:
        """F1, precision and recall; 0 where a side marks nothing."""
        precision = self.hits / self.predicted if self.predicted else 0.0
        recall = self.hits / self.gold if self.gold else 0.0
        both = precision + recall
        return {"F1": 2 * precision * recall / both if both else 0.0, "precision": precision, "recall": recall}


def count_spans(target: str, gold: Iterable[Span], predicted: Iterable[Span]) -> SpanCounts:
    """Count the characters of a segment.

    Args:
        target: its translation; positions count its characters. One more follows the last, for what is missing there.
        gold: spans; one of no width marks one character, and what lies beyond the end is cut off.
        predicted: spans.
    """
    mine, theirs = _marked(len(target), gold), _marked(len(target), predicted)
    of_gold, of_predicted = mine.any(axis=0), theirs.any(axis=0)
    both = of_gold & of_predicted
    # Where gold has both severities, any is the same.
    same = both & ((mine & theirs).any(axis=0))
    hits = float(same.sum() + 0.5 * (both & ~same).sum())
    return SpanCounts(hits, int(of_gold.sum()), int(of_predicted.sum()))


def _marked(length: int, spans: Iterable[Span]) -> NDArray[np.bool_]:
    """(severities, characters + 1); critical counts as major."""
    marked = np.zeros((2, length + 1), dtype=bool)
    for start, end, severity in spans:
        begin = min(start, length)
        marked[int(severity != MINOR), begin : max(min(end, length + 1), begin + 1)] = True
    return marked


def span_metrics(
    targets: Sequence[str], gold: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]
) -> dict[str, float]:
    """F1, precision and recall over the characters of all segments."""
    segments = zip(targets, gold, predicted, strict=True)
    return sum((count_spans(*segment) for segment in segments), start=SpanCounts()).metrics


def mean_over_pairs(by_pair: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The unweighted mean of each metric over language pairs, as all multilingual tracks of WMT have it."""
    names = next(iter(by_pair.values()), {})
    return {name: float(np.mean([metrics[name] for metrics in by_pair.values()])) for name in names}

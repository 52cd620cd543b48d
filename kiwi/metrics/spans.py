"""Error spans against gold spans, as the official scorers of WMT 2023 and WMT 2025 compare them, and span by span.

Each definition is a function that counts the spans of one segment. Counts of several segments add up, and precision,
recall and F1 follow from the sums (micro average).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kiwi.constants import UNDECIDED

Span = tuple[int, int, str] | tuple[int, int, str, float]
"""The position of the first character, the position after the last one, the severity and, perhaps, a confidence."""

MINOR, MAJOR = "minor", "major"

N_COUNTS = 4
"""The length of :meth:`SpanCounts.to_array`."""

PARTIAL_CREDIT = 0.5
"""The credit for a character that is marked with another severity."""


@dataclass(frozen=True)
class SpanCounts:
    """Counts of what is marked in one or more segments; the counts of several segments add up."""

    hits: float = 0.0
    """What the system marks correctly, partial credit included: the numerator of precision."""

    gold: float = 0.0
    """The number of characters (or spans) that are marked in the gold spans."""

    predicted: float = 0.0
    """The number of characters (or spans) that the system marks."""

    found: float | None = None
    """The numerator of recall, where it is not that of precision."""

    if_empty: float = 0.0
    """Precision where the system marks nothing, and recall where the gold spans mark nothing."""

    def __add__(self, other: SpanCounts) -> SpanCounts:
        found = None
        if (self.found, other.found) != (None, None):
            found = sum(each.hits if each.found is None else each.found for each in (self, other))
        hits, gold, predicted = self.hits + other.hits, self.gold + other.gold, self.predicted + other.predicted
        return SpanCounts(hits, gold, predicted, found, max(self.if_empty, other.if_empty))

    def to_array(self) -> NDArray[np.float64]:
        """Return the counts as an array, (4,), which adds up over segments."""
        return np.array([self.hits, self.gold, self.predicted, self.hits if self.found is None else self.found])

    @classmethod
    def from_array(cls, counts: NDArray[np.float64], if_empty: float) -> SpanCounts:
        """Return the counts of an array that :meth:`to_array` made, or of a sum of such arrays."""
        hits, gold, predicted, found = counts.tolist()
        return cls(hits, gold, predicted, None if found == hits else found, if_empty)

    @property
    def metrics(self) -> dict[str, float]:
        """F1, precision and recall by name; :attr:`if_empty` where a denominator is 0."""
        precision = self.hits / self.predicted if self.predicted else self.if_empty
        recall = (self.hits if self.found is None else self.found) / self.gold if self.gold else self.if_empty
        both = precision + recall
        return {"F1": 2 * precision * recall / both if both else 0.0, "precision": precision, "recall": recall}


def count_spans(target: str, gold: Iterable[Span], predicted: Iterable[Span]) -> SpanCounts:
    """Count the marked characters of a segment as in WMT 2023 (Blain et al. 2023, doi:10.18653/v1/2023.wmt-1.52).

    A character counts once, however many spans cover it: with weight 1 if gold and system agree on a severity, and 0.5
    if not. Precision and recall are 0 where their denominator is 0.

    Args:
        target: the translation, in whose characters positions are counted; an additional position after the last
            character stands for omissions at the end.
        gold: the gold spans; an empty span marks one character, and undecided severities are left out. As in the
            official scorer, a span that ends beyond the text ends with it, so that one that starts at its end is an
            omission there; one that starts beyond the end marks nothing.
        predicted: the predicted spans.
    """
    gold_marks, system_marks = _mark(len(target), gold), _mark(len(target), predicted)
    in_gold, in_system = gold_marks.any(axis=0), system_marks.any(axis=0)
    in_both = in_gold & in_system
    # Where gold has both severities, either one matches.
    same = in_both & ((gold_marks & system_marks).any(axis=0))
    hits = float(same.sum() + PARTIAL_CREDIT * (in_both & ~same).sum())
    return SpanCounts(hits, int(in_gold.sum()), int(in_system.sum()))


def _mark(length: int, spans: Iterable[Span]) -> NDArray[np.bool_]:
    """Return which characters have which severity, (severities, characters + 1); critical counts as major."""
    marked = np.zeros((2, length + 1), dtype=bool)
    for span in spans:
        start, end, severity = span[:3]
        if severity != UNDECIDED and start <= length:
            marked[int(severity != MINOR), start : max(min(end, length), start + 1)] = True
    return marked


def count_characters(target: str, gold: Iterable[Span], predicted: Iterable[Span]) -> SpanCounts:
    """Count the marked characters of a segment with multiplicity, as in WMT 2025 (Lavie et al. 2025, 2025.wmt-1.24).

    A character counts once for each span that covers it. Counts of the same severity match one to one; of what is left
    over on both sides, the smaller number gets half credit. Critical counts as major; omissions (empty spans) and
    undecided severities are left out. Precision and recall are 1 where their denominator is 0.

    Args:
        target: the translation; positions beyond its end are cut off.
        gold: the gold spans.
        predicted: the predicted spans.
    """
    in_gold, in_system = _cover(len(target), gold), _cover(len(target), predicted)
    same = np.minimum(in_gold, in_system)
    left_gold, left_system = (in_gold - same).sum(axis=0), (in_system - same).sum(axis=0)
    hits = float(same.sum() + PARTIAL_CREDIT * np.minimum(left_gold, left_system).sum())
    return SpanCounts(hits, int(in_gold.sum()), int(in_system.sum()), if_empty=1.0)


def _cover(length: int, spans: Iterable[Span]) -> NDArray[np.int64]:
    """Return how many spans of each severity cover each character, (severities, characters)."""
    covered = np.zeros((2, length), dtype=np.int64)
    for span in spans:
        start, end, severity = span[:3]
        if severity != UNDECIDED:
            covered[int(severity != MINOR), start:end] += 1
    return covered


def match_spans(target: str, gold: Iterable[Span], predicted: Iterable[Span]) -> SpanCounts:
    """Match the spans of a segment one to one, with partial credit (mpp of Perrella et al. 2026, arXiv:2603.19921).

    Pairs are matched greedily by 2·overlap / (length of one + length of the other), the best pair first; of equally
    good pairs, that of the earlier predicted and then of the earlier gold span. A matched pair adds the share of the
    predicted span that overlaps to precision, and the share of the gold span that overlaps to recall; both are divided
    by the numbers of spans. Severities do not count. Omissions (empty spans) overlap with nothing and are left out, as
    are undecided severities. Precision and recall are 1 where there are no spans.

    Args:
        target: the translation; positions beyond its end are cut off.
        gold: the gold spans.
        predicted: the predicted spans.
    """
    golds, own = _intervals(len(target), gold), _intervals(len(target), predicted)
    pairs = []
    for i, (start, end) in enumerate(own):
        for j, (begin, stop) in enumerate(golds):
            if (overlap := min(end, stop) - max(start, begin)) > 0:
                pairs.append((2 * overlap / (end - start + stop - begin), i, j, overlap))
    hits = found = 0.0
    free_own, free_gold = set(range(len(own))), set(range(len(golds)))
    for _, i, j, overlap in sorted(pairs, key=lambda pair: -pair[0]):
        if i in free_own and j in free_gold:
            free_own.remove(i)
            free_gold.remove(j)
            hits += overlap / (own[i][1] - own[i][0])
            found += overlap / (golds[j][1] - golds[j][0])
    return SpanCounts(hits, len(golds), len(own), found, if_empty=1.0)


def _intervals(length: int, spans: Iterable[Span]) -> list[tuple[int, int]]:
    cut = [(span[0], min(span[1], length)) for span in spans if span[2] != UNDECIDED]
    return [(start, end) for start, end in cut if start < end]


Count = Callable[[str, Sequence[Span], Sequence[Span]], SpanCounts]
"""Counts the gold and predicted spans of a translation."""

SPANS, SPANS_WMT25, SPANS_MPP = "spans", "spans_WMT25", "spans_MPP"
"""The outputs whose metrics the definitions are."""

DEFINITIONS: dict[str, Count] = {SPANS: count_spans, SPANS_WMT25: count_characters, SPANS_MPP: match_spans}
"""The definitions by output."""

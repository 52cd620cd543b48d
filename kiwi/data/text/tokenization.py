"""How text is tokenized: the share of commas and full stops that stand alone as words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kiwi.data.text.words import words

MARKS = frozenset(".,\u3002\u3001\uff0c\uff0e\u060c\u06d4\u0964\u0589\u1362")
"""Commas and full stops. Other marks are apart from words in some languages' untokenized text too, as in French."""

SAMPLE = 5000
"""The maximum number of segments of training data that are counted."""


@dataclass(frozen=True)
class MarkCounts:
    """The numbers of commas and full stops that stand alone, and at the end of a word."""

    alone: int = 0
    attached: int = 0

    @classmethod
    def of(cls, lines: Iterable[str]) -> MarkCounts:
        """Count the marks of some segments."""
        alone = attached = 0
        for line in lines:
            for word in words(line):
                if word[-1:] in MARKS:
                    alone += len(word) == 1
                    attached += len(word) > 1 and word[-2] not in MARKS
        return cls(alone, attached)

    def __add__(self, other: MarkCounts) -> MarkCounts:
        return MarkCounts(self.alone + other.alone, self.attached + other.attached)

    @property
    def total(self) -> int:
        """The number of marks."""
        return self.alone + self.attached

    @property
    def share_alone(self) -> float | None:
        """The share of the marks that stand alone, in [0, 1]; None without any mark."""
        return self.alone / self.total if self.total else None


def share_of_marks_alone(column: Sequence[str]) -> float | None:
    """Return the share of commas and full stops that stand alone in a column of segments, from an even sample.

    Args:
        column: the segments.

    Returns:
        The share, in [0, 1], which is close to 1 for tokenized text; None if there are none of these marks.
    """
    step = max(1, -(-len(column) // SAMPLE))
    share = MarkCounts.of(column[index] for index in range(0, len(column), step)).share_alone
    return None if share is None else round(share, 4)

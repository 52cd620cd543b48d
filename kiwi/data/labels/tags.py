"""OK/BAD tags in their two forms, and the classes that stand for them.

Target tags come as ``words`` (n tags a segment, one a word) or ``interleaved`` (2n+1: gap, word, gap, ..., gap).
The form is a property of a whole file, decided once and then held against every line.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from kiwi.constants import BAD, LABELS, OK, TARGET
from kiwi.data.text.words import words
from kiwi.exceptions import DataError


class TagForm(Enum):
    """How many tags a segment of n target words has."""

    WORDS = "words"
    INTERLEAVED = "interleaved"

    def count(self, n_words: int) -> int:
        """Number of tags for a segment of ``n_words`` words."""
        return n_words if self is TagForm.WORDS else 2 * n_words + 1

    @classmethod
    def of(cls, line: str, n_words: int, place: object) -> TagForm:
        """The form of a file, from its first line.

        Raises:
            DataError: when the line is of neither form.
        """
        found = len(words(line))
        for form in cls:
            if form.count(n_words) == found:
                return form
        raise DataError.at(
            place,
            1,
            found=f"{found} tags",
            expected=f"{n_words} (one a target word) or {2 * n_words + 1} (interleaved with gaps)",
        )


def check_tags(lines: Sequence[str], counts: Sequence[int], form: TagForm, place: object, side: str = TARGET) -> None:
    """Check every line of a tag file.

    Args:
        lines: tags, one segment a line.
        counts: words of each segment.
        form: of the whole file.
        place: the file, for errors.
        side: whose words the tags are for.

    Raises:
        DataError: at the first line whose tags do not count or are neither OK nor BAD.
    """
    for number, (line, n_words) in enumerate(zip(lines, counts, strict=True), start=1):
        tags = words(line)
        expected = form.count(n_words)
        if len(tags) != expected:
            reason = f"one for each of {n_words} {side} words"
            if form is TagForm.INTERLEAVED:
                reason = f"2·{n_words}+1, interleaved as line 1 is"
            raise DataError.at(place, number, found=f"{len(tags)} tags", expected=f"{expected} ({reason})")
        for position, tag in enumerate(tags, start=1):
            if tag not in LABELS:
                raise DataError.at(place, number, found=f"tag {position} '{tag}'", expected=f"{OK} or {BAD}")


def split_tags(line: str) -> tuple[str, str]:
    """Part an interleaved line into its gap tags (n+1) and its word tags (n)."""
    tags = words(line)
    return " ".join(tags[0::2]), " ".join(tags[1::2])


def interleave(gaps: Sequence[object], target: Sequence[object]) -> list[object]:
    """Gap, word, gap, ..., gap: the inverse of :func:`split_tags`, for tags or probabilities."""
    merged: list[object] = [None] * (len(gaps) + len(target))
    merged[0::2] = gaps
    merged[1::2] = target
    return merged


def to_classes(line: str) -> NDArray[np.int64]:
    """Classes (OK 0, BAD 1) of a line of tags."""
    return np.array([tag == BAD for tag in words(line)], dtype=np.int64)


def to_labels(probabilities: Sequence[float]) -> list[str]:
    """The more probable tag for each probability of BAD."""
    return [BAD if probability > 0.5 else OK for probability in probabilities]

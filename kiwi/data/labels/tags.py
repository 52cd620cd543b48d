"""OK/BAD tags in their two forms, and their classes.

Target tags are in the form ``words`` (n tags, one per word) or ``interleaved`` (2n+1 tags: gap, word, gap, ..., gap).
The form is a property of a whole file; it is inferred from the first line, and every line is checked against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kiwi.constants import BAD, LABELS, OK, TARGET
from kiwi.data.text.words import words
from kiwi.exceptions import DataError

T = TypeVar("T")


class TagForm(Enum):
    """The form of target tags, which determines the number of tags of a segment."""

    WORDS = "words"
    INTERLEAVED = "interleaved"

    def count(self, n_words: int) -> int:
        """Return the number of tags for a segment of ``n_words`` words."""
        return n_words if self is TagForm.WORDS else 2 * n_words + 1

    @classmethod
    def of(cls, line: str, n_words: int, place: object, *, number: int = 1) -> TagForm:
        """Infer the form of a file from its first line, or the line with this number.

        Raises:
            DataError: when the line is in neither form.
        """
        found = len(words(line))
        for form in cls:
            if form.count(n_words) == found:
                return form
        raise DataError.at(
            place,
            number,
            found=f"{found} tags",
            expected=f"{n_words} (one per target word) or {2 * n_words + 1} (interleaved with gaps)",
        )


def check_tags(
    lines: Sequence[str],
    counts: Sequence[int],
    form: TagForm,
    place: object,
    side: str = TARGET,
    *,
    first: int = 1,
    partial: bool = False,
) -> None:
    """Check every line of a tag file.

    Args:
        lines: the tags, with one segment per line.
        counts: the number of words of each segment.
        form: the form of the file.
        place: the file, for errors.
        side: the side of the tagged words, ``target`` or ``source``.
        first: the number of the first line.
        partial: whether a line may be blank, which stands for a segment without tags.

    Raises:
        DataError: at the first line with a wrong number of tags, or a tag that is neither OK nor BAD.
    """
    for number, (line, n_words) in enumerate(zip(lines, counts, strict=True), start=first):
        tags = words(line)
        if partial and not tags:
            continue
        expected = form.count(n_words)
        if len(tags) != expected:
            reason = f"one for each of {n_words} {side} words"
            if form is TagForm.INTERLEAVED:
                reason = f"2·{n_words}+1, interleaved as in line 1"
            raise DataError.at(place, number, found=f"{len(tags)} tags", expected=f"{expected} ({reason})")
        for position, tag in enumerate(tags, start=1):
            if tag not in LABELS:
                raise DataError.at(place, number, found=f"tag {position} '{tag}'", expected=f"{OK} or {BAD}")


def split_tags(line: str) -> tuple[str, str]:
    """Split an interleaved line into its gap tags (n+1) and its word tags (n)."""
    tags = words(line)
    return " ".join(tags[0::2]), " ".join(tags[1::2])


def interleave(gaps: Sequence[T], target: Sequence[T]) -> list[T]:
    """Interleave gaps and words, which is the inverse of :func:`split_tags`, for tags or probabilities."""
    merged: list[Any] = [None] * (len(gaps) + len(target))
    merged[0::2] = gaps
    merged[1::2] = target
    return merged


def to_classes(line: str) -> NDArray[np.int64]:
    """Convert a line of tags to classes (OK is 0, BAD is 1)."""
    return np.array([tag == BAD for tag in words(line)], dtype=np.int64)


def to_labels(probabilities: Sequence[float]) -> list[str]:
    """Return the more probable tag for each probability of BAD."""
    return [BAD if probability > 0.5 else OK for probability in probabilities]

"""The number of words of each segment, which tells where predictions may be missing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiwi.data.files.lines import read_lines
from kiwi.data.labels.gold import check_line_count
from kiwi.data.text.words import words
from kiwi.exceptions import DataError


@dataclass(frozen=True)
class WordCounts:
    """The number of words of each segment, which tells where predictions may be missing."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    path: Path
    """The file of the targets."""

    source_path: Path

    @classmethod
    def read(cls, source: Path, target: Path) -> WordCounts:
        """Count the words of two files of text."""
        n_source, n_target = (
            np.array([len(words(line)) for line in read_lines(path)], dtype=np.int64) for path in (source, target)
        )
        check_line_count(target, len(n_target), source, len(n_source))
        return cls(n_source, n_target, target, source)

    @cached_property
    def has_empty_side(self) -> NDArray[np.bool_]:
        """Whether source or target of each segment has no words, (segments,)."""
        is_empty: NDArray[np.bool_] = np.minimum(self.source, self.target) == 0
        return is_empty

    def check_tags(self, unit: str | None, sizes: NDArray[np.int64], numbers: NDArray[np.int64], gold: Path) -> None:
        """Check that the texts have as many words as there are tags of words, and one less than tags of gaps.

        Args:
            unit: what has a tag: a ``source word``, a ``target word``, a ``gap``, or all of the target's, ``both``.
            sizes: the number of tags of each segment, (segments,).
            numbers: the line number of each segment, counted from 1, (segments,).
            gold: the file of the tags, for errors.

        Raises:
            DataError: at the first line of the texts that has another number of words.
        """
        path, counts = (self.source_path, self.source) if unit == "source word" else (self.path, self.target)
        expected = {"gap": sizes - 1, "both": (sizes - 1) // 2}.get(unit or "", sizes)
        if len(wrong := np.flatnonzero(counts[numbers - 1] != expected)):
            row = int(wrong[0])
            raise DataError.at(
                path,
                int(numbers[row]),
                found=f"{counts[numbers[row] - 1]} words",
                expected=f"{expected[row]}, as {gold} has tags of",
                advice="texts must name the texts that the tags are of.",
            )

    @cached_property
    def n_half_empty(self) -> int:
        """The number of segments with words on one side only."""
        return int(np.count_nonzero((self.source == 0) != (self.target == 0)))

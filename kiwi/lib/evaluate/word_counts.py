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


@dataclass(frozen=True)
class WordCounts:
    """The number of words of each segment, which tells where predictions may be missing."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    path: Path

    @classmethod
    def read(cls, source: Path, target: Path) -> WordCounts:
        """Count the words of two files of text."""
        n_source, n_target = (
            np.array([len(words(line)) for line in read_lines(path)], dtype=np.int64) for path in (source, target)
        )
        check_line_count(target, len(n_target), source, len(n_source))
        return cls(n_source, n_target, target)

    @cached_property
    def has_empty_side(self) -> NDArray[np.bool_]:
        """Whether source or target of each segment has no words, (segments,)."""
        is_empty: NDArray[np.bool_] = np.minimum(self.source, self.target) == 0
        return is_empty

    @cached_property
    def n_half_empty(self) -> int:
        """The number of segments with words on one side only."""
        return int(np.count_nonzero((self.source == 0) != (self.target == 0)))

"""The calibration data of policies: scores of a system, and the gold values that tell what is acceptable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.files.lines import read_lines
from kiwi.data.files.tables import READERS, read_table
from kiwi.data.labels.policy import EVERY
from kiwi.data.labels.scores import parse_scores
from kiwi.exceptions import ConfigError, DataError
from kiwi.utils.places import plain_suffix


@dataclass(frozen=True)
class Column:
    """A column of values: a file with one value per line, or a column of a table."""

    path: Path
    name: str = ""
    """The name of the column in a table."""

    @classmethod
    def parse(cls, text: str, default: str) -> Column:
        """Parse ``FILE`` or ``FILE:COLUMN``.

        Args:
            text: the text.
            default: the column of a table that is given without one.
        """
        path, colon, name = text.rpartition(":")
        if colon and not Path(text).exists():
            return cls(Path(path), name)
        return cls(Path(text), default)

    def read(self) -> list[str]:
        """Return the value of each segment.

        Raises:
            DataError: when the file or the column cannot be read.
        """
        if plain_suffix(self.path.name) in READERS:
            return read_table(self.path, {self.name: self.name}, (self.name,))[self.name]
        return read_lines(self.path)


@dataclass(frozen=True)
class Calibration:
    """Segments with a score, a gold value and a group."""

    scores: NDArray[np.float64]
    """(segments,)."""

    gold: NDArray[np.float64]
    """(segments,)."""

    groups: list[str]
    """The group of each segment; :data:`EVERY` without groups."""

    is_known: NDArray[np.bool_]
    """Whether each segment of the files has a score and a gold value, (segments of the files,); others are left out."""

    @property
    def n_left_out(self) -> int:
        """The number of segments that were left out, because they have no score or no gold value."""
        return int((~self.is_known).sum())

    def is_in(self, group: str) -> NDArray[np.bool_]:
        """Return whether each segment is in a group, (segments,)."""
        return np.array([each == group for each in self.groups], dtype=bool)


def read_calibration(predictions: Column, gold: Column, by: Column | None = None) -> Calibration:
    """Read calibration data.

    Args:
        predictions: the scores of a system, as it gives them.
        gold: the gold values.
        by: the groups; None for one group.

    Raises:
        DataError: when a file cannot be read, or the files have different lengths.
        ConfigError: when a group has an empty name.
    """
    scores = np.array(parse_scores(predictions.read(), predictions.path), dtype=np.float64)
    values = np.array(parse_scores(gold.read(), gold.path), dtype=np.float64)
    groups = [EVERY] * len(scores) if by is None else by.read()
    for place, count in ((gold, len(values)), *([(by, len(groups))] if by is not None else [])):
        if count != len(scores):
            raise DataError.at(
                place.path, None, found=f"{count:,} segments", expected=f"{len(scores):,}, as {predictions.path} has"
            )
    if by is not None and "" in groups:
        raise DataError.at(by.path, groups.index("") + 1, found="an empty group", expected="the name of one")
    known = ~(np.isnan(scores) | np.isnan(values))
    if not known.any():
        raise ConfigError(f"{predictions.path}, {gold.path}: no segment has both a score and a gold value.")
    kept = [group for group, is_known in zip(groups, known, strict=True) if is_known]
    return Calibration(scores[known], values[known], kept, known)


SCORE_COLUMN = const.SENTENCE_SCORES
"""The column of scores in the tables of ``kiwi predict`` and ``kiwi score``."""

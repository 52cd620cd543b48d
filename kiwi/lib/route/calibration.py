"""The calibration data of policies: scores of a system, and the gold values that tell what is acceptable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kiwi.data.labels.policy import EVERY, Acceptable
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.route.columns import Column
from kiwi.lib.route.gold import read_gold


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


def read_calibration(
    predictions: Column, gold: Column, acceptable: Acceptable, by: Column | None = None
) -> Calibration:
    """Read calibration data.

    Args:
        predictions: the scores of a system, as it gives them.
        gold: the gold values, or error spans from which they follow.
        acceptable: the definition of an acceptable translation.
        by: the groups; None for one group.

    Raises:
        DataError: when a file cannot be read, or the files have different lengths.
        ConfigError: when a group has an empty name.
    """
    scores = np.array(predictions.read_scores(), dtype=np.float64)
    values = np.array(read_gold(gold, acceptable, len(scores), predictions.path), dtype=np.float64)
    groups = [EVERY] * len(scores) if by is None else by.read()
    if by is not None and len(groups) != len(scores):
        found, expected = f"{len(groups):,} segments", f"{len(scores):,}, as {predictions.path} has"
        raise DataError.at(by.path, None, found=found, expected=expected)
    if by is not None and "" in groups:
        raise DataError.at(by.path, groups.index("") + 1, found="an empty group", expected="the name of one")
    known = ~(np.isnan(scores) | np.isnan(values))
    if not known.any():
        raise ConfigError(f"{predictions.path}, {gold.path}: no segment has both a score and a gold value.")
    kept = [group for group, is_known in zip(groups, known, strict=True) if is_known]
    return Calibration(scores[known], values[known], kept, known)

"""The calibration data of policies: scores of a system, and the gold values that tell what is acceptable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.documents.formats import find_format
from kiwi.data.flags import COLUMN, FLAGS
from kiwi.data.labels.policy import EVERY, Acceptable
from kiwi.data.labels.score_meaning import LARGEST_QUALITY, ScoreMeaning
from kiwi.data.text.language_pairs import PAIR, normalize_pair, parse_language_pair
from kiwi.exceptions import DataError
from kiwi.lib.route.columns import Column
from kiwi.lib.route.gold import read_gold
from kiwi.lib.score.scale import ON_COMMON_SCALE
from kiwi.outputs import OUTPUTS
from kiwi.runner.predictions import DIGITS
from kiwi.utils.places import plain_suffix

FEW = 0.1
"""The share of scores that may be far beyond the range of a system's scores."""

WIDE = 10.0
"""The number of standard deviations, or the width of a range, beside which scores from 0 to 1 are on another scale."""

LARGE_HTER = 2.0
"""An HTER that few translations exceed; in percent, most do."""


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
    """Whether each segment has a score, a gold value and no flag, (segments of the files,); others are left out."""

    n_flagged: int = 0
    """The number of segments that were left out because of their flags, with which none is ever approved."""

    @property
    def n_left_out(self) -> int:
        """The number of segments that were left out because they have no score or no gold value."""
        return int((~self.is_known).sum()) - self.n_flagged

    def is_in(self, group: str) -> NDArray[np.bool_]:
        """Return whether each segment is in a group, (segments,)."""
        return np.array([each == group for each in self.groups], dtype=bool)


def kind_of_groups(by: Column) -> str:
    """Return what groups are called: ``lp`` if they are language pairs.

    It is the name of their column, or the suffix of their file of lines, whose name counts less than its content where
    all lines are language pairs.

    Args:
        by: the groups.

    Raises:
        DataError: when the file cannot be read.
    """
    if find_format(by.path) is not None:
        return by.name
    if all(PAIR.fullmatch(normalize_pair(line)) for line in by.read()):
        return const.LANGUAGE_PAIR
    return plain_suffix(by.path.name).lstrip(".") or by.path.name


def read_calibration(
    predictions: Column,
    gold: Column,
    meaning: ScoreMeaning,
    acceptable: Acceptable,
    by: Column | None = None,
    *,
    are_pairs: bool = False,
) -> Calibration:
    """Read calibration data.

    Args:
        predictions: the scores of a system, as it gives them.
        gold: the gold values, or error spans from which they follow.
        meaning: what the scores of the system mean.
        acceptable: the definition of an acceptable translation.
        by: the groups; None for one group.
        are_pairs: whether the groups must be language pairs.

    Raises:
        ConfigError: when a file is of a format that cannot be read.
        DataError: when a file cannot be read, the files have different lengths, a group has no name or is
            no language pair, or scores or gold values are on another scale.
    """
    _check_column(predictions, meaning)
    # As they are written, and as policies read them.
    scores = np.array(predictions.read_scores(), dtype=np.float64).round(DIGITS)
    values = np.array(read_gold(gold, acceptable, len(scores), predictions.path), dtype=np.float64)
    groups = (
        [EVERY] * len(scores) if by is None else _read_groups(by, len(scores), predictions.path, are_pairs=are_pairs)
    )
    known = ~(np.isnan(scores) | np.isnan(values))
    if not known.any():
        found = "no segment with both a score and a gold value"
        raise DataError.at(predictions.path, None, found=found, expected=f"some, in {gold.path} too")
    _check_scores(scores[known], meaning, predictions.path)
    _check_gold(values[known], acceptable, gold.path)
    flagged = known & _are_flagged(predictions, len(scores))
    known &= ~flagged
    if not known.any():
        found = "no segment without flags that has both a score and a gold value"
        raise DataError.at(predictions.path, None, found=found, expected="some; flagged ones are never approved")
    kept = [group for group, is_known in zip(groups, known, strict=True) if is_known]
    return Calibration(scores[known], values[known], kept, known, int(flagged.sum()))


def _are_flagged(predictions: Column, n_segments: int) -> NDArray[np.bool_]:
    """Return whether segments have flags, where the table of their scores says it, (segments,)."""
    cells = predictions.beside(COLUMN) or [""] * n_segments
    return np.array([any(word in FLAGS for word in cell.split()) for cell in cells], dtype=bool)


def _read_groups(by: Column, n_segments: int, place: Path, *, are_pairs: bool) -> list[str]:
    """Read the group of each segment, without spaces around its name."""
    numbers, cells = by.read_numbered()
    if len(cells) != n_segments:
        found, expected = f"{len(cells):,} segments", f"{n_segments:,}, as {place} has"
        raise DataError.at(by.path, None, found=found, expected=expected)
    groups = [cell.strip() for cell in cells]
    if "" in groups:
        number = numbers[groups.index("")]
        raise DataError.at(by.path, number, found="an empty group", expected="the name of one")
    if are_pairs:
        advice = f"Groups of another kind need another name than {const.LANGUAGE_PAIR}."
        groups = [
            parse_language_pair(group, by.path, number, advice) for number, group in zip(numbers, groups, strict=True)
        ]
    return groups


def _check_column(predictions: Column, meaning: ScoreMeaning) -> None:
    """Check that a column is that of the scores of a system, as far as its name tells.

    Raises:
        DataError: for another column of predictions, or scores of another kind or scale.
    """
    score, *others = OUTPUTS[const.SENTENCE_SCORES].columns
    described = predictions.described()
    is_common = described == ON_COMMON_SCALE and meaning.range == (0.0, LARGEST_QUALITY) and meaning.higher_is_better
    if predictions.name in others or (described and described != meaning.summary and not is_common):
        raise DataError.at(
            predictions.path,
            None,
            found=f"the column '{predictions.name}{f' ({described})' if described else ''}'",
            expected=f"the scores of the system, which are {meaning}",
            advice=f"Give its predictions without --scale 0-100, such as {predictions.path}:{score}.",
        )


def _check_scores(scores: NDArray[np.float64], meaning: ScoreMeaning, path: Path) -> None:
    """Check that scores are on the scale of the system, on which a policy decides.

    Raises:
        DataError: when many are far from it, as those of ``kiwi score --scale 0-100`` are for most systems.
    """
    if meaning.range is None:
        low, high = meaning.mean - WIDE * meaning.deviation, meaning.mean + WIDE * meaning.deviation
        is_shrunk = False
    else:
        width = meaning.range[1] - meaning.range[0]
        low, high = meaning.range[0] - width, meaning.range[1] + width
        is_shrunk = width > WIDE and len(scores) > 1 and bool((scores >= 0).all() and (scores <= 1).all())
    if is_shrunk or ((scores < low) | (scores > high)).mean() > FEW:
        raise DataError.at(
            path,
            None,
            found=f"scores from {scores.min():g} to {scores.max():g}",
            expected=f"those of the system, which are {meaning}",
            advice="Give the scores as the system predicts them, without --scale 0-100.",
        )


def _check_gold(gold: NDArray[np.float64], acceptable: Acceptable, path: Path) -> None:
    """Check that gold values are on the scale of the definition of an acceptable translation.

    Raises:
        DataError: when HTER is negative or in percent, or a bound of DA or ESA is on another scale.
    """
    found = f"{acceptable.gold_name} from {gold.min():g} to {gold.max():g}"
    if acceptable.measure == "hter" and gold.min() < 0:
        raise DataError.at(path, None, found=found, expected="HTER, which is not negative")
    if acceptable.measure == "hter" and (gold > LARGE_HTER).mean() > FEW:
        raise DataError.at(path, None, found=found, expected="shares, such as 0.25", advice="Divide them by 100.")
    bound, best = acceptable.bound, gold.max()
    is_too_large = bound > 1 >= best or bound > WIDE >= best
    is_too_small = 0 < bound <= 1 and gold.min() >= 0 and best > WIDE
    if acceptable.measure in ("da", "esa") and (is_too_large or is_too_small):
        advice = "Give --acceptable on the scale of the gold values."
        raise DataError.at(path, None, found=found, expected=f"values on the scale of {acceptable}", advice=advice)

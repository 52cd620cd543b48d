"""The intervals of sentence scores, and whether gold scores are on the scale of the system's."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiwi.data.labels.score_meaning import DESCRIPTIONS, ScoreMeaning
from kiwi.data.labels.score_options import named_kind
from kiwi.data.text.language_pairs import listed
from kiwi.exceptions import ConfigError, DataError
from kiwi.metrics.conformal import fewest_segments, interval_figures
from kiwi.metrics.functions import pearson
from kiwi.runner import Predictions
from kiwi.runner.engine import AboutSystem
from kiwi.systems.manifest.intervals import EVERY, ScoreIntervals

logger = logging.getLogger(__name__)

INTERVAL_HEADER = ["segments of", "segments", "quantile", "mean width"]

LARGEST_SHARE_BEYOND = 0.05
"""The largest share of gold scores beyond the range of the system's scores, since some HTER are above 1."""

FEWEST_FOR_DIRECTION = 10
"""The number of segments from which on a correlation tells the direction of scores."""

Z_OF_DIRECTION = 3.0
"""The number of standard errors below 0 at which a correlation tells that directions are opposite."""

LARGEST_DISTANCE = 2.0
"""The largest distance of the medians of gold and predicted scores, in the larger of their standard deviations."""

LARGEST_RATIO = 50.0
"""The largest ratio of the median size of gold or predicted scores to the largest size of the other ones."""

ADVICE = "Give gold scores of the kind that the system predicts; kiwi inspect says which."


@dataclass(frozen=True)
class IntervalRow:
    """The calibration of a language pair, or of all segments, for people."""

    group: str
    segments: int
    """The number of calibration segments."""

    quantile: float
    """The quantile that its intervals have."""

    is_own: bool
    """Whether the quantile is its own, and not that of all segments."""

    width: float
    """The mean width of the intervals of its calibration segments."""

    def cells(self) -> list[str]:
        """Return the cells of a table."""
        quantile = f"{self.quantile:.4f}" + ("" if self.is_own else " (of all)")
        return [self.group, f"{self.segments:,}", quantile, f"{self.width:.4f}"]


@dataclass(frozen=True)
class FittedIntervals:
    """The intervals of a system, and what they were made from."""

    intervals: ScoreIntervals

    rows: list[IntervalRow]
    """All segments, and each language pair."""

    without_gold: int
    """The number of segments that were left out because they have no gold score."""

    without_words: int
    """The number of segments that were left out because the system gives them no score."""

    @property
    def title(self) -> str:
        """The title of a table of the rows, with the numbers of segments that were left out."""
        reasons = {"without a gold score": self.without_gold, "without words": self.without_words}
        left_out = "; ".join(f"{count:,} {reason}" for reason, count in reasons.items() if count)
        kind = ", in predicted deviations" if self.intervals.is_normalized else ""
        return f"Intervals at {100 * self.intervals.confidence:g} %{kind}" + (
            f" (left out: {left_out})" if left_out else ""
        )


def check_confidence(confidence: float) -> None:
    """Check the confidence of intervals.

    Raises:
        ConfigError: when it is not a share.
    """
    if not 0 < confidence < 1:
        raise ConfigError(f"--confidence: found {confidence:g}; expected a share between 0 and 1, such as 0.9.")


def check_gold(gold: Sequence[float], meaning: ScoreMeaning | None, path: Path, confidence: float) -> None:
    """Check gold scores as far as it needs no predictions, which take much longer.

    Args:
        gold: the gold scores; NaN for a segment without one.
        meaning: what the scores of the system mean, if it is known.
        path: the file of the gold scores, for errors.
        confidence: the confidence of the intervals, in (0, 1).

    Raises:
        DataError: when they are too few, of another kind by the name of their file, or beyond the range of the scores.
    """
    y = np.array(gold, dtype=np.float64)
    chosen = np.flatnonzero(~np.isnan(y))
    _require_enough(len(chosen), path, confidence)
    if meaning is not None:
        _check_kind(meaning, path)
        _check_range(y, chosen, meaning, path)


def fit_intervals(
    gold: Sequence[float],
    found: Predictions,
    about: AboutSystem,
    path: Path,
    confidence: float,
    pairs: Sequence[str] | None,
) -> FittedIntervals:
    """Compute the intervals of a system's scores from those of calibration segments.

    Args:
        gold: the gold scores, which :func:`check_gold` has checked; NaN for a segment without one, which is left out.
        found: the predictions for the same segments.
        about: the system.
        path: the file of the gold scores, for errors.
        confidence: the confidence of the intervals, in (0, 1).
        pairs: the language pair of each segment, if there are several.

    Raises:
        DataError: when too few segments have a score, or gold scores are on another scale.
    """
    y, scores = np.array(gold, dtype=np.float64), np.array(found.sentence_scores, dtype=np.float64)
    has_gold = ~np.isnan(y)
    chosen = np.flatnonzero(has_gold & ~np.isnan(scores))
    _require_enough(len(chosen), path, confidence)
    _check_scale(y[chosen], scores[chosen], about.data.score, path)
    deviations = found.sentences_hter_deviation
    spread = None if deviations is None else np.array(deviations, dtype=np.float64)[chosen]
    names = None if pairs is None else [pairs[index] for index in chosen.tolist()]
    intervals = ScoreIntervals.fit(y[chosen], scores[chosen], confidence, spread, names)
    if lacking := intervals.lacking:
        logger.warning(
            "%s: fewer than the %d segments that an interval at %g %% needs; they get the intervals of all segments "
            "together, which may cover fewer or more of their scores. Give more segments of them, or lower "
            "--confidence.",
            listed([f"{name} ({intervals.groups[name].segments:,})" for name in lacking]),
            fewest_segments(confidence),
            100 * confidence,
        )
    limits = None if about.data.score is None else about.data.score.possible
    ends = intervals.bounds(scores[chosen], spread, names, limits=limits)
    return FittedIntervals(
        intervals,
        _rows(intervals, y[chosen], ends, names),
        int((~has_gold).sum()),
        int((has_gold & np.isnan(scores)).sum()),
    )


def _rows(
    intervals: ScoreIntervals, gold: NDArray[np.float64], ends: NDArray[np.float64], names: Sequence[str] | None
) -> list[IntervalRow]:
    groups = np.array([EVERY] * len(gold) if names is None else names, dtype=object)
    rows = []
    for name, group in intervals.groups.items():
        own = np.ones(len(gold), dtype=bool) if name == EVERY else groups == name
        width = interval_figures(gold[own], ends[own, 0], ends[own, 1])["width"]
        rows.append(IntervalRow(name, group.segments, intervals.quantile(name), group.quantile is not None, width))
    return rows


def _require_enough(n_segments: int, path: Path, confidence: float) -> None:
    """Check that there are as many segments as an interval needs.

    Raises:
        DataError: when there are fewer.
    """
    least = fewest_segments(confidence)
    if n_segments < least:
        raise DataError.at(
            path,
            None,
            found=f"{n_segments:,} segments with a gold score",
            expected=f"at least {least:,}, without which no interval covers {100 * confidence:g} % of scores",
            advice="Give more segments, or lower --confidence.",
        )


def _check_kind(meaning: ScoreMeaning, path: Path) -> None:
    """Check that gold scores are of the kind that the system predicts, as far as the name of their file tells.

    Raises:
        DataError: when they are of another kind.
    """
    if (kind := named_kind(path)) not in (None, meaning.kind) and meaning.kind != "other":
        raise DataError.at(
            path,
            None,
            found=f"{DESCRIPTIONS[kind]}, by the name of the file",
            expected=str(meaning),
            advice=f"{ADVICE} If they are of that kind, rename the file.",
        )


def _check_range(gold: NDArray[np.float64], chosen: NDArray[np.int64], meaning: ScoreMeaning, path: Path) -> None:
    """Check that gold scores are within the range of the system's, if it has one.

    Raises:
        DataError: when they are beyond it, or a small part of it.
    """
    if meaning.range is None:
        return
    y, (low, high), (least, most) = gold[chosen], meaning.range, meaning.possible
    impossible, beyond = (y < least) | (y > most), (y < low) | (y > high)
    if impossible.any() or beyond.mean() > LARGEST_SHARE_BEYOND:
        place = int(chosen[np.argmax(impossible if impossible.any() else beyond)])
        found = f"the score {gold[place]:g}"
        raise DataError.at(path, place + 1, found=found, expected=str(meaning), advice=ADVICE)
    if high >= 10 and 0 < y.max() <= 1 and y.min() >= 0:
        found = f"scores from {y.min():g} to {y.max():g}"
        raise DataError.at(path, None, found=found, expected=str(meaning), advice=ADVICE)


def _check_scale(
    gold: NDArray[np.float64], predicted: NDArray[np.float64], meaning: ScoreMeaning | None, path: Path
) -> None:
    """Check gold scores against the predicted ones.

    Raises:
        DataError: when they fall where the predicted ones rise, or are far from them.
    """
    what = "scores like the system's own" if meaning is None else str(meaning)
    correlation = pearson(gold, predicted)
    if len(gold) >= FEWEST_FOR_DIRECTION and correlation < -Z_OF_DIRECTION / np.sqrt(len(gold) - 1):
        found = f"scores that fall where the system's rise (PEARSON {correlation:.3f})"
        raise DataError.at(path, None, found=found, expected=f"{what}, in the same direction", advice=ADVICE)
    if (meaning is None or meaning.range is None) and _are_far(gold, predicted):
        found = f"scores around {np.median(gold):g}, where the system's are around {np.median(predicted):g}"
        raise DataError.at(path, None, found=found, expected=what, advice=ADVICE)


def _are_far(gold: NDArray[np.float64], predicted: NDArray[np.float64]) -> bool:
    """Return whether scores of an unknown range are on different scales, by their places and sizes."""
    distance = abs(np.median(gold) - np.median(predicted))
    sizes = [
        (float(np.median(np.abs(one))), float(np.abs(other).max()))
        for one, other in ((gold, predicted), (predicted, gold))
    ]
    is_far = distance > LARGEST_DISTANCE * max(gold.std(), predicted.std())
    return bool(is_far) or any(median > LARGEST_RATIO * largest for median, largest in sizes)

"""The comparison of error-free segments, as in WMT 2026: gold labels from scores and spans, predictions from either."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.labels.gold import check_line_count
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.evaluate.segments import exclude_more, in_order
from kiwi.lib.evaluate.translations import Name, Translations
from kiwi.metrics.aligned import Aligned
from kiwi.metrics.error_free import ERROR_FREE
from kiwi.metrics.spans import SPANS

if TYPE_CHECKING:
    from kiwi.lib.evaluate.excluded import Excluded
    from kiwi.lib.evaluate.segments import Scores
    from kiwi.lib.evaluate.source import Source, Sources

logger = logging.getLogger(__name__)

BORDER = 0.5
"""The probability from which on a segment is taken as free of errors."""


def align_error_free(
    gold: Mapping[str, Source], systems: Mapping[str, Sources], excluded: Excluded, score: float
) -> Aligned:
    """Compare the segments that systems take as free of errors with those that are.

    Args:
        gold: the sources of the gold labels and scores.
        systems: the sources of each system's predictions.
        excluded: the segments that are left out.
        score: the score from which on a segment without spans is free of errors.

    Raises:
        ConfigError: when gold labels or predictions are not given.
        DataError: when files have different numbers of segments.
    """
    main, is_free, rule = _gold(gold, score)
    predicted: dict[str, Scores] = {}
    for system, sources in systems.items():
        if (values := _predicted(sources, main, len(is_free), score)) is not None:
            predicted[system] = values
    if not predicted:
        raise ConfigError("error_free: no system has predictions; expected error_free, sentence_scores or spans.")
    is_excluded = exclude_more(excluded, main, is_free).mask(len(is_free))
    present: NDArray[np.bool_] = np.isfinite(np.array([*predicted.values()])).all(axis=0)
    kept = present & ~is_excluded
    if not kept.any():
        raise DataError.at(main.path, None, found="no segment to compare for error_free", expected="at least one")
    if left_out := int(np.count_nonzero(~present & ~is_excluded)):
        logger.warning("%s: %d segment(s), of which a system does not say it, are left out.", ERROR_FREE, left_out)
    for system, values in predicted.items():
        if ERROR_FREE not in systems[system] and const.SENTENCE_SCORES in systems[system]:
            _warn_of_scale(system, values[kept], score, gold)
    classes = is_free[kept].astype(np.int64)
    if not classes.any():
        advice = "Set error_free_score to the score of a good translation on the scale of the gold scores"
        logger.warning("%s: no segment is free of errors (%s), so that F1 is 0. %s.", main.path, rule, advice)
    return Aligned(
        ERROR_FREE,
        classes,
        {system: values[kept] for system, values in predicted.items()},
        np.arange(len(classes) + 1),
        np.flatnonzero(kept) + 1,
        only_order=True,
        scale=rule,
        left_out=left_out,
        excluded=frozenset(np.flatnonzero(is_excluded).tolist()),
    )


def _gold(gold: Mapping[str, Source], score: float) -> tuple[Source, Scores, str]:
    """Return the main gold file, whether each segment is free of errors (NaN if unknown), and the rule of that."""
    if (labels := gold.get(ERROR_FREE)) is not None:
        return labels, _labels(labels), "gold:labels"
    scores, spans = gold.get(const.SENTENCE_SCORES), gold.get(SPANS)
    if scores is None or spans is None:
        missing = [f"gold_files.{name}" for name in (const.SENTENCE_SCORES, SPANS) if name not in gold]
        raise ConfigError(
            f"error_free: {' and '.join(missing)} not given; expected scores and spans, or gold_files.error_free."
        )
    values = np.array(scores.read())
    unmarked = _unmarked(spans, scores)
    check_line_count(spans.path, len(unmarked), scores.path, len(values))
    is_free = (values >= score) * unmarked
    return scores, np.where(np.isnan(values), np.nan, is_free), f"gold:score>={score:g},no_span"


def _labels(source: Source) -> Scores:
    """Return gold labels, 1 or 0, or NaN for a segment without one."""
    values: Scores = np.array(source.read())
    wrong = np.flatnonzero(~np.isnan(values) & (values != 0.0) & (values != 1.0))
    if len(wrong):
        line = int(wrong[0]) + 1 if source.translations is None else None
        advice = "Probabilities are for predicted_files; round them."
        raise DataError.at(
            source.path, line, found=f"the gold label {values[wrong[0]]:g}", expected="1 or 0", advice=advice
        )
    return values


def _unmarked(spans: Source, scores: Source) -> Scores:
    """Return which segments of the gold scores no annotation marks an error in."""
    values = np.array([float(not own) for own in spans.read().spans])
    if spans.translations is None or scores.translations is None:
        return in_order(values, spans, scores)
    annotated = spans.translations()
    by_name: dict[Name, float] = {}
    for name, value in zip(annotated.names, values.tolist(), strict=True):
        by_name[name] = min(value, by_name.get(name, 1.0))
    systems, segments = zip(*by_name, strict=True)
    each = Translations(annotated.path, systems, segments)
    return np.array([*by_name.values()])[each.find(scores.translations())]


def _predicted(sources: Sources, gold: Source, n_segments: int, score: float) -> Scores | None:
    """Return values of a system that are at least 0 where it takes a segment as free of errors; None without any."""
    if (source := sources.get(ERROR_FREE)) is not None:
        values = np.array(source.read()) - BORDER
    elif (source := sources.get(const.SENTENCE_SCORES)) is not None:
        values = np.array(source.read()) - score
    elif (source := sources.get(SPANS)) is not None:
        values = np.array([BORDER - bool(own) for own in source.read().spans])
    else:
        return None
    values = in_order(values, source, gold)
    check_line_count(source.path, len(values), gold.path, n_segments)
    return values


def _warn_of_scale(system: str, values: Scores, score: float, gold: Mapping[str, Source]) -> None:
    """Warn when all predicted scores are on one side of the border, as those of another scale are.

    Args:
        system: the name of the system.
        values: its scores, minus the border.
        score: the border.
        gold: the sources of the gold labels and scores.
    """
    low, high = values.min(), values.max()
    if low < 0.0 <= high:
        return
    if ERROR_FREE in gold:
        expected, advice = "expected some on both sides", "Set it to the score of a good translation on their scale"
    else:
        scores = np.array(gold[const.SENTENCE_SCORES].read())
        expected = f"the gold scores are {np.nanmin(scores):g} to {np.nanmax(scores):g}"
        advice = "If the scales differ, convert the predicted scores"
    logger.warning(
        "%s: all predicted scores (%g to %g) are %s error_free_score (%g), so that the system takes %s segment as free "
        "of errors; %s. %s, or give probabilities as predicted_files.error_free.",
        system,
        low + score,
        high + score,
        *(("below", score, "no") if high < 0.0 else ("at least", score, "every")),
        expected,
        advice,
    )

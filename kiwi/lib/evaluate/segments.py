"""The segments that are compared: their order, those that are left out, and the average of all systems."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.labels.gold import check_line_count
from kiwi.data.labels.score_options import ScoreConfig, find_meaning
from kiwi.exceptions import DataError
from kiwi.lib.evaluate.excluded import Excluded
from kiwi.lib.evaluate.source import Source
from kiwi.lib.evaluate.word_counts import WordCounts
from kiwi.metrics.aligned import Aligned
from kiwi.metrics.error_free import ERROR_FREE
from kiwi.metrics.report import ENSEMBLE
from kiwi.metrics.spans import SPANS

logger = logging.getLogger(__name__)

IN_ORDER = (const.SENTENCE_SCORES, const.TARGET_TAGS, const.SOURCE_TAGS, const.BINARY, SPANS)
"""The gold files in the order in which they are compared."""

Scores = NDArray[np.float64]
"""A value for each segment or tag."""


def counted_source(gold: Mapping[str, Source]) -> Source:
    """Return the gold file whose lines are counted, and have language pairs: that of scores, or else the first one."""
    return next(gold[name] for name in (*IN_ORDER, ERROR_FREE) if name in gold)


def excluded_lines(excluded: Excluded, source: Source, gold: Mapping[str, Source]) -> Excluded:
    """Return the excluded lines of a gold file.

    Args:
        excluded: the excluded segments, as they are counted in :func:`counted_source`.
        source: the gold file.
        gold: all gold files, by field.

    Raises:
        DataError: when both files are in orders of their own, and do not say which translation each line is.
    """
    counted = counted_source(gold)
    known = None if counted.translations is None else counted.translations()
    if known is not None and known.is_counted:
        excluded = excluded.in_each(known.segments)
        if excluded.has_words and counted is gold.get(const.SENTENCE_SCORES):  # which read words as no score
            excluded = excluded.with_more(np.flatnonzero(np.isnan(counted.read())).tolist())
    if not excluded.numbers or source.path == counted.path or source.translations is None:
        return excluded  # lines without names are in the same order
    own = source.translations()
    if known is None:
        expected = f"the MT system and the segment of each line, as {own.path} has them"
        advice = f"Which lines of {own.path} the excluded ones of {excluded.place} are is not known."
        raise DataError.at(counted.path, None, found="none to exclude by", expected=expected, advice=advice)
    excluded.mask(len(known.names))
    return replace(excluded, numbers=frozenset(own.lines_of(known, excluded.numbers)))


def exclude_more(excluded: Excluded, source: Source, values: Scores) -> Excluded:
    """Return the excluded lines of a gold file, with those that have no gold score.

    Raises:
        DataError: when these are all lines.
    """
    without = np.flatnonzero(np.isnan(values)).tolist()
    if without and len(excluded.numbers.union(without)) == len(values):
        found = (
            f"no gold label or score{' of the segments that are not excluded' if len(without) < len(values) else ''}"
        )
        raise DataError.at(source.path, None, found=found, expected="some to compare")
    if without:
        logger.info("%s: %d of %d lines have no gold score, and are left out.", source.path, len(without), len(values))
    return excluded.with_more(without)


def in_order(values: Scores, mine: Source, gold: Source) -> Scores:
    """Return predictions in the order of the gold file, where both say which translation each line is.

    Raises:
        DataError: when a translation is missing, or only the predictions say which translation each line is.
    """
    if mine.translations is None:
        return values
    if gold.translations is None:
        expected = f"one score per line, since {gold.path} does not say which MT system each line is of"
        raise DataError.at(mine.path, None, found="scores of several MT systems", expected=expected)
    ordered: Scores = values[mine.translations().find(gold.translations())]
    return ordered


def check_missing(values: Scores, path: Path, counts: WordCounts | None, is_excluded: NDArray[np.bool_]) -> None:
    """Check that only segments with an empty side have no value, where the texts are known."""
    if counts is None:
        return
    check_line_count(path, len(values), counts.path, len(counts.target))
    wrong = np.isnan(values) & ~counts.has_empty_side & ~is_excluded
    if wrong.any():
        expected = "a number, since neither source nor target of the segment is empty"
        raise DataError.at(path, int(wrong.argmax()) + 1, found="no value", expected=expected)


def note_left_out(output: str, present: NDArray[np.bool_], counts: WordCounts | None, path: Path) -> None:
    """Log how many segments are left out; it is an error if these are all."""
    n = int(np.count_nonzero(~present))
    if n == len(present):
        expected = "a value of every system for at least one segment"
        raise DataError.at(path, None, found=f"no segment to compare for {output}", expected=expected)
    if not n:
        return
    if counts is None:
        known = "texts is not given, so that it is not known whether a side of each is empty"
    else:
        known = f"{counts.n_half_empty} segment(s) of the texts have one empty side, the others two"
    logger.warning(
        "%s: %d empty segment(s) of %d, which have no value, are left out; %s.", output, n, len(present), known
    )


def beyond_probabilities(predicted: Mapping[str, Scores]) -> list[str]:
    """Return the systems whose values are not all in [0, 1]."""
    beyond = {name: len(values) and (values.min() < 0.0 or values.max() > 1.0) for name, values in predicted.items()}
    return [name for name, is_beyond in beyond.items() if is_beyond]


def note_only_order(output: str, systems: list[str]) -> None:
    """Log that values are no probabilities."""
    form = "%s: the values of %s are not all between 0 and 1; figures that need probabilities are left out."
    logger.warning(form, output, ", ".join(systems))


def with_meaning(aligned: Aligned, source: Source) -> Aligned:
    """Add what the scores mean, and the MT systems whose translations they judge."""
    if (meaning := find_meaning(ScoreConfig(), aligned.gold.tolist(), source.path)) is not None:
        aligned = replace(aligned, scale=str(meaning), higher_is_better=meaning.higher_is_better)
    if source.translations is None:
        return aligned
    mt_system, segment = (index[aligned.numbers - 1] for index in source.translations().indices())
    return replace(aligned, mt_system=mt_system, source_segment=segment)


def add_ensemble(predicted: dict[str, Scores]) -> dict[str, Scores]:
    """Return predictions with the average of all systems, if there are several."""
    if len(predicted) < 2:
        return predicted
    return {**predicted, ENSEMBLE: np.mean(list(predicted.values()), axis=0)}

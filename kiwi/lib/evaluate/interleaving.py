"""Predictions of target words that are interleaved with those of gaps."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

from kiwi import constants as const
from kiwi.data.labels.gold import GoldTags
from kiwi.data.labels.interleaved import is_interleaved, split_rows
from kiwi.data.labels.ragged import Ragged
from kiwi.lib.evaluate.source import Sources
from kiwi.lib.evaluate.word_counts import WordCounts

logger = logging.getLogger(__name__)


def split_interleaved(sources: Sources, gold: GoldTags, counts: WordCounts | None, words_if_unclear: bool) -> Sources:
    """Split tags of target words that are interleaved with those of gaps, as OpenKiwi 2.1 does.

    Args:
        sources: the sources of a system's predictions.
        gold: the gold tags of target words.
        counts: the number of words of each segment, if the texts are known.
        words_if_unclear: whether tags that may be of words or interleaved are of words.
    """
    source = sources.get(const.TARGET_TAGS)
    if source is None or source.has_eos or source.of_words:
        return sources
    rows: Ragged = source.read()
    interleaved, certain = is_interleaved(rows, gold.rows.lengths, None if counts is None else counts.target)
    interleaved &= certain or not words_if_unclear
    if not certain:
        form = "gaps and words interleaved (2n+1)" if interleaved else "words"
        logger.warning(
            "%s: the number of tags is odd and as in %s in every segment, so that they may be of words or of gaps and "
            "words; read as %s. Give texts to decide by the number of words.",
            source.path,
            gold.path,
            form,
        )
    parts = {const.TARGET_TAGS: rows}
    if interleaved:
        targets, gaps = split_rows(rows)
        parts = {const.TARGET_TAGS: targets, const.GAP_TAGS: gaps, const.TARGETGAPS_TAGS: rows}
        logger.info("%s: split into the tags of words and of gaps.", source.path)
    split = {name: replace(source, read=partial(_return, part)) for name, part in parts.items()}
    return split | {name: own for name, own in sources.items() if name != const.TARGET_TAGS}


def _return(rows: Ragged) -> Ragged:
    return rows

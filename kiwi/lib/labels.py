"""Labels of the data that ``kiwi predict`` predicts on, and how predictions compare with them."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Collection
from pathlib import Path

import numpy as np

from kiwi import constants as const
from kiwi.data.datasets.wmt_qe_dataset import OutputConfig
from kiwi.data.readers import Columns, read_labelled, read_lines
from kiwi.data.tags import interleave
from kiwi.data.tokenization import words
from kiwi.exceptions import DataError
from kiwi.lib.outputs import DIGITS
from kiwi.metrics.report import Report, Row, score_row, tag_row
from kiwi.runner import Predictions

logger = logging.getLogger(__name__)

LEARNED_FROM = {
    const.TARGET_TAGS: {const.TARGET_TAGS, const.GAP_TAGS},
    const.SOURCE_TAGS: {const.SOURCE_TAGS},
    const.SENTENCE_SCORES: {const.SENTENCE_SCORES, const.BINARY},
}
"""Label field to the outputs that are compared with it."""


def read_labels(files: OutputConfig, outputs: Collection[str], columns: Columns, place: Path) -> Columns:
    """The labels that there are for some outputs, checked against the texts.

    Args:
        files: of the labels.
        outputs: of the system; labels for others are not read.
        columns: source and target.
        place: the file of the source.

    Returns:
        Labels by field, with ``gap_tags`` beside ``target_tags`` where these are interleaved with gaps.

    Raises:
        DataError: naming file and line.
    """
    there = {field: path for field, path in files if path is not None and not LEARNED_FROM[field].isdisjoint(outputs)}
    labels = {field: read_lines(path) for field, path in there.items()}
    size = len(columns[const.SOURCE])
    for field, lines in labels.items():
        if len(lines) > size and not any(words(line) for line in lines[size:]):
            logger.warning("%s: %d blank line(s) at the end dropped.", there[field], len(lines) - size)
            del lines[size:]
        if len(lines) != size:
            raise DataError.at(there[field], None, found=f"{len(lines)} lines", expected=f"{size}, as {place} has")
    texts = {field: columns[field] for field in (const.SOURCE, const.TARGET)}
    labelled = read_labelled(texts | labels, there)
    return {field: column for field, column in labelled.items() if field not in texts}


def compare(predictions: Predictions, labels: Columns, system: str) -> Report:
    """Figures of predictions against labels, as ``kiwi evaluate`` has them; segments without words are left out.

    Args:
        predictions: of every segment.
        labels: by field, as :func:`read_labels` gives them.
        system: its name in the report.
    """
    rows: list[Row] = []
    scores, predicted = labels.get(const.SENTENCE_SCORES), predictions.sentences_hter
    if scores is not None and predicted is not None:
        # As they are written, so that figures are the same for the files.
        gold, found = np.array(scores, dtype=np.float64), np.round(predicted, DIGITS)
        there = ~np.isnan(found)
        if there.any():
            rows.append(score_row(const.SENTENCE_SCORES, system, gold[there], found[there]))
    if scores is not None and (binary := predictions.sentences_binary_labels) is not None:
        pairs = [(float(score) != 0, label) for score, label in zip(scores, binary, strict=True) if label]
        if pairs:
            is_bad, verdicts = zip(*pairs, strict=True)
            rows.append(tag_row(const.BINARY, system, np.array(is_bad, dtype=np.int64), _classes(list(verdicts))))
    gold_tags = {
        field: [words(line) for line in labels[field]]
        for field in (const.TARGET_TAGS, const.GAP_TAGS, const.SOURCE_TAGS)
        if field in labels
    }
    found_tags = {
        const.TARGET_TAGS: predictions.target_tags_labels,
        const.GAP_TAGS: predictions.gap_tags_labels,
        const.SOURCE_TAGS: predictions.source_tags_labels,
    }
    names = {field: field for field in found_tags}
    target, gaps = found_tags[const.TARGET_TAGS], found_tags[const.GAP_TAGS]
    if const.GAP_TAGS in gold_tags and target is not None and gaps is not None:
        names[const.TARGETGAPS_TAGS] = const.WMT19
        found_tags[const.TARGETGAPS_TAGS] = _interleaved(gaps, target)
        gold_tags[const.TARGETGAPS_TAGS] = _interleaved(gold_tags[const.GAP_TAGS], gold_tags[const.TARGET_TAGS])
    for field, name in names.items():
        tags = found_tags[field]
        if tags is not None and field in gold_tags:
            # A segment without words has a gold gap, but no predictions.
            both = [(one, other) for one, other in zip(gold_tags[field], tags, strict=True) if other]
            if both:
                rows.append(tag_row(name, system, *(_classes(_flat(side)) for side in zip(*both, strict=True))))
    return Report(rows)


def _interleaved(gaps: list[list[str]], target: list[list[str]]) -> list[list[str]]:
    return [[str(tag) for tag in interleave(*pair)] if pair[0] else [] for pair in zip(gaps, target, strict=True)]


def _flat(rows: tuple[list[str], ...]) -> list[str]:
    return list(itertools.chain.from_iterable(rows))


def _classes(tags: list[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([tag == const.BAD for tag in tags], dtype=np.int64)

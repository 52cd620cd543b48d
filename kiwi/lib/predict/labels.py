"""Labels of the data that ``kiwi predict`` predicts on, and how predictions compare with them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kiwi import constants as const
from kiwi.data.datasets.wmt_qe_dataset import OutputConfig
from kiwi.data.files.lines import Columns, count_surplus, read_lines
from kiwi.data.labels.tags import interleave, to_classes
from kiwi.data.readers import read_labelled
from kiwi.exceptions import DataError
from kiwi.metrics.aligned import Aligned
from kiwi.metrics.measured import measure
from kiwi.metrics.report import Row, Settings, build_report
from kiwi.runner import Predictions
from kiwi.runner.predictions import DIGITS

LEARNED_FROM = {
    const.TARGET_TAGS: {const.TARGET_TAGS, const.GAP_TAGS},
    const.SOURCE_TAGS: {const.SOURCE_TAGS},
    const.SENTENCE_SCORES: {const.SENTENCE_SCORES, const.BINARY},
}
"""Label field to the outputs that are compared with it."""

TAG_FIELDS = (const.TARGET_TAGS, const.GAP_TAGS, const.SOURCE_TAGS)


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
        n_lines = min(len(lines), size) + count_surplus(lines[size:], there[field])
        if n_lines != size:
            raise DataError.at(there[field], None, found=f"{n_lines} lines", expected=f"{size}, as {place} has")
        del lines[size:]
    texts = {field: columns[field] for field in (const.SOURCE, const.TARGET)}
    labelled = read_labelled(texts | labels, there)
    return {field: column for field, column in labelled.items() if field not in texts}


def compare(predictions: Predictions, labels: Columns, system: str) -> list[Row]:
    """Figures of predictions against labels, as ``kiwi evaluate`` has them; segments without words are left out.

    Args:
        predictions: of every segment.
        labels: by field, as :func:`read_labels` gives them.
        system: its name.
    """
    aligned = [*_of_segments(predictions, labels, system), *_of_words(predictions, labels, system)]
    measured = [each for one in aligned for each in measure(one)]
    return build_report(measured, Settings(samples=0), {}).rows


def _of_segments(predictions: Predictions, labels: Columns, system: str) -> Iterator[Aligned]:
    """Scores, and whether they are 0."""
    if const.SENTENCE_SCORES not in labels:
        return
    gold = np.array(labels[const.SENTENCE_SCORES], dtype=np.float64)
    for output, column in (
        (const.SENTENCE_SCORES, predictions.sentences_hter),
        (const.BINARY, predictions.sentences_binary_BAD_probabilities),
    ):
        # As they are written, so that figures are those of the files.
        found = np.round(column or [], DIGITS)
        there = np.flatnonzero(~np.isnan(found))
        if not len(there):
            continue
        if output == const.SENTENCE_SCORES:
            yield Aligned(output, gold[there], {system: found[there]}, None, there + 1)
        else:
            classes = (gold[there] != 0).astype(np.int64)
            yield Aligned(output, classes, {system: found[there]}, np.arange(len(there) + 1), there + 1)


def _of_words(predictions: Predictions, labels: Columns, system: str) -> Iterator[Aligned]:
    """Tags of target words, gaps, both together, and source words."""
    gold = {field: [to_classes(line).tolist() for line in labels[field]] for field in TAG_FIELDS if field in labels}
    if const.GAP_TAGS in gold:
        pairs = zip(gold[const.GAP_TAGS], gold[const.TARGET_TAGS], strict=True)
        gold[const.TARGETGAPS_TAGS] = [interleave(*pair) for pair in pairs]
    found: dict[str, list[list[Any]] | None] = {
        const.TARGET_TAGS: predictions.target_tags_BAD_probabilities,
        const.GAP_TAGS: predictions.gap_tags_BAD_probabilities,
        const.TARGETGAPS_TAGS: predictions.targetgaps_tags_BAD_probabilities,
        const.SOURCE_TAGS: predictions.source_tags_BAD_probabilities,
    }
    for field, rows in found.items():
        if rows is None or field not in gold:
            continue
        # A segment without words has a gold gap, but no predictions.
        there = [index for index, row in enumerate(rows) if row]
        if there:
            classes = np.concatenate([np.array(gold[field][index], dtype=np.int64) for index in there])
            probabilities = np.concatenate([np.round(rows[index], DIGITS) for index in there])
            offsets = np.cumsum([0, *(len(rows[index]) for index in there)])
            output = const.WMT19 if field == const.TARGETGAPS_TAGS else field
            yield Aligned(output, classes, {system: probabilities}, offsets, np.array(there) + 1)

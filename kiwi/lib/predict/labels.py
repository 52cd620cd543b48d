"""Labels of the data that ``kiwi predict`` predicts on, and how predictions compare with them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

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
from kiwi.outputs import OUTPUTS, names as output_names
from kiwi.runner import Predictions
from kiwi.runner.predictions import DIGITS


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
    needed = {OUTPUTS[name].label_field for name in outputs}
    there = {field: path for field, path in files if path is not None and field in needed}
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
    """Align the outputs that have a value for each segment."""
    for spec in OUTPUTS.values():
        values = predictions.get(spec.attributes[0])
        if spec.is_word_level or values is None or spec.label_field not in labels:
            continue
        gold = np.array(labels[spec.label_field], dtype=np.float64)
        found = np.round(values, DIGITS)  # as they are written, so that the figures are those of the files
        there = np.flatnonzero(~np.isnan(found))
        if not len(there):
            continue
        offsets = None
        if spec.is_bad is not None:
            gold, offsets = spec.is_bad(gold).astype(np.int64), np.arange(len(there) + 1)
        yield Aligned(spec.name, gold[there], {system: found[there]}, offsets, there + 1)


def _of_words(predictions: Predictions, labels: Columns, system: str) -> Iterator[Aligned]:
    """Align the tags of target words, gaps, both together, and source words."""
    specs = [OUTPUTS[name] for name in output_names(kind="tags")]
    fields = {spec.name: const.GAP_TAGS if spec.unit == "gap" else spec.label_field for spec in specs}
    gold = {
        name: [to_classes(line).tolist() for line in labels[field]] for name, field in fields.items() if field in labels
    }
    found = {spec.name: predictions.get(spec.attributes[0]) for spec in specs}
    if const.GAP_TAGS in gold:
        pairs = zip(gold[const.GAP_TAGS], gold[const.TARGET_TAGS], strict=True)
        gold[const.TARGETGAPS_TAGS] = [interleave(*pair) for pair in pairs]
        found[const.TARGETGAPS_TAGS] = predictions.targetgaps_tags_BAD_probabilities
    for name in (const.TARGET_TAGS, const.GAP_TAGS, const.TARGETGAPS_TAGS, *found):
        rows = found.pop(name, None)
        if rows is None or name not in gold:
            continue
        there = [index for index, row in enumerate(rows) if row]  # a segment without words has a gold gap all the same
        if there:
            classes = np.concatenate([np.array(gold[name][index], dtype=np.int64) for index in there])
            probabilities = np.concatenate([np.round(rows[index], DIGITS) for index in there])
            offsets = np.cumsum([0, *(len(rows[index]) for index in there)])
            output = const.WMT19 if name == const.TARGETGAPS_TAGS else name
            yield Aligned(output, classes, {system: probabilities}, offsets, np.array(there) + 1)

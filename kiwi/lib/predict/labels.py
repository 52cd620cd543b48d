"""The labels of the data that ``kiwi predict`` predicts on, and the comparison of predictions with them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from kiwi import constants as const
from kiwi.data.datasets.parts import OutputConfig
from kiwi.data.files.lines import Columns, count_surplus, read_lines
from kiwi.data.labels.spans.checks import SpanDataConfig
from kiwi.data.labels.spans.files import SpanReader
from kiwi.data.labels.tags import interleave, to_classes
from kiwi.data.readers import read_labelled
from kiwi.exceptions import DataError
from kiwi.metrics.aligned import Aligned, split_by_pair
from kiwi.metrics.measured import measure
from kiwi.metrics.report import Row, Settings, build_report, combine
from kiwi.outputs import OUTPUTS, names as output_names
from kiwi.runner import Predictions
from kiwi.runner.predictions import DIGITS


def read_labels(
    files: OutputConfig,
    outputs: Collection[str],
    columns: Columns,
    place: Path,
    bad: Collection[int] = (),
    spans: SpanDataConfig | None = None,
) -> Columns:
    """Read the available labels for some outputs, and check them against the texts.

    Args:
        files: the files of the labels.
        outputs: the outputs of the system; labels of other outputs are not read.
        columns: the source and target columns, and those of language pairs if there are several.
        place: the file of the source, for errors.
        bad: the numbers of the bad segments, whose labels are not checked.
        spans: how error spans are read.

    Returns:
        The labels by field; ``target_tags`` that are interleaved with gaps are split into ``target_tags`` and
        ``gap_tags``. Those of bad segments are without meaning.

    Raises:
        DataError: when labels cannot be used; the message names file and line.
    """
    needed = {field for name in outputs for field in OUTPUTS[name].label_fields}
    if const.SENTENCE_SCORES in needed:
        needed.add(const.RATER_SCORES)
    given = {field: path for field, path in files if path is not None and field in needed}
    if spans is not None and spans.as_scores and const.SENTENCE_SCORES in needed:
        needed.add(const.ERROR_SPANS)
    spans_file = files.error_spans if const.ERROR_SPANS in needed else None
    given.pop(const.ERROR_SPANS, None)
    labels = {field: read_lines(path) for field, path in given.items()}
    size = len(columns[const.SOURCE])
    for field, lines in labels.items():
        n_lines = min(len(lines), size) + count_surplus(lines[size:], given[field])
        if n_lines != size:
            raise DataError.at(given[field], None, found=f"{n_lines} lines", expected=f"{size}, as {place} has")
        del lines[size:]
    texts = {field: columns[field] for field in (const.SOURCE, const.TARGET)}
    good = next((index for index in range(size) if index + 1 not in bad), None)
    if good is None:
        return {}
    # In place of bad segments stands a good one, so that the others keep the numbers of their lines in errors.
    rows = [good if index + 1 in bad else index for index in range(size)]
    labelled = read_labelled(
        {field: [column[row] for row in rows] for field, column in (texts | labels).items()}, given
    )
    found = {field: column for field, column in labelled.items() if field not in texts}
    if spans_file is not None:
        places = dict.fromkeys(columns, "the translations")
        found |= SpanReader(spans or SpanDataConfig()).read(spans_file, columns, places, bad)
    return found


def compare(predictions: Predictions, labels: Columns, system: str, pairs: Sequence[str] | None = None) -> list[Row]:
    """Compute the metrics of ``kiwi evaluate`` for predictions; segments without words are left out.

    Args:
        predictions: the predictions of all segments.
        labels: the labels by field, as returned by :func:`read_labels`.
        system: the name of the system.
        pairs: the language pair of each segment; metrics are then those of each pair, and their means.
    """
    aligned = [*_align_segments(predictions, labels, system), *_align_words(predictions, labels, system)]
    by_pair = {"": aligned} if pairs is None else split_by_pair(aligned, pairs)
    reports = {
        pair: build_report([each for one in outputs for each in measure(one)], Settings(samples=0), {})
        for pair, outputs in by_pair.items()
    }
    return combine(reports).rows if reports else []


def _align_segments(predictions: Predictions, labels: Columns, system: str) -> Iterator[Aligned]:
    """Align the labels with the outputs that have one value per segment."""
    for spec in OUTPUTS.values():
        values = predictions.get(spec.attributes[0])
        given = [field for field in spec.label_fields if field in labels]
        if spec.is_word_level or values is None or not given:
            continue
        has_verdicts = given[-1] == spec.verdict_field
        lines = labels[given[-1]]
        gold = np.array([line == const.BAD for line in lines] if has_verdicts else lines, dtype=np.float64)
        found = np.round(values, DIGITS)  # as in the files, so that the metrics are theirs
        scored = np.flatnonzero(~np.isnan(found))
        if not len(scored):
            continue
        offsets = None
        if spec.is_bad is not None:
            gold = (gold if has_verdicts else spec.is_bad(gold)).astype(np.int64)
            offsets = np.arange(len(scored) + 1)
        yield Aligned(spec.name, gold[scored], {system: found[scored]}, offsets, scored + 1)


def _align_words(predictions: Predictions, labels: Columns, system: str) -> Iterator[Aligned]:
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
        tagged = [index for index, row in enumerate(rows) if row]  # gold has a gap even where there are no words
        if tagged:
            classes = np.concatenate([np.array(gold[name][index], dtype=np.int64) for index in tagged])
            probabilities = np.concatenate([np.round(rows[index], DIGITS) for index in tagged])
            offsets = np.cumsum([0, *(len(rows[index]) for index in tagged)])
            output = const.WMT19 if name == const.TARGETGAPS_TAGS else name
            yield Aligned(output, classes, {system: probabilities}, offsets, np.array(tagged) + 1)

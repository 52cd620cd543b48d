"""Turns rows of text into a batch of arrays."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.batch import NumpyBatch, QEBatch, mask_of, pad
from kiwi.data.labels.error_spans import SEVERITIES, gap_labels, parse_error_spans, unit_labels
from kiwi.data.text.pieces import PieceTokenizer
from kiwi.data.text.units import word_starts
from kiwi.data.text.vocabulary import PAD_INDEX, Vocabulary
from kiwi.data.text.words import words

logger = logging.getLogger(__name__)

TAGGED = (
    (const.TARGET_TAGS, f"{const.TARGET}_mask", 0),
    (const.GAP_TAGS, f"{const.TARGET}_mask", 1),
    (const.SOURCE_TAGS, f"{const.SOURCE}_mask", 0),
)
"""The fields of tags, the mask of the words that they belong to, and how many more tags than words there are."""

VERDICT_CLASSES = {const.OK: 0, const.BAD: 1, "": const.IGNORE}
"""The class of each verdict; a segment may have none."""

Row = dict[str, str]
"""The text of each field of one segment, by field name."""


def note_long_segments(counts: Iterable[tuple[int, int]]) -> None:
    """Log how many segments are too long for the encoder, and how many are truncated.

    Args:
        counts: the results of :meth:`Collate.count_long`, which are added up.
    """
    n_long = n_cut = 0
    for long, cut in counts:
        n_long, n_cut = n_long + long, n_cut + cut
    if n_long:
        logger.info("%d segments exceed the encoder's maximum length; they are read in overlapping windows.", n_long)
    if n_cut:
        logger.warning(
            "%d segments are truncated to system.model.encoder.source_max_length and target_max_length.", n_cut
        )


class Collate:
    """Turns rows into a batch of vocabulary indices, or of the pieces of a pretrained encoder.

    Args:
        vocabularies: the vocabulary of each field to encode; rows may have more fields.
        pieces: the tokenizer of a pretrained encoder, if the system has one.
        post_edit: whether to batch the post-edit too, where rows have it.
        severities: the severities of an output that marks errors, for which units of the target are batched too; by
            default, there is none.
    """

    def __init__(
        self,
        vocabularies: Mapping[str, Vocabulary],
        pieces: PieceTokenizer | None = None,
        *,
        post_edit: bool = False,
        severities: Sequence[str] = (),
    ) -> None:
        self.vocabularies = dict(vocabularies)
        self.pieces = pieces
        self.post_edit = post_edit
        self.severities = tuple(severities)

    def __call__(self, rows: Sequence[Row]) -> NumpyBatch:
        """Batch rows that all have the same fields."""
        arrays = self._texts(rows, with_units=bool(self.severities))
        fields = rows[0].keys()
        if self.severities and const.ERROR_SPANS in fields:
            arrays |= _span_labels([row[const.ERROR_SPANS] for row in rows], arrays, self.severities)
        if const.ALIGNMENTS in fields:
            arrays[const.ALIGNMENTS] = _alignments([row[const.ALIGNMENTS] for row in rows])
        for field, side, n_more in TAGGED:
            if field in fields:
                tags = pad([[tag == const.BAD for tag in words(row[field])] for row in rows], const.IGNORE)
                width = arrays[side].shape[1] + n_more  # where the longest segments have no tags
                arrays[field] = np.pad(tags, ((0, 0), (0, width - tags.shape[1])), constant_values=const.IGNORE)
        for field in (const.SENTENCE_SCORES, const.SCORE_DEVIATIONS):
            if field in fields:
                arrays[field] = np.array([row[field] for row in rows], dtype=np.float32)
        if const.BINARY in fields:
            classes = [VERDICT_CLASSES[row[const.BINARY]] for row in rows]
            arrays[const.BINARY] = np.array(classes, dtype=np.int64)
        post_edit = None
        if self.post_edit and const.POST_EDIT in fields:
            post_edit = QEBatch(**self._texts([row | {const.TARGET: row[const.POST_EDIT]} for row in rows]))
        return QEBatch(**arrays, post_edit=post_edit)

    def lengths(self, columns: Mapping[str, Sequence[str]]) -> list[int]:
        """Return the length of each segment, in words of source plus target, or in pieces if there are any."""
        sides = [[words(line) for line in columns[field]] for field in (const.TARGET, const.SOURCE)]
        if self.pieces is not None:
            return self.pieces.lengths(*sides)
        return [len(target) + len(source) for target, source in zip(*sides, strict=True)]

    def count_long(self, columns: Mapping[str, Sequence[str]]) -> tuple[int, int]:
        """Count the segments that are too long for the encoder, and those that are truncated."""
        if self.pieces is None:
            return 0, 0
        return self.pieces.count_long(
            *([words(line) for line in columns[field]] for field in (const.TARGET, const.SOURCE))
        )

    def _texts(self, rows: Sequence[Row], *, with_units: bool = False) -> dict[str, Any]:
        """Return indices, pieces and masks of the text fields."""
        arrays: dict[str, NDArray[Any]] = {}
        sides = {field: [words(row[field]) for row in rows] for field in (const.SOURCE, const.TARGET)}
        for field, vocabulary in self.vocabularies.items():
            segments = sides.get(field) or [words(row[field]) for row in rows]
            arrays[field] = pad([vocabulary.encode(segment) for segment in segments], PAD_INDEX)
        for field, segments in sides.items():
            arrays[f"{field}_mask"] = mask_of(np.array([len(segment) for segment in segments], dtype=np.int64))
        if self.pieces is not None:
            starts = [word_starts(row[const.TARGET]) for row in rows] if with_units else None
            arrays |= self.pieces(sides[const.TARGET], sides[const.SOURCE], starts)
        return arrays


def _span_labels(
    lines: Sequence[str], arrays: Mapping[str, NDArray[Any]], severities: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Return the labels of units and gaps, and the spans themselves.

    Args:
        lines: the error spans of each segment.
        arrays: the arrays of units.
        severities: the severities of the labels.
    """
    mask, bounds = arrays["unit_mask"], arrays["unit_bounds"]
    labels = np.zeros((len(lines), 2 * mask.shape[1] + 1, 1 + len(severities)), dtype=np.float32)
    by_segment = [parse_error_spans(line) for line in lines]
    for own, raters, places, there in zip(labels, by_segment, bounds, mask, strict=True):
        units = places[there]
        end = 2 * len(units) + 1
        own[0:end:2] = gap_labels(raters, units, severities)
        own[1:end:2] = unit_labels(raters, units, severities)
    spans = [
        (segment, rater, span.start, span.end, SEVERITIES.index(span.severity))
        for segment, raters in enumerate(by_segment)
        for rater, marked in enumerate(raters)
        for span in marked
    ]
    return {
        "span_labels": labels,
        "gold_spans": np.array(spans, dtype=np.int64).reshape(-1, 5),
        "n_raters": np.array([len(raters) for raters in by_segment], dtype=np.int64),
    }


def _alignments(lines: Sequence[str]) -> NDArray[np.int64]:
    """Return sorted, distinct triples of segment, source word and target word (pairs, 3).

    Args:
        lines: the ``i-j`` pairs of each segment, which the readers have validated.
    """
    n_pairs = [line.count("-") for line in lines]
    numbers = [int(number) for line in lines for number in line.replace("-", " ").split()]
    pairs = np.array(numbers, dtype=np.int64).reshape(-1, 2)
    # Encode each triple as one number, because sets of tuples are slow.
    size = pairs.max(initial=0) + 1
    segments = np.repeat(np.arange(len(lines)), n_pairs)
    triples = np.unique((segments * size + pairs[:, 0]) * size + pairs[:, 1])
    return np.stack([triples // size**2, triples // size % size, triples % size], axis=1)

"""Rows of text to a batch of arrays."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.batch import NumpyBatch, QEBatch, pad
from kiwi.data.pieces import PieceTokenizer
from kiwi.data.readers import parse_alignment
from kiwi.data.tags import to_classes
from kiwi.data.tokenization import words
from kiwi.data.vocabulary import PAD_INDEX, Vocabulary

logger = logging.getLogger(__name__)

Row = dict[str, str]
"""Field name to text, for one segment."""


def note_long_segments(counts: Iterable[tuple[int, int]]) -> None:
    """Log how many segments are longer than the encoder takes, and how many are cut.

    Args:
        counts: of some segments each, as :meth:`Collate.count_long` has them.
    """
    n_long = n_cut = 0
    for long, cut in counts:
        n_long, n_cut = n_long + long, n_cut + cut
    if n_long:
        logger.info("%d segments are longer than the encoder takes: read in overlapping windows.", n_long)
    if n_cut:
        logger.warning("%d segments are cut (source_max_length, target_max_length of system.model.encoder).", n_cut)


class Collate:
    """Turns rows into a batch: each word of a text field into its index in the vocabulary of the field, or source and
    target together into pieces.

    Args:
        vocabularies: by field; rows may have more fields than that.
        pieces: of a pretrained encoder, if the system has one.
        post_edit: whether to batch the post-edit too, where rows have it.
    """

    def __init__(
        self,
        vocabularies: Mapping[str, Vocabulary],
        pieces: PieceTokenizer | None = None,
        *,
        post_edit: bool = False,
    ) -> None:
        self.vocabularies = dict(vocabularies)
        self.pieces = pieces
        self.post_edit = post_edit

    def __call__(self, rows: Sequence[Row]) -> NumpyBatch:
        """Batch rows that all have the same fields."""
        arrays = self._texts(rows)
        fields = rows[0].keys()
        if const.ALIGNMENTS in fields:
            pairs = [(i, *pair) for i, row in enumerate(rows) for pair in parse_alignment(row[const.ALIGNMENTS])]
            arrays[const.ALIGNMENTS] = np.array(sorted(set(pairs)), dtype=np.int64).reshape(-1, 3)
        for field in (const.TARGET_TAGS, const.GAP_TAGS, const.SOURCE_TAGS):
            if field in fields:
                arrays[field] = pad([to_classes(row[field]) for row in rows], const.IGNORE)
        if const.SENTENCE_SCORES in fields:
            arrays[const.SENTENCE_SCORES] = np.array([row[const.SENTENCE_SCORES] for row in rows], dtype=np.float32)
        post_edit = None
        if self.post_edit and const.POST_EDIT in fields:
            post_edit = QEBatch(**self._texts([row | {const.TARGET: row[const.POST_EDIT]} for row in rows]))
        return QEBatch(**arrays, post_edit=post_edit)

    def lengths(self, columns: Mapping[str, Sequence[str]]) -> list[int]:
        """How much there is to compute for each segment: words of source plus target, or their pieces."""
        sides = [[words(line) for line in columns[field]] for field in (const.TARGET, const.SOURCE)]
        if self.pieces is not None:
            return self.pieces.lengths(*sides)
        return [len(target) + len(source) for target, source in zip(*sides, strict=True)]

    def count_long(self, columns: Mapping[str, Sequence[str]]) -> tuple[int, int]:
        """Segments that are longer than the encoder takes, and segments that are cut."""
        if self.pieces is None:
            return 0, 0
        return self.pieces.count_long(
            *([words(line) for line in columns[field]] for field in (const.TARGET, const.SOURCE))
        )

    def _texts(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Indices, pieces and masks of the text fields."""
        arrays: dict[str, NDArray[Any]] = {}
        for field, vocabulary in self.vocabularies.items():
            arrays[field] = pad([vocabulary.encode(words(row[field])) for row in rows], PAD_INDEX)
        sides = {field: [words(row[field]) for row in rows] for field in (const.SOURCE, const.TARGET)}
        for field, segments in sides.items():
            lengths = np.array([len(segment) for segment in segments])
            arrays[f"{field}_mask"] = np.arange(lengths.max(initial=0)) < lengths[:, None]
        if self.pieces is not None:
            arrays |= self.pieces(sides[const.TARGET], sides[const.SOURCE])
        return arrays

"""Warnings about input that a system was not trained for."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from kiwi import constants as const
from kiwi.data.files.lines import Columns
from kiwi.data.text.language_pairs import known_pairs, listed
from kiwi.data.text.pieces import PieceTokenizer
from kiwi.data.text.tokenization import MarkCounts
from kiwi.data.text.words import words
from kiwi.systems.manifest.data_info import DataInfo
from kiwi.systems.manifest.intervals import ScoreIntervals

logger = logging.getLogger(__name__)

N_SEGMENTS = 1000
"""The number of segments that are looked at."""

FEWEST_MARKS = 10
"""The number of marks on a side from which a share of them is compared."""

LARGEST_DIFFERENCE = 0.5
"""The difference between shares of marks above which a warning is given."""

MANY_WINDOWS = 50
"""The number of windows of a segment above which it is named."""

FEWEST_PIECES = 20
"""The number of pieces on a side from which the share of unknown ones is looked at."""

UNKNOWN_SHARE = 0.5
"""The share of unknown pieces above which a warning is given."""


class InputWatch:
    """Looks at the first segments that a system predicts, and warns once if they clearly differ from its training data.

    Args:
        data: the training data of the system.
        pieces: the tokenizer of its pretrained encoder, if any.
    """

    def __init__(self, data: DataInfo, pieces: PieceTokenizer | None = None) -> None:
        known = {const.SOURCE: data.source_marks_alone, const.TARGET: data.target_marks_alone}
        self._known = {side: share for side, share in known.items() if share is not None}
        self._counts = {side: MarkCounts() for side in self._known}
        self._unknown = {const.SOURCE: (0, 0), const.TARGET: (0, 0)}
        self._pieces = pieces
        self._max_pieces = None if pieces is None else pieces.room + pieces.template.length
        self._left = N_SEGMENTS
        self._intervals = data.intervals
        self._pairs: set[str] = set()

    def see(self, columns: Columns) -> None:
        """Look at segments that are about to be predicted."""
        if self._intervals is not None and const.LANGUAGE_PAIR in columns:
            self._see_pairs(columns[const.LANGUAGE_PAIR], self._intervals)
        if not self._left:
            return
        n_segments = min(self._left, len(columns[const.TARGET]))
        self._left -= n_segments
        for side, known in self._known.items():
            self._counts[side] += MarkCounts.of(columns[side][:n_segments])
            counts = self._counts[side]
            if counts.total >= FEWEST_MARKS and abs(counts.alone / counts.total - known) > LARGEST_DIFFERENCE:
                logger.warning(
                    "The %s is not tokenized as the training data of this system was: %.0f%% of its commas and full "
                    "stops stand alone, against %.0f%% there, so that predictions are less accurate. %s",
                    side,
                    100 * counts.alone / counts.total,
                    100 * known,
                    TOKENIZE if known * counts.total > counts.alone else DO_NOT_TOKENIZE,
                )
                self._known = {}  # once is enough
                break
        if self._pieces is not None:
            self._see_pieces(self._pieces, {side: columns[side][:n_segments] for side in self._unknown})

    def _see_pieces(self, pieces: PieceTokenizer, columns: Columns) -> None:
        for side, column in columns.items():
            counts = pieces.count_unknown(words(line) for line in column)
            n_unknown, n_pieces = (former + new for former, new in zip(self._unknown[side], counts, strict=True))
            self._unknown[side] = (n_unknown, n_pieces)
            if n_pieces >= FEWEST_PIECES and n_unknown > UNKNOWN_SHARE * n_pieces:
                logger.warning(
                    "The encoder's tokenizer does not know %.0f%% of the pieces of the %s: predictions are "
                    "unreliable. Use a system whose encoder was pretrained on this language.",
                    100 * n_unknown / n_pieces,
                    side,
                )
                self._pieces = None
                break

    def _see_pairs(self, pairs: Sequence[str], intervals: ScoreIntervals) -> None:
        """Warn of language pairs whose intervals are not their own, once for each."""
        new = {*known_pairs(list({*pairs}), intervals.groups)} - self._pairs - {""}
        self._pairs |= new
        if lacking := intervals.without_own(new):
            logger.warning(
                "%s: the system was not calibrated for %s alone, so the intervals are those of all calibration "
                "segments together, and may cover fewer or more scores than %g %%. Calibrate with more segments of "
                "them: kiwi calibrate.",
                listed(lacking),
                "this language pair" if len(lacking) == 1 else "these language pairs",
                100 * intervals.confidence,
            )

    def note_very_long(self, lengths: Sequence[int], columns: Columns) -> None:
        """Say which segments take long because the encoder reads them in many windows.

        Args:
            lengths: the number of pieces of each segment, in all of its windows.
            columns: the segments.
        """
        if self._max_pieces is None or max(lengths, default=0) <= MANY_WINDOWS * self._max_pieces:
            return
        for length, source, target in zip(lengths, columns[const.SOURCE], columns[const.TARGET], strict=True):
            if length > MANY_WINDOWS * self._max_pieces:
                logger.warning(
                    "The segment %r has %d words of source and %d of target, which the encoder reads in about %d "
                    "windows: this takes a while. If these are several segments, give them one per line.",
                    f"{target[:40]} …",
                    len(words(source)),
                    len(words(target)),
                    -(-length // self._max_pieces),
                )


TOKENIZE = "Separate words and punctuation by spaces, with the tokenizer that made the training data."
DO_NOT_TOKENIZE = "Give the text without tokenization, as the training data was."

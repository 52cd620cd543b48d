"""Splits words into the pieces of a pretrained encoder, with an explicit index from each piece to its word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from kiwi.data.text.partial_tokenizer import PartialTokenizer
from kiwi.data.text.special_pieces import probe_of, special_id, template_of
from kiwi.data.text.spelling import TextEncoder, read_as_text
from kiwi.data.text.units import Units
from kiwi.data.text.windows import by_group, piece_weights, ranges, word_readings
from kiwi.data.text.word_pieces import ODD, ORDINARY, SegmentPieces

NO_WORD = -1
"""The word index of a piece without a word, such as special pieces and padding."""

TARGET_SIDE, SOURCE_SIDE = 0, 1

Encoded = list[list[int]]
"""The pieces of each word of a segment; every word has at least one."""


@dataclass(frozen=True)
class Side:
    """One side of all segments of a batch, whose pieces are concatenated."""

    ids: NDArray[np.int64]
    """The IDs of the pieces (pieces,)."""

    words: NDArray[np.int64]
    """The index of each piece's word in its segment (pieces,)."""

    lengths: NDArray[np.int64]
    """The number of pieces of each segment (segments,)."""

    @property
    def starts(self) -> NDArray[np.int64]:
        """The index at which each segment begins (segments,)."""
        return np.cumsum(self.lengths) - self.lengths


Span = tuple[int, int]
"""The first piece of a side that a window reads, counted in its segment, and the number of pieces that it reads."""


class PieceTokenizer:
    """Turns segments into sequences of pieces.

    Args:
        tokenizer: the tokenizer of the encoder, whose post-processor joins pairs.
        max_pieces: the maximum length of a sequence of the encoder.
        source_max_pieces: the maximum number of pieces of the source; the rest is truncated. None means no limit.
        target_max_pieces: the maximum number of pieces of the target; the rest is truncated. None means no limit.
    """

    def __init__(
        self,
        tokenizer: Tokenizer | PartialTokenizer,
        max_pieces: int,
        *,
        source_max_pieces: int | None = None,
        target_max_pieces: int | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        read_as_text(tokenizer)
        self._expect([ORDINARY, ODD])
        probe = probe_of(tokenizer)
        self.template = template_of(tokenizer, probe)
        self.pad_id = special_id(tokenizer, ("<pad>", "[PAD]")) or 0
        self.unknown_id = special_id(tokenizer, ("<unk>", "[UNK]", "<|endoftext|>")) or 0
        self.mask_id = special_id(tokenizer, ("<mask>", "[MASK]", "<special1>"))  # the last is XLM's
        self.room = max_pieces - self.template.length
        if self.room < 4:
            raise ValueError(f"an encoder with at most {max_pieces} pieces has no room for two words on each side")
        self.caps = (target_max_pieces, source_max_pieces)
        special = {*self.template.ids, self.pad_id, *([] if self.mask_id is None else [self.mask_id])}
        self.words = SegmentPieces(TextEncoder(tokenizer, self.unknown_id, special), self.unknown_id, probe)

    def _expect(self, *sides: Iterable[Sequence[str]]) -> None:
        """Let the tokenizer load the pieces of segments at once, if it does not have them."""
        if isinstance(self.tokenizer, PartialTokenizer) and not self.tokenizer.is_whole:
            self.tokenizer.expect({word for segment in chain(*sides) for word in segment})

    def encode(self, segment: Sequence[str]) -> Encoded:
        """Return the pieces of each word; a word that the tokenizer drops becomes one unknown piece."""
        return self.words(segment)

    def __call__(
        self,
        targets: Sequence[Sequence[str]],
        sources: Sequence[Sequence[str]],
        target_starts: Sequence[Sequence[int]] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Return the piece arrays of a :class:`kiwi.data.batch.QEBatch`; a long segment has several rows.

        Args:
            targets: the words of the targets.
            sources: the words of the sources.
            target_starts: the position in the target at which each word begins, to get the units of the targets too.
        """
        self._expect(targets, sources)
        target, source = self._side(targets, TARGET_SIDE), self._side(sources, SOURCE_SIDE)
        windows = [
            (segment, *target_span, *source_span)
            for segment, lengths in enumerate(zip(target.lengths.tolist(), source.lengths.tolist(), strict=True))
            for target_span, source_span in self.spans(*lengths)
        ]
        segments, first_target, n_target, first_source, n_source = np.array(windows, dtype=np.int64).reshape(-1, 5).T
        places = (
            ranges(target.starts[segments] + first_target, n_target),
            ranges(source.starts[segments] + first_source, n_source),
        )
        # The columns at which the parts of each row begin and end, (windows, 1).
        template = self.template
        n_before = len(template.before)
        target_end = n_before + n_target[:, None]
        source_start = target_end + len(template.between)
        source_end = source_start + n_source[:, None]
        end = source_end + len(template.after)

        column = np.arange(end.max(initial=0))
        mask = column < end  # (windows, pieces), as are the next three
        is_target = (column >= n_before) & (column < target_end)
        is_source = (column >= source_start) & (column < source_end)
        in_second = (column >= source_start) & mask

        ids = np.full(mask.shape, self.pad_id, dtype=np.int64)
        rows = np.arange(len(mask))[:, None]
        ids[:, :n_before] = template.before
        ids[rows, target_end + np.arange(len(template.between))] = template.between
        ids[rows, source_end + np.arange(len(template.after))] = template.after
        words = np.full(mask.shape, NO_WORD, dtype=np.int64)
        for chosen, side, read in zip((is_target, is_source), (target, source), places, strict=True):
            ids[chosen] = side.ids[read]
            words[chosen] = side.words[read]
        first_type, second_type = template.types
        one_each = len(segments) == len(targets)  # windows
        n_words = [max(map(len, side), default=0) for side in (targets, sources)]
        target_readings, source_readings = (
            word_readings(words, chosen, segments, (len(targets), n), one_each=one_each)
            for chosen, n in zip((is_target, is_source), n_words, strict=True)
        )
        found = {
            "pieces": ids,
            "piece_mask": mask,
            "piece_types": np.where(in_second, second_type, np.where(mask, first_type, 0)),
            "piece_words": words,
            "piece_sides": np.where(in_second, SOURCE_SIDE, TARGET_SIDE),
            "piece_weights": piece_weights(mask, segments, (is_target, is_source), places),
            "piece_segments": segments.copy(),
            "segment_windows": by_group(segments, np.arange(len(segments)), len(targets), one_each=one_each),
            "target_readings": target_readings,
            "source_readings": source_readings,
        }
        if target_starts is not None:
            units = self._units(targets, target_starts)
            found |= units.arrays(target.starts, len(target.ids), is_target, places[0], one_each=one_each)
        return found

    def _units(self, targets: Sequence[Sequence[str]], starts: Sequence[Sequence[int]]) -> Units:
        """Return the units of the targets, as far as they are read."""
        rows = (
            [*zip(map(len, self.encode(target)), own, self.words.units(target), strict=True)]
            for target, own in zip(targets, starts, strict=True)
        )
        return Units.of(rows, self.caps[TARGET_SIDE])

    def _side(self, segments: Sequence[Sequence[str]], side: int) -> Side:
        """Return the pieces of one side; words beyond the cap have none, so that their features are zeros."""
        encoded = [self.encode(segment) for segment in segments]
        n_words = np.array([len(segment) for segment in encoded], dtype=np.int64)
        by_word = list(chain.from_iterable(encoded))
        n_pieces = np.array([len(pieces) for pieces in by_word], dtype=np.int64)
        ids = np.array(list(chain.from_iterable(by_word)), dtype=np.int64)
        words = np.repeat(ranges(np.zeros_like(n_words), n_words), n_pieces)
        lengths = np.diff(np.concatenate([[0], np.cumsum(n_pieces)])[np.concatenate([[0], np.cumsum(n_words)])])
        cap = self.caps[side]
        if cap is None or lengths.max(initial=0) <= cap:
            return Side(ids, words, lengths)
        kept = ranges(np.zeros_like(lengths), lengths) < cap
        return Side(ids[kept], words[kept], np.minimum(lengths, cap))

    def lengths(self, targets: Sequence[Sequence[str]], sources: Sequence[Sequence[str]]) -> list[int]:
        """Return the number of pieces of each segment in all of its windows, including special pieces."""
        self._expect(targets, sources)
        lengths = []
        for target, source in zip(targets, sources, strict=True):
            spans = self.spans(self._n_read(target, TARGET_SIDE), self._n_read(source, SOURCE_SIDE))
            lengths.append(sum(n_target + n_source + self.template.length for (_, n_target), (_, n_source) in spans))
        return lengths

    def count_unknown(self, segments: Iterable[Sequence[str]]) -> tuple[int, int]:
        """Count the unknown pieces in some segments, and all pieces, apart from pieces of a space."""
        spaces = [self.tokenizer.token_to_id(text) for text in ("\u2581", "\u0120", " ")]
        pieces = [
            index for segment in segments for word in self.encode(segment) for index in word if index not in spaces
        ]
        return pieces.count(self.unknown_id), len(pieces)

    def count_long(self, targets: Sequence[Sequence[str]], sources: Sequence[Sequence[str]]) -> tuple[int, int]:
        """Count the segments that need several windows, and those that are truncated."""
        self._expect(targets, sources)
        long = cut = 0
        for segments in zip(targets, sources, strict=True):
            read = [self._n_read(segment, side) for side, segment in enumerate(segments)]
            cut += read != [_n_pieces(self.encode(segment)) for segment in segments]
            long += sum(read) > self.room
        return long, cut

    def _n_read(self, segment: Sequence[str], side: int) -> int:
        """Return the number of pieces of a segment that are read, at most the cap of its side."""
        n_pieces, cap = _n_pieces(self.encode(segment)), self.caps[side]
        return n_pieces if cap is None else min(n_pieces, cap)

    def spans(self, n_target: int, n_source: int) -> list[tuple[Span, Span]]:
        """Return the spans of target and source that each window reads.

        A segment that fits has one window. A longer segment has windows that move through both sides at the same pace
        and overlap by half, so that every piece is read, in most cases with context on both sides.

        Args:
            n_target: the number of pieces of the target.
            n_source: the number of pieces of the source.
        """
        total = n_target + n_source
        if total <= self.room:
            return [((0, n_target), (0, n_source))]
        # Each side gets room in proportion to its length, so that a window has matching parts of both sides.
        target_room = min(max(1, round(self.room * n_target / total)), self.room - 1)
        sides = [(n_target, target_room), (n_source, self.room - target_room)]
        last = [max(0, length - room) for length, room in sides]  # the start of the last window
        steps = max(-(-2 * start // room) for start, (_, room) in zip(last, sides, strict=True))
        windows = []
        for step in range(steps + 1):
            starts = [round(start * step / steps) for start in last]
            first, second = [(at, min(room, length - at)) for at, (length, room) in zip(starts, sides, strict=True)]
            windows.append((first, second))
        return windows


def _n_pieces(encoded: Encoded) -> int:
    return sum(map(len, encoded))

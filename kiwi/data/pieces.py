"""Words to the pieces of a pretrained encoder, with an explicit index from each piece to its word."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from kiwi.data.batch import pad

logger = logging.getLogger(__name__)

NO_WORD = -1
"""Word of a piece that belongs to none: the special pieces, and padding."""

TARGET_SIDE, SOURCE_SIDE = 0, 1

Encoded = list[list[int]]
"""The pieces of each word of a segment; every word has at least one."""


@dataclass(frozen=True)
class Template:
    """How the encoder joins two texts: special pieces before, between and after them, and the type of each text."""

    before: list[int]
    between: list[int]
    after: list[int]
    types: tuple[int, int]
    """Of the first and the second text with the special pieces that follow it."""

    @property
    def length(self) -> int:
        """Special pieces of a pair."""
        return len(self.before) + len(self.between) + len(self.after)


@dataclass(frozen=True)
class Window:
    """One sequence that the encoder reads: some target words, then some source words."""

    segment: int
    ids: list[int]
    types: list[int]
    words: list[int]
    sides: list[int]
    weights: list[float]


class PieceTokenizer:
    """Segments to sequences of pieces.

    Args:
        tokenizer: of the encoder, whose post-processor joins pairs.
        max_pieces: the longest sequence that the encoder takes.
        source_max_pieces: pieces of the source that are read, the rest being cut; None reads all.
        target_max_pieces: pieces of the target that are read, the rest being cut; None reads all.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        max_pieces: int,
        *,
        source_max_pieces: int | None = None,
        target_max_pieces: int | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.template = _template(tokenizer)
        self.pad_id = _special_id(tokenizer, ("<pad>", "[PAD]")) or 0
        self.unknown_id = _special_id(tokenizer, ("<unk>", "[UNK]", "<|endoftext|>")) or 0
        self.mask_id = _special_id(tokenizer, ("<mask>", "[MASK]", "<special1>"))  # the last is XLM's
        self.room = max_pieces - self.template.length
        if self.room < 4:
            raise ValueError(f"an encoder that takes {max_pieces} pieces has no room for two words on each side")
        self.caps = (target_max_pieces, source_max_pieces)
        self._space_before_words = _spaces_matter(tokenizer)
        self._pieces: dict[tuple[bool, str], list[int]] = {}

    def encode(self, segment: Sequence[str]) -> Encoded:
        """The pieces of each word; a word that the tokenizer drops is one unknown piece."""
        encoded = []
        for position, word in enumerate(segment):
            key = (position > 0 and self._space_before_words, word)
            if key not in self._pieces:
                text = f" {word}" if key[0] else word
                encoding = self.tokenizer.encode([text], is_pretokenized=True, add_special_tokens=False)
                if len(self._pieces) >= CACHED_WORDS:
                    self._pieces.clear()
                self._pieces[key] = encoding.ids or [self.unknown_id]
            encoded.append(self._pieces[key])
        return encoded

    def __call__(self, targets: Sequence[Sequence[str]], sources: Sequence[Sequence[str]]) -> dict[str, NDArray[Any]]:
        """Arrays of a batch, as :class:`kiwi.data.batch.QEBatch` has them; a long segment takes several rows."""
        windows: list[Window] = []
        for segment, (target, source) in enumerate(zip(targets, sources, strict=True)):
            sides = (self._capped(self.encode(target), 0), self._capped(self.encode(source), 1))
            spans = self.spans(*sides)
            times = [Counter(place for pair in spans for _, _, place in pair[side]) for side in (0, 1)]
            windows += [self._window(segment, pair, times, len(spans)) for pair in spans]
        ids = pad([window.ids for window in windows], self.pad_id)
        lengths = np.array([len(window.ids) for window in windows])
        return {
            "pieces": ids,
            "piece_mask": np.arange(ids.shape[1]) < lengths[:, None],
            "piece_types": pad([window.types for window in windows], 0),
            "piece_words": pad([window.words for window in windows], NO_WORD),
            "piece_sides": pad([window.sides for window in windows], TARGET_SIDE),
            "piece_weights": pad([window.weights for window in windows], 0, np.float32),
            "piece_segments": np.array([window.segment for window in windows], dtype=np.int64),
        }

    def lengths(self, targets: Sequence[Sequence[str]], sources: Sequence[Sequence[str]]) -> list[int]:
        """Pieces of each segment in all of its windows, special ones included."""
        lengths = []
        for target, source in zip(targets, sources, strict=True):
            spans = self.spans(self._capped(self.encode(target), 0), self._capped(self.encode(source), 1))
            lengths.append(sum(len(first) + len(second) + self.template.length for first, second in spans))
        return lengths

    def count_long(self, targets: Sequence[Sequence[str]], sources: Sequence[Sequence[str]]) -> tuple[int, int]:
        """Segments that need several windows, and segments that are cut."""
        long = cut = 0
        for target, source in zip(targets, sources, strict=True):
            sides = (self.encode(target), self.encode(source))
            capped = [self._capped(side, index) for index, side in enumerate(sides)]
            cut += any(sum(map(len, side)) > sum(map(len, kept)) for side, kept in zip(sides, capped, strict=True))
            long += sum(len(pieces) for side in capped for pieces in side) > self.room
        return long, cut

    def _capped(self, encoded: Encoded, side: int) -> Encoded:
        """Words beyond the cap have no pieces: their features are zeros, and they are still tagged."""
        cap = self.caps[side]
        if cap is None or sum(map(len, encoded)) <= cap:
            return encoded
        kept, used = [], 0
        for pieces in encoded:
            kept.append(pieces[: max(0, cap - used)])
            used += len(kept[-1])
        return kept

    def spans(self, target: Encoded, source: Encoded) -> list[tuple[Span, Span]]:
        """What each window reads of the two sides.

        A segment that fits is one window. Of a longer one, windows go through both sides at the same pace, each
        overlapping the one before by half, so that every piece is read, most of them with context on both sides.
        """
        flat_target, flat_source = _flat(target), _flat(source)
        total = len(flat_target) + len(flat_source)
        if total <= self.room:
            return [(flat_target, flat_source)]
        # Each side gets room in proportion to its length, so that a window sees what belongs together.
        target_room = min(max(1, round(self.room * len(flat_target) / total)), self.room - 1)
        rooms = (target_room, self.room - target_room)
        sides = list(zip((flat_target, flat_source), rooms, strict=True))
        last = [max(0, len(side) - room) for side, room in sides]  # where the last window starts
        steps = max(-(-2 * start // room) for start, (_, room) in zip(last, sides, strict=True))
        starts = [[round(start * step / steps) for start in last] for step in range(steps + 1)]
        windows = [[side[i : i + room] for i, (side, room) in zip(at, sides, strict=True)] for at in starts]
        return [(target_span, source_span) for target_span, source_span in windows]

    def _window(self, segment: int, spans: tuple[Span, Span], times: Sequence[Counter[int]], n_windows: int) -> Window:
        """A window; what ``n_windows`` windows or ``times`` of them read weighs the inverse in each."""
        target, source = spans
        template = self.template
        first, second = template.types
        n_first = len(template.before) + len(target) + len(template.between)
        n_second = len(source) + len(template.after)
        none = NO_WORD
        return Window(
            segment=segment,
            ids=[
                *template.before,
                *(piece for piece, _, _ in target),
                *template.between,
                *(piece for piece, _, _ in source),
                *template.after,
            ],
            types=[first] * n_first + [second] * n_second,
            words=[
                *[none] * len(template.before),
                *(word for _, word, _ in target),
                *[none] * len(template.between),
                *(word for _, word, _ in source),
                *[none] * len(template.after),
            ],
            sides=[TARGET_SIDE] * n_first + [SOURCE_SIDE] * n_second,
            weights=[
                *[1 / n_windows] * len(template.before),
                *(1 / times[0][place] for _, _, place in target),
                *[1 / n_windows] * len(template.between),
                *(1 / times[1][place] for _, _, place in source),
                *[1 / n_windows] * len(template.after),
            ],
        )


Span = list[tuple[int, int, int]]
"""Pieces in a row, each with the index of its word and its own place on its side."""

CACHED_WORDS = 200_000
"""Words whose pieces are remembered; when there are more, remembering starts again."""


def _flat(encoded: Encoded) -> Span:
    pieces = [(piece, index) for index, pieces in enumerate(encoded) for piece in pieces]
    return [(piece, index, place) for place, (piece, index) in enumerate(pieces)]


def _special_id(tokenizer: Tokenizer, names: Sequence[str]) -> int | None:
    return next((index for name in names if (index := tokenizer.token_to_id(name)) is not None), None)


def _template(tokenizer: Tokenizer) -> Template:
    """What the post-processor puts around a pair."""
    probe = _probe(tokenizer)
    encoding = tokenizer.encode([probe], [probe], is_pretokenized=True)
    sides = encoding.sequence_ids
    first, second = [[i for i, side in enumerate(sides) if side == which] for which in (0, 1)]
    ids, types = encoding.ids, encoding.type_ids
    return Template(
        before=ids[: first[0]],
        between=ids[first[-1] + 1 : second[0]],
        after=ids[second[-1] + 1 :],
        types=(types[first[0]], types[second[0]]),
    )


def _probe(tokenizer: Tokenizer) -> str:
    """A text that is at least one piece."""
    for texts in (lambda: ["a"], tokenizer.get_vocab):  # the whole vocabulary takes long to get
        for text in texts():
            if tokenizer.encode([text], is_pretokenized=True, add_special_tokens=False).ids:
                return text
    raise ValueError("its tokenizer has no piece")


def _spaces_matter(tokenizer: Tokenizer) -> bool:
    """Whether a word within a text has other pieces than alone (byte-level tokenizers count the space before it)."""
    state = tokenizer.pre_tokenizer.__getstate__() if tokenizer.pre_tokenizer is not None else b""
    content = state.decode() if isinstance(state, bytes) else str(state)
    return "ByteLevel" in content

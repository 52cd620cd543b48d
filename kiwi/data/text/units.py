"""Units: the stretches of a translation that are labelled when errors are marked, one for each piece with characters.

The pieces of an encoder do not tile a text: some have no characters, such as the mark of a word's beginning; several
may share one character, such as the bytes of an emoji; and a character may have no piece at all. Units tile words:
each begins where its first piece begins, and ends where the next unit or the word ends. White space is part of no
unit, and no unit begins at a combining mark, or within a sequence that is shown as one emoji.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kiwi.data.text.windows import by_group

WORD = re.compile(r"[^ \t]+")
"""A word; see :func:`kiwi.data.text.words.words`."""

JOINER = "\u200d"
"""The character that joins those on both sides of it, such as two emoji."""


class Unit(NamedTuple):
    """A unit of a word."""

    piece: int
    """The piece that stands for it, counted in its word."""

    start: int
    """The position of its first character in the word."""

    end: int
    """The position after its last character."""


def word_starts(line: str) -> list[int]:
    """Return the position at which each word of a segment begins."""
    return [match.start() for match in WORD.finditer(line)]


def units_of_word(word: str, starts: Sequence[int]) -> tuple[Unit, ...]:
    """Return the units of a word; none for a word of white space, such as a no-break space.

    Of several pieces that begin at one character, the last one stands for it: the first one may be the mark of a word's
    beginning.

    Args:
        word: the word.
        starts: the position at which each of its pieces begins.
    """
    first: list[tuple[int, int]] = []  # the piece of each unit, and the position at which it begins
    for piece, start in enumerate(starts):
        if first and start == first[-1][1]:
            first[-1] = piece, start
        elif not first:
            first.append((piece, 0))
        elif first[-1][1] < start < len(word) and not _continues(word, start):
            first.append((piece, start))
    units = []
    for (piece, start), end in zip(first, [start for _, start in first[1:]] + [len(word)], strict=True):
        text = word[start:end]
        if text.strip():
            start += len(text) - len(text.lstrip())
            units.append(Unit(piece, start, start + len(text.strip())))
    return tuple(units)


def _continues(word: str, position: int) -> bool:
    """Return whether a character is shown together with the one before it."""
    character, before = word[position], word[position - 1]
    if before == JOINER or character == JOINER or unicodedata.category(character).startswith("M"):
        return True
    if "\U0001f3fb" <= character <= "\U0001f3ff":  # skin tones
        return True
    if not _is_regional(character):
        return False
    n_before = 0  # two regional indicators are one flag
    while n_before < position and _is_regional(word[position - 1 - n_before]):
        n_before += 1
    return n_before % 2 == 1


def _is_regional(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


@dataclass(frozen=True)
class Units:
    """The units of the translations of a batch, one after the other."""

    pieces: NDArray[np.int64]
    """The piece that stands for each unit, counted in its segment, (units,)."""

    bounds: NDArray[np.int64]
    """The positions in the translation of the first character of each unit and after its last one, (units, 2)."""

    counts: NDArray[np.int64]
    """The number of units of each segment, (segments,)."""

    @classmethod
    def of(cls, segments: Iterable[Sequence[tuple[int, int, Sequence[Unit]]]], cap: int | None) -> Units:
        """Return the units of segments.

        Args:
            segments: for each word of each segment, its number of pieces, its position in the segment, and its units.
            cap: the maximum number of pieces of a segment that are read; None means no limit.
        """
        found: list[tuple[int, int, int]] = []
        counts: list[int] = []
        for words in segments:
            before, n_found = 0, len(found)
            for n_pieces, at, units in words:
                found += [(before + unit.piece, at + unit.start, at + unit.end) for unit in units]
                before += n_pieces
            if cap is not None:
                found[n_found:] = [unit for unit in found[n_found:] if unit[0] < cap]
            counts.append(len(found) - n_found)
        table = np.array(found, dtype=np.int64).reshape(-1, 3)
        return cls(table[:, 0], table[:, 1:], np.array(counts, dtype=np.int64))

    def arrays(
        self,
        starts: NDArray[np.int64],
        n_pieces: int,
        chosen: NDArray[np.bool_],
        read: NDArray[np.int64],
        *,
        one_each: bool,
    ) -> dict[str, NDArray[np.int64] | NDArray[np.bool_]]:
        """Return the arrays of units of a :class:`kiwi.data.batch.QEBatch`, which have at least one column.

        Args:
            starts: the index of the first piece of each segment among the pieces of the targets, (segments,).
            n_pieces: the number of pieces of the targets.
            chosen: the mask of the targets' pieces in the windows, (windows, pieces).
            read: the index of each of them among the pieces of the targets, row by row.
            one_each: whether each segment has one window.
        """
        width = max(1, int(self.counts.max(initial=0)))
        mask = np.arange(width) < self.counts[:, None]
        bounds = np.full((*mask.shape, 2), -1, dtype=np.int64)
        bounds[mask] = self.bounds
        of_piece = np.full(n_pieces, -1, dtype=np.int64)  # the place of the unit that a piece stands for
        of_piece[np.repeat(starts, self.counts) + self.pieces] = np.flatnonzero(mask)
        groups, places = of_piece[read], np.flatnonzero(chosen)
        stands = groups >= 0
        readings = by_group(groups[stands], places[stands], mask.size, one_each=one_each)
        return {"unit_mask": mask, "unit_bounds": bounds, "unit_readings": readings.reshape(*mask.shape, -1)}

"""Segments that are left out of an evaluation on request, such as the hallucinations of WMT 2023."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiwi.data.files.lines import read_lines
from kiwi.exceptions import DataError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Excluded:
    """The segments that are left out of every metric."""

    numbers: frozenset[int] = frozenset()
    """The numbers of the segments, counted from 0."""

    place: Path | str = "exclude"
    """The file or the option that names them, for errors."""

    def mask(self, n_segments: int) -> NDArray[np.bool_]:
        """Return which of the segments are excluded, (segments,).

        Raises:
            DataError: when a segment is excluded that is not there.
        """
        last = max(self.numbers, default=-1)
        if last >= n_segments:
            expected = f"less than {n_segments}, the number of segments; they are counted from 0"
            raise DataError.at(self.place, None, found=f"segment {last}", expected=expected)
        mask = np.zeros(n_segments, dtype=np.bool_)
        mask[list(self.numbers)] = True
        return mask

    def with_more(self, numbers: Iterable[int]) -> Excluded:
        """Return the same and further segments."""
        return replace(self, numbers=self.numbers | frozenset(numbers))

    def in_each(self, segments: Sequence[Hashable]) -> Excluded:
        """Return the lines of the excluded segments, where files have the segments of several MT systems.

        Args:
            segments: the number of the segment of each line.
        """
        self.mask(1 + max((number for number in segments if isinstance(number, int)), default=-1))
        return replace(self, numbers=frozenset(i for i, number in enumerate(segments) if number in self.numbers))


def read_excluded(
    given: Sequence[int] | Path | None, language_pair: str | None, *, several_pairs: bool = False
) -> Excluded:
    """Read the segments to exclude.

    Args:
        given: the numbers of the segments, counted from 0; or a file with one number per line, or with a language pair
            and a number, separated by a tab, as in ``hallucinations_idx.tsv`` of WMT 2023. A first line with names of
            columns is skipped, and so are further columns.
        language_pair: the language pair to read; None stands for the only pair of the file.
        several_pairs: whether the lines of the files are of several language pairs, in all of which they are counted.

    Raises:
        DataError: at the first other line, or when segments are counted within a language pair and must not be.
    """
    if given is None:
        return Excluded()
    if not isinstance(given, Path):
        return Excluded(frozenset(given))
    by_pair: dict[str, set[int]] = {}
    for number, line in enumerate(read_lines(given), start=1):
        cells = [cell.strip() for cell in line.split("\t")]
        pair, text = ("", cells[0]) if _is_count(cells[0]) or len(cells) == 1 else (cells[0].lower(), cells[1])
        if not text and not pair:
            continue
        if number == 1 and not any(character.isdigit() for character in line):
            continue  # the names of the columns
        if not _is_count(text):
            expected = "a segment number, counted from 0, or a language pair, a tab and a segment number"
            raise DataError.at(given, number, found=f"'{line:.60}'", expected=expected)
        by_pair.setdefault(pair, set()).add(int(text))
    asked = language_pair.strip().lower() if language_pair is not None else None
    others = sorted(pair for pair in by_pair if pair)
    if others and several_pairs:
        expected = "numbers of lines alone, because the language pair of each line is given (lp)"
        advice = "Count the segments in the whole files, or use language_pairs."
        raise DataError.at(given, None, found=f"segments of {', '.join(others)}", expected=expected, advice=advice)
    if asked is None and len(others) > 1:
        advice = "Set language_pair to the one that is evaluated."
        expected = "one language pair"
        raise DataError.at(given, None, found=f"segments of {', '.join(others)}", expected=expected, advice=advice)
    numbers = by_pair.get("", set()) | by_pair.get(asked if asked is not None else "".join(others), set())
    if not numbers:
        logger.warning("%s excludes no segment%s.", given, f" of {language_pair}" if language_pair else "")
    return Excluded(frozenset(numbers), given)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9

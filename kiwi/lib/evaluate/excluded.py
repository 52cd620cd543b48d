"""Segments that are left out of an evaluation on request, such as the hallucinations of WMT 2023."""

from __future__ import annotations

import logging
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.files.lines import read_lines
from kiwi.data.files.tables import read_table
from kiwi.data.labels.scores import NO_SCORE, is_missing
from kiwi.data.text.language_pairs import pair_key
from kiwi.data.wmt.gold import TAG_COLUMNS, has_columns
from kiwi.data.wmt.rows import Rows
from kiwi.data.wmt.seg_scores import is_seg_scores
from kiwi.data.wmt.sentence_level import SENTENCE_COLUMNS
from kiwi.data.wmt.unified_forms import is_unified
from kiwi.exceptions import DataError
from kiwi.metrics.error_free import ERROR_FREE

if TYPE_CHECKING:
    from kiwi.lib.evaluate.config import Files
    from kiwi.lib.evaluate.files import GoldFiles

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Excluded:
    """The segments that are left out of every metric."""

    numbers: frozenset[int] = frozenset()
    """The numbers of the segments, counted from 0."""

    place: Path | str = "exclude"
    """The file or the option that names them, for errors."""

    has_words: bool = False
    """Whether words in the place of gold labels exclude segments."""

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


def collect_excluded(files: Files, *, several_pairs: bool = False) -> Excluded:
    """Return the segments that are left out, by number and by the words in the place of their gold labels.

    Args:
        files: the files to compare.
        several_pairs: whether the lines of the files are of several language pairs.
    """
    excluded = read_excluded(files.exclude, files.language_pair, several_pairs=several_pairs)
    if words := words_of(files):
        excluded = excluded.with_more(numbers_of_words(words, files.gold_files, files.language_pair))
        excluded = replace(excluded, has_words=True)
    if excluded.numbers:
        logger.info("%s: %d segment(s) are left out of every metric.", excluded.place, len(excluded.numbers))
    return excluded


def words_of(files: Files) -> set[str]:
    """Return the words in the place of gold labels whose segments are left out, in lower case."""
    given = files.exclude if isinstance(files.exclude, list) else []
    return {word.lower() for word in given if isinstance(word, str)}


def read_excluded(
    given: Sequence[int | str] | Path | None, language_pair: str | None, *, several_pairs: bool = False
) -> Excluded:
    """Read the segments to exclude.

    Args:
        given: the numbers of the segments, counted from 0 (words are for :func:`numbers_of_words`); or a file with one
            number per line, or with a language pair and a number, separated by a tab, as in ``hallucinations_idx.tsv``
            of WMT 2023. A first line with names of columns is skipped, and so are further columns.
        language_pair: the language pair to read; None stands for the only pair of the file.
        several_pairs: whether the lines of the files are of several language pairs, in all of which they are counted.

    Raises:
        DataError: at the first other line, or when segments are counted within a language pair and must not be.
    """
    if given is None:
        return Excluded()
    if not isinstance(given, Path):
        return Excluded(frozenset(number for number in given if isinstance(number, int)))
    by_pair: dict[str, set[int]] = {}
    for number, line in enumerate(read_lines(given), start=1):
        cells = [cell.strip() for cell in line.split("\t")]
        pair, text = ("", cells[0]) if _is_count(cells[0]) or len(cells) == 1 else (pair_key(cells[0]), cells[1])
        if not text and not pair:
            continue
        if number == 1 and not any(character.isdigit() for character in line):
            continue  # the names of the columns
        if not _is_count(text):
            expected = "a segment number, counted from 0, or a language pair, a tab and a segment number"
            raise DataError.at(given, number, found=f"'{line:.60}'", expected=expected)
        by_pair.setdefault(pair, set()).add(int(text))
    asked = pair_key(language_pair) if language_pair is not None else None
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


def numbers_of_words(words: Collection[str], files: GoldFiles, language_pair: str | None) -> set[int]:
    """Return the segments, counted from 0, that have one of these words in the place of a gold label or score.

    Those of files with scores of several MT systems are not returned: their readers leave out single translations.

    Args:
        words: the words, in lower case. All that stand for a missing value are one, such as ``none``, ``nan`` and null.
        files: the gold files.
        language_pair: the language pair to read from files of several; None stands for their only pair.
    """
    found: set[int] = set()
    is_used = False
    for name in (const.SENTENCE_SCORES, const.TARGET_TAGS, const.SOURCE_TAGS, const.BINARY, ERROR_FREE):
        wanted = _spellings(words, has_blanks="tags" not in name)
        if (path := getattr(files, name)) is not None:
            labels = _labels_by_system(path, name)
            is_used |= any(text.strip().lower() in wanted for text in labels or ())
            if labels is None:
                found |= {number for number, text in _labels(path, language_pair) if text.strip().lower() in wanted}
        if files.table is not None and name in files.table.columns:
            cells = read_table(files.table.path, {name: files.table.columns[name]}, [name])[name]
            found |= {number for number, text in enumerate(cells) if text.strip().lower() in wanted}
    if not found and not is_used:
        logger.warning("exclude: no gold label or score is %s.", " or ".join(f"'{word}'" for word in sorted(words)))
    return found


def _spellings(words: Collection[str], *, has_blanks: bool) -> set[str]:
    """Return words with all others that stand for a missing value, if one of them does."""
    missing = {text for text in NO_SCORE if text or has_blanks} if any(map(is_missing, words)) else set()
    return {*words} | missing


def _labels_by_system(path: Path, name: str) -> list[str] | None:
    """Return the scores of a file of several MT systems; None for another file."""
    lines = read_lines(path)
    if is_unified(lines[0] if lines else ""):
        return [*NO_SCORE]  # whose translations without a value are always left out
    if name == const.SENTENCE_SCORES and is_seg_scores(path, lines):
        return [line.split()[-1] for line in lines if line.strip()]
    return None


def _labels(path: Path, language_pair: str | None) -> Iterator[tuple[int, str]]:
    """Yield the number of each segment, counted from 0, and the text of its label or score."""
    lines = read_lines(path)
    for columns in (SENTENCE_COLUMNS, TAG_COLUMNS):
        if has_columns(lines[0] if lines else "", columns):
            rows = Rows(path, columns, language_pair, numbers=("SEG",))
            for number, line in rows:
                if (row := rows.split(number, line)) is not None:
                    yield rows.count(number, row, "SEG"), row[columns[-1]]
            return
    yield from enumerate(lines)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9

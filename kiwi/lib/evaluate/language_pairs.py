"""The language pair of each segment that is compared."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kiwi.constants import LANGUAGE_PAIR
from kiwi.data.files.lines import read_lines, stream_lines
from kiwi.data.files.tables import read_table
from kiwi.data.labels.gold import check_line_count
from kiwi.data.text.language_pairs import listed, pair_key, parse_language_pairs
from kiwi.data.wmt.unified import Unified
from kiwi.exceptions import DataError
from kiwi.utils.guard import paths_in

if TYPE_CHECKING:
    from kiwi.lib.evaluate.config import Files
    from kiwi.lib.evaluate.source import Source

logger = logging.getLogger(__name__)

Value = TypeVar("Value")


@dataclass(frozen=True)
class PairLines:
    """The language pair of each line of the files to compare, which places rows that count segments within a pair."""

    pairs: Sequence[str]
    """The language pair of each line."""

    path: Path
    """The file that has them, for errors."""

    asked: str | None = None
    """The only language pair that is compared; None for all."""

    @property
    def counts(self) -> dict[str, int]:
        """The number of segments of each language pair to read."""
        names = sorted({*self.pairs})
        chosen = [name for name in names if self.asked is None or pair_key(name) == pair_key(self.asked)]
        return {name: self.pairs.count(name) for name in chosen or names}

    def place(self, path: Path, read: Callable[[str], Sequence[Value]], empty: Value) -> list[Value]:
        """Return a value for each line.

        Args:
            path: the file of the values, for errors.
            read: returns those of a language pair, in the order of their segments.
            empty: the value of lines of other language pairs, which are not compared.

        Raises:
            DataError: when a language pair has other numbers of segments and lines.
        """
        found = [empty] * len(self.pairs)
        for pair, n_lines in self.counts.items():
            own = read(pair)
            if len(own) != n_lines:
                expected = f"{n_lines}, the lines of {pair} in {self.path}"
                raise DataError.at(path, None, found=f"{len(own)} segments of {pair}", expected=expected)
            values = iter(own)
            for index, name in enumerate(self.pairs):
                if name == pair:
                    found[index] = next(values)
        return found


def pair_lines(found: tuple[list[str], Path] | None, asked: str | None) -> PairLines | None:
    """Return the language pair of each line; None where they are not known of every line.

    Args:
        found: what :func:`read_language_pairs` returns.
        asked: the only language pair that is compared; None for all.
    """
    return None if found is None or "" in found[0] else PairLines(*found, asked)


def read_language_pairs(files: Files) -> tuple[list[str], Path] | None:
    """Return the language pair of each segment and the file that has them; None where there are none.

    They are those of the gold files, or else those that ``kiwi predict`` has written beside its predictions, in which
    segments that it could not use have none.

    Args:
        files: the files to compare.

    Raises:
        DataError: when a line is not a language pair, or predictions are for segments of other pairs.
    """
    gold = files.gold_files
    found: tuple[list[str], Path] | None = None
    if gold.lp is not None:
        found = _without_blanks(read_lines(gold.lp), gold.lp), gold.lp
    elif gold.table is not None and LANGUAGE_PAIR in gold.table.columns:
        column = {LANGUAGE_PAIR: gold.table.columns[LANGUAGE_PAIR]}
        found = _without_blanks(read_table(gold.table.path, column)[LANGUAGE_PAIR], gold.table.path), gold.table.path
    for path in (directory / LANGUAGE_PAIR for directory in files.predicted_dir or ()):
        if path.is_file():
            own = parse_language_pairs(read_lines(path), path)
            if found is None and any(own):
                found = own, path
            elif found is not None:
                _check_same(own, path, *found)
    return found


def pairs_of_spans(spans: Source, counted: Source, pairs: Sequence[str], path: Path) -> Sequence[str]:
    """Return the language pair of each row of the gold spans: its own, or that of the translation that it names.

    Rows without a name are of the pairs of their lines.

    Args:
        spans: the source of the gold spans.
        counted: the gold file whose lines are in the order of the pairs.
        pairs: the language pair of each line; blank for a segment without one.
        path: the file of the pairs, for errors.

    Raises:
        DataError: when the rows are in another order, or the pair of one is not known.
    """
    found = spans.read()
    own: Sequence[str] = found.pairs if isinstance(found, Unified) else ()
    if spans.translations is not None and own and all(own):
        spelled = {pair_key(pair): pair for pair in pairs}
        return [spelled.get(pair_key(pair), pair) for pair in own]
    if spans.translations is not None and counted.translations is not None and counted.path != spans.path:
        known = counted.translations()
        check_line_count(counted.path, len(known.systems), path, len(pairs))
        return known.pairs_of(spans.translations(), pairs)
    check_line_count(spans.path, len(found.spans), path, len(pairs))
    for number, (pair, other) in enumerate(zip(own, pairs, strict=False), start=1):
        if pair and other and pair_key(pair) != pair_key(other):
            advice = "Rows that do not name their translation (system and seg) are in the order of its lines."
            expected = f"'{other}', as line {number} of {path} has"
            raise DataError.at(
                spans.path, None, found=f"'{pair:.40}' in row {number}", expected=expected, advice=advice
            )
    return pairs


def choose_pair(pairs: Sequence[str], asked: str, path: Path) -> str:
    """Return the language pair that is asked for.

    Args:
        pairs: the language pairs of which segments are compared.
        asked: the language pair, in upper or lower case.
        path: the file of the language pairs, for errors.

    Raises:
        DataError: when no segment of it is compared.
    """
    found = next((pair for pair in pairs if pair_key(pair) == pair_key(asked)), None)
    if found is None:
        expected = f"one of {listed(pairs)}"
        raise DataError.at(
            path, None, found=f"no segment of {asked:.60} to compare", expected=f"{expected} as language_pair"
        )
    return found


def _without_blanks(lines: list[str], path: Path) -> list[str]:
    pairs = parse_language_pairs(lines, path)
    if "" in pairs:
        number = pairs.index("") + 1
        raise DataError.at(path, number, found="no language pair", expected="one such as en-de per segment")
    return pairs


def _check_same(pairs: list[str], path: Path, others: list[str], place: Path) -> None:
    """Check that predictions are for segments of these language pairs."""
    check_line_count(path, len(pairs), place, len(others))
    for number, (pair, other) in enumerate(zip(pairs, others, strict=True), start=1):
        if pair and other and pair != other:
            advice = "The predictions are for other segments."
            raise DataError.at(path, number, found=f"'{pair}'", expected=f"'{other}', as {place} has", advice=advice)


def warn_if_unnamed(files: Files) -> None:
    """Warn if a language pair is to be read, and no file has rows, which may name theirs; all segments are compared."""
    paths = paths_in([files.gold_files, files.predicted_files, files.exclude])
    if not any(map(_has_rows, paths)):
        logger.warning(
            "language_pair: found %s, but no file names language pairs, so all segments are compared. Give the pair of "
            "each as gold_files.lp, or remove it.",
            files.language_pair,
        )


def _has_rows(path: Path) -> bool:
    with closing(stream_lines(path, warn=False)) as lines:
        line = next(lines, "")
    return "\t" in line or line.startswith("{")

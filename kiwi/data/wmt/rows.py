"""The common format of submissions to the WMT quality estimation tasks: a header, and rows of one system."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from kiwi.data.files.lines import stream_lines
from kiwi.data.text.language_pairs import pair_key
from kiwi.data.wmt.header import HEADER_LENGTHS, Header, parse_count, parse_header
from kiwi.exceptions import DataError
from kiwi.utils.io import staged

logger = logging.getLogger(__name__)

T = TypeVar("T")

NO_NUMBERS = ("nan", "inf", "infinity")
"""What stands for a number without digits."""

MOST_ROWS = 10_000_000
"""The number of rows in which an error looks for language pairs."""

MOST_PAIRS = 20
"""The maximum number of language pairs that an error lists."""


class Rows:
    """The rows of a submission, read one by one.

    Args:
        path: the file.
        columns: the names of the columns, which start with ``LP`` and ``METHOD`` and include ``SEG``.
        numbers: the columns that hold numbers; a first row without a digit in any of them holds names of columns.
        language_pair: the language pair to read, such as ``en-de``, compared without regard to case; rows of other
            pairs are skipped. None stands for the only pair of the file.
        more: whether rows may have further columns, which are ignored with a warning.

    Raises:
        DataError: for an invalid header and, during iteration, for blank lines between rows.
    """

    def __init__(
        self,
        path: Path,
        columns: Sequence[str],
        language_pair: str | None,
        *,
        numbers: Sequence[str] = ("SEG",),
        more: bool = False,
    ) -> None:
        self.path = Path(path)
        self.columns = tuple(columns)
        self.method = ""
        self._options: dict[str, Any] = {"numbers": numbers, "more": more}
        self._asked = language_pair
        self._asked_key = "" if language_pair is None else pair_key(language_pair)
        self.language_pair = ""
        self._others: dict[str, int] = {}
        self._is_first = True
        self._further: dict[int, tuple[int, str]] = {}
        self._stream = stream_lines(self.path)
        lines = enumerate(self._stream, start=1)
        header: list[str] = []
        for number, line in lines:
            if self._is_row(line, len(header)):
                self._lines = itertools.chain([(number, line)], lines)
                break
            header.append(line.strip())
            if len(header) > max(HEADER_LENGTHS):
                self.fail(number, f"'{line:.60}', without a tab", self._form)
        else:
            self.fail(None, "no row", self._form)
        self.header = self._header(header)

    def __iter__(self) -> Iterator[tuple[int, str]]:
        """Yield the number and text of each line with a row, of any language pair."""
        blank = 0
        for number, line in self._lines:
            if not line.strip():
                blank = blank or number
                continue
            if blank:
                self.fail(blank, "a blank line between rows", self._form)
            yield number, line
        if blank:
            logger.warning("%s: dropped the blank line(s) at the end, from line %d on.", self.path, blank)
        if not self.language_pair and self._others:
            self._fail_other_pairs()
        for place, (first, text) in self._further.items():
            shown = f"'{text:.40}'" if text.strip() else "nothing"
            form = "%s, line %d: ignored column %d, which has %s; submissions of this form have %d columns."
            logger.warning(form, self.path, first, place, shown, len(self.columns))

    @property
    def _form(self) -> str:
        return f"{' '.join(self.columns)}, separated by tabs, after a header of no, two or three lines"

    def fail(self, line: int | None, found: str, expected: str, advice: str = "") -> NoReturn:
        """Raise an error at a line, and close the file."""
        self._stream.close()
        raise DataError.at(self.path, line, found=found, expected=expected, advice=advice)

    def split(self, number: int, line: str) -> dict[str, str] | None:
        """Split a line into its fields by column; return None for a row of another language pair or names of columns.

        Raises:
            DataError: when the number of fields is wrong, or the method differs from that of previous rows.
        """
        fields = line.split("\t")
        if len(fields) > len(self.columns):
            fields = self._without_further(number, fields)
        if len(fields) != len(self.columns):
            self.fail(number, f"{len(fields)} columns", f"{len(self.columns)}: {' '.join(self.columns)}")
        row = dict(zip(self.columns, fields, strict=True))
        if self._is_first:
            self._is_first = False
            if all(_is_name(row[column]) for column in self._options["numbers"]):
                logger.info("%s, line %d: skipped the names of the columns.", self.path, number)
                return None
        language_pair, method = row["LP"], row["METHOD"]
        for name in ("LP", "METHOD") if not self.language_pair else ():
            if not row[name].strip():
                self.fail(number, f"an empty {name}", "a value, the same on all lines")
        if self._asked is not None and pair_key(language_pair) != self._asked_key:
            self._others.setdefault(language_pair, number)
            return None
        if not self.language_pair:
            self.language_pair, self.method = language_pair, method
        if language_pair != self.language_pair and self._asked is None:
            self._fail_several_pairs(number, language_pair)
        if method != self.method:
            self.fail(number, f"the method '{method}'", f"'{self.method}', as before")
        return row

    def count(self, number: int, row: Mapping[str, str], column: str) -> int:
        """Parse a column that holds a whole number, counted from 0.

        Raises:
            DataError: when it is not a whole number.
        """
        value = parse_count(row[column].strip())
        if value is None:
            self.fail(number, f"the {column} '{row[column]}'", "a whole number, counted from 0")
        return value

    def new_segment(self, number: int, row: Mapping[str, str], known: Mapping[int, object]) -> int:
        """Parse the number of a segment, counted from 0, that is not among the known ones.

        Raises:
            DataError: when it is not a whole number, or known already.
        """
        segment = self.count(number, row, "SEG")
        if segment in known:
            self.fail(number, f"SEG {segment} again", "each segment once")
        return segment

    def line_of(self, where: Mapping[str, object]) -> int | None:
        """Return the number of the first line with these values, which is searched for by reading the file again."""
        wanted = {column: str(value).lower() for column, value in where.items()}
        again = Rows(self.path, self.columns, self._asked, **self._options)
        with closing(again._stream):
            for number, line in again:
                row = again.split(number, line)
                if row is not None and all(row[column].strip().lower() == value for column, value in wanted.items()):
                    return number
        return None

    def in_order(self, by_segment: Mapping[int, T], expected: int | None, kind: str | None = None) -> list[T]:
        """Return values in the order of their segments, whose numbers must run from 0 without a gap.

        Args:
            by_segment: the value of each segment, by its number.
            expected: the expected number of segments; None allows any.
            kind: the TYPE of the rows, if rows have one.

        Raises:
            DataError: at the first missing or surplus segment.
        """
        size = len(by_segment) if expected is None else expected
        where, name = ({}, "") if kind is None else ({"TYPE": kind}, f" ({kind})")
        last = next((segment for segment in by_segment if expected is not None and segment >= expected), None)
        if last is not None:
            self.fail(
                self.line_of({**where, "SEG": last}), f"SEG {last}{name}", f"less than {size}, the number of segments"
            )
        for segment in range(size):
            if segment not in by_segment:
                after = min((other for other in by_segment if other > segment), default=None)
                line = None if after is None else self.line_of({**where, "SEG": after})
                found = (
                    f"{len(by_segment)} segments{name}" if after is None else f"SEG {after}, but no SEG {segment}{name}"
                )
                self.fail(line, found, f"each of {size} segments, counted from 0")
        return [by_segment[segment] for segment in range(size)]

    def _is_row(self, line: str, n_header: int) -> bool:
        """Return whether a line is a row, rather than a figure of the header, in which words may follow after a tab."""
        cells = line.split("\t")
        if len(cells) == 1:
            return False
        return n_header >= max(HEADER_LENGTHS) or len(cells) >= len(self.columns) or not cells[0].strip().isdigit()

    def _header(self, lines: Sequence[str]) -> Header:
        try:
            return parse_header(lines, self.path)
        except DataError:
            self._stream.close()
            raise

    def _without_further(self, number: int, fields: list[str]) -> list[str]:
        """Remove the fields after the last column: empty ones and, where rows may have them, any."""
        size = len(self.columns)
        if not self._options["more"]:
            return fields if "".join(fields[size:]).strip() else fields[:size]
        for place, text in enumerate(fields[size:], start=size + 1):
            if place not in self._further or (text.strip() and not self._further[place][1].strip()):
                self._further[place] = number, text
        return fields[:size]

    def _fail_several_pairs(self, number: int, language_pair: str) -> NoReturn:
        others = (line.partition("\t")[0] for _, line in self._lines if line.strip())
        pairs = dict.fromkeys([self.language_pair, language_pair])
        pairs |= dict.fromkeys(itertools.islice(others, MOST_ROWS))
        listed = _listed(pairs)
        advice = "Set language_pair to the one to read."
        self.fail(number, f"rows of several language pairs: {listed}", "one language pair", advice)

    def _fail_other_pairs(self) -> NoReturn:
        first = next(iter(self._others.values()))
        pairs = f"pair '{next(iter(self._others))}'" if len(self._others) == 1 else f"pairs {_listed(self._others)}"
        self.fail(first, f"the language {pairs}", f"'{self._asked}'")


def _listed(pairs: Iterable[str]) -> str:
    names = list(pairs)
    shown = ", ".join(f"{name:.40}" for name in names[:MOST_PAIRS])
    return shown if len(names) <= MOST_PAIRS else f"{shown} and {len(names) - MOST_PAIRS} more"


def _is_name(text: str) -> bool:
    """Return whether a cell is the name of a column rather than a number."""
    return text[:1].isalpha() and not any(character.isdigit() for character in text) and text.lower() not in NO_NUMBERS


def check_field(name: str, value: str) -> None:
    """Check that a text is valid in a column.

    Raises:
        DataError: when it is empty, or contains a tab or line end.
    """
    if not value.strip() or any(character in value for character in "\t\n\r"):
        raise DataError(f"{name}: found {value!r}; expected text without tabs and line ends.")


def write_rows(path: Path, header: Header, rows: Iterable[str]) -> None:
    """Write a header and rows atomically.

    Args:
        path: the file.
        header: the header.
        rows: the rows, with columns joined by tabs.
    """
    with staged(path) as stage, stage.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{figure}\n" for figure in header.figures)
        file.writelines(f"{row}\n" for row in rows)

"""The common format of submissions to the WMT quality estimation tasks: a header, and rows of one system."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

from kiwi.data.files.lines import stream_lines
from kiwi.exceptions import DataError
from kiwi.utils.io import staged

logger = logging.getLogger(__name__)

T = TypeVar("T")

FIGURES = ("the bytes of the model on disk", "its number of parameters", "the number of ensembled models")
"""The figures of a header, in order."""

HEADER_LENGTHS = (0, 2, 3)
"""The possible numbers of header lines, which are 0 in WMT20, 2 in WMT21, and 3 in WMT22 and WMT23."""

MAX_DIGITS = 18
"""The maximum number of digits of a count."""


@dataclass(frozen=True)
class Header:
    """The figures of the model before the first row of a submission; none in WMT20.

    Raises:
        DataError: for a combination of figures that no year's format has.
    """

    disk_bytes: int | None = None
    """The size of the model's files in bytes, without compression; from WMT21 on."""

    parameters: int | None = None
    """The number of parameters of the model; from WMT21 on."""

    ensembled: int | None = None
    """The number of ensembled models; from WMT22 on."""

    def __post_init__(self) -> None:
        given = [figure is not None for figure in (self.disk_bytes, self.parameters, self.ensembled)]
        if given not in ([False] * 3, [True, True, False], [True] * 3):
            raise DataError(f"{self}: expected no figure, disk_bytes and parameters, or all three.")

    @property
    def figures(self) -> list[int]:
        """The figures that are given, in order."""
        return [figure for figure in (self.disk_bytes, self.parameters, self.ensembled) if figure is not None]


class Rows:
    """The rows of a submission, read one by one.

    Args:
        path: the file.
        columns: the names of the columns, which start with ``LP`` and ``METHOD`` and include ``SEG``.
        language_pair: the expected language pair, such as ``en-de``, compared without regard to case; None allows any.

    Raises:
        DataError: for an invalid header and, during iteration, for blank lines between rows.
    """

    def __init__(self, path: Path, columns: Sequence[str], language_pair: str | None) -> None:
        self.path = Path(path)
        self.columns = tuple(columns)
        self.method = ""
        self._asked = language_pair
        self.language_pair = ""
        self._stream = stream_lines(self.path)
        lines = enumerate(self._stream, start=1)
        header: list[str] = []
        for number, line in lines:
            if "\t" in line:
                self._lines = itertools.chain([(number, line)], lines)
                break
            header.append(line.strip())
            if len(header) > max(HEADER_LENGTHS):
                self.fail(number, f"'{line:.60}', without a tab", self._form)
        else:
            self.fail(None, "no row", self._form)
        self.header = self._parse_header(header)

    def __iter__(self) -> Iterator[tuple[int, str]]:
        """Yield the number and text of each line with a row."""
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

    @property
    def _form(self) -> str:
        return f"{' '.join(self.columns)}, separated by tabs, after a header of no, two or three lines"

    def fail(self, line: int | None, found: str, expected: str, advice: str = "") -> NoReturn:
        """Raise an error at a line, and close the file."""
        self._stream.close()
        raise DataError.at(self.path, line, found=found, expected=expected, advice=advice)

    def split(self, number: int, line: str) -> dict[str, str]:
        """Split a line into its fields by column.

        Raises:
            DataError: when the number of fields is wrong, or language pair or method differ from previous rows.
        """
        fields = line.split("\t")
        if len(fields) != len(self.columns):
            self.fail(number, f"{len(fields)} columns", f"{len(self.columns)}: {' '.join(self.columns)}")
        row = dict(zip(self.columns, fields, strict=True))
        language_pair, method = row["LP"], row["METHOD"]
        if not self.language_pair:
            for name in ("LP", "METHOD"):
                if not row[name].strip():
                    self.fail(number, f"an empty {name}", "a value, the same on all lines")
            if self._asked is not None and language_pair.lower() != self._asked.lower():
                self.fail(number, f"the language pair '{language_pair}'", f"'{self._asked}'")
            self.language_pair, self.method = language_pair, method
        if language_pair != self.language_pair:
            advice = "Split a submission of several language pairs into one file for each."
            self.fail(number, f"the language pair '{language_pair}'", f"'{self.language_pair}', as before", advice)
        if method != self.method:
            self.fail(number, f"the method '{method}'", f"'{self.method}', as before")
        return row

    def count(self, number: int, row: Mapping[str, str], column: str) -> int:
        """Parse a column that holds a whole number, counted from 0.

        Raises:
            DataError: when it is not a whole number.
        """
        value = parse_count(row[column])
        if value is None:
            self.fail(number, f"the {column} '{row[column]}'", "a whole number, counted from 0")
        return value

    def line_of(self, where: Mapping[str, object]) -> int | None:
        """Return the number of the first line with these values, which is searched for by reading the file again."""
        wanted = {column: str(value) for column, value in where.items()}
        again = Rows(self.path, self.columns, self._asked)
        with closing(again._stream):
            for number, line in again:
                row = again.split(number, line)
                if all(row[column] == value for column, value in wanted.items()):
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

    def _parse_header(self, lines: Sequence[str]) -> Header:
        if len(lines) not in HEADER_LENGTHS:
            self.fail(len(lines), f"{len(lines)} line(s) before the first row", "none, two or three")
        figures = []
        for number, (line, name) in enumerate(zip(lines, FIGURES, strict=False), start=1):
            figure = parse_count(line)
            if figure is None:
                self.fail(number, f"'{line:.60}'", f"{name}, a whole number, or a row with columns separated by tabs")
            figures.append(figure)
        return Header(*figures)


def parse_count(text: str) -> int | None:
    """Parse a whole number in ASCII digits; return None when the text is not one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None


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

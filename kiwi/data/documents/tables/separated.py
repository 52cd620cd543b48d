"""Tables as text: CSV with any delimiter, and TSV without quoting.

Columns with scores are added behind the others, or take the place of those of an earlier run.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from kiwi.data.documents.lines import tape_lines
from kiwi.data.documents.parts import Edit, Part, Row, Segment, SkippedRow, Tape, as_given, one_line
from kiwi.data.documents.tables.former import FormerColumns, columns_of_people, find_in_long, find_in_short, is_number
from kiwi.data.files.headers import find_columns, find_delimiter, first_row
from kiwi.data.files.table_writers import tsv_cell
from kiwi.exceptions import DataError
from kiwi.utils.text import BOM, how_to_convert

Record = tuple[int, int, int, list[str]]
"""The number of the first line of a row, the offsets of its line end and behind it, and its cells."""


@dataclass(frozen=True)
class Header:
    """The names of the columns, until they are written."""

    start: int
    end: int
    """The offset of its line end."""

    number: int
    """The number of its first line."""

    read: Collection[int]
    """The positions of the columns of fields."""


class SeparatedTable:
    """A table as text.

    Args:
        columns: the column of each field: its name, or its number, counted from 1.
        optional: the fields that are read only if their columns are there.
        is_quoted: whether cells may be quoted, as in CSV.
        has_header: whether the first line has the names of the columns.
    """

    def __init__(
        self, columns: Mapping[str, str], optional: Collection[str] = (), *, is_quoted: bool, has_header: bool = True
    ) -> None:
        self.n_without_target = 0
        """Zero: a row without a translation is a bad segment."""
        self._columns = columns
        self._optional = optional
        self._is_quoted = is_quoted
        self._has_header = has_header
        self._delimiter = "\t"
        self._names: Sequence[str] = ()
        self._former: Sequence[range] = ()
        """The positions of the columns that are replaced; known once the names are written."""

    def parts(self, tape: Tape) -> Iterator[Part]:
        """Yield the parts of the document; see :class:`kiwi.data.documents.parts.Document`."""
        self._tape, self._place = tape, tape.place
        self._columns_before = FormerColumns(tape.place)
        records = self._records(tape)
        header: Header | None = None
        n_cells = n_of_people = 0
        places: dict[str, int] = {}
        before = len(BOM) if tape.peek().startswith(BOM) else 0
        for record in records:
            number, end, behind, cells = record
            start, before = before, behind
            if not cells:  # a blank line
                if header is None:
                    yield Part(behind)
                continue
            if not places:
                columns = present(self._columns, self._optional, cells if self._has_header else ())
                places = find_columns(columns, cells, tape.place, number, has_header=self._has_header)
                n_cells = len(cells)
                if self._has_header:
                    self._names, header = cells, Header(start, end, number, [*places.values()])
                    n_of_people = columns_of_people(cells, header.read)
                    continue
            is_new = len(cells) == n_of_people  # added to a table with columns of an earlier run
            segment = self._segment(cells, number, places, len(cells) if is_new else n_cells)
            n_missing = max(n_cells - len(cells), 0)
            yield Part(behind, [segment], self._edits(header, start, end, behind, n_missing))
            header = None
        yield Part(tape.end)

    def _edits(
        self, header: Header | None, start: int, end: int, behind: int, n_missing: int
    ) -> Callable[[Sequence[Row]], list[Edit]]:
        """Return the function that adds the cells of a row, together with their names if the row is the first one.

        Args:
            header: the names of the columns, if they are not written yet.
            start: the offset of the row.
            end: the offset of its line end.
            behind: the offset behind it.
            n_missing: the number of cells that the row lacks.
        """

        def edits(rows: Sequence[Row]) -> list[Edit]:
            (row,) = rows
            found = []
            if header is not None:
                self._former = self._columns_before.find(
                    self._names, row, header.read, header.number, partial(self._has_number, start, end)
                )
                found = self._added(header.start, header.end, list(row))
            if isinstance(row, SkippedRow):
                return [*found, Edit(start, behind, b"")]
            return [*found, *self._added(start, end, [tsv_cell(cell) for cell in row.values()], n_missing)]

        return edits

    def _added(self, start: int, end: int, cells: Sequence[str], n_missing: int = 0) -> list[Edit]:
        """Return the changes that add cells to a row, in the place of those of an earlier run if there are any.

        Args:
            start: the offset of the row.
            end: the offset of its line end.
            cells: the cells.
            n_missing: the number of cells that the row lacks, which are added before these.
        """
        if not self._former:
            return [Edit(end, end, self._joined([*[""] * n_missing, *cells]))]
        places = list(self._cell_places(start, end))
        first, n_kept = self._former[0].start, len(self._names) - sum(map(len, self._former))
        if len(places) <= first:
            before = [""] * (first - len(places))
            return [Edit(end, end, self._joined([*before, *cells, *[""] * (n_kept - first)]))]
        runs = self._runs_in(places)
        if len(places) > len(self._names) and not runs:
            return [Edit(end, end, self._joined(cells))]
        if len(places) < len(self._names) and (not runs or runs[0].start != first):
            runs = [range(first, first), *runs]  # the cells that stand there are those of people
        found, added = [], self._joined(cells)
        for run in runs:
            place = places[run.start - 1][1] if run.start else places[0][0]
            if not run.start:
                added = added[1:] + (b"" if run else self._delimiter.encode())
            found.append(Edit(place, places[run.stop - 1][1] if run else place, added))
            added = b""
        n_missing = n_kept - len(places) + sum(map(len, runs))
        return [*found, Edit(end, end, self._joined([""] * n_missing))]

    def _has_number(self, start: int, end: int, at: int) -> bool:
        """Return whether the cell at a position in a row is a number or blank, or the row is a bad one."""
        texts = self._texts(list(self._cell_places(start, end)))
        return len(texts) != len(self._names) or not texts[at].strip() or is_number(texts[at])

    def _texts(self, places: Sequence[tuple[int, int]]) -> list[str]:
        """Return the cells at these offsets."""
        return [self._tape.look(*place).decode("utf-8", "replace").strip('"') for place in places]

    def _runs_in(self, places: Sequence[tuple[int, int]]) -> Sequence[range]:
        """Return the positions of the columns that are replaced in a row with cells at these offsets."""
        if len(places) == len(self._names):
            return self._former
        texts = self._texts(places)
        find = find_in_short if len(places) < len(self._names) else find_in_long
        return find(texts, self._names, self._former)

    def _cell_places(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the offsets of the start and the end of each cell of a row, as it is written.

        Args:
            start: the offset of the row.
            end: the offset of its line end.
        """
        content = self._tape.look(start, end)
        plain = rb"[^%b]*" % re.escape(self._delimiter.encode())
        cell = re.compile(rb'"[^"]*(?:""[^"]*)*"|' + plain if self._is_quoted else plain)
        at = 0
        while at <= len(content):
            last = cell.match(content, at).end()  # type: ignore[union-attr]
            yield start + at, start + last
            at = last + 1

    def _joined(self, cells: Sequence[str]) -> bytes:
        return "".join(self._delimiter + self._quoted(cell) for cell in cells).encode()

    def _quoted(self, cell: str) -> str:
        """Return a cell in quotes if it needs them, as the name of a column with a comma does."""
        if not self._is_quoted or not {self._delimiter, '"'} & {*cell}:
            return cell
        doubled = cell.replace('"', '""')
        return f'"{doubled}"'

    def _segment(self, cells: list[str], number: int, places: Mapping[str, int], n_cells: int) -> Segment:
        content = self._delimiter.join(cells)
        error = None
        if len(cells) != n_cells:
            expected = f"{n_cells}, as in the first line"
            error = DataError.at(self._place, number, found=f"{len(cells)} columns", expected=expected)
        elif any("\udc80" <= character <= "\udcff" for place in places.values() for character in cells[place]):
            advice = how_to_convert(content.encode("utf-8", "surrogateescape"))
            found = "bytes that are not UTF-8"
            error = DataError.at(self._place, number, found=found, expected="UTF-8", advice=advice)
        elif "\0" in content:
            error = DataError.at(self._place, number, found="a NUL character", expected="text without it")
        if error is not None:
            blank = dict.fromkeys(places, "")
            return Segment(blank, number, error, content.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
        given = {name: cells[place] for name, place in places.items()}
        return Segment({name: one_line(cell) for name, cell in given.items()}, number, given=as_given(given))

    def _records(self, tape: Tape) -> Iterator[Record]:
        lines = tape_lines(tape)
        if not self._is_quoted:
            for number, start, line in lines:
                text = _bare(line)
                cells = _decoded(text).split("\t")
                yield (
                    number,
                    start + len(text),
                    start + len(line),
                    [] if cells == [""] and len(self._columns) > 1 else cells,
                )
            return
        yield from self._quoted_records(lines)

    def _quoted_records(self, lines: Iterator[tuple[int, int, bytes]]) -> Iterator[Record]:
        first = first_row(lines, lambda each: _decoded(each[2]))
        wanted = present(self._columns, self._optional, ()).values()
        self._delimiter = find_delimiter("".join(_decoded(line) for _, _, line in first), wanted)
        number, end, behind = 1, 0, 0

        def fed() -> Iterator[str]:
            nonlocal end, behind
            for _, start, line in chain(first, lines):
                end, behind = start + len(_bare(line)), start + len(line)
                yield _decoded(line)

        rows = csv.reader(fed(), delimiter=self._delimiter, strict=True)
        try:
            for cells in rows:
                yield number, end, behind, cells
                number = rows.line_num + 1
        except csv.Error as reason:
            advice = 'Quote cells with a delimiter, quote or line end, and double quotes in them: "say ""hi""".'
            found, expected = f"invalid CSV ({reason})", "separated values as in RFC 4180"
            raise DataError.at(self._place, number, found=found, expected=expected, advice=advice) from reason


def present(columns: Mapping[str, str], optional: Collection[str], names: Collection[str]) -> dict[str, str]:
    """Return the columns without those of optional fields that a table does not have.

    Args:
        columns: the column of each field.
        optional: the fields that need not be there.
        names: the names of the columns of the table.
    """
    return {field: name for field, name in columns.items() if field not in optional or name in names}


def _bare(line: bytes) -> bytes:
    return line.rstrip(b"\r\n") if line.endswith(b"\n") else line


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")

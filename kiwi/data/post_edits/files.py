"""The files of translators, read unit by unit, and tables, read row by row, in the formats of ``kiwi score FILE``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from kiwi.data.documents.formats import bare_suffix, check_tmx, require_format, xliff_version
from kiwi.data.documents.parts import Document, Segment, Tape
from kiwi.data.documents.tables.objects import ArrayTable, ObjectTable
from kiwi.data.documents.tables.separated import SeparatedTable
from kiwi.data.documents.tables.xlsx import read_workbook
from kiwi.data.files.tables import stream_rows
from kiwi.data.post_edits.po import POUnits
from kiwi.data.post_edits.tmx import TMXUnits
from kiwi.data.post_edits.units import Unit
from kiwi.data.post_edits.xliff_1 import XLIFF1Units
from kiwi.data.post_edits.xliff_2 import XLIFF2Units
from kiwi.utils.inputs import reading

ROWS_AT_ONCE = 1000


class _Units(Document, Protocol):
    units: list[Unit]


def stream_units(path: Path, languages: Sequence[str] = (), wanted: str | None = None) -> Iterator[Unit]:
    """Yield the units of a file of translators: XLIFF, TMX or PO, which may be compressed.

    Args:
        path: the file.
        languages: the languages of source and target, for TMX.
        wanted: a part of the name of the machine translation that is wanted, for TMX.

    Raises:
        DataError: when the file is not what its format says.
    """
    with reading(path) as content:
        tape = Tape(content, path)
        document = _document(tape, require_format(path).name, languages, wanted)
        for part in document.parts(tape):
            tape.drop(part.end)
            yield from document.units
            document.units.clear()


def _document(tape: Tape, form: str, languages: Sequence[str], wanted: str | None) -> _Units:
    if form == "TMX":
        check_tmx(tape)
        return TMXUnits(languages, wanted)
    if form == "PO":
        return POUnits()
    return XLIFF1Units() if xliff_version(tape) == 1 else XLIFF2Units()


def stream_segments(
    path: Path, columns: Mapping[str, str], *, has_header: bool = True, nullable: Collection[str] = ()
) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield the number of the line or row, and the text of each field, of the rows of a table.

    Args:
        path: CSV, TSV, XLSX, JSON Lines, JSON or Parquet, which may be compressed.
        columns: the column of each field: its name, or its number in a table without a header.
        has_header: whether the first row has the names of the columns.
        nullable: the fields in which null stands for an empty text.

    Raises:
        DataError: at the first row that cannot be used.
    """
    name = require_format(path).name
    if name == "Parquet":
        for numbers, found in stream_rows(path, columns, ROWS_AT_ONCE, dict.fromkeys(nullable, "")):
            for number, *texts in zip(numbers, *found.values(), strict=True):
                yield number, dict(zip(found, texts, strict=True))
        return
    segments = read_workbook(path, columns, has_header=has_header) if name == "XLSX" else None
    for segment in segments or _rows(path, name, columns, nullable, has_header=has_header):
        if segment.error is not None:
            raise segment.error
        yield segment.line, segment.texts


def _rows(
    path: Path, name: str, columns: Mapping[str, str], nullable: Collection[str], *, has_header: bool
) -> Iterator[Segment]:
    with reading(path) as content:
        tape = Tape(content, path)
        table: Document
        if name in ("CSV", "TSV"):
            is_quoted = bare_suffix(path) == ".csv"
            table = SeparatedTable(columns, is_quoted=is_quoted, has_header=has_header)
        else:
            table = (ArrayTable if name == "JSON" else ObjectTable)(columns, nullable=nullable)
        for part in table.parts(tape):
            tape.drop(part.end)
            yield from part.segments

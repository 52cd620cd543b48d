"""XLSX: cells with scores are added to those of one sheet; everything else of the workbook is copied as it is.

A workbook is a zip archive of XML files. openpyxl reads the texts, row by row; the cells are added to the XML of the
sheet, so that formulas, formats, charts and the other sheets stay as they were.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

from kiwi.data.documents.parts import Score, Segment, Tape, copy_scored
from kiwi.data.documents.tables.separated import present
from kiwi.data.documents.tables.sheet import Sheet, Width
from kiwi.data.documents.tables.sheet_rows import Cells, TableRange, cell_as_text, column_number, sheet_segment
from kiwi.data.files.headers import find_columns
from kiwi.exceptions import DataError, KiwiError
from kiwi.utils.imports import needs_extra
from kiwi.utils.inputs import plain_file

LARGEST = 2**32
"""The maximum number of bytes of a file in a workbook."""

WHOLE = {"[Content_Types].xml", "xl/workbook.xml", "xl/styles.xml", "xl/theme/theme1.xml", "docProps/core.xml"}
LARGEST_WHOLE = 2**26
"""The files that are read as a whole, besides relations, and the maximum number of their bytes."""

TABLE_RANGE = re.compile(rb'<(?:\w+:)?table\s[^>]*?\bref="([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})"')
LONGEST_TAG = 2**16
"""The start tag of a table of Excel, and the number of bytes in which it is looked for."""

DOCTYPES = (b"<!DOCTYPE", "<!DOCTYPE".encode("utf-16-le"), "<!DOCTYPE".encode("utf-16-be"))


def copy_workbook(
    path: Path,
    output: Path | IO[bytes],
    columns: Mapping[str, str],
    optional: Collection[str],
    has_header: bool,
    score: Score,
    size: int,
) -> int:
    """Copy a workbook with the scores of the rows of the first sheet that has the columns.

    Args:
        path: the workbook.
        output: the file to write.
        columns: the column of each field: its name, or its number, counted from 1.
        optional: the fields that are read only if their columns are there.
        has_header: whether the first row has the names of the columns.
        score: the function that scores segments.
        size: the number of rows that are scored together.

    Returns:
        The number of segments.

    Raises:
        DataError: when the workbook is damaged, or no sheet has the columns.
        MissingExtraError: when openpyxl is not installed.
    """
    with ExitStack() as stack:
        archive, sheet, part = _opened(stack, path, present(columns, optional, ()), has_header=has_header)
        with _damage_named(path), archive.open(part) as content:
            width = Width(path).measure(Tape(content, path))
            tables = _tables_of(archive, part)
        document = Sheet(path, _rows(sheet, path), columns, optional, width, tables, has_header=has_header)
        n_segments = 0
        with zipfile.ZipFile(output, "w") as written:
            for info in archive.infolist():
                with archive.open(info) as content, written.open(_entry(info), "w") as target:
                    if info.filename == part:
                        n_segments = copy_scored(document, Tape(content, path), score, target, size)
                    else:
                        shutil.copyfileobj(content, target)
    return n_segments


def workbook_size(path: Path) -> int:
    """Return the number of bytes of all files of a workbook when they are decompressed.

    Raises:
        DataError: when the workbook is damaged.
    """
    plain, copy = plain_file(path)
    with copy if copy is not None else nullcontext(), _damage_named(path), zipfile.ZipFile(plain) as archive:
        return sum(info.file_size for info in archive.infolist())


def read_workbook(path: Path, columns: Mapping[str, str], *, has_header: bool = True) -> Iterator[Segment]:
    """Yield the rows of the first sheet that has some columns, without those that are blank in all of them.

    Args:
        path: the workbook.
        columns: the column of each field: its name, or its number, counted from 1.
        has_header: whether the first row has the names of the columns.

    Raises:
        DataError: when the workbook is damaged, or no sheet has the columns.
        MissingExtraError: when openpyxl is not installed.
    """
    with ExitStack() as stack:
        _, sheet, _ = _opened(stack, path, columns, has_header=has_header)
        places: dict[str, int] = {}
        for number, cells in enumerate(_rows(sheet, path), start=1):
            texts = [cell_as_text(cell) for cell in cells]
            if not places and any(texts):
                places = find_columns(columns, texts, path, number, has_header=has_header)
                if has_header:
                    continue
            row = {field: texts[at] if at < len(texts) else "" for field, at in places.items()}
            if any(row.values()):
                yield sheet_segment(row, path, number, columns)


def _opened(
    stack: ExitStack, path: Path, columns: Mapping[str, str], *, has_header: bool
) -> tuple[zipfile.ZipFile, Any, str]:
    """Open a workbook, and return its archive, the sheet with the columns, and the name of the file of the sheet."""
    with needs_extra("xlsx", "XLSX"):
        import openpyxl
    plain, copy = plain_file(path)
    stack.enter_context(copy if copy is not None else nullcontext())
    with _damage_named(path):
        file = stack.enter_context(plain.open("rb"))
        archive = stack.enter_context(zipfile.ZipFile(file))
        _check(archive, path)
        book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        stack.callback(book.close)
        sheet = _find_sheet(book, columns, path, has_header=has_header)
        return archive, sheet, _sheet_parts(archive)[sheet.title]


def _rows(sheet: Any, path: Path) -> Iterator[Cells]:
    sheet.reset_dimensions()  # which may be wrong
    rows = sheet.iter_rows(values_only=True)
    while True:
        with _damage_named(path):
            cells = next(rows, None)
        if cells is None:
            return
        yield cells


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Turn errors of openpyxl and zipfile, which are of many types for damaged workbooks, into errors of kiwi."""
    try:
        yield
    except (KiwiError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())
        found = f"no workbook, or a damaged one ({type(error).__name__}: {reason:.200})"
        advice = "Open it and save it again; a workbook with a password cannot be read."
        raise DataError.at(path, None, found=found, expected="an XLSX file", advice=advice) from error


def _check(archive: zipfile.ZipFile, path: Path) -> None:
    for info in archive.infolist():
        largest = LARGEST_WHOLE if info.filename in WHOLE or info.filename.endswith(".rels") else LARGEST
        if info.file_size > largest:
            found = f"{info.filename} of {info.file_size} bytes"
            raise DataError.at(path, None, found=found, expected=f"at most {largest}")
        with archive.open(info) as content:
            start = content.read(4096)
            while content.read(2**20):  # the checksum is that of the whole file
                pass
        if any(doctype in start for doctype in DOCTYPES):
            found = f"a document type in {info.filename}"
            raise DataError.at(path, None, found=found, expected="none", advice="Save the workbook again.")


def _entry(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """Return the description of a file of an archive, without its size and its checksum."""
    entry = zipfile.ZipInfo(info.filename, info.date_time)
    entry.compress_type = info.compress_type
    entry.external_attr = info.external_attr
    return entry


def _sheet_parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return the file of each sheet by its name."""
    relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    targets = {each.get("Id"): each.get("Target", "") for each in relations}
    found = {}
    for element in ElementTree.fromstring(archive.read("xl/workbook.xml")).iter():
        if element.tag.rpartition("}")[2] == "sheet":
            target = next((targets[value] for name, value in element.items() if name.endswith("}id")), "")
            found[element.get("name", "")] = target[1:] if target.startswith("/") else f"xl/{target}"
    return found


def _tables_of(archive: zipfile.ZipFile, part: str) -> list[TableRange]:
    """Return the tables that Excel has made in a sheet.

    Args:
        archive: the workbook.
        part: the name of the file of the sheet.
    """
    folder, _, name = part.rpartition("/")
    relations = f"{folder}/_rels/{name}.rels"
    if relations not in archive.namelist():
        return []
    found = []
    for each in ElementTree.fromstring(archive.read(relations)):
        target = each.get("Target", "")
        place = target[1:] if target.startswith("/") else posixpath.normpath(f"{folder}/{target}")
        if each.get("Type", "").endswith("/table") and place in archive.namelist():
            with archive.open(place) as content:
                start = content.read(LONGEST_TAG)
            if about := TABLE_RANGE.search(start):
                first, top, last, bottom = (text.decode() for text in about.groups())
                columns = range(column_number(first), column_number(last) + 1)
                found.append(TableRange(columns, range(int(top), int(bottom) + 1)))
    return found


def _find_sheet(book: Any, columns: Mapping[str, str], path: Path, *, has_header: bool) -> Any:
    first_error: DataError | None = None
    for sheet in book.worksheets:
        cells = next((each for each in sheet.iter_rows(values_only=True) if any(map(cell_as_text, each))), None)
        try:
            if cells is None:
                raise DataError.at(path, None, found="no row", expected="one segment per row")
            find_columns(columns, [cell_as_text(cell) for cell in cells], path, None, has_header=has_header)
        except DataError as error:
            first_error = first_error or error
            continue
        return sheet
    names = ", ".join(each.title for each in book.worksheets)
    assert first_error is not None
    raise first_error.with_advice(f"No sheet has the columns: {names}.")

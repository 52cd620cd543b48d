"""XLSX: everything but the added cells stays as it was."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference
from openpyxl.styles import Font

from kiwi.exceptions import DataError
from tests.documents import copied


def workbook(path: Path, rows: list[list[Any]], title: str = "Segments") -> bytes:
    """A workbook with formats, formulas, a chart and other sheets."""
    book = openpyxl.Workbook()
    notes = book.active
    notes.title = "Notes"
    notes["B2"] = "by hand"
    sheet = book.create_sheet(title)
    for row in rows:
        sheet.append(row)
    sheet["A1"].font = Font(bold=True)
    sheet["E3"].font = Font(bold=True)  # an empty cell
    sheet.column_dimensions["B"].width = 60
    sheet.freeze_panes = "A2"
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=4, min_row=1, max_row=3))
    sheet.add_chart(chart, "H2")
    book.save(path)
    return path.read_bytes()


ROWS = [
    ["id", "source", "target", "length"],
    [1, "one <&>", "eins zwei", "=LEN(B2)"],
    [2, "two\nlines", "drei", "=LEN(B3)"],
    [None, None, None, None],
    [3, "three", "NOSCORE"],
    [4, 5, 6],
]


def parts(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_only_cells_are_added(tmp_path: Path) -> None:
    content = workbook(tmp_path / "a.xlsx", ROWS)
    found = copied(content, "a.xlsx", size=2)
    assert found.pairs == [("one <&>", "eins zwei"), ("two lines", "drei"), ("three", "NOSCORE"), ("5", "6")]
    assert [segment.line for segment in found.segments] == [2, 3, 5, 6]
    before, after = parts(content), parts(found.content)
    assert list(before) == list(after)
    (changed,) = [name for name in before if before[name] != after[name]]
    removed = re.sub(rb'<c r="F\d"[^>]*>.*?</c>', b"", after[changed])
    assert removed.replace(b'ref="A1:F6"', b'ref="A1:E6"') == before[changed]
    sheet = openpyxl.load_workbook(io.BytesIO(found.content))["Segments"]
    assert [cell.value for cell in sheet["F"]] == ["sentence_scores", 0.2, 0.1, None, None, 0.1]
    assert sheet["D2"].value == "=LEN(B2)"
    streamed = openpyxl.load_workbook(io.BytesIO(found.content), read_only=True)["Segments"]
    assert [row[5] for row in streamed.iter_rows(values_only=True)][:2] == ["sentence_scores", 0.2]


def test_rows_as_excel_writes_them(tmp_path: Path) -> None:
    content = workbook(tmp_path / "a.xlsx", ROWS)
    name = "xl/worksheets/sheet2.xml"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for part, text in parts(content).items():
            rows = text.replace(b'<row r="2"', b'<row r="2" spans="1:4" x14ac:dyDescent="0.2"').replace(
                b"<worksheet ", b'<worksheet xmlns:x14ac="urn:x" '
            )
            archive.writestr(part, rows if part == name else text)
    found = copied(out.getvalue(), "a.xlsx")
    assert b'<row r="2" spans="1:6" x14ac:dyDescent="0.2">' in parts(found.content)[name]
    assert openpyxl.load_workbook(io.BytesIO(found.content))["Segments"]["F2"].value == 0.2


def test_numbered_columns(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["one", "eins"])
    book.active.append(["two", "zwei drei"])
    book.save(tmp_path / "a.xlsx")
    content = (tmp_path / "a.xlsx").read_bytes()
    found = copied(content, "a.xlsx", columns={"source": "1", "target": "2"}, has_header=False)
    sheet = openpyxl.load_workbook(io.BytesIO(found.content)).active
    assert [[cell.value for cell in row] for row in sheet.rows] == [["one", "eins", 0.1], ["two", "zwei drei", 0.2]]


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"found no workbook, or a damaged one \(BadZipFile: File is not"):
        copied(b"hello", "a.xlsx")
    content = workbook(tmp_path / "a.xlsx", [["sorce", "target"], ["a", "b"]])
    with pytest.raises(DataError, match=r"found no column 'source'; .* No sheet has the columns: Notes, Segments\."):
        copied(content, "a.xlsx")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for part, text in parts(workbook(tmp_path / "a.xlsx", ROWS)).items():
            bomb = b'<!DOCTYPE x [<!ENTITY a "ha">]>' if part.endswith("styles.xml") else b""
            archive.writestr(part, bomb + text)
    with pytest.raises(DataError, match=r"found a document type in xl/styles\.xml; expected none"):
        copied(out.getvalue(), "a.xlsx")

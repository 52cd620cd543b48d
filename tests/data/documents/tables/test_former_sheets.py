"""Workbooks that were scored before: new cells take the place of the former ones, and those of people stay."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.styles import Font
from openpyxl.worksheet.table import Table

from kiwi.exceptions import DataError
from tests.data.documents.tables.test_former import COMMON, DA, scored

FORMER = [DA, "flags"]


def workbook(path: Path, rows: list[list[Any]], **cells: Any) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for name, value in cells.items():
        book.active[name] = value
    book.save(path)
    return path.read_bytes()


def sheet(content: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content)).active


def values(content: bytes) -> list[list[Any]]:
    return [list(row) for row in sheet(content).iter_rows(values_only=True)]


def xml(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read("xl/worksheets/sheet1.xml").decode()


def with_xml(content: bytes, text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(out, "w") as copy:
        for name in archive.namelist():
            copy.writestr(name, text if name == "xl/worksheets/sheet1.xml" else archive.read(name))
    return out.getvalue()


ROWS = [["source", "target"], ["a", "b"], [None, None], ["c", None], ["d", "e"]]


@pytest.mark.parametrize("added", [FORMER, [DA], [COMMON, "flags", "decision", "decision_reason"]])
def test_the_last_columns(added: list[str], tmp_path: Path) -> None:
    content = workbook(tmp_path / "a.xlsx", ROWS)
    before = scored(content, "a.xlsx", FORMER, 0.5)
    after, once = scored(before, "a.xlsx", added), scored(content, "a.xlsx", added)
    assert re.sub("<dimension[^>]*>", "", xml(after)) == re.sub("<dimension[^>]*>", "", xml(once))
    # As another program saves it: texts are shared, and the columns are the last ones still.
    openpyxl.load_workbook(io.BytesIO(before)).save(tmp_path / "b.xlsx")
    after = scored((tmp_path / "b.xlsx").read_bytes(), "b.xlsx", added)
    assert [row[: len(added) + 2] for row in values(after)] == values(once)


MIDDLE = [
    ["source", "target", DA, "flags", "note", "length"],
    ["a", "b", 0.5, "tags", "c", "=LEN(B2)"],
    ["d", "e", None, None, "f", None],
    [None, None, "=AVERAGE(C2:C3)", None, "mean", None],
    ["g", "h"],
]


def test_columns_with_others_behind(tmp_path: Path) -> None:
    content = workbook(tmp_path / "a.xlsx", MIDDLE)
    content = with_xml(content, xml(content).replace('<row r="2"', '<row r="2" spans="1:6"'))
    found = scored(content, "a.xlsx", [COMMON])
    assert '<row r="2" spans="1:6">' in xml(found)
    assert values(found) == [
        ["source", "target", COMMON, None, "note", "length"],
        ["a", "b", 0.25, None, "c", "=LEN(B2)"],
        ["d", "e", 0.25, None, "f", None],
        [None, None, "=AVERAGE(C2:C3)", None, "mean", None],
        ["g", "h", 0.25, None, None, None],
    ]
    streamed = openpyxl.load_workbook(io.BytesIO(found), read_only=True).active
    assert [row[2] for row in streamed.iter_rows(values_only=True)] == [COMMON, 0.25, 0.25, "=AVERAGE(C2:C3)", 0.25]
    # More columns than there is room for are behind all others.
    assert values(scored(content, "a.xlsx", [DA, "flags", "decision"])) == [
        ["source", "target", None, None, "note", "length", DA, "flags", "decision"],
        ["a", "b", None, None, "c", "=LEN(B2)", 0.25, "OK BAD", "OK"],
        ["d", "e", None, None, "f", None, 0.25, "OK BAD", "OK"],
        [None, None, "=AVERAGE(C2:C3)", None, "mean", None, None, None, None],
        ["g", "h", None, None, None, None, 0.25, "OK BAD", "OK"],
    ]


def test_columns_of_two_systems(tmp_path: Path) -> None:
    content = workbook(tmp_path / "a.xlsx", [[DA, "source", "target", COMMON, "flags"], [0.5, "a", "b", 50, "tags"]])
    assert values(scored(content, "a.xlsx", [DA])) == [[DA, "source", "target"], [0.25, "a", "b"]]
    assert values(scored(content, "a.xlsx", [DA, "flags", "decision"])) == [
        [None, "source", "target", DA, "flags", "decision"],
        [None, "a", "b", 0.25, "OK BAD", "OK"],
    ]


def test_formats_stay(tmp_path: Path) -> None:
    rows = [["source", "target", DA, "flags"], ["a", "b", 0.5, "tags"], ["a", "b", 1, ""]]
    book = openpyxl.load_workbook(io.BytesIO(workbook(tmp_path / "a.xlsx", rows)))
    for name in ("C1", "C2", "D2", "C3"):
        book.active[name].font = Font(bold=True)
    book.save(tmp_path / "b.xlsx")
    content = (tmp_path / "b.xlsx").read_bytes()
    content = with_xml(content, xml(content).replace(f"<t>{DA}</t>", f"<r><t>{DA}</t></r>"))
    copy = scored(content, "b.xlsx", [DA, "flags"], float("nan"))
    found = sheet(copy)
    cells = [found[name] for name in ("C1", "D1", "C2", "D2", "C3", "D3")]
    assert [cell.value for cell in cells] == [DA, "flags", None, "OK BAD", None, "OK BAD"]
    assert [bool(cell.font.bold) for cell in cells] == [True, False, True, True, True, False]
    (heading,) = re.findall('<c r="C1".*?</c>', xml(content))
    assert heading in xml(copy)


def test_cells_without_names(tmp_path: Path) -> None:
    """Cells may say neither their names nor anything else, and their elements may have a prefix."""
    content = workbook(tmp_path / "a.xlsx", MIDDLE[:2])
    (rows,) = re.findall("<sheetData>.*</sheetData>", xml(content))
    rows = re.sub(r' r="[A-Z]\d"', "", re.sub("<(/?)", r"<\1x:", rows))
    start = '<x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    content = with_xml(content, f"{start}{rows}</x:worksheet>")
    for added, kept in (([COMMON], [None]), ([COMMON, "flags"], ["OK BAD"])):
        found = scored(content, "a.xlsx", added)
        assert values(found)[1] == ["a", "b", 0.25, *kept, "c", "=LEN(B2)"]


def test_formulas_in_their_place(tmp_path: Path) -> None:
    content = workbook(tmp_path / "a.xlsx", MIDDLE, D3="=UPPER(A3)")
    with pytest.raises(DataError, match=r"a\.xlsx, line 3: found a formula in D3, a column of an earlier run; exp"):
        scored(content, "a.xlsx", [COMMON])


def test_tables_of_excel(tmp_path: Path) -> None:
    workbook(tmp_path / "a.xlsx", MIDDLE)
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    book.active.add_table(Table(displayName="Segments", ref="A1:F3"))
    book.save(tmp_path / "a.xlsx")
    content = (tmp_path / "a.xlsx").read_bytes()
    assert values(scored(content, "a.xlsx", [DA, "flags"]))[1][:4] == ["a", "b", 0.25, "OK BAD"]
    for added, column in (([COMMON, "flags"], DA), ([DA], "flags"), ([DA, "flags", "decision"], DA)):
        with pytest.raises(DataError) as error:
            scored(content, "a.xlsx", added)
        assert f"line 1: found a table of Excel with the column '{column}' of an earlier run" in str(error.value)


def test_what_is_refused(tmp_path: Path) -> None:
    content = workbook(tmp_path / "a.xlsx", [["flags", "source", "target"], ["mine", "a", "b"]])
    with pytest.raises(DataError, match=r"a\.xlsx, line 1: found a column 'flags' already"):
        scored(content, "a.xlsx", [DA, "flags"])

from __future__ import annotations

import gzip
import json
import math
import re
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from kiwi.data.files.parquet import check_table_format
from kiwi.data.files.table_writers import write_table
from kiwi.data.files.tables import read_table, stream_rows
from kiwi.exceptions import DataError, MissingColumnError

SUFFIXES = [".tsv", ".jsonl", ".parquet"]

COLUMNS = {"source": "src", "target": "mt", "target_tags": "tags", "sentence_scores": "score"}

CELLS: dict[str, list[Any]] = {
    "src": ["the house", "a \u2028 \"quoted\" 'word'", ""],
    "mt": ["das Haus", "ein Wort", "10\u00a0000"],
    "tags": [["OK", "BAD"], ["OK", "OK"], []],
    "score": [0.5, 1.0, -1e-07],
    "more": [1, 2, 3],
}

STRINGS = {
    "source": CELLS["src"],
    "target": CELLS["mt"],
    "target_tags": ["OK BAD", "OK OK", ""],
    "sentence_scores": ["0.5", "1.0", "-1e-07"],
}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_tables_come_back_as_lines(suffix: str, tmp_path: Path) -> None:
    write_table(tmp_path / f"table{suffix}", [CELLS])
    assert read_table(tmp_path / f"table{suffix}", COLUMNS) == STRINGS
    assert [path.name for path in tmp_path.iterdir()] == [f"table{suffix}"]


def test_comma_separated_values_are_quoted_as_in_rfc_4180(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(
        b'\xef\xbb\xbfsrc,comment,mt\r\n"one, two","two\r\nlines","say ""hi"""\r\nthree,,\xe2\x80\xa8four\r\n'
    )
    assert list(stream_rows(path, {"source": "src", "target": "mt"}, 9)) == [
        ([2, 4], {"source": ["one, two", "three"], "target": ['say "hi"', "\u2028four"]})
    ]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("a,b\n1\n", 2, "found 1 columns; expected 2, as in the first line"),
        ('a,b\n1,"2\n3\n', 2, "found invalid CSV (unexpected end of data); expected separated values"),
        ('a,b\n1,2\n"1"2,3\n', 3, "found invalid CSV"),
        ("b,c\n1,2\n", 1, "found no column 'a'"),
        ('a,b\n"one\ntwo",2\n', 2, "found a line end in the text in column 'a'"),
    ],
)
def test_invalid_comma_separated_values(content: str, line: int, message: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=re.escape(f"table.csv, line {line}: ") + ".*" + re.escape(message)):
        read_table(path, {"source": "a"})


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("columns", [{"source": "src", "target": "mt"}, {"source": "2", "target": "3"}])
def test_other_delimiters(delimiter: str, columns: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    lines = ["", "id,src,mt", '1,"a; b",c', "", '2,d,"e|\tf"', "3,h,\xff", ""]
    content = "\n".join(line.replace(",", delimiter) for line in lines)
    path.write_bytes(content.encode("latin-1"))
    noted: list[tuple[int, str, str]] = []
    rows = list(stream_rows(path, columns, 9, note=lambda *error: noted.append((error[0], str(error[1]), error[2]))))
    assert rows == [([3, 5, 6], {"source": ["a; b", "d", ""], "target": ["c", "e|\tf", ""]})]
    ((line, error, row),) = noted
    assert (line, row) == (6, delimiter.join(["3", "h", "\\xff"]))
    assert "byte 0xff" in error
    path.write_text(content.partition("3")[0] + delimiter.join("abcd"))
    with pytest.raises(DataError, match="line 6: found 4 columns; expected 3, as in the first line"):
        read_table(path, columns)


def test_a_name_that_is_wrong_is_the_one_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("id;en;mt;pe\n1;a;b;c\n")
    with pytest.raises(MissingColumnError, match=r"line 1: found no column 'nope'; .* Did you mean 'pe'\?"):
        read_table(path, {"source": "en", "target": "mt", "post_edit": "nope"})


@pytest.mark.parametrize("name", ["table.tsv", "table.csv"])
def test_tables_without_a_header(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(
        "1;Close, please;zu\n2;b;\xff\n".replace(";", "\t" if name == "table.tsv" else ";").encode("latin-1")
    )
    columns = {"source": "2", "target": "3"}
    noted: list[int] = []
    rows = list(stream_rows(path, columns, 9, note=lambda *error: noted.append(error[0]), has_header=False))
    assert rows == [([1, 2], {"source": ["Close, please", ""], "target": ["zu", ""]})]
    assert noted == [2]
    with pytest.raises(DataError, match="line 1: found the column '4'; expected a number from 1 to 3"):
        list(stream_rows(path, {"source": "4"}, 9, has_header=False))
    with pytest.raises(DataError, match=r"line 1: found the column 'a' for a; .* Give --columns source=1,target=2"):
        list(stream_rows(path, {"source": "a"}, 9, has_header=False))
    with pytest.raises(DataError, match=r"found the suffix '\.jsonl'; expected the suffix of a table: \.tsv, \.csv"):
        list(stream_rows(tmp_path / "a.jsonl", columns, 9, has_header=False))


@pytest.mark.parametrize("name", ["table.tsv", "table.csv"])
def test_a_first_line_that_is_not_text(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"a\xff\tb\nc\td\n")
    with pytest.raises(DataError, match="line 1: found byte 0xff"):
        list(stream_rows(path, {"source": "1", "target": "2"}, 9, note=lambda *_: None))
    noted: list[int] = []
    rows = list(stream_rows(path, {"a": "1", "b": "2"}, 9, note=lambda n, *_: noted.append(n), has_header=False))
    assert (rows, noted) == ([([1, 2], {"a": ["", "c"], "b": ["", "d"]})], [1])


def test_blank_lines_only(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n\n")
    with pytest.raises(DataError, match="found no line"):
        read_table(tmp_path / "a.csv", {"source": "a"})


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_score_that_is_missing(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"table{suffix}"
    write_table(path, [{"score": [0.5, math.nan]}])
    assert read_table(path, {"sentence_scores": "score"}, nullable=["sentence_scores"]) == {
        "sentence_scores": ["0.5", "nan"]
    }
    if suffix != ".tsv":
        with pytest.raises(DataError, match=re.escape(f"{path}, line 2: found null in column 'score'; expected text")):
            read_table(path, {"sentence_scores": "score"})


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\t\r\n\ufeff\0"))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(TEXTS, NUMBERS, st.lists(NUMBERS, max_size=3)), min_size=1))
def test_anything_comes_back(suffix: str, tmp_path: Path, rows: list[tuple[str, float, list[float]]]) -> None:
    texts, numbers, lists = map(list, zip(*rows, strict=True))
    write_table(tmp_path / f"table{suffix}", [{"text": texts, "number": numbers, "list": lists}])
    found = read_table(tmp_path / f"table{suffix}", {"a": "text", "b": "number", "c": "list"})
    assert found["a"] == texts
    assert [float(text) for text in found["b"]] == numbers
    assert [[float(item) for item in text.split()] for text in found["c"]] == lists


def test_lists_and_spaces_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    path.write_text('{"tags": "OK BAD", "p": [0.25, 1, "0.5"]}\n{"tags": ["OK"], "p": 3, "other": null}\n')
    assert read_table(path, {"t": "tags", "p": "p"}) == {"t": ["OK BAD", "OK"], "p": ["0.25 1 0.5", "3"]}


def test_parquet_of_other_types(tmp_path: Path) -> None:
    path = tmp_path / "table.PARQUET"
    table = pyarrow.table(
        {
            "text": pyarrow.array(["a", "b", "a"]).dictionary_encode(),
            "score": pyarrow.array([0.5, 0.25, 2.0], pyarrow.float32()),
            "n.m": pyarrow.array([1, 2, 3], pyarrow.int8()),
            "tags": pyarrow.array([["OK"], ["BAD", "OK"], []], pyarrow.large_list(pyarrow.large_string())),
            "other": pyarrow.array([None, None, True]),
        }
    )
    pyarrow.parquet.write_table(table, path)
    found = read_table(path, {"a": "text", "b": "score", "c": "n.m", "d": "tags"})
    assert found == {"a": ["a", "b", "a"], "b": ["0.5", "0.25", "2.0"], "c": ["1", "2", "3"], "d": ["OK", "BAD OK", ""]}
    with pytest.raises(DataError, match=re.escape(f"{path}, line 3: found True, of type bool, in column 'other'")):
        read_table(path, {"a": "other"}, nullable=["a"])


@pytest.mark.parametrize(
    ("suffix", "content", "line", "message"),
    [
        (".tsv", "src\tmt\na\n", 2, "found 1 columns; expected 2, as in the first line"),
        (".tsv", "src\ttarget\na\tb\n", 1, "found no column 'mt'; expected one. Known: src, target"),
        (".tsv", "src\tmts\na\tb\n", 1, "found no column 'mt'; expected one. Did you mean 'mts'?"),
        (".tsv", "src\tmt\tmt\na\tb\tc\n", 1, "found several columns 'mt'; expected one"),
        (".tsv", "src\tmt\n", None, "found no row; expected one segment per row"),
        (".tsv", "", None, "found no line"),
        (".tsv", b"src\tmt\na\t\xff\n", 2, "found byte 0xff at position 3; expected UTF-8"),
        (".jsonl", '{"src": "a", "mt": "b"}\n{"src": "a"}\n', 2, "found no column 'mt'; expected one. Known: src"),
        (
            ".jsonl",
            '{"src": "a", "mt": "b"}\n{"src"\n',
            2,
            "found invalid JSON (Expecting ':' delimiter); expected one",
        ),
        (".jsonl", "[1]\n", 1, "found [1]; expected a JSON object"),
        (".jsonl", "[" * 100_000 + "\n", 1, "found invalid JSON"),
        (".jsonl", '{"src": "a", "mt": ' + "1" * 5000 + "}\n", 1, "found invalid JSON"),
        (".jsonl", '{"src": "a", "mt": null}\n', 1, "found null in column 'mt'; expected text, a number, or a list"),
        (".jsonl", '{"src": "a", "mt": true}\n', 1, "found True, of type bool, in column 'mt'"),
        (".jsonl", '{"src": "a", "mt": NaN}\n', 1, "found nan in column 'mt'; expected text"),
        (".jsonl", '{"src": 1e999, "mt": "a"}\n', 1, "found inf in column 'src'; expected text"),
        (".jsonl", '{"src": "a", "mt": {"b": 1}}\n', 1, "found {'b': 1}, of type dict, in column 'mt'"),
        (".jsonl", '{"src": "a", "mt": [["b"]]}\n', 1, "found [['b']], of type list, in column 'mt'"),
        (".jsonl", '{"src": "a", "mt": ["b c"]}\n', 1, "found ['b c'], of type list, in column 'mt'"),
        (".jsonl", '{"src": "a", "mt": [""]}\n', 1, "found [''], of type list, in column 'mt'"),
        (".jsonl", '{"src": "a", "mt": [null]}\n', 1, "found [None], of type list, in column 'mt'"),
        (".jsonl", '{"src": "a", "mt": "b\\nc"}\n', 1, "found a line end in the text in column 'mt'"),
        (".parquet", "PAR1 but no more", None, "cannot be read as Parquet, after row 0"),
        (
            ".xlsx",
            "src,mt\na,b\n",
            None,
            "found the suffix '.xlsx'; expected the suffix of a table: .tsv, .csv, .jsonl, .parquet",
        ),
    ],
)
def test_tables_that_are_refused(
    suffix: str, content: str | bytes, line: int | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / f"table{suffix}"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError) as error:
        read_table(path, {"source": "src", "target": "mt"})
    place = f"{path}: " if line is None else f"{path}, line {line}: "
    assert str(error.value).startswith(place + message)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_file(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape(str(tmp_path / f"table{suffix}"))):
        read_table(tmp_path / f"table{suffix}", {"a": "a"})


def test_a_parquet_column_that_is_not_there(tmp_path: Path) -> None:
    write_table(tmp_path / "table.parquet", [{"score": [1.0]}])
    with pytest.raises(
        DataError, match=re.escape("table.parquet: found no column 'scores'; expected one. Did you mean")
    ):
        read_table(tmp_path / "table.parquet", {"a": "scores"})


def test_damage_within_parquet(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, [{"text": [f"some text {index}" for index in range(1000)]}])
    content = bytearray(path.read_bytes())
    content[4:2000] = bytes(1996)
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"{path}: cannot be read as Parquet")):
        read_table(path, {"a": "text"})


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("a.tsv", {"a": ["x"], "b": []}, "Columns of different length: a has 1, b has 0 cells"),
        (
            "a.tsv",
            {"a": ["x", "y\tz"]},
            "a.tsv: found a tab or line end in column 'a' of segment 2; expected none in TSV",
        ),
        ("a.txt", {"a": ["x"]}, "found the suffix '.txt'"),
    ],
)
def test_tables_that_are_not_written(name: str, columns: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        write_table(tmp_path / name, [columns])
    assert list(tmp_path.iterdir()) == []


def test_jsonl_is_json(tmp_path: Path) -> None:
    write_table(tmp_path / "a.jsonl", [{"t": ["ä"], "p": [[0.5, 1.0]], "s": [math.nan]}])
    content = (tmp_path / "a.jsonl").read_text(encoding="utf-8")
    assert content == '{"t": "ä", "p": [0.5, 1.0], "s": null}\n'
    assert json.loads(content) == {"t": "ä", "p": [0.5, 1.0], "s": None}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_a_format_needs_is_here(suffix: str) -> None:
    check_table_format(suffix)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_compressed_tables(suffix: str, tmp_path: Path) -> None:
    write_table(tmp_path / f"table{suffix}", [CELLS])
    path = tmp_path / f"table{suffix}.gz"
    path.write_bytes(gzip.compress((tmp_path / f"table{suffix}").read_bytes()))
    assert read_table(path, COLUMNS) == STRINGS
    with pytest.raises(DataError, match="found the suffix"):
        write_table(path, [CELLS])


def test_bytes_in_a_column_of_parquet(tmp_path: Path) -> None:
    bad = pyarrow.array([b"a", None, b"b\xff", b"c"])
    texts = pyarrow.Array.from_buffers(pyarrow.string(), len(bad), bad.buffers())
    lists = pyarrow.ListArray.from_arrays(pyarrow.array([0, 1, 1, 3, 4], pyarrow.int32()), texts)
    pyarrow.parquet.write_table(pyarrow.table({"text": texts, "list": lists}), tmp_path / "table.parquet")
    for name in ("text", "list"):
        with pytest.raises(DataError, match=f"table.parquet, line 3: found bytes in column '{name}'; expected UTF-8"):
            read_table(tmp_path / "table.parquet", {"source": name}, nullable=["source"])


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_cells_as_in_files_of_lines(suffix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / f"table{suffix}"
    write_table(path, [{"text": ["\ufeffa b\r", "c\r\r", "d"]}])
    assert read_table(path, {"source": "text"}) == {"source": ["a b", "c", "d"]}
    assert caplog.messages == [f"{path}, line 1: dropped a byte order mark at the start of column 'text'."]
    write_table(path, [{"text": ["a", "b\0c"]}])
    with pytest.raises(DataError, match=re.escape(f"{path}, line 2: found a NUL character in column 'text'")):
        read_table(path, {"source": "text"})


def test_a_damaged_line_of_csv_costs_its_row_alone(tmp_path: Path) -> None:
    path, noted = tmp_path / "table.csv", {}
    path.write_bytes(b'src,mt\na,A\n"b\n\xff","B"\nc,C\xfe\n"d",D\n')
    rows = stream_rows(
        path, {"source": "src"}, 10, note=lambda number, error, row: noted.update({number: error.reason})
    )
    assert list(rows) == [([2, 3, 5, 6], {"source": ["a", "", "", "d"]})]
    assert list(noted) == [3, 5]
    assert noted[3].startswith("found byte 0xff")
    assert noted[5].startswith("found byte 0xfe")
    with pytest.raises(DataError, match=r"table\.csv, line 4: found byte 0xff"):
        read_table(path, {"source": "src"})

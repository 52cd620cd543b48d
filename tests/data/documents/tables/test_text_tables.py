"""Tables: everything but the added columns stays as it was."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from kiwi.data.documents.formats import HowToRead, require_format
from kiwi.exceptions import DataError
from tests.documents import copied

CSV = (
    'id{d}source{d}"target"{d} note\n'
    '1{d}"Close, ""it""; now|\n\tplease"{d}Schließen Sie{d} \n'
    "\n"
    '2{d}one{d}"eins, zwei;\r\ndrei|\tvier"{d}"a ""quote"""\n'
    "3{d}two\u2028lines{d}zwei{d}"
)


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv(delimiter: str, line_end: str, mark: str, end: str) -> None:
    content = (mark + CSV.format(d=delimiter) + end).replace("\r\n", "\n").replace("\n", line_end)
    found = copied(content, "a.csv", size=2)
    assert found.pairs == [
        ('Close, "it"; now| please', "Schließen Sie"),
        ("one", "eins, zwei; drei| vier"),
        ("two\u2028lines", "zwei"),
    ]
    assert [segment.line for segment in found.segments] == [2, 5, 7]
    before = list(csv.reader(io.StringIO(content, newline=""), delimiter=delimiter))
    after = list(csv.reader(io.StringIO(found.content.decode(), newline=""), delimiter=delimiter))
    added = iter(["sentence_scores", "0.2", "0.4", "0.1"])
    assert after == [[*row, next(added)] if row else row for row in before]
    restored = found.content.decode()
    for score in ("sentence_scores", "0.2", "0.4", "0.1"):
        restored = restored.replace(delimiter + score, "", 1)
    assert restored == content


@pytest.mark.parametrize(("suffix", "delimiter"), [("csv", ","), ("csv", ";"), ("tsv", "\t")])
def test_scores_of_short_rows_stand_in_their_columns(suffix: str, delimiter: str) -> None:
    content = "id,source,target\n1,a,b\n2\n3,a\n4,c,d\n".replace(",", delimiter)
    found = copied(content, f"a.{suffix}").content.decode()
    rows = [line.split(delimiter) for line in found.splitlines()]
    assert [row[:3] for row in rows[1:]] == [["1", "a", "b"], ["2", "", ""], ["3", "a", ""], ["4", "c", "d"]]
    assert {len(row) for row in rows} == {4}
    assert copied(found, f"a.{suffix}").content.decode() == found


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_added_cells_are_quoted_where_they_need_it(delimiter: str) -> None:
    content = "source,target\na,b\n".replace(",", delimiter)
    names = ["score (da, higher is better)", 'say; "no"']
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_text(content)
        copy = io.BytesIO()
        require_format(path).copy(path, copy, HowToRead(), lambda some: [dict.fromkeys(names, names[1])] * len(some), 9)
    rows = list(csv.reader(io.StringIO(copy.getvalue().decode()), delimiter=delimiter, strict=True))
    assert rows == [["source", "target", *names], ["a", "b", names[1], names[1]]]
    assert ('"score (da' in copy.getvalue().decode()) == (delimiter == ",")


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_tsv(line_end: str) -> None:
    content = 'source\tid\ttarget\n"one\t1\teins "zwei\n\ntwo\t2\tzwei\n'.replace("\n", line_end)
    expected = content.replace("target", "target\tsentence_scores").replace('"zwei', '"zwei\t0.2')
    assert copied(content, "a.tsv").text == expected.replace("2\tzwei", "2\tzwei\t0.1")


@pytest.mark.parametrize(
    ("header", "columns"),
    [("a,b,c\n", {"source": "b", "target": "3"}), ("", {"source": "2", "target": "3"})],
)
def test_numbered_columns(header: str, columns: dict[str, str]) -> None:
    found = copied(f"{header}1,one,eins\n2,two,zwei drei\n", "a.csv", columns=columns, has_header=bool(header))
    assert found.pairs == [("one", "eins"), ("two", "zwei drei")]
    assert (
        found.text == f"{header and 'a,b,c,sentence_scores'}{header and chr(10)}1,one,eins,0.1\n2,two,zwei drei,0.2\n"
    )


LINES = """{"id": 1, "source": "one",  "target": "eins zwei" }
{"source":"two","target":"zwei","more":{"a":[1.50,null,"ä\\u00fc"]}}\t\r

{"target": ["drei", "vier", "fünf"], "source": "a\\nb"}"""


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_json_lines(mark: str) -> None:
    found = copied(mark + LINES, "a.jsonl", size=2)
    assert found.text == mark + LINES.replace('zwei" }', 'zwei", "sentence_scores": 0.2 }').replace(
        "]}}", ']}, "sentence_scores": 0.1}'
    ).replace('b"}', 'b", "sentence_scores": 0.3}')
    assert found.pairs == [("one", "eins zwei"), ("two", "zwei"), ("a b", "drei vier fünf")]
    assert [segment.line for segment in found.segments] == [1, 2, 4]


@pytest.mark.parametrize("filling", ["", "x" * 2**17])
@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_json_array(line_end: str, indent: Any, filling: str) -> None:
    rows = [
        {"source": "one", "target": "eins 😀", "more": {"a": [1, {}], "b": "]}"}},
        {"target": "zwei drei vier", "source": "two" + filling, "id": 1.0},
    ]
    content = json.dumps(rows, indent=indent, ensure_ascii=False).replace("\n", line_end) + line_end
    found = copied(content, "a.json", size=1)
    for row, score in zip(rows, (0.2, 0.3), strict=True):
        row["sentence_scores"] = score
    assert found.text == json.dumps(rows, indent=indent, ensure_ascii=False).replace("\n", line_end) + line_end
    assert copied("\ufeff" + content, "a.json").text == "\ufeff" + found.text


def test_a_segment_without_a_score() -> None:
    assert copied("source,target\na,NOSCORE\n", "a.csv").text == "source,target,sentence_scores\na,NOSCORE,nan\n"
    assert copied('{"source": "a", "target": "NOSCORE"}', "a.jsonl").text.endswith('"sentence_scores": null}')


def test_nan_is_no_text() -> None:
    (segment,) = copied('{"source": "a", "target": NaN}', "a.jsonl").segments
    assert "a.jsonl, line 1: found nan in column 'target'; expected text" in str(segment.error)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            "sorce,target\na,b\n",
            "a.csv, line 1: found no column 'source'; expected one. Did you mean 'sorce'?",
        ),
        (
            "a.csv",
            "source;mt;a (b, c)\na;b;c\n",
            "line 1: found no column 'target'; expected one. Known: a (b, c), mt, source",
        ),
        ("a.csv", "source,target,target\na,b,c\n", "line 1: found several columns 'target'; expected one"),
        ("a.csv", 'source,target\na,"b" c\n', "line 2: found invalid CSV ("),
        ("a.csv", 'source,target\na,"b\n', "line 2: found invalid CSV (unexpected end of data)"),
        ("a.jsonl", 'no object\n{"source": "a", "mt": "b"}', "a.jsonl, line 2: found no column 'target'"),
        ("a.json", '[{"source": "a", "mt": "b"}]', "a.json, line 1: found no column 'target'"),
        ("a.json", '{"source": "a"}', "line 1: found no '['; expected an array of objects"),
        ("a.json", '[\n{"source": "a", "target": }]', "line 2: found invalid JSON (Expecting value); expected an obj"),
        ("a.json", '[\n{"source": "a", "target": "b"}\n{}]', "line 3: found neither ',' nor ']' after an object"),
        ("a.json", '[\n{"source": "a", "target": "b"},]', "line 2: found a comma before ']'"),
        ("a.json", '[{"source": "a", "target": "b"}', "line 1: found neither ',' nor ']' after an object"),
        ("a.json", "[\n1]", "line 2: found no '{'; expected an object"),
        ("a.json", "[]\n[]", "line 2: found text after the array; expected one array"),
        ("a.json", b'[\n{"source": "\xfc"}]', "line 2: found byte 0xfc; expected UTF-8"),
        ("a.json", '[{"source": ' + "[" * 100_000, "line 1: found invalid JSON ("),
        ("a.tsv", "source\ttarget\n".encode("utf-16"), "a.tsv: found UTF-16 (by its byte order mark)"),
        ("a.json", "[]".encode("utf-16"), "a.json: found UTF-16 (by its byte order mark)"),
    ],
)
def test_what_is_refused(name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError) as error:
        copied(content, name)
    assert message in str(error.value)


def test_numbers_that_are_no_columns() -> None:
    with pytest.raises(DataError, match=r"line 1: found the column '3' for target; expected a number from 1 to 2"):
        copied("a,b\nc,d\n", "a.csv", columns={"source": "1", "target": "3"})
    with pytest.raises(DataError, match=r"found the column 'source' for source; .* Give --columns source=1,target=2"):
        copied("a,b\nc,d\n", "a.csv", has_header=False)


@pytest.mark.parametrize(
    ("name", "content", "line", "message"),
    [
        ("a.csv", b"source,target\na,b\na\na,c\n", 3, "found 1 columns; expected 2, as in the first line"),
        ("a.csv", b"source,target\na,b\na,\xfc\na,c\n", 3, "found bytes that are not UTF-8; expected UTF-8"),
        ("a.tsv", b"source\ttarget\na\tb\na\t\xfc\na\tc\n", 3, "found bytes that are not UTF-8; expected UTF-8"),
        (
            "a.jsonl",
            b'{"source": "a", "target": "b"}\nhello\n{"source": "a", "target": "b"}\n',
            2,
            "found invalid JSON",
        ),
        ("a.jsonl", b'{"source": "a", "target": "b"}\n{"source": 1}\n{"source": "a", "target": "b"}\n', 2, "no column"),
        ("a.jsonl", b'{"source": "a", "target": "b"}\n"\xfc"\n{"source": "a", "target": "b"}\n', 2, "byte 0xfc at pos"),
        (
            "a.json",
            b'[{"source": "a", "target": "b"},\n{"source": true}, {"source": "a", "target": "b"}]',
            2,
            "no column",
        ),
    ],
)
def test_bad_rows_keep_their_place(name: str, content: bytes, line: int, message: str) -> None:
    found = copied(content, name)
    first, bad, last = found.segments
    assert first.error is None
    assert last.error is None
    assert bad.error is not None
    assert (bad.line, bad.error.line) == (line, line)
    assert message in str(bad.error)
    assert len(found.content.splitlines()) == len(content.splitlines())


@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800"])
def test_objects_with_what_is_no_text_get_all_columns(escape: str) -> None:
    rows = [f'{{"source": "a", "target": "b{end}"}}' for end in ("", escape)]
    for name, content in (("a.jsonl", "\n".join(rows)), ("a.json", f"[{rows[0]},\n{rows[1]}]")):
        found = copied(content, name)
        good, bad = found.segments
        assert (good.error, bad.error is None) == (None, False)
        assert found.content.count(b"sentence_scores") == 2

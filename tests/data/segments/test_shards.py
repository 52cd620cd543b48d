from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kiwi.data.files.table_writers import json_line
from kiwi.data.segments import shards
from kiwi.data.segments.shard_writers import JsonlWriter, ParquetWriter, output_type
from kiwi.data.segments.shards import Chunk, Format, Shard
from kiwi.exceptions import DataError
from kiwi.utils.places import Place

NAMES = {"source": "src", "target": "mt", "alignments": "alignments"}


def shard(path: Path, kind: Format, names: Mapping[str, str] = NAMES) -> Shard:
    return Shard(Place.of(str(path)), kind, names, frozenset({"sentence_scores"}))


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def whole(found: Shard, rows: int = 100) -> Chunk:
    (chunk,) = found.chunks(rows)
    return chunk


GOOD = {"id": 7, "src": "a b", "mt": "x y", "alignments": "0-0"}


def test_json_lines(tmp_path: Path) -> None:
    rows = [GOOD, GOOD | {"id": None, "src": ["a", "b"], "more": {"deep": [1, 2.5]}}, GOOD | {"src": "", "mt": " "}]
    rows[2]["alignments"] = ""
    found = whole(shard(written(tmp_path / "a.jsonl", "\ufeff" + "\r\n".join(map(json.dumps, rows))), "jsonl"))
    assert found.columns == {
        "source": ["a b", "a b", ""],
        "target": ["x y", "x y", " "],
        "alignments": ["0-0"] * 2 + [""],
    }
    assert found.rows == rows
    assert found.rejects == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "found invalid JSON (Expecting value); expected one object per line."),
        ('{"src": ', "found invalid JSON (Expecting value)"),
        ("[1]", "found [1]; expected a JSON object"),
        ('{"src": "\\ud800", "mt": "x", "alignments": ""}', "found invalid JSON ("),
        ('{"src": "a", "mtt": "x", "alignments": ""}', "found no column 'mt'; expected one. Did you mean 'mtt'?"),
        ('{"src": null, "mt": "x", "alignments": ""}', "found null in column 'src'"),
        ('{"src": NaN, "mt": "x", "alignments": ""}', "found nan in column 'src'; expected text"),
        ('{"src": {"a": 1}, "mt": "x", "alignments": ""}', "found {'a': 1}, of type dict, in column 'src'"),
        ('{"src": true, "mt": "x", "alignments": ""}', "found True, of type bool, in column 'src'"),
        ('{"src": "a\\nb", "mt": "x", "alignments": ""}', "found a line end in the text in column 'src'"),
        ('{"src": "a", "mt": "", "alignments": ""}', "found an empty target; expected at least one word."),
        ('{"src": "a", "mt": "x", "alignments": "0-1"}', "found target index 1 in '0-1'; expected less than 1"),
        ('{"src": "a", "mt": "x", "alignments": "0"}', "found '0'; expected pairs like 0-0"),
        ('{"src": "a", "mt": "x", "alignments": "", "sentence_scores": 1}', "found a column 'sentence_scores'"),
        ("[" * 100_000, "found invalid JSON ("),
    ],
)
def test_bad_lines_of_json(tmp_path: Path, line: str, reason: str) -> None:
    good = json.dumps(GOOD)
    found = whole(shard(written(tmp_path / "a.jsonl", f"{good}\n{line}\n{good}\n"), "jsonl"))
    assert found.rows == [GOOD, GOOD]
    (reject,) = found.rejects
    assert (reject.line, reject.row) == (2, line)
    assert reject.reason.startswith(reason)


def test_tsv(tmp_path: Path) -> None:
    text = "mt\tsrc\tid\talignments\nx y\ta b\t007\t0-0\nx\ta\t1\n\nx\ta\t1\t\n"
    found = whole(shard(written(tmp_path / "a.tsv", text), "tsv"))
    assert found.rows == [
        {"mt": "x y", "src": "a b", "id": "007", "alignments": "0-0"},
        {"mt": "x", "src": "a", "id": "1", "alignments": ""},
    ]
    assert [(reject.line, reject.row) for reject in found.rejects] == [(3, "x\ta\t1"), (4, "")]
    assert "found 3 columns; expected 4, separated by tabs: mt, src, id, alignments" in found.rejects[0].reason


TWO = {"source": "source", "target": "target"}


def test_text(tmp_path: Path) -> None:
    content = "a b\tx y\n\t\na\tb\tc\ncaf\N{LATIN SMALL LETTER E WITH ACUTE}\tx\n".encode() + b"caf\xe9\tx\n"
    found = whole(shard(written(tmp_path / "a.txt", content), "text", TWO))
    assert [row["source"] for row in found.rows] == ["a b", "", "café"]
    assert [(reject.line, reject.row) for reject in found.rejects] == [(3, "a\tb\tc"), (5, "caf\\xe9\tx")]
    assert found.rejects[1].reason == "found byte 0xe9 at position 4; expected UTF-8."


@pytest.mark.parametrize("kind", ["jsonl", "tsv", "text"])
def test_a_file_without_a_line_has_no_rows(tmp_path: Path, kind: Format) -> None:
    one = shard(written(tmp_path / "a", ""), kind, TWO)
    one.check()
    assert list(one.chunks(2)) == []
    with (tmp_path / "out.parquet").open("wb") as file:
        ParquetWriter(file, one.schema(2), ["sentence_scores"]).close()
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0


def test_an_overlong_line_is_not_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "LONGEST_LINE", 40)
    content = "a\tx\n" + "w" * 41 + "\tx\n" + "v" * 38 + "\tx\n" + "z" * 39 + "\tx\r\n" + "u" * 500 + "\nb\ty"
    found = whole(shard(written(tmp_path / "a.txt", content), "text", TWO))
    assert [row["source"][:2] for row in found.rows] == ["a", "vv", "b"]
    assert [reject.line for reject in found.rejects] == [2, 4, 5]
    assert "found a line of more than 40 bytes" in found.rejects[0].reason


def test_compressed(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl.gz", gzip.compress((json.dumps(GOOD) + "\n").encode() * 3))
    assert whole(shard(path, "jsonl")).rows == [GOOD] * 3
    written(path, path.read_bytes()[:-12])
    with pytest.raises(DataError, match=r"a\.jsonl\.gz: cannot be read, after row 0"):
        list(shard(path, "jsonl").chunks(10))


def test_chunks_count_bad_rows_too(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", "a\tx\nbad\nb\ty\nc\tz\nbad\n")
    found = list(shard(path, "text", TWO).chunks(2))
    assert [len(chunk) for chunk in found] == [1, 2, 0]
    assert [[reject.line for reject in chunk.rejects] for chunk in found] == [[2], [], [5]]
    assert list(shard(written(path, ""), "text", TWO).chunks(2)) == []


def table() -> pa.Table:
    return pa.table(
        {
            "id": pa.array([1, 2, 3, 4], pa.uint64()),
            "src": pa.array(["a b", None, "c", "d"]).dictionary_encode(),
            "mt": pa.array(["x", "y", "", "z"], pa.large_string()),
            "alignments": [["0-0"], [], [], []],
            "day": pa.array([date(2020, 1, day) for day in (1, 2, 3, 4)]),
        }
    ).replace_schema_metadata({"made": "here"})


def test_parquet(tmp_path: Path) -> None:
    pq.write_table(table(), tmp_path / "a.parquet", row_group_size=3)
    one = shard(tmp_path / "a.parquet", "parquet")
    found = list(one.chunks(3))
    assert [chunk.columns["source"] for chunk in found] == [["a b"], ["d"]]
    rejects = [reject for chunk in found for reject in chunk.rejects]
    assert [(reject.line, reject.row["id"]) for reject in rejects] == [(2, 2), (3, 3)]
    with (tmp_path / "out.parquet").open("wb") as file:
        writer = ParquetWriter(file, one.schema(3), ["sentence_scores", "target_tags"])
        for chunk in found:
            writer.write(chunk, {"sentence_scores": [float("nan")], "target_tags": [[]]})
        writer.close()
    result = pq.read_table(tmp_path / "out.parquet")
    assert result.select(table().column_names).equals(table().take([0, 3]), check_metadata=False)
    assert result.schema.metadata[b"made"] == b"here"
    assert result.schema.field("sentence_scores").type == pa.float64()
    assert result["sentence_scores"].to_pylist() == [None, None]
    assert result.schema.field("target_tags").type == output_type("target_tags")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "\n", "a.tsv, line 1: found no column 'src'"),
        ("a.tsv", "src\tmt\n", "a.tsv, line 1: found no column 'alignments'"),
        ("a.tsv", b"src\tmt\xff\n", "a.tsv, line 1: found byte 0xff"),
        ("a.tsv", "src\tmt\talignments\tid\tid\n", "line 1: found several columns 'id'"),
        ("a.tsv", "src\tmt\talignments\tsentence_scores\n", "line 1: found a column 'sentence_scores'"),
        ("a.parquet", "no", "a.parquet: cannot be read as Parquet ("),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    kind: Format = "tsv" if name.endswith("tsv") else "parquet"
    with pytest.raises(DataError) as error:
        list(shard(written(tmp_path / name, content), kind).chunks(2))
    assert message in str(error.value)


def jsonl_to_parquet(path: Path, rows: list[dict[str, Any]]) -> pa.Table:
    one = shard(written(path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows)), "jsonl")
    with (path / "out.parquet").open("wb") as file:
        writer = ParquetWriter(file, one.schema(2), ["sentence_scores"])
        for chunk in one.chunks(2):
            writer.write(chunk, {"sentence_scores": [0.5] * len(chunk)})
        writer.close()
    return pq.read_table(path / "out.parquet")


def test_types_are_those_of_all_rows_of_json(tmp_path: Path) -> None:
    extras: list[dict[str, Any]] = [{}, {"n": None}, {"n": 1}, {"n": 2.5, "s": {"a": 1}}, {"s": {"b": "x"}}]
    found = jsonl_to_parquet(tmp_path, [GOOD | extra for extra in extras])
    assert found["n"].to_pylist() == [None, None, 1.0, 2.5, None]
    assert found["s"].to_pylist()[3:] == [{"a": 1, "b": None}, {"a": None, "b": "x"}]
    assert found["id"].to_pylist() == [7] * 5


@pytest.mark.parametrize("values", [(1, "x"), (1, 2**70), ([1], 2)])
def test_types_that_nothing_has_in_common(tmp_path: Path, values: tuple[Any, Any]) -> None:
    with pytest.raises(DataError, match=r"found rows without common types for Parquet .* bulk\.output_format=jsonl"):
        jsonl_to_parquet(tmp_path, [GOOD | {"n": value} for value in values])


def test_json_of_what_json_has_no_word_for(tmp_path: Path) -> None:
    row = {"day": date(2020, 1, 2), "raw": b"\xff", "nan": float("nan"), "deep": [{"x": float("inf")}], "é": "é"}
    assert json.loads(json_line(row)) == {
        "day": "2020-01-02",
        "raw": "/w==",
        "nan": None,
        "deep": [{"x": None}],
        "é": "é",
    }
    with (tmp_path / "out.jsonl").open("wb") as file:
        writer = JsonlWriter(file)
        writer.write(Chunk({"target": ["x"]}, [{"id": 1}]), {"sentence_scores": [float("nan")]})
        writer.close()
    assert (tmp_path / "out.jsonl").read_text() == '{"id": 1, "sentence_scores": null}\n'


def test_bytes_in_a_column_of_parquet_reject_the_row(tmp_path: Path) -> None:
    bad = pa.array([b"a", b"b\xff", b"c"])
    texts = pa.Array.from_buffers(pa.string(), len(bad), bad.buffers())
    pq.write_table(pa.table({"source": ["x"] * 3, "target": ["y"] * 3, "more": texts}), tmp_path / "a.parquet")
    found = whole(shard(tmp_path / "a.parquet", "parquet", TWO))
    assert found.columns["source"] == ["x", "x"]
    assert found.batch is not None
    assert found.batch.column("more").to_pylist() == ["a", "c"]
    (reject,) = found.rejects
    assert (reject.line, reject.reason) == (2, "found bytes in column 'more'; expected UTF-8.")
    assert reject.row == {"source": "x", "target": "y", "more": "b\\xff"}


def test_lines_are_those_of_other_readers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path / "a.txt", "a\tx\r\r\n\ufeffb\ty\nc\0\tz\nd\tw\n")
    found = whole(shard(path, "text", TWO))
    assert found.columns == {"source": ["a", "b", "d"], "target": ["x", "y", "w"]}
    assert [(reject.line, reject.reason) for reject in found.rejects] == [
        (3, "found a NUL byte at position 2; expected UTF-8.")
    ]
    assert caplog.messages[0].startswith(f"{path}, line 2: dropped a byte order mark")
    with pytest.raises(DataError, match="iconv -f UTF-16"):
        list(shard(written(path, "a\tb\n".encode("utf-16")), "text", TWO).chunks(2))


def test_a_bad_row_keeps_its_other_cells(tmp_path: Path) -> None:
    path = tmp_path / "shard.jsonl"
    path.write_text(
        '{"id": 7, "source": null, "target": "b"}\n{"id": 8, "source": "a", "binary": 1}\n', encoding="utf-8"
    )
    shard = Shard(Place.of(str(path)), "jsonl", {"source": "source", "target": "target"}, frozenset(["binary"]), "nan")
    (chunk,) = shard.chunks(10)
    assert chunk.rows == [{"id": 7, "target": "b"}, {"id": 8, "source": "a"}]
    assert chunk.columns == {"source": ["", ""], "target": ["", ""]}

"""Parquet: everything but the added columns stays as it was."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from kiwi.exceptions import DataError
from tests.documents import copied


def parquet(path: Path, columns: dict[str, Any], compression: str = "snappy", metadata: Any = None) -> bytes:
    table = pyarrow.table(columns).replace_schema_metadata(metadata)
    pyarrow.parquet.write_table(table, path, compression=compression)
    return path.read_bytes()


@pytest.mark.parametrize("compression", ["snappy", "none", "zstd", "lz4"])
def test_only_columns_are_added(compression: str, tmp_path: Path) -> None:
    columns = {
        "id": pyarrow.array([1, 2, None], pyarrow.int16()),
        "source": ["one", "two\nlines", "three"],
        "more": [{"a": [1.5]}, None, {"a": []}],
        "target": [["eins", "zwei"], ["drei"], ["NOSCORE"]],
    }
    content = parquet(tmp_path / "a.parquet", columns, compression, {"origin": "by hand"})
    found = copied(content, "a.parquet", size=2)
    assert found.pairs == [("one", "eins zwei"), ("two lines", "drei"), ("three", "NOSCORE")]
    assert [segment.line for segment in found.segments] == [1, 2, 3]
    before = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    after = pyarrow.parquet.read_table(pyarrow.BufferReader(found.content))
    assert after.column("sentence_scores").to_pylist() == [0.2, 0.1, None]
    assert after.drop_columns("sentence_scores").equals(before, check_metadata=True)
    file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(found.content))
    name = {"none": "UNCOMPRESSED"}.get(compression, compression.upper())
    assert file.metadata.row_group(0).column(0).compression == name


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"found no column 'source'; expected one\. Did you mean 'sorce'"):
        copied(parquet(tmp_path / "a.parquet", {"sorce": ["a"], "target": ["b"]}), "a.parquet")
    with pytest.raises(DataError, match="cannot be read as Parquet, after row 0"):
        copied(b"PAR1 hello", "a.parquet")


def test_bad_rows_keep_their_place(tmp_path: Path) -> None:
    text = pyarrow.array([b"a", b"\xfc", b"c"]).view(pyarrow.string())
    found = copied(parquet(tmp_path / "a.parquet", {"source": text, "target": ["b", "c", None]}), "a.parquet")
    errors = [str(segment.error) for segment in found.segments if segment.error is not None]
    assert len(errors) == 2
    assert "a.parquet, line 2: found bytes in column 'source'; expected UTF-8" in errors[0]
    assert "line 3: found null in column 'target'" in errors[1]
    assert pyarrow.parquet.read_table(pyarrow.BufferReader(found.content)).num_rows == 3


def test_nan_is_no_text(tmp_path: Path) -> None:
    found = copied(parquet(tmp_path / "a.parquet", {"source": ["a"], "target": [math.nan]}), "a.parquet")
    assert "a.parquet, line 1: found nan in column 'target'; expected text" in str(found.segments[0].error)

from __future__ import annotations

from pathlib import Path

import pytest

from kiwi.data.files.table_writers import write_table
from kiwi.data.segments.given import has_column
from kiwi.exceptions import DataError


@pytest.mark.parametrize("suffix", ["tsv", "jsonl", "parquet"])
def test_tables(suffix: str, tmp_path: Path) -> None:
    table = tmp_path / f"table.{suffix}"
    write_table(table, [{"source": ["a", "b"], "alignments": ["0-0", ""]}])
    assert has_column(table, "alignments")
    assert not has_column(table, "alignment")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["no row", '{"source": "a"}', '{"a": "0-0"}'], False),
        (["no row", '{"a": null}', '{"a": "0-0"}', '{"source": "a"}'], True),
        (["no row"], True),  # which reading reports
    ],
)
def test_the_first_valid_row_of_json_lines(rows: list[str], expected: bool, tmp_path: Path) -> None:
    (tmp_path / "table.jsonl").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    assert has_column(tmp_path / "table.jsonl", "a") is expected


def test_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "table.tsv").write_text("a\ta\n", encoding="utf-8")
    with pytest.raises(DataError, match="several columns 'a'"):
        has_column(tmp_path / "table.tsv", "a")
    with pytest.raises(DataError, match="cannot be read"):
        has_column(tmp_path / "none.tsv", "a")

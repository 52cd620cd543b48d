"""Writes tables with named columns and one segment per row, as TSV, JSON Lines or Parquet."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Literal

from kiwi.data.files.parquet import check_table_format
from kiwi.data.files.tables import for_suffix
from kiwi.exceptions import DataError
from kiwi.utils.io import staged

Cell = str | int | float | Sequence[str] | Sequence[int] | Sequence[float]
"""The value of one column in one row."""

Parts = Iterable[Mapping[str, Sequence[Cell]]]
"""Consecutive parts of a table, each with the cells of every column by name."""

Kind = Literal["text", "number", "texts", "numbers"]
"""The type of all cells of a column."""


def write_table(path: Path, parts: Parts, kinds: Mapping[str, Kind] | None = None) -> None:
    """Write a table atomically, in the format of the suffix.

    NaN is written as null in JSON Lines and Parquet, and as ``nan`` in TSV.

    Args:
        path: the file, with the suffix ``.tsv``, ``.jsonl`` or ``.parquet``.
        parts: the consecutive parts of the table, each with one cell per segment in every column.
        kinds: the types of all columns, for Parquet; if None, they are inferred from the first part.

    Raises:
        DataError: when columns have different lengths, or a text for TSV contains a tab or line end.
        MissingExtraError: when pyarrow is not installed, for Parquet.
    """
    writer = for_suffix(path, {".tsv": _write_tsv, ".jsonl": _write_jsonl, ".parquet": _write_parquet})
    writer(path, map(_check_lengths, parts), kinds)


def _check_lengths(columns: Mapping[str, Sequence[Cell]]) -> Mapping[str, Sequence[Cell]]:
    if len({len(cells) for cells in columns.values()}) > 1:
        lengths = ", ".join(f"{name} has {len(cells)}" for name, cells in columns.items())
        raise DataError(f"Columns of different length: {lengths} cells; expected the same number in each.")
    return columns


def _write_tsv(path: Path, parts: Parts, kinds: Mapping[str, Kind] | None) -> None:
    number = 0
    with staged(path) as stage, stage.open("w", encoding="utf-8", newline="\n") as file:
        for columns in parts:
            if not number:
                file.write("\t".join(columns) + "\n")
            for row in zip(*columns.values(), strict=True):
                number += 1
                for name, cell in zip(columns, row, strict=True):
                    # Words never contain these characters, but a text may.
                    if isinstance(cell, str) and any(character in cell for character in "\t\r\n"):
                        advice = "Write JSON Lines or Parquet instead, which allow it."
                        found = f"a tab or line end in column '{name}' of segment {number}"
                        raise DataError.at(path, None, found=found, expected="none in TSV", advice=advice)
                file.write("\t".join(map(tsv_cell, row)) + "\n")


def tsv_cell(cell: Cell) -> str:
    """Return a cell as text for TSV."""
    if isinstance(cell, str):
        return cell
    return repr(cell) if isinstance(cell, int | float) else " ".join(map(tsv_cell, cell))


def _write_jsonl(path: Path, parts: Parts, kinds: Mapping[str, Kind] | None) -> None:
    with staged(path) as stage, stage.open("w", encoding="utf-8", newline="\n") as file:
        for columns in parts:
            for row in zip(*columns.values(), strict=True):
                file.write(json_line(dict(zip(columns, row, strict=True))) + "\n")


def json_line(cells: Mapping[str, Any]) -> str:
    """Return a row as a line of JSON; NaN and infinity become null, dates and decimals text, and bytes Base64."""
    try:
        return json.dumps(cells, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):  # rows with values that JSON cannot represent
        return json.dumps(_json_value(cells), ensure_ascii=False, allow_nan=False)


def _json_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int) else str(value)


def _write_parquet(path: Path, parts: Parts, kinds: Mapping[str, Kind] | None) -> None:
    check_table_format(".parquet")
    import pyarrow
    import pyarrow.parquet

    text, number = pyarrow.string(), pyarrow.float64()
    types = {"text": text, "number": number, "texts": pyarrow.list_(text), "numbers": pyarrow.list_(number)}
    schema = kinds and pyarrow.schema([(name, types[kind]) for name, kind in kinds.items()])
    writer = None
    with staged(path) as stage, ExitStack() as stack:
        for columns in parts:
            cells = {name: [without_nan(cell) for cell in column] for name, column in columns.items()}
            table = pyarrow.table(cells, schema=schema)
            if writer is None:
                schema = table.schema
                writer = stack.enter_context(pyarrow.parquet.ParquetWriter(stage, schema))
            writer.write_table(table)


def without_nan(cell: Any) -> Any:
    """Return a cell, or None in place of NaN."""
    return None if isinstance(cell, float) and math.isnan(cell) else cell

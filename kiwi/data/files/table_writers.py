"""Writes tables with named columns and one segment per row, as TSV, JSON Lines or Parquet."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kiwi.data.files.parquet import check_table_format
from kiwi.data.files.tables import for_suffix
from kiwi.exceptions import DataError
from kiwi.utils.io import staged

if TYPE_CHECKING:
    import pyarrow

Cell = str | int | float | Sequence[str] | Sequence[int] | Sequence[float] | Sequence[Mapping[str, Any]]
"""The value of one column in one row; a mapping is an error span."""

Parts = Iterable[Mapping[str, Sequence[Cell]]]
"""Consecutive parts of a table, each with the cells of every column by name."""

Kind = Literal["text", "number", "texts", "numbers", "spans"]
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
    if isinstance(cell, int | float):
        return repr(cell)
    return " ".join(_span_text(item) if isinstance(item, Mapping) else tsv_cell(item) for item in cell)


def _span_text(span: Mapping[str, Any]) -> str:
    """Return an error span in the form of :func:`kiwi.data.labels.error_spans.format_error_spans`."""
    return f"{span['start']}:{span['end']}:{span['severity']}:{span['confidence']!r}"


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

    schema = kinds and pyarrow.schema([(name, arrow_type(kind)) for name, kind in kinds.items()])
    writer = None
    with staged(path) as stage, ExitStack() as stack:
        for columns in parts:
            cells = {name: [without_nan(cell) for cell in column] for name, column in columns.items()}
            table = pyarrow.table(cells, schema=schema)
            if writer is None:
                schema = table.schema
                writer = stack.enter_context(pyarrow.parquet.ParquetWriter(stage, schema))
            writer.write_table(table)


def arrow_type(kind: Kind) -> pyarrow.DataType:
    """Return the Arrow type of a column, which does not depend on its values."""
    import pyarrow

    if kind == "spans":
        places = [(name, pyarrow.int64()) for name in ("start", "end")]
        texts = [(name, pyarrow.string()) for name in ("text", "severity")]
        return pyarrow.list_(pyarrow.struct([*places, *texts, ("confidence", pyarrow.float64())]))
    type_of_values = pyarrow.string() if kind.startswith("text") else pyarrow.float64()
    return pyarrow.list_(type_of_values) if kind.endswith("s") else type_of_values


def without_nan(cell: Any) -> Any:
    """Return a cell, or None in place of NaN."""
    return None if isinstance(cell, float) and math.isnan(cell) else cell

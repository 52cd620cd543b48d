"""Segments from a pipe, one per line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

from kiwi.data.files.lines import Columns
from kiwi.data.files.tables import cell_text, json_row
from kiwi.exceptions import DataError, KiwiError
from kiwi.utils.compression import damage_errors, decompressed
from kiwi.utils.text import TextDecoder

STDIN = Path("<stdin>")
"""The name of the pipe in errors."""


def read_pipe(
    pipe: BinaryIO, form: Literal["tsv", "jsonl"], columns: Mapping[str, str], size: int
) -> Iterator[tuple[int, Columns]]:
    """Read segments from a pipe in chunks, each as soon as its lines are available.

    Args:
        pipe: the pipe, whose content may be compressed.
        form: ``tsv`` for tab-separated fields without a header line, or ``jsonl`` for one object per line.
        columns: the column name of each field; for TSV, the fields in the order of their columns.
        size: the number of segments in a chunk.

    Returns:
        For each chunk, the number of its first line, and one string per segment for each field.

    Raises:
        DataError: at the first invalid line.
    """
    lines = _lines(pipe)
    while part := list(islice(lines, size)):
        rows = [_row(line, number, form, columns) for number, line in part]
        yield part[0][0], dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))


def _lines(pipe: BinaryIO) -> Iterator[tuple[int, str]]:
    decoder = TextDecoder(STDIN)
    try:
        for number, line in enumerate(iter(decompressed(pipe).readline, b""), start=1):
            for text in decoder.lines(line):
                yield number, text
    except damage_errors() as error:
        if isinstance(error, KiwiError):
            raise
        reason = " ".join(str(error).split())
        raise DataError(f"{STDIN}: cannot be read, after line {decoder.n_lines} ({reason:.200}).") from error


def _row(line: str, number: int, form: str, columns: Mapping[str, str]) -> Sequence[str]:
    if form == "jsonl":
        row = json_row(line, STDIN, number, columns.values())
        return [cell_text(row[name], STDIN, number, name) for name in columns.values()]
    cells = line.split("\t")
    if len(cells) != len(columns):
        expected = f"{len(columns)}, separated by tabs: {', '.join(columns)}"
        raise DataError.at(STDIN, number, found=f"{len(cells)} columns", expected=expected)
    return cells

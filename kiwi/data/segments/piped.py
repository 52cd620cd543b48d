"""Segments from a pipe, one per line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

from kiwi.data.files.cells import Row, json_cells, texts_of_rows
from kiwi.data.files.lines import Columns, Note
from kiwi.exceptions import DataError, KiwiError
from kiwi.utils.compression import damage_errors, decompressed
from kiwi.utils.text import TextDecoder, line_blocks

STDIN = Path("<stdin>")
"""The name of the pipe in errors."""


def read_pipe(
    pipe: BinaryIO,
    form: Literal["tsv", "jsonl"],
    columns: Mapping[str, str],
    size: int,
    note: Note | None = None,
) -> Iterator[tuple[int, Columns]]:
    """Read segments from a pipe in chunks, each as soon as its lines are available.

    Args:
        pipe: the pipe, whose content may be compressed.
        form: ``tsv`` for tab-separated fields without a header line, or ``jsonl`` for one object per line.
        columns: the column name of each field; for TSV, the fields in the order of their columns.
        size: the number of segments in a chunk.
        note: a function to call for each invalid line, whose fields are then blank.

    Returns:
        For each chunk, the number of its first line, and one string per segment for each field.

    Raises:
        DataError: at the first invalid line.
    """
    damaged: dict[int, tuple[DataError, str]] = {}
    lines = _lines(pipe, damaged)
    while part := list(islice(lines, size)):
        rows = [
            (number, *damaged.pop(number)) if number in damaged else _row(line, number, form, columns)
            for number, line in part
        ]
        yield part[0][0], texts_of_rows(rows, columns, STDIN, note=note)


def _lines(pipe: BinaryIO, damaged: dict[int, tuple[DataError, str]]) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line; those that are not text are blank and added to ``damaged``."""
    decoder = TextDecoder(STDIN)
    try:
        for block in line_blocks(decompressed(pipe), STDIN):
            number = decoder.n_lines
            lines = decoder.noted_lines(block, lambda n, error, line: damaged.update({n: (error, line)}))
            yield from enumerate(lines, start=number + 1)
    except damage_errors() as error:
        if isinstance(error, KiwiError):
            raise
        reason = " ".join(str(error).split())
        raise DataError(f"{STDIN}: cannot be read, after line {decoder.n_lines} ({reason:.200}).") from error


def _row(line: str, number: int, form: str, columns: Mapping[str, str]) -> Row:
    if form == "jsonl":
        try:
            return number, json_cells(line, STDIN, number, columns.values()), line
        except DataError as error:
            return number, error, line
    cells = line.split("\t")
    if len(cells) != len(columns):
        expected = f"{len(columns)}, separated by tabs: {', '.join(columns)}"
        return number, DataError.at(STDIN, number, found=f"{len(cells)} columns", expected=expected), line
    return number, cells, line

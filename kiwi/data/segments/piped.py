"""Segments from a pipe, one per line."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

from kiwi.data.files.cells import Row, has_names, json_cells, json_object, texts_of_rows
from kiwi.data.files.lines import Columns, Note
from kiwi.exceptions import DataError, KiwiError
from kiwi.utils.compression import damage_errors, decompressed
from kiwi.utils.text import TextDecoder, line_blocks

logger = logging.getLogger(__name__)

STDIN = Path("<stdin>")
"""The name of the pipe in errors."""


def read_pipe(
    pipe: BinaryIO,
    form: Literal["tsv", "jsonl"],
    columns: Mapping[str, str],
    size: int,
    note: Note | None = None,
    optional: Collection[str] = (),
) -> Iterator[tuple[int, Columns]]:
    """Read segments from a pipe in chunks, each as soon as its lines are available.

    Args:
        pipe: the pipe, whose content may be compressed.
        form: ``tsv`` for tab-separated fields without a header line, or ``jsonl`` for one object per line.
        columns: the column name of each field; for TSV, the fields in the order of their columns.
        size: the number of segments in a chunk.
        note: a function to call for each invalid line, whose fields are then blank.
        optional: the fields that are read only if the first line has them; in TSV, all of them or none.

    Returns:
        For each chunk, the number of its first line, and one string per segment for each field.

    Raises:
        DataError: at the first invalid line, and when the first valid object lacks a column.
    """
    damaged: dict[int, tuple[DataError, str]] = {}
    lines = _lines(pipe, damaged)
    is_named = form == "tsv"  # by position; the first valid object says what the names are
    required = {field: name for field, name in columns.items() if field not in optional}
    read = None if optional else columns
    while part := list(islice(lines, size)):
        if read is None:
            given = (_given(line, form, columns, required) for number, line in part if number not in damaged)
            read = next((fields for fields in given if fields is not None), None)
        fields = required if read is None else read
        absent = [name for field, name in columns.items() if field not in fields]
        if form == "tsv" and part[0] == (1, "\t".join(fields.values())):
            logger.warning("%s, line 1: the names of the columns are scored as a segment. Add --header.", STDIN)
        rows = [
            (number, *damaged.pop(number)) if number in damaged else _row(line, number, form, fields, absent)
            for number, line in part
        ]
        is_named = is_named or has_names(rows)
        yield part[0][0], texts_of_rows(rows, fields, STDIN, note=note)


def pipe_rows(pipe: BinaryIO, form: Literal["tsv", "jsonl"], names: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a pipe one by one, with the cells of some columns as they are, which may be lists in JSON.

    Args:
        pipe: the pipe, whose content may be compressed.
        form: as in :func:`read_pipe`.
        names: the columns; for TSV, all of them.

    Returns:
        For each row, its number, the cells in the order of the columns or the error of an invalid row, and its content.
    """
    damaged: dict[int, tuple[DataError, str]] = {}
    columns = {name: name for name in names}
    for number, line in _lines(pipe, damaged):
        yield (number, *damaged.pop(number)) if number in damaged else _row(line, number, form, columns, ())


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


def _given(line: str, form: str, columns: Mapping[str, str], required: Mapping[str, str]) -> Mapping[str, str] | None:
    """Return the columns that a line has of those asked for; None if it is no row of either kind."""
    if form == "tsv":
        return {len(columns): columns, len(required): required}.get(line.count("\t") + 1)
    try:
        row = json_object(line, STDIN, None)
    except DataError:
        return None
    return {field: name for field, name in columns.items() if field in required or name in row}


def _row(line: str, number: int, form: str, columns: Mapping[str, str], absent: Sequence[str]) -> Row:
    if form == "jsonl":
        try:
            return number, json_cells(line, STDIN, number, columns.values(), absent), line
        except DataError as error:
            return number, error, line
    cells = line.split("\t")
    if len(cells) != len(columns):
        expected = f"{len(columns)}, separated by tabs: {', '.join(columns)}"
        return number, DataError.at(STDIN, number, found=f"{len(cells)} columns", expected=expected), line
    return number, cells, line

"""Segments from a pipe, one per line."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

from kiwi.data.files.lines import Columns, Note
from kiwi.data.files.tables import cell_text, json_object, json_row
from kiwi.exceptions import DataError, KiwiError
from kiwi.utils.compression import damage_errors, decompressed
from kiwi.utils.text import TextDecoder

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
        DataError: at the first invalid line.
    """
    lines = _lines(pipe, note)
    required = {field: name for field, name in columns.items() if field not in optional}
    read = None if optional else columns
    while part := list(islice(lines, size)):
        if read is None:
            given = (_given(line, form, columns, required) for _, line in part if line is not None)
            read = next((fields for fields in given if fields is not None), None)
        fields = required if read is None else read
        absent = [name for field, name in columns.items() if field not in fields]
        rows = [_row(line, number, form, fields, absent, note) for number, line in part]
        yield part[0][0], dict(zip(fields, map(list, zip(*rows, strict=True)), strict=True))


def _lines(pipe: BinaryIO, note: Note | None) -> Iterator[tuple[int, str | None]]:
    """Yield the number and the text of each line, which is None if it is not text and has been noted."""
    decoder = TextDecoder(STDIN)
    bad: list[int] = []

    def remember(number: int, error: DataError, content: str) -> None:
        bad.append(number)
        assert note is not None
        note(number, error, content)

    try:
        for line in iter(decompressed(pipe).readline, b""):
            for text in decoder.lines(line) if note is None else decoder.noted_lines(line, remember):
                yield decoder.n_lines, None if bad and bad[-1] == decoder.n_lines else text
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


def _row(
    line: str | None, number: int, form: str, columns: Mapping[str, str], absent: Sequence[str], note: Note | None
) -> Sequence[str]:
    blank = [""] * len(columns)
    if line is None:
        return blank
    try:
        return _cells(line, number, form, columns, absent)
    except DataError as error:
        if note is None:
            raise
        note(number, error, line)
        return blank


def _cells(line: str, number: int, form: str, columns: Mapping[str, str], absent: Sequence[str]) -> Sequence[str]:
    if form == "jsonl":
        row = json_row(line, STDIN, number, columns.values())
        if surplus := [name for name in absent if name in row]:
            expected = "none, as in the first line"
            raise DataError.at(STDIN, number, found=f"a column '{surplus[0]}'", expected=expected)
        return [cell_text(row[name], STDIN, number, name) for name in columns.values()]
    cells = line.split("\t")
    if len(cells) != len(columns):
        expected = f"{len(columns)}, separated by tabs: {', '.join(columns)}"
        raise DataError.at(STDIN, number, found=f"{len(cells)} columns", expected=expected)
    return cells

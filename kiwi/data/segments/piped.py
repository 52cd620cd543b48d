"""Segments from a pipe, one per line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

from kiwi.data.files.lines import BOM, Columns, Note, decode_line
from kiwi.data.files.tables import cell_text, json_row
from kiwi.exceptions import DataError

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
        pipe: the pipe.
        form: ``tsv`` for tab-separated fields without a header line, or ``jsonl`` for one object per line.
        columns: the column name of each field; for TSV, the fields in the order of their columns.
        size: the number of segments in a chunk.
        note: a function to call for each invalid line, whose fields are then blank.

    Returns:
        For each chunk, the number of its first line, and one string per segment for each field.

    Raises:
        DataError: at the first invalid line.
    """
    lines = enumerate(iter(pipe.readline, b""), start=1)
    while part := list(islice(lines, size)):
        rows = [_row(line, number, form, columns, note) for number, line in part]
        yield part[0][0], dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))


def _row(line: bytes, number: int, form: str, columns: Mapping[str, str], note: Note | None) -> Sequence[str]:
    content = line.removeprefix(BOM) if number == 1 else line
    try:
        return _cells(decode_line(content, STDIN, number), number, form, columns)
    except DataError as error:
        if note is None:
            raise
        note(number, error, content.removesuffix(b"\n").decode("utf-8", "backslashreplace"))
        return [""] * len(columns)


def _cells(line: str, number: int, form: str, columns: Mapping[str, str]) -> Sequence[str]:
    if form == "jsonl":
        row = json_row(line, STDIN, number, columns.values())
        return [cell_text(row[name], STDIN, number, name) for name in columns.values()]
    cells = line.split("\t")
    if len(cells) != len(columns):
        expected = f"{len(columns)}, separated by tabs: {', '.join(columns)}"
        raise DataError.at(STDIN, number, found=f"{len(cells)} columns", expected=expected)
    return cells

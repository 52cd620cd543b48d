"""Segments that cannot be used, such as those with one empty side: they have no score, are left out, or stop work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kiwi.data.files.lines import Columns
from kiwi.data.files.table_writers import json_line
from kiwi.data.readers import check_columns
from kiwi.exceptions import ColumnError, DataError
from kiwi.utils.staging import staged

OnBad = Literal["nan", "stop", "skip"]
"""What happens to a bad segment: it keeps its place without a score, it stops the command, or it is left out."""


@dataclass(frozen=True)
class Reject:
    """An invalid row."""

    line: int
    """The number of the line, or of the row in Parquet, counted from 1."""

    reason: str
    row: Any
    """The original row, as a line or as the cells by column."""


@dataclass
class BadRows:
    """The bad rows of an input, and what happens to them."""

    on_bad: OnBad = "nan"

    reasons: dict[int, str] = field(default_factory=dict)
    """The reason of each bad row, by its line."""

    option: str = ""
    """The option that says what happens to bad rows, for errors; without one, errors do not name it."""

    write: Callable[[dict[str, Any]], None] = lambda cells: None
    """A function to call for each bad row, in order, with ``file``, ``line``, ``reason`` and ``row``."""

    _errors: dict[int, str] = field(default_factory=dict)
    """The place and the reason of each bad row, by its line."""

    _waiting: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """The bad rows that are not written yet, because readers find damaged rows ahead of the chunk of other ones."""

    def __len__(self) -> int:
        return len(self.reasons)

    @property
    def note(self) -> Callable[[int, DataError, Any], None] | None:
        """A function for readers to call with line, error and content of a row; None where they raise the error."""
        return None if self.on_bad == "stop" else self._note

    def _note(self, line: int, error: DataError, row: Any) -> None:
        if line in self.reasons:
            return
        self._errors[line], self.reasons[line] = str(error), error.reason or str(error)
        place = line if error.line is None else error.line  # documents number their segments, not their lines
        file = str(error).partition(f", line {place}: ")[0]
        self._waiting.append((line, {"file": file, "line": place, "reason": self.reasons[line], "row": row}))

    def flush(self, end: int | None = None) -> None:
        """Write the bad rows that are waiting, in the order of their lines; those before ``end``, if it is given."""
        waiting, self._waiting = sorted(self._waiting, key=lambda each: each[0]), []
        for line, cells in waiting:
            if end is None or line < end:
                self.write(cells)
            else:
                self._waiting.append((line, cells))

    @contextmanager
    def advising(self) -> Iterator[None]:
        """Name the option that allows to go on in the error of a bad row that stops the command."""
        try:
            yield
        except DataError as error:
            is_of_table = isinstance(error, ColumnError) and error.is_of_table
            if self.on_bad != "stop" or not self.option or error.line is None or is_of_table:
                raise
            advised = DataError(f"{error} To go on without such segments, set {self.option} to nan or skip.")
            advised.reason, advised.line = error.reason, error.line
            raise advised from error

    def screen(self, columns: Columns, places: Mapping[str, object], first: int) -> Columns:
        """Check the columns of a chunk, note its bad rows, and return the columns to predict, as :meth:`apply` does.

        Args:
            columns: one string per segment for each field.
            places: the file of each column, for errors.
            first: the number of the first line.

        Raises:
            DataError: at the first bad row, if bad rows stop the command.
        """
        try:
            checked = check_columns(self.apply(columns, first, drop=False), places, first=first)
        except DataError:
            if self.note is None:
                raise
            for line, row in enumerate(zip(*columns.values(), strict=True), start=first):
                texts = dict(zip(columns, row, strict=True))
                try:
                    check_columns({name: [text] for name, text in texts.items()}, places, first=line)
                except DataError as error:
                    self.note(line, error, texts)
            checked = check_columns(self.apply(columns, first, drop=False), places, first=first)
        if self._waiting:
            self.flush(first + len(next(iter(columns.values()), ())))
        return self.apply(checked, first)

    def apply(self, columns: Columns, first: int, *, drop: bool = True) -> Columns:
        """Return the columns of a chunk, in which bad rows are blank, or left out.

        Args:
            columns: the columns of the chunk.
            first: the number of its first line.
            drop: whether to leave out the rows that are skipped; otherwise they are blank too.
        """
        n_rows = len(next(iter(columns.values()), ()))
        bad = {line - first for line in self.reasons if first <= line < first + n_rows} if self.reasons else ()
        if not bad:
            return columns
        if drop and self.on_bad == "skip":
            return {name: [text for i, text in enumerate(column) if i not in bad] for name, column in columns.items()}
        return {name: ["" if i in bad else text for i, text in enumerate(column)] for name, column in columns.items()}

    def summary(self, n_segments: int, rejects: Path | None = None, advice: str = "") -> str:
        """Return sentences about the bad rows.

        Args:
            n_segments: the number of all segments.
            rejects: the file that they are in, if any.
            advice: how to get all reasons, where no file has them.
        """
        outcome = "are left out" if self.on_bad == "skip" else "have no score (nan)"
        place = f" All are in {rejects}, with the reasons." if rejects is not None else f" {advice}".rstrip()
        first = self._errors[min(self._errors)]
        return f"{len(self)} of {n_segments} segments are bad and {outcome}.{place} The first: {first}"


@contextmanager
def writing_rejects(path: Path | None, bad: BadRows) -> Iterator[None]:
    """Write the bad rows that are noted in the block to a file of JSON Lines, which appears when the block succeeds.

    Args:
        path: the file; None writes nothing.
        bad: the bad rows.
    """
    if path is None:
        yield
        return
    with staged(path) as stage, stage.open("w", encoding="utf-8", newline="\n") as file:

        def write(cells: dict[str, Any]) -> None:
            file.write(json_line(cells) + "\n")

        bad.write = write
        yield
        bad.flush()

"""Parallel files of any size, read a few segments at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from kiwi import constants as const
from kiwi.data.files.lines import Columns, Note, count_surplus, different_lengths, stream_lines
from kiwi.data.segments.bad_rows import BadRows
from kiwi.data.text.language_pairs import normalize_pair
from kiwi.exceptions import DataError


@dataclass(frozen=True)
class SegmentStream:
    """The segments of parallel files, as :func:`kiwi.data.readers.read_columns` reads them, but a few at a time."""

    files: Mapping[str, Path]
    """The file of each field."""

    size: int
    """The number of segments at a time."""

    bad: BadRows = field(default_factory=lambda: BadRows("stop"))
    """What happens to bad segments."""

    def check(self) -> int:
        """Read and validate all segments.

        Returns:
            The number of segments.

        Raises:
            DataError: at the first invalid line, if bad segments stop the command.
        """
        return sum(len(columns[const.SOURCE]) for columns, _ in self.checked())

    def checked(self) -> Iterator[tuple[Columns, Columns]]:
        """Yield the columns of :meth:`__iter__`, and those to predict, in which bad segments are blank or left out.

        Raises:
            DataError: at the first invalid line, if bad segments stop the command.
        """
        count = 0
        with self.bad.advising():
            for columns in self._read(warn=True):
                screened = self.bad.screen(columns, self.files, count + 1)
                count += len(columns[const.SOURCE])
                yield columns, screened

    def unchecked(self) -> Iterator[Columns]:
        """Yield the same columns as :meth:`__iter__`, and warn about blank lines that are dropped at the end."""
        return self._read(warn=True)

    def __iter__(self) -> Iterator[Columns]:
        """Yield columns of ``size`` segments; the last ones may be shorter, and damaged lines are blank."""
        return self._read(warn=False)

    def joined(self, chunks: Iterable[Columns]) -> Columns:
        """Return the columns of several chunks as one."""
        whole: Columns = {name: [] for name in self.files}
        for chunk in chunks:
            for name, column in chunk.items():
                whole[name] += column
        return whole

    def _read(self, *, warn: bool) -> Generator[Columns, None, None]:
        last_damaged = dict.fromkeys(self.files, 0)
        with ExitStack() as stack:
            lines = {
                field: stack.enter_context(closing(stream_lines(path, self._note(field, last_damaged), warn=warn)))
                for field, path in self.files.items()
            }
            done = 0
            while True:
                columns = {field: list(islice(stream, self.size)) for field, stream in lines.items()}
                count = min(map(len, columns.values()))
                if count < self.size:
                    surplus = {
                        field: count_surplus(chain(column[count:], lines[field]), self.files[field], warn=warn)
                        for field, column in columns.items()
                    }
                    # Damaged lines, which are read as blank ones, count.
                    surplus = {f: max(more, last_damaged[f] - done - count) for f, more in surplus.items()}
                    if any(surplus.values()):
                        raise different_lengths({self.files[f]: done + count + more for f, more in surplus.items()})
                if count:
                    yield _normalized({field: column[:count] for field, column in columns.items()})
                done += count
                if count < self.size:
                    return

    def _note(self, field: str, last_damaged: dict[str, int]) -> Note | None:
        """Return a function that notes a damaged line of a file, and remembers its number."""
        note = self.bad.note
        if note is None:
            return None

        def note_line(number: int, error: DataError, line: Any) -> None:
            last_damaged[field] = number
            note(number, error, line)

        return note_line


def _normalized(columns: Columns) -> Columns:
    """Return columns with language pairs in their only form; what is none stays, and is noted by checks."""
    pairs = columns.get(const.LANGUAGE_PAIR)
    return columns if pairs is None else {**columns, const.LANGUAGE_PAIR: [normalize_pair(pair) for pair in pairs]}

"""Parallel files of any size, read a few segments at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from kiwi import constants as const
from kiwi.data.files.lines import Columns, count_surplus, different_lengths, stream_lines
from kiwi.data.segments.bad_rows import BadRows


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

    def _read(self, *, warn: bool) -> Generator[Columns, None, None]:
        note: Callable[..., None] | None = self.bad.note
        with ExitStack() as stack:
            lines = {
                field: stack.enter_context(closing(stream_lines(path, note, warn=warn)))
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
                    if any(surplus.values()):
                        raise different_lengths({self.files[f]: done + count + more for f, more in surplus.items()})
                if count:
                    yield {field: column[:count] for field, column in columns.items()}
                done += count
                if count < self.size:
                    return

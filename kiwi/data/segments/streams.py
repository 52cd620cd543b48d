"""Parallel files of any size, read a few segments at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from kiwi import constants as const
from kiwi.data.files.lines import Columns, count_surplus, different_lengths, stream_lines
from kiwi.data.readers import check_columns


@dataclass(frozen=True)
class SegmentStream:
    """The segments of parallel files, as :func:`kiwi.data.readers.read_columns` reads them, but a few at a time."""

    files: Mapping[str, Path]
    """The file of each field."""

    size: int
    """The number of segments at a time."""

    def check(self) -> int:
        """Read and validate all segments.

        Returns:
            The number of segments.

        Raises:
            DataError: at the first invalid line.
        """
        return sum(len(columns[const.SOURCE]) for columns in self.checked())

    def checked(self) -> Iterator[Columns]:
        """Yield the same columns as :meth:`__iter__`, validated.

        Raises:
            DataError: at the first invalid line.
        """
        count = 0
        for columns in self._read(warn=True):
            check_columns(columns, self.files, first=count + 1)
            count += len(columns[const.SOURCE])
            yield columns

    def unchecked(self) -> Iterator[Columns]:
        """Yield the same columns as :meth:`__iter__`, and warn about blank lines that are dropped at the end."""
        return self._read(warn=True)

    def __iter__(self) -> Iterator[Columns]:
        """Yield columns of ``size`` segments; the last ones may be shorter."""
        return self._read(warn=False)

    def _read(self, *, warn: bool) -> Generator[Columns, None, None]:
        with ExitStack() as stack:
            lines = {field: stack.enter_context(closing(stream_lines(path))) for field, path in self.files.items()}
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

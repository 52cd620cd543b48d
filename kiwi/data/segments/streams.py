"""Parallel files of any size, some segments at a time."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from kiwi import constants as const
from kiwi.data.files.lines import Columns, stream_lines
from kiwi.data.readers import check_columns
from kiwi.data.text.words import words
from kiwi.exceptions import DataError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SegmentStream:
    """Segments of parallel files, as :func:`kiwi.data.readers.read_columns` reads them, but never all at once."""

    files: Mapping[str, Path]
    """Field name to file."""

    size: int
    """Segments at a time."""

    def check(self) -> int:
        """Read everything once, and check it.

        Returns:
            The number of segments.

        Raises:
            DataError: naming file and line.
        """
        return sum(len(columns[const.SOURCE]) for columns in self.checked())

    def checked(self) -> Iterator[Columns]:
        """As :meth:`__iter__`, checked.

        Raises:
            DataError: naming file and line.
        """
        count = 0
        for columns in self._read(tell=True):
            check_columns(columns, self.files, first=count + 1)
            count += len(columns[const.SOURCE])
            yield columns

    def __iter__(self) -> Iterator[Columns]:
        """Columns of ``size`` segments, the last ones perhaps of fewer."""
        return self._read(tell=False)

    def _read(self, *, tell: bool) -> Generator[Columns, None, None]:
        with ExitStack() as stack:
            lines = {field: stack.enter_context(closing(stream_lines(path))) for field, path in self.files.items()}
            done = 0
            while True:
                columns = {field: list(islice(stream, self.size)) for field, stream in lines.items()}
                count = min(map(len, columns.values()))
                if any(len(column) != count for column in columns.values()):
                    self._drop_blank_lines(columns, lines, count, done, tell=tell)
                if count:
                    yield columns
                done += count
                if count < self.size:
                    return

    def _drop_blank_lines(
        self,
        columns: Columns,
        lines: Mapping[str, Iterator[str]],
        count: int,
        done: int,
        *,
        tell: bool,
    ) -> None:
        """What some of the files have beyond the end of others; a blank line too many is no matter."""
        lengths: dict[str, int] = {}
        dropped: dict[str, int] = {}
        for field, column in columns.items():
            n_blank = n_more = 0
            for line in (*column[count:], *lines[field]):
                n_more += 1
                n_blank += not words(line)
            lengths[field] = done + count + (n_more if n_more > n_blank else 0)
            dropped[field] = n_more if n_more == n_blank else 0
            del column[count:]
        if len(set(lengths.values())) > 1:
            listing = ", ".join(f"{self.files[field]} has {length}" for field, length in lengths.items())
            raise DataError(f"Files of different length: {listing} lines; expected one line a segment in each of them.")
        for field, n_lines in dropped.items():
            if n_lines and tell:
                logger.warning("%s: %d blank line(s) at the end dropped.", self.files[field], n_lines)

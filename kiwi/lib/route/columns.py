"""Columns of values that segments have: files with one value per line, or columns of tables."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from kiwi import constants as const
from kiwi.data.documents.formats import find_format
from kiwi.data.files.lines import read_lines, stream_lines
from kiwi.data.files.tables import NAN, ROWS_AT_ONCE, stream_rows
from kiwi.data.labels.scores import parse_score
from kiwi.data.post_edits.files import stream_segments
from kiwi.exceptions import ConfigError, DataError, MissingColumnError
from kiwi.utils.places import plain_suffix
from kiwi.utils.written import user_path

SCORE_COLUMN = const.SENTENCE_SCORES
"""The column of scores in the tables of ``kiwi predict`` and ``kiwi score``."""

MISSING = ("", NAN)
"""What stands for the value of a segment that has none, in lower case."""


@dataclass(frozen=True)
class Column:
    """A column of values: a file with one value per line, or a column of a table."""

    path: Path
    name: str = ""
    """The name of the column in a table."""

    @classmethod
    def parse(cls, text: str, default: str) -> Column:
        """Parse ``FILE`` or ``FILE:COLUMN``.

        Args:
            text: the text.
            default: the column of a table that is given without one.
        """
        path, colon, name = text.rpartition(":")
        if colon and not user_path(text).exists():
            return cls(user_path(path), name)
        return cls(user_path(text), default)

    def read(self) -> list[str]:
        """Return the value of each segment; empty where it has none.

        Raises:
            ConfigError: when the file is of another format.
            DataError: when the file or the column cannot be read.
        """
        return self.read_numbered()[1]

    def read_numbered(self) -> tuple[list[int], list[str]]:
        """Return the number of the line (in Parquet, row) of each segment, and its value; see :meth:`read`."""
        form = find_format(self.path)
        if form is None:
            lines = read_lines(self.path)
            return list(range(1, len(lines) + 1)), lines
        found = list(self._rows(form.name))
        if not found:
            raise DataError.at(self.path, None, found="no row", expected="one segment per row")
        return [number for number, _ in found], [value for _, value in found]

    def described(self) -> str:
        """Return what the name of a column of scores says of them, as ``hter, lower is better``; empty if nothing."""
        form = find_format(self.path)
        if form is None or form.name not in ("TSV", "CSV"):
            return ""
        with closing(stream_lines(self.path, warn=False)) as lines:
            found = re.search(rf"(?<!\w){re.escape(self.name)} \(([^)]* is better)\)", next(lines, ""))
        return "" if found is None else found[1]

    def beside(self, name: str) -> list[str] | None:
        """Return another column of the same table; None if there is none, or the file is no table.

        Args:
            name: the name of the other column.

        Raises:
            DataError: when the file or the column cannot be read.
        """
        if find_format(self.path) is None:
            return None
        try:
            return Column(self.path, name).read()
        except MissingColumnError:
            return None

    def _rows(self, form: str) -> Iterator[tuple[int, str]]:
        """Yield the number and the value of each row of a table."""
        columns = {self.name: self.name}
        if form in ("TSV", "Parquet") or plain_suffix(self.path.name) == ".jsonl":
            for numbers, texts in stream_rows(self.path, columns, ROWS_AT_ONCE, {self.name: ""}):
                yield from zip(numbers, texts[self.name], strict=True)
        elif form in ("CSV", "JSON", "JSON Lines"):
            for number, row in stream_segments(self.path, columns, nullable=(self.name,)):
                yield number, row[self.name]
        else:
            advice = {"XLSX": "Save the sheet as CSV."}.get(form, "kiwi corpus makes lines of texts and HTER of it.")
            raise ConfigError(
                f"{self.path}: found {form}; expected one value per line, or a table in CSV, TSV, JSON Lines, JSON or "
                f"Parquet. {advice}"
            )

    def read_scores(self) -> list[float]:
        """Return the score of each segment; NaN where it has none.

        Raises:
            DataError: at the first value that is no number, or when the file or the column cannot be read.
        """
        numbers, values = self.read_numbered()
        return numbers_of(values, numbers, self.path)


def checksums(files: Sequence[Path]) -> dict[str, str]:
    """Return the SHA-256 of each file by its name; by its path, where others have the same name."""
    names = [path.name for path in {*files}]
    return {
        path.name if names.count(path.name) == 1 else str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def numbers_of(cells: Sequence[str], numbers: Sequence[int], path: Path) -> list[float]:
    """Return the number in each cell; NaN where it is empty.

    Args:
        cells: the cells.
        numbers: the number of the line of each cell.
        path: the file, for errors.

    Raises:
        DataError: at the first cell that is no number.
    """
    found = []
    for number, cell in zip(numbers, cells, strict=True):
        try:
            found.append(math.nan if cell.strip().lower() in MISSING else parse_score(cell))
        except ValueError:
            raise DataError.at(path, number, found=f"'{cell:.60}'", expected="a finite number") from None
    return found

"""The translations of the same segments by several systems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from kiwi import constants as const
from kiwi.data.files.lines import Note
from kiwi.data.readers import check_columns
from kiwi.data.text.words import words
from kiwi.exceptions import ColumnError, DataError

OnUnusable = Literal["skip", "stop"]
"""What happens to a segment that cannot be used: it is left out for all systems, or it stops the command."""

Unusable = dict[int, dict[str, str]]
"""The reasons why a segment cannot be used, by its index and by system."""


@dataclass(frozen=True)
class Translations:
    """The translations of the same segments by several systems."""

    source: Sequence[str]

    targets: Mapping[str, Sequence[str]]
    """The translation of each segment, by system."""

    lines: Mapping[str, Sequence[int]]
    """The number of the line of each translation, by system."""

    files: Mapping[str, Mapping[str, Path]]
    """The file of each field, by system."""

    pairs: Sequence[str] | None = None
    """The language pair of each segment."""

    damaged: Unusable = field(default_factory=dict)
    """The segments with lines that are not text, whose translations are blank."""

    def __len__(self) -> int:
        return len(self.source)

    def find_unusable(self, on_unusable: OnUnusable) -> Unusable:
        """Return the segments that cannot be used, such as those with an empty translation.

        Args:
            on_unusable: what happens to them.

        Raises:
            DataError: at the first one, if they stop the command.
        """
        found = {index: dict(reasons) for index, reasons in self.damaged.items()}
        for system in self.targets:
            columns = self._columns(system)
            try:
                check_columns(columns, self.files[system])
                continue
            except DataError:
                pass  # the number of its line may be another one
            for index, row in enumerate(zip(*columns.values(), strict=True)):
                if system in found.get(index, ()):
                    continue
                cells = {name: [text] for name, text in zip(columns, row, strict=True)}
                try:
                    check_columns(cells, self.files[system], first=self.lines[system][index])
                except DataError as error:
                    if on_unusable == "stop":
                        raise advised(error) from error
                    found.setdefault(index, {})[system] = str(error)
        return found

    def without_words(self) -> list[int]:
        """Return the indices of the segments whose source is empty, which have no score."""
        return [index for index, text in enumerate(self.source) if not words(text)]

    def _columns(self, system: str) -> dict[str, list[str]]:
        columns = {const.SOURCE: list(self.source), const.TARGET: list(self.targets[system])}
        return columns if self.pairs is None else columns | {const.LANGUAGE_PAIR: list(self.pairs)}


def noting(unusable: Unusable, systems: Sequence[str], first: int = 1) -> Note:
    """Return a function that notes a damaged line for some systems.

    Args:
        unusable: where to note it.
        systems: the systems whose translations it damages.
        first: the number of the line of the first segment.
    """

    def note(number: int, error: DataError, content: object) -> None:
        unusable.setdefault(number - first, {}).update(dict.fromkeys(systems, str(error)))

    return note


def advised(error: DataError) -> DataError:
    """Return the error of a segment with the option that leaves such segments out."""
    if error.line is None or (isinstance(error, ColumnError) and error.is_of_table):
        return error
    return DataError(f"{error} To leave out such segments for all systems, set --on-bad skip.")

"""Whether a table has a column that need not be there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kiwi.data.files.tables import stream_table
from kiwi.exceptions import DataError


def has_column(table: Path, name: str) -> bool:
    """Return whether a table has a column; in JSON Lines, whether its first valid row has it.

    Args:
        table: the table.
        name: the name of the column.

    Raises:
        DataError: when the table cannot be read, or has several such columns.
    """
    missing = f"found no column '{name}'"
    invalid: set[int] = set()

    def skip(number: int, error: DataError, content: Any) -> None:
        if error.reason.startswith(missing):
            raise error
        invalid.add(number)

    try:
        next((number for number, _ in stream_table(table, {name: name}, 1, note=skip) if number not in invalid), None)
    except DataError as error:
        if error.reason.startswith(missing):
            return False
        raise
    return True

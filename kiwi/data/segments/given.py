"""Whether a table has a column that need not be there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kiwi.data.files.tables import stream_table
from kiwi.exceptions import DataError, MissingColumnError


def has_column(table: Path, name: str) -> bool:
    """Return whether a table has a column; in JSON Lines, whether its first valid row has it.

    Args:
        table: the table.
        name: the name of the column.

    Raises:
        DataError: when the table cannot be read, or has several such columns.
    """
    invalid: set[int] = set()

    def skip(number: int, error: DataError, content: Any) -> None:
        if isinstance(error, MissingColumnError):
            raise error
        invalid.add(number)

    try:
        next((number for number, _ in stream_table(table, {name: name}, 1, note=skip) if number not in invalid), None)
    except MissingColumnError:
        return False
    return True

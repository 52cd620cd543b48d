"""Translations in tables: with a column for each system, or with a row for each translation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kiwi import constants as const
from kiwi.data.files.lines import Columns
from kiwi.data.files.tables import ROWS_AT_ONCE, stream_rows
from kiwi.exceptions import DataError
from kiwi.lib.score.compare.translations import OnUnusable, Translations, Unusable, advised

SYSTEM, ID = "system", "id"


def read_wide(
    table: Path, columns: Mapping[str, str], targets: Mapping[str, str], on_unusable: OnUnusable
) -> Translations:
    """Read a table with a column for each system.

    Args:
        table: the table.
        columns: the column of ``source``, and of ``lp`` if there is one.
        targets: the column of each system.
        on_unusable: what happens to rows that are not valid.

    Raises:
        DataError: when the table cannot be read.
    """
    fields = dict(columns) | {f"{const.TARGET} {number}": name for number, name in enumerate(targets.values())}
    noted: dict[int, str] = {}
    note = None if on_unusable == "stop" else lambda number, error, row: noted.update({number: str(error)})
    numbers: list[int] = []
    found: Columns = {name: [] for name in fields}
    try:
        for some, texts in stream_rows(table, fields, ROWS_AT_ONCE, note=note):
            numbers += some
            for name, cells in texts.items():
                found[name] += cells
    except DataError as error:
        raise advised(error) from error
    _require_rows(table, numbers)
    damaged: Unusable = {
        index: dict.fromkeys(targets, noted[number]) for index, number in enumerate(numbers) if number in noted
    }
    return Translations(
        found[const.SOURCE],
        {system: found[f"{const.TARGET} {number}"] for number, system in enumerate(targets)},
        dict.fromkeys(targets, numbers),
        dict.fromkeys(targets, dict.fromkeys((const.SOURCE, const.TARGET, const.LANGUAGE_PAIR), table)),
        found.get(const.LANGUAGE_PAIR),
        damaged,
    )


def read_rows(table: Path, columns: Mapping[str, str]) -> Translations:
    """Read a table with a row for each translation.

    The rows of the systems may be in any order. Translations of the same segment have the same ``id`` or, without one,
    the same source: the first translation of a source by one system belongs to the first one by another.

    Args:
        table: the table.
        columns: the column of ``source``, ``target`` and ``system``, and of ``id`` and ``lp`` if there are some.

    Raises:
        DataError: when the table cannot be read, or a system lacks a segment of another one.
    """
    segments: dict[tuple[str, int], int] = {}  # by id or source, and its occurrence
    first_row: list[dict[str, str]] = []
    first_line: list[int] = []
    targets: dict[str, dict[int, str]] = {}
    lines: dict[str, dict[int, int]] = {}
    times: dict[tuple[str, str], int] = {}
    key_field = ID if ID in columns else const.SOURCE
    for numbers, texts in stream_rows(table, columns, ROWS_AT_ONCE):
        for number, cells in zip(numbers, zip(*texts.values(), strict=True), strict=True):
            row = dict(zip(texts, cells, strict=True))
            system, key = row[SYSTEM], row[key_field]
            if not system.strip():
                raise DataError.at(table, number, found="no name of a system", expected=f"one in '{columns[SYSTEM]}'")
            occurrence = times[system, key] = times.get((system, key), -1) + 1
            if ID in columns and occurrence:
                found = f"a second row of {system} with the {ID} '{key:.60}'"
                raise DataError.at(
                    table, number, found=found, expected=f"one, as in line {lines[system][segments[key, 0]]}"
                )
            index = segments.setdefault((key, occurrence), len(segments))
            if index == len(first_row):
                first_row.append(row)
                first_line.append(number)
            else:
                _check_same(table, number, row, first_row[index], first_line[index])
            targets.setdefault(system, {})[index] = row[const.TARGET]
            lines.setdefault(system, {})[index] = number
    _require_rows(table, first_line)
    if len(targets) < 2:
        found, expected = f"one system in column '{columns[SYSTEM]}', {next(iter(targets))}", "two or more"
        raise DataError.at(table, None, found=found, expected=expected)
    for system, own in lines.items():
        if len(own) < len(first_line):
            index = next(index for index in range(len(first_line)) if index not in own)
            text = first_row[index][key_field]
            raise DataError.at(
                table,
                first_line[index],
                found=f"a segment ('{text:.60}') that {system} lacks",
                expected=f"a row of each system ({', '.join(targets)}) with the same {key_field}",
                advice="Remove such rows, or name a column that tells which rows are one segment: --columns id=NAME."
                if key_field != ID
                else "Remove such rows.",
            )
    everything = range(len(first_line))
    return Translations(
        [row[const.SOURCE] for row in first_row],
        {system: [own[index] for index in everything] for system, own in targets.items()},
        {system: [own[index] for index in everything] for system, own in lines.items()},
        dict.fromkeys(targets, dict.fromkeys((const.SOURCE, const.TARGET, const.LANGUAGE_PAIR), table)),
        [row[const.LANGUAGE_PAIR] for row in first_row] if const.LANGUAGE_PAIR in columns else None,
    )


def _check_same(table: Path, number: int, row: Mapping[str, str], other: Mapping[str, str], line: int) -> None:
    """Check that translations of one segment have the same source and language pair."""
    for name in (const.SOURCE, const.LANGUAGE_PAIR):
        if name in row and row[name] != other[name]:
            found, expected = f"the {name} '{row[name]:.60}'", f"'{other[name]:.60}', as the same segment has in line"
            raise DataError.at(table, number, found=found, expected=f"{expected} {line}")


def _require_rows(table: Path, rows: list[int]) -> None:
    if not rows:
        raise DataError.at(table, None, found="no row", expected="one segment per row")

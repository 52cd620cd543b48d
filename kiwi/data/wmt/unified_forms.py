"""The forms of files of the unified tasks of WMT25 and WMT26, and how they name translations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kiwi.exceptions import DataError

OFFICIAL = "official"
"""The name of the set that counts."""

ALL = "all"
"""The number of a segment in files of the means of MT systems."""

MISSING = "missing"
"""The position of an omission."""

TSV_COLUMNS = ("doc_id", "segment_id", "source_lang", "target_lang", "system_id")
"""The columns that say which translation a row of WMT25 is."""

SPAN_COLUMNS = ("start_indices", "end_indices", "error_types")

FORMS = (
    "TSV with doc_id, segment_id, source_lang, target_lang and system_id (WMT25); JSON Lines with item_id and "
    "task1_pred, task2_pred or task3_pred (WMT26), or with doc_id, system, and score or error_free"
)
"""The forms that are known, for errors."""

OF_ONE = {"scores": "score", "error_free": "error_free"}
"""The fields of objects with one translation each."""

SEPARATORS = ("_###_", "_#_")
"""The separators of the parts of identifiers, in WMT26 and WMT25."""


def is_unified(line: str) -> bool:
    """Return whether a first line is one of a file of the unified tasks."""
    if line.startswith("{"):
        is_one = '"system"' in line and any(f'"{name}"' in line for name in OF_ONE.values())
        return '"item_id"' in line or ('"doc_id"' in line and ('"scores"' in line or is_one))
    return set(TSV_COLUMNS) <= set(line.split("\t"))


def check_form(path: Path, line: str, expected: str) -> None:
    """Reject JSON Lines of a form that is not known.

    Args:
        path: the file.
        line: its first line.
        expected: what the file may be, beside the forms of the unified tasks.

    Raises:
        DataError: for such a file.
    """
    if line.startswith("{") and not is_unified(line):
        names = re.findall(r'"(\w+)"\s*:', line)
        found = f"JSON with {', '.join(dict.fromkeys(names)):.100}"
        raise DataError.at(path, 1, found=found, expected=f"{expected}, or {FORMS}")


def of_one(row: Mapping[str, Any], pair: str, segment: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the language pair and the segment of an object with one translation."""
    number = row.get("segment_id", row.get("seg_id", row.get("seg")))
    return str(row.get("lp", pair)), segment if number is None else (*segment, str(number))


def parts_of(identifier: str) -> tuple[str, str, tuple[str, ...]]:
    """Return the language pair, the set and the segment that an identifier names."""
    new, old = SEPARATORS
    if new in identifier:
        set_id, *languages = identifier.split(new)[:3]
        return "-".join(languages), set_id, (identifier,)
    return identifier.split(old)[0], "", (identifier,)

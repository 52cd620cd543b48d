"""The gold values that tell which translations are acceptable: numbers, or what follows from error spans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kiwi.data.documents.formats import find_format
from kiwi.data.files.lines import read_lines
from kiwi.data.files.tables import READERS
from kiwi.data.labels.policy import Acceptable
from kiwi.data.labels.scores import parse_score
from kiwi.data.labels.spans.cells import read_cell
from kiwi.data.labels.spans.files import read_severities, severities_of
from kiwi.data.segments.given import has_column
from kiwi.exceptions import DataError
from kiwi.lib.route.columns import MISSING, Column, numbers_of
from kiwi.utils.places import plain_suffix


def read_gold(gold: Column, acceptable: Acceptable, n_segments: int, place: Path) -> list[float]:
    """Read the gold value of each segment; NaN where it has none.

    Args:
        gold: numbers; or, where the definition takes them, error spans: a file of spans, or a column of a table.
        acceptable: the definition of an acceptable translation.
        n_segments: the number of segments.
        place: the file of the segments, for errors.

    Raises:
        DataError: at the first value that is none, or when there are other numbers of segments.
    """
    if acceptable.takes_spans and _is_span_file(gold, acceptable):
        return [acceptable.gold_value(raters) for raters in read_severities(gold.path, n_segments, place)]
    numbers, cells = gold.read_numbered()
    if len(cells) != n_segments:
        found, expected = f"{len(cells):,} segments", f"{n_segments:,}, as {place} has"
        raise DataError.at(gold.path, None, found=found, expected=expected)
    return parse_gold(cells, numbers, acceptable, gold.path)


def parse_gold(cells: Sequence[str], numbers: Sequence[int], acceptable: Acceptable, path: Path) -> list[float]:
    """Return the gold value of each cell; NaN where it is empty.

    Args:
        cells: numbers; or, where the definition takes them, error spans.
        numbers: the number of the line of each cell.
        acceptable: the definition of an acceptable translation.
        path: the file, for errors.

    Raises:
        DataError: at the first cell that is neither.
    """
    if not (acceptable.needs_spans or (acceptable.takes_spans and not _are_numbers(cells))):
        return numbers_of(cells, numbers, path)
    found = []
    for number, cell in zip(numbers, cells, strict=True):
        raters = [] if cell.strip().lower() in MISSING else read_cell(path, number, cell)
        found.append(acceptable.gold_value(severities_of(raters, path, number)))
    return found


def _is_span_file(gold: Column, acceptable: Acceptable) -> bool:
    """Return whether gold values are in a file of error spans, rather than in lines or in a column of a table."""
    if plain_suffix(gold.path.name) in READERS:
        return not has_column(gold.path, gold.name)
    if find_format(gold.path) is not None:
        return False
    return acceptable.needs_spans or any("\t" in line for line in read_lines(gold.path)[:10])


def _are_numbers(cells: Sequence[str]) -> bool:
    """Return whether cells are numbers, by the first that is not empty."""
    first = next((cell for cell in cells if cell.strip().lower() not in MISSING), "0")
    try:
        parse_score(first)
    except ValueError:
        return False
    return True

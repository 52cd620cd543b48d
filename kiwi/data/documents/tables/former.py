"""The columns that kiwi has written into a table before, which are replaced when the table is scored again."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import get_args

from kiwi import constants as const
from kiwi.data.files.table_writers import tsv_cell
from kiwi.data.flags import COLUMN as FLAGS
from kiwi.data.labels.policy import DECISION, REASON
from kiwi.data.labels.score_meaning import ScoreKind
from kiwi.exceptions import DataError
from kiwi.outputs import SPAN_SCORES, column_kinds, in_order_of_columns

logger = logging.getLogger(__name__)

NO_SCORE = tsv_cell(math.nan)
"""The cell of a segment that cannot be used."""

DESCRIBED = re.compile(
    rf"({'|'.join((const.SENTENCE_SCORES, *SPAN_SCORES))}) "
    rf"\((?:0-100|{'|'.join(get_args(ScoreKind))}), (?:higher|lower) is better\)"
)
"""The name of a column of scores with what they mean, as :class:`kiwi.lib.score.scale.Scale` writes it."""


class FormerColumns:
    """Finds the columns of an earlier run in a table, and says once in the log that they are replaced.

    A run of columns starts with the sentence scores and goes on as long as columns of kiwi follow in the order in which
    kiwi writes them. If nothing in the name of the scores says that kiwi has written them, the run counts only if one
    of its columns is to be written again.

    Args:
        place: the table, for errors and the log.
    """

    def __init__(self, place: object) -> None:
        self._place = place
        self._is_noted = False

    def find(
        self,
        names: Sequence[str],
        added: Collection[str],
        read: Collection[int],
        number: int | None = None,
        has_numbers: Callable[[int], bool] = lambda at: True,
    ) -> list[range]:
        """Return the positions of the columns that are replaced, each run of neighbours as a range, in order.

        Args:
            names: the columns of the table.
            added: the columns that are added; without any, none is replaced.
            read: the positions of the columns of fields, which kiwi has not written.
            number: the number of the line of the names, for errors.
            has_numbers: whether the column at a position has numbers; asked of scores under a bare name.

        Raises:
            DataError: when another column has the name of one that is added.
        """
        if not added or not may_have_former(names):
            self.check_free(names, added, number)
            return []
        found = [(run, names[run.start : run.stop]) for run in _runs(names, read)]
        runs = [
            run
            for run, own in found
            if DESCRIBED.fullmatch(own[0]) or (not {*own}.isdisjoint(added) and has_numbers(run.start))
        ]
        self.check_free([name for at, name in enumerate(names) if not any(at in run for run in runs)], added, number)
        if runs and not self._is_noted:
            self._is_noted = True
            listing = ", ".join(names[at] for run in runs for at in run)
            logger.warning("%s: replacing the columns of an earlier run: %s.", self._place, listing)
        return runs

    def check_free(self, names: Collection[str], added: Collection[str], number: int | None = None) -> None:
        """Check that no column has the name of one that is added; see :meth:`find`."""
        if taken := [name for name in added if name in names]:
            name = taken[0]
            raise DataError.at(
                self._place,
                number,
                found=f"a column '{name}' already",
                expected="none of this name",
                advice="Rename or remove it: only columns of an earlier run, behind its sentence scores, are replaced."
                + (" --no-flags adds none." if name == FLAGS else ""),
            )


def may_have_former(names: Iterable[str]) -> bool:
    """Return whether a table may have columns of an earlier run, by the names of its columns."""
    return const.SENTENCE_SCORES in "\n".join(names)


def columns_of_people(names: Sequence[str], read: Collection[int]) -> int:
    """Return the number of columns in front of those of an earlier run, if these are the last and say what they mean.

    A row that was added since has no more cells than these.

    Args:
        names: the columns of the table.
        read: the positions of the columns of fields.
    """
    if may_have_former(names):
        for run in _runs(names, read):
            if run.stop == len(names) and DESCRIBED.fullmatch(names[run.start]):
                return run.start
    return len(names)


def find_in_short(cells: Sequence[str], names: Sequence[str], runs: Sequence[range]) -> list[range]:
    """Return the positions of the replaced columns in a row with fewer cells than the table has columns.

    Cells stand in the columns of their positions, since tools drop empty cells at the end of a row. A run is there if
    numbers are where kiwi writes numbers; otherwise, the cells are those of people.

    Args:
        cells: the cells of the row.
        names: the columns of the table.
        runs: the positions in other rows.
    """
    own = [range(run.start, min(run.stop, len(cells))) for run in runs if run.start < len(cells)]
    return [run for run in own if all(is_number(cells[at]) for at in _numbers(run, names))]


def find_in_long(cells: Sequence[str], names: Sequence[str], runs: Sequence[range]) -> list[range]:
    """Return the positions of the replaced columns in a row with more cells than the table has columns.

    Such a row cannot be used, so kiwi has added cells without a score at its end, as far from it as in other rows.
    Where others stand there, no cell is known to be one of kiwi.

    Args:
        cells: the cells of the row.
        names: the columns of the table.
        runs: the positions in other rows.
    """
    shift = len(cells) - len(names)
    own = [range(run.start + shift, run.stop + shift) for run in runs]
    are_former = all(cells[at + shift] == NO_SCORE for run in runs for at in _numbers(run, names))
    return own if are_former else []


def _numbers(run: range, names: Sequence[str]) -> list[int]:
    """Return the positions of numbers in a run of columns."""
    kinds = column_kinds()
    return [at for at in run if kinds.get(_plain(names[at])) == "number"]


def _runs(names: Sequence[str], read: Collection[int]) -> list[range]:
    """Return the runs of columns that start with sentence scores and have the names and the order of those of kiwi."""
    columns = [column for spec in in_order_of_columns() for column in spec.columns]
    order = {name: at for at, name in enumerate([*columns, FLAGS, DECISION, REASON])}
    ranks = [-1 if at in read else order.get(_plain(name), -1) for at, name in enumerate(names)]
    first = order[const.SENTENCE_SCORES]
    runs = []
    for start in [at for at, rank in enumerate(ranks) if rank == first]:
        stop = start + 1
        while stop < len(ranks) and ranks[stop] > ranks[stop - 1]:
            stop += 1
        runs.append(range(start, stop))
    return runs


def _plain(name: str) -> str:
    """Return the name of a column of scores without what it says of their meaning; other names as they are."""
    described = DESCRIBED.fullmatch(name)
    return name if described is None else described[1]


def is_number(cell: str) -> bool:
    """Return whether a cell is a number, also one as spreadsheets write it in languages with a decimal comma."""
    try:
        float(cell.replace(",", ".", 1))
    except ValueError:
        return False
    return True

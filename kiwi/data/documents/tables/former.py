"""The columns that kiwi has written into a table before, which are replaced when the table is scored again."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Sequence
from typing import get_args

from kiwi import constants as const
from kiwi.data.flags import COLUMN as FLAGS
from kiwi.data.labels.policy import DECISION, REASON
from kiwi.data.labels.score_meaning import ScoreKind
from kiwi.exceptions import DataError
from kiwi.outputs import SPAN_SCORES, column_kinds, in_order_of_columns

logger = logging.getLogger(__name__)

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
        self, names: Sequence[str], added: Collection[str], read: Collection[int], number: int | None = None
    ) -> list[range]:
        """Return the positions of the columns that are replaced, each run of neighbours as a range, in order.

        Args:
            names: the columns of the table.
            added: the columns that are added; without any, none is replaced.
            read: the positions of the columns of fields, which kiwi has not written.
            number: the number of the line of the names, for errors.

        Raises:
            DataError: when another column has the name of one that is added.
        """
        if not added or not may_have_former(names):
            self.check_free(names, added, number)
            return []
        found = [(run, names[run.start : run.stop]) for run in _runs(names, read)]
        runs = [run for run, own in found if DESCRIBED.fullmatch(own[0]) or not {*own}.isdisjoint(added)]
        self.check_free([name for at, name in enumerate(names) if not any(at in run for run in runs)], added, number)
        if runs and not self._is_noted:
            self._is_noted = True
            listing = ", ".join(names[at] for run in runs for at in run)
            logger.info("%s: replacing the columns of an earlier run: %s.", self._place, listing)
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


def find_in_ragged(cells: Sequence[str], names: Sequence[str], runs: Sequence[range]) -> list[range]:
    """Return the positions of the replaced columns in a row with more or fewer cells than the table has columns.

    Kiwi adds its cells at the end of such a row, so they are looked for as far from the end as in other rows; then, as
    far from the start, because a tool may have dropped empty cells at the end. They are there if numbers are where kiwi
    writes numbers.

    Args:
        cells: the cells of the row.
        names: the columns of the table.
        runs: the positions in other rows.
    """
    kinds = column_kinds()
    for shift in (len(cells) - len(names), 0):
        moved = [range(run.start + shift, min(run.stop + shift, len(cells))) for run in runs]
        numbers = [cells[at] for run in moved for at in run if kinds.get(_plain(names[at - shift])) == "number"]
        if all(0 <= run.start < run.stop for run in moved) and all(map(_is_number, numbers)):
            return moved
    return []


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


def _is_number(cell: str) -> bool:
    """Return whether a cell is a number, also one as spreadsheets write it in languages with a decimal comma."""
    try:
        float(cell.replace(",", ".", 1))
    except ValueError:
        return False
    return True

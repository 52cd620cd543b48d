"""The segments that :meth:`kiwi.runner.Runner.predict` takes as arguments."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from kiwi import constants as const
from kiwi.data.files.lines import Columns
from kiwi.data.lists import as_lists, as_texts
from kiwi.data.segments.bad_rows import BadRows, OnBad
from kiwi.exceptions import Argument

logger = logging.getLogger(__name__)

ARGUMENTS = {
    const.SOURCE: Argument("source"),
    const.TARGET: Argument("target"),
    const.ALIGNMENTS: Argument("alignments"),
    const.SOURCE_POS: Argument("source_pos"),
    const.TARGET_POS: Argument("target_pos"),
    const.LANGUAGE_PAIR: Argument("language_pairs"),
}
"""The names of the arguments in error messages, by field."""


def read_segments(given: Mapping[str, Iterable[str]], on_bad: OnBad) -> Columns:
    """Check segments and return the columns to predict, in which bad segments are blank or left out.

    Args:
        given: the values of the segments, by field.
        on_bad: what happens to segments that cannot be used.

    Raises:
        DataError: when an argument is no list of segments, lists have different lengths, or a segment cannot be used
            and ``on_bad`` is ``stop``.
    """
    lists = as_lists({ARGUMENTS[field]: values for field, values in given.items()})
    bad = BadRows(on_bad, option="on_bad")
    with bad.advising():
        columns = {field: as_texts(ARGUMENTS[field], lists[ARGUMENTS[field]], bad.note) for field in given}
        screened = bad.screen(columns, ARGUMENTS, 1)
    if bad:
        logger.warning("%s", bad.summary(len(columns[const.SOURCE])))
    return screened

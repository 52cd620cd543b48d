"""Tokenizes, checks and labels segments, in one process or several."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import chain, islice, repeat
from pathlib import Path

from kiwi import constants as const
from kiwi.data.files.lines import Columns
from kiwi.data.flags.scripts import wrong_script
from kiwi.data.labels.edits import edit_path
from kiwi.data.labels.scores import check_scores
from kiwi.data.labels.ter import hter
from kiwi.data.readers import check_alignments
from kiwi.data.text.normal_form import is_blank
from kiwi.exceptions import DataError, KiwiError
from kiwi.lib.corpus.cleaning import Bounds, check_texts, is_unrelated
from kiwi.lib.corpus.options import POST_EDIT_ALIGNMENTS, SCORES, TEXTS
from kiwi.lib.corpus.tokenizers import Tokenize, Tokenizer
from kiwi.utils.process.workers import end_with_parent, in_order


@dataclass(frozen=True)
class Chunk:
    """Consecutive segments of the input."""

    numbers: list[int]
    """The line of each segment, or its row in Parquet."""

    columns: Columns
    """The fields as they were read."""

    verdicts: Sequence[tuple[str, str]] = ()
    """For units of files of translators, the rule and the reason by which each is left out; empty if it is kept."""


@dataclass(frozen=True)
class Row:
    """A segment with its labels; one that is left out has only what was known when it was."""

    number: int
    """The line of the segment, or its row in Parquet."""

    fields: dict[str, str]
    """The fields as they were read."""

    texts: dict[str, str]
    """Source, target and post-edit, with words separated by spaces."""

    rule: str = ""
    """The cleaning rule by which the segment is left out."""

    reason: str = ""

    path: str = ""
    """The edits from translation to post-edit (:func:`kiwi.data.labels.edits.edit_path`)."""

    hter: float = 0.0


@dataclass(frozen=True)
class Labeller:
    """Makes rows from chunks."""

    source: Tokenizer
    target: Tokenizer
    keep: frozenset[str]
    bounds: Bounds
    empty_is_unedited: bool

    places: dict[str, Path]
    """The file of each field, for errors."""

    def load(self) -> Callable[[Chunk], list[Row]]:
        """Load the tokenizers, and return a function that labels a chunk.

        The function raises :class:`DataError` at the first segment that cannot be used.
        """
        source, target = self.source.load(), self.target.load()
        return lambda chunk: [self._row(*row, source, target) for row in rows_of(chunk)]

    def _row(
        self, number: int, fields: dict[str, str], verdict: tuple[str, str], source: Tokenize, target: Tokenize
    ) -> Row:
        if self.empty_is_unedited and is_blank(fields[const.POST_EDIT]):
            fields = fields | {const.POST_EDIT: fields[const.TARGET]}
        split = [source(fields[const.SOURCE]), target(fields[const.TARGET]), target(fields[const.POST_EDIT])]
        row = Row(number, fields, {name: " ".join(text) for name, text in zip(TEXTS, split, strict=True)})
        if verdict[0]:
            return replace(row, rule=verdict[0], reason=verdict[1])
        rule, reason = check_texts(*split)
        if rule == "empty" and rule in self.keep:
            empty = next(name for name, text in row.texts.items() if is_blank(text))
            raise DataError.at(
                self.places[empty],
                number,
                found=f"an empty {empty.replace('_', '-')}",
                expected="at least one word",
                advice="Remove the segment, or let the cleaning rule 'empty' leave it out.",
            )
        rule = "" if rule in self.keep else rule
        if not rule and "script" not in self.keep:
            languages = (self.source.language, self.target.language, self.target.language)
            for name, language in zip(TEXTS, languages, strict=True):
                if found := wrong_script(row.texts[name], language):
                    rule, reason = "script", f"{name.replace('_', '-')}: {found}"
                    break
        if rule:
            return replace(row, rule=rule, reason=reason)
        self._check(row)
        score = hter(split[1], split[2])
        if "unrelated" not in self.keep and is_unrelated(score, len(split[1]), len(split[2]), self.bounds):
            reason = f"HTER {score:.2f}, and {len(split[1])} words became {len(split[2])}"
            return replace(row, rule="unrelated", reason=reason)
        return replace(row, path=edit_path(split[1], split[2]), hter=score)

    def _check(self, row: Row) -> None:
        for name, other in ((const.ALIGNMENTS, const.TARGET), (POST_EDIT_ALIGNMENTS, const.POST_EDIT)):
            if name in row.fields:
                texts = {const.SOURCE: [row.texts[const.SOURCE]], const.TARGET: [row.texts[other]]}
                columns = {**texts, const.ALIGNMENTS: [row.fields[name]]}
                check_alignments(columns, {const.ALIGNMENTS: self.places[name]}, first=row.number)
        if SCORES in row.fields:
            try:
                check_scores([row.fields[SCORES]], "")
            except DataError:
                found = f"'{row.fields[SCORES]}'"
                raise DataError.at(self.places[SCORES], row.number, found=found, expected="a finite number") from None


def rows_of(chunk: Chunk) -> Iterator[tuple[int, dict[str, str], tuple[str, str]]]:
    """Yield the line, the fields and the verdict of each segment."""
    verdicts = chunk.verdicts or repeat(("", ""), len(chunk.numbers))
    for number, verdict, *cells in zip(chunk.numbers, verdicts, *chunk.columns.values(), strict=True):
        yield number, dict(zip(chunk.columns, cells, strict=True)), verdict


def label(labeller: Labeller, chunks: Iterable[Chunk], n_processes: int | None) -> Iterator[list[Row]]:
    """Label chunks, in order.

    Args:
        labeller: how they are labelled.
        chunks: the chunks.
        n_processes: the number of processes; None is one per core, or a single one for few segments.

    Raises:
        DataError: at the first segment that cannot be used.
    """
    for tokenizer in (labeller.source, labeller.target):
        tokenizer.check()  # a worker that fails to load it would break the pool without a reason
    chunks = iter(chunks)
    first = list(islice(chunks, 2))
    if n_processes is None:
        n_processes = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if len(first) < 2 or n_processes < 2:
        yield from map(labeller.load(), chain(first, chunks))
        return
    # A forked process could not use the threads of its parent.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(n_processes, mp_context=context, initializer=_load, initargs=(labeller,))
    try:
        yield from in_order(pool, _label, chain(first, chunks), 2 * n_processes)
    except BrokenProcessPool as error:
        raise KiwiError(
            "A worker process has died, perhaps for lack of memory. Run the same command with fewer --processes. (A "
            "script that starts processes needs `if __name__ == '__main__':` around its main code.)"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_function: Callable[[Chunk], list[Row]]
"""The function of a worker process."""


def _load(labeller: Labeller) -> None:
    global _function
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the main one ends the others
    threading.Thread(target=end_with_parent, daemon=True).start()
    _function = labeller.load()


def _label(chunk: Chunk) -> list[Row]:
    return _function(chunk)

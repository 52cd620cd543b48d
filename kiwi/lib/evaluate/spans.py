"""The comparison of error spans."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kiwi.data.files.lines import read_lines
from kiwi.data.labels.error_spans import ErrorSpan
from kiwi.data.labels.gold import check_line_count
from kiwi.data.wmt.sentence_level import SpanSubmission
from kiwi.data.wmt.unified import END
from kiwi.exceptions import DataError
from kiwi.lib.evaluate.excluded import Excluded
from kiwi.lib.evaluate.source import Source, Sources
from kiwi.metrics.measured import Measured, measure_spans
from kiwi.metrics.spans import SPANS
from kiwi.pages.marks import MarkedTexts

logger = logging.getLogger(__name__)


def align_spans(
    source: Source, systems: Mapping[str, Sources], excluded: Excluded, texts: Path | None
) -> tuple[list[Measured], MarkedTexts]:
    """Compare the spans of all systems with the gold spans.

    Args:
        source: the source of the gold spans.
        systems: the sources of each system's predictions.
        excluded: the segments that are left out.
        texts: the file of the translations, for gold spans without them.

    Returns:
        The metrics of each system, and what is compared.

    Raises:
        DataError: when the texts of a system are others than those of the gold spans.
    """
    gold = source.read()
    targets = gold.targets
    if not any(targets):
        if texts is None:
            expected = "translations beside the gold spans (such as hypothesis_segment or target), or in texts"
            raise DataError.at(source.path, None, found="no translation", expected=expected)
        targets = read_lines(texts)
        check_line_count(source.path, len(gold.spans), texts, len(targets))
    predicted = {}
    for system, sources in systems.items():
        if mine := sources.get(SPANS):
            submission = mine.read()
            spans = submission.spans
            if mine.translations is not None and source.translations is not None:
                spans = [spans[line] for line in mine.translations().find(source.translations()).tolist()]
            else:
                check_line_count(mine.path, len(spans), source.path, len(targets))
                _check_texts(mine.path, submission.targets, targets)
            predicted[system] = _cut(mine.path, spans, targets)
    kept = np.flatnonzero(~excluded.mask(len(targets))).tolist()
    if isinstance(gold, SpanSubmission):
        # As in the official scorer of WMT 2023, white space around a text does not count.
        targets = [target.strip() for target in targets]
    chosen = {system: [own[index] for index in kept] for system, own in predicted.items()}
    marked = MarkedTexts(
        [targets[index] for index in kept],
        [gold.spans[index] for index in kept],
        chosen,
        [index + 1 for index in kept],
    )
    measured = measure_spans(marked.targets, marked.gold, marked.predicted)
    return [replace(each, excluded=len(excluded.numbers)) for each in measured], marked


def split_spans(marked: MarkedTexts, pairs: Sequence[str]) -> dict[str, tuple[list[Measured], MarkedTexts]]:
    """Return the metrics of each language pair of which segments are compared, and what is compared.

    Args:
        marked: the error spans of all segments.
        pairs: the language pair of each line of the files; blank for a segment without one, which is left out.
    """
    found = {}
    for pair in sorted({*pairs} - {""}):
        if rows := [row for row, number in enumerate(marked.numbers) if pairs[number - 1] == pair]:
            own, n_excluded = marked.select(rows), pairs.count(pair) - len(rows)
            measured = measure_spans(own.targets, own.gold, own.predicted)
            found[pair] = [replace(each, excluded=n_excluded) for each in measured], own
    return found


def _check_texts(path: Path, targets: Sequence[str], expected: Sequence[str]) -> None:
    """Check that spans are of the same texts, where both have texts."""
    for number, (target, own) in enumerate(zip(targets, expected, strict=True)):
        if target and own and not _same_text(target.strip(), own.strip()):
            raise DataError.at(
                path, None, found=f"{target!r:.60} as the TARGET of SEG {number}", expected=f"{own!r:.60}"
            )


def _cut(path: Path, spans: Sequence[Sequence[ErrorSpan]], targets: Sequence[str]) -> list[list[ErrorSpan]]:
    """Cut spans at the end of their text, and log how many are cut."""
    cut, n_cut = [], 0
    for own, target in zip(spans, targets, strict=True):
        size = len(target)
        n_cut += sum(size < span.end < END for span in own)
        cut.append([span._replace(start=min(span.start, size), end=min(span.end, size)) for span in own])
    if n_cut:
        logger.warning("%s: %d span(s) lie beyond the end of their text, where they are cut.", path, n_cut)
    return cut


def _same_text(one: str, other: str) -> bool:
    """Return whether two texts differ in the kind of their white space and quotes at most, not in any position."""
    if one == other:
        return True
    return len(one) == len(other) and all(
        a == b or (a.isspace() and b.isspace()) or {a, b} <= QUOTES for a, b in zip(one, other, strict=True)
    )


QUOTES = set("\"'`´“”„‟‘’‚‛«»")
"""Characters that writers of tables exchange for each other."""

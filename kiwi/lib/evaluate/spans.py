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
from kiwi.data.labels.spans.raw import NORMALIZATION, look_alike
from kiwi.data.wmt.sentence_level import SpanSubmission
from kiwi.data.wmt.unified import END
from kiwi.exceptions import DataError
from kiwi.lib.evaluate.excluded import Excluded
from kiwi.lib.evaluate.source import Source, Sources
from kiwi.lib.evaluate.translations import canonical
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
    if texts is None and not any(targets):
        expected = "translations beside the gold spans (such as hypothesis_segment or target), or in texts"
        raise DataError.at(source.path, None, found="no translation", expected=expected)
    if texts is not None:
        lines = read_lines(texts)
        check_line_count(source.path, len(gold.spans), texts, len(lines))
        _check_texts(source.path, targets, lines, texts)
        targets = [own or line for own, line in zip(targets, lines, strict=True)]
    marked_gold = _cut(source.path, gold.spans, targets)
    predicted = {}
    for system, sources in systems.items():
        if mine := sources.get(SPANS):
            submission = mine.read()
            spans, own = submission.spans, submission.targets
            if mine.translations is not None:
                if source.translations is None:
                    expected = f"one row per line, since {source.path} does not say which MT system each line is of"
                    raise DataError.at(mine.path, None, found="spans of several MT systems", expected=expected)
                order = mine.translations().find(source.translations()).tolist()
                spans, own = [spans[line] for line in order], [own[line] for line in order]
            else:
                check_line_count(mine.path, len(spans), source.path, len(targets))
            _check_texts(mine.path, own, targets, source.path)
            predicted[system] = _cut(mine.path, spans, targets)
    kept = np.flatnonzero(~excluded.mask(len(targets))).tolist()
    if predicted and not kept:
        raise DataError.at(excluded.place, None, found="every segment", expected="some to compare")
    if isinstance(gold, SpanSubmission):
        # As in the official scorer of WMT 2023, white space around a text does not count.
        targets = [target.strip() for target in targets]
    chosen = {system: [own[index] for index in kept] for system, own in predicted.items()}
    marked = MarkedTexts(
        [targets[index] for index in kept],
        [marked_gold[index] for index in kept],
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


def _check_texts(path: Path, targets: Sequence[str], expected: Sequence[str], place: Path) -> None:
    """Check that spans are of the same texts, where both have texts."""
    for number, (target, own) in enumerate(zip(targets, expected, strict=True), start=1):
        # A writer of CSV may put quotes around every text, which its positions do not count.
        if target and own and target != own and canonical(target) not in (canonical(own), f'"{canonical(own)}"'):
            found = f"the translation {target!r:.60} in the place of segment {number} of {place}"
            is_other = not look_alike(canonical(target), canonical(own))
            advice = "The spans are in another order, or of other translations." if is_other else NORMALIZATION
            raise DataError.at(path, None, found=found, expected=f"{own!r:.60}", advice=advice)


def _cut(path: Path, spans: Sequence[Sequence[ErrorSpan]], targets: Sequence[str]) -> list[list[ErrorSpan]]:
    """Cut spans at the end of their text as the official scorer of WMT23 does, and log how many are cut.

    A span that starts beyond the end marks nothing, apart from an omission without a position, at :data:`END`.
    """
    cut, n_cut = [], 0
    for own, target in zip(spans, targets, strict=True):
        size = len(target)
        n_cut += sum(span.end > size and span.start != END for span in own)
        cut.append(
            [
                span._replace(start=min(span.start, size), end=min(span.end, size))
                for span in own
                if span.start <= size or span.start == END
            ]
        )
    if n_cut:
        logger.warning("%s: %d span(s) lie beyond the end of their text, where they are cut.", path, n_cut)
    return cut

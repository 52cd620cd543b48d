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
from kiwi.data.labels.spans.rows import SEGMENT
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
    else:
        lines = [""] * len(targets)
    # As in the official scorer of WMT 2023, white space around a text does not count.
    texts_of_gold = [target.strip() for target in targets] if isinstance(gold, SpanSubmission) else targets
    marked_gold = _cut(source.path, gold.spans, texts_of_gold)
    predicted = {}
    for system, sources in systems.items():
        if mine := sources.get(SPANS):
            submission = mine.read()
            spans, own = submission.spans, submission.targets
            order = _order(mine, source, len(spans), len(targets))
            spans, own = [spans[line] for line in order], [own[line] for line in order]
            _check_texts(mine.path, own, targets, source.path)
            if not (isinstance(gold, SpanSubmission) and isinstance(submission, SpanSubmission)):
                # The official scorer of WMT 2023 compares the positions of two submissions as they are.
                own = [text or line for text, line in zip(own, lines, strict=True)]
                spans = list(map(_in_other_text, spans, own, targets))
            predicted[system] = _cut(mine.path, spans, texts_of_gold)
    kept = np.flatnonzero(~excluded.mask(len(targets))).tolist()
    if predicted and not kept:
        raise DataError.at(excluded.place, None, found="every segment", expected="some to compare")
    chosen = {system: [own[index] for index in kept] for system, own in predicted.items()}
    marked = MarkedTexts(
        [texts_of_gold[index] for index in kept],
        [marked_gold[index] for index in kept],
        chosen,
        [index + 1 for index in kept],
    )
    measured = measure_spans(marked.targets, marked.gold, marked.predicted)
    return [replace(each, excluded=len(excluded.numbers)) for each in measured], marked


def _order(mine: Source, gold: Source, n_own: int, n_gold: int) -> Sequence[int]:
    """Return the row of each gold row: by what names both, or else the same row, as far as nothing contradicts it."""
    if mine.translations is not None:
        if gold.translations is None:
            expected = f"one row per line, since {gold.path} does not say which MT system each line is of"
            raise DataError.at(mine.path, None, found="spans of several MT systems", expected=expected)
        order: list[int] = mine.translations().find(gold.translations()).tolist()
        return order
    if mine.partly_named is not None:
        own, others = mine.partly_named(), None if gold.partly_named is None else gold.partly_named()
        if others is not None and own.columns == others.columns:
            if SEGMENT not in own.columns:  # so that several rows have one name
                check_line_count(mine.path, n_own, gold.path, n_gold)
            order = own.find(others).tolist()
            return order
        others = gold.translations() if gold.translations is not None else others
        if not own.is_counted or not (others is None or others.is_counted):
            logger.warning(
                "%s: %s has other columns than %s to tell what each row is, so rows are compared in their order. To "
                "compare them by name, give both files the same of the columns system, doc, seg and lp.",
                mine.path,
                gold.path,
                ", ".join(sorted(own.columns)),
            )
    check_line_count(mine.path, n_own, gold.path, n_gold)
    return range(n_gold)


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


def _in_other_text(spans: Sequence[ErrorSpan], own: str, other: str) -> list[ErrorSpan]:
    """Return spans of a text with their positions in one that begins with more or less white space.

    What lies in the white space that the other text lacks is left out, apart from omissions.

    Args:
        spans: the spans.
        own: the text whose characters their positions count; empty where it is not known.
        other: the other text.
    """
    shift = _indentation(other) - _indentation(own) if own else 0
    if not shift:
        return [*spans]
    moved = [
        span if span.start == END else span._replace(start=max(span.start + shift, 0), end=max(span.end + shift, 0))
        for span in spans
    ]
    return [new for new, old in zip(moved, spans, strict=True) if new.start < new.end or old.start == old.end]


def _indentation(text: str) -> int:
    return len(text) - len(text.lstrip())


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

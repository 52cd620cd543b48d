"""The comparison of predictions with gold labels, segment by segment."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.files.lines import read_lines
from kiwi.data.labels.gold import GoldTags, Matched, check_line_count, unit_of
from kiwi.data.labels.ragged import Ragged
from kiwi.exceptions import DataError
from kiwi.lib.evaluate.error_free import align_error_free
from kiwi.lib.evaluate.excluded import Excluded, collect_excluded
from kiwi.lib.evaluate.interleaving import split_interleaved
from kiwi.lib.evaluate.language_pairs import PairLines
from kiwi.lib.evaluate.segments import (
    IN_ORDER,
    Scores,
    add_ensemble,
    beyond_probabilities,
    check_missing,
    counted_source,
    exclude_more,
    excluded_lines,
    in_order,
    note_left_out,
    note_only_order,
    with_meaning,
)
from kiwi.lib.evaluate.source import Source, Sources
from kiwi.lib.evaluate.sources import EXTRAS, INTERVALS, checkpoint_hash, collect_gold, gold_by_prediction
from kiwi.lib.evaluate.spans import align_spans
from kiwi.lib.evaluate.word_counts import WordCounts
from kiwi.metrics.aligned import Aligned
from kiwi.metrics.error_free import ERROR_FREE
from kiwi.metrics.measured import Measured
from kiwi.metrics.spans import SPANS
from kiwi.outputs import OUTPUTS
from kiwi.pages.marks import MarkedTexts

if TYPE_CHECKING:
    from kiwi.lib.evaluate.config import Files

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Alignment:
    """Everything that can be compared."""

    outputs: list[Aligned]
    """Scores, verdicts and tags."""

    spans: list[Measured]
    """The metrics of error spans."""

    marked: MarkedTexts | None
    """The error spans themselves, where they are compared."""

    error_free: Aligned | None
    """The segments that are free of errors, on request."""

    lines: dict[Path, int]
    """The number of segments of each gold file but that of spans."""

    gold: dict[str, Source]
    """The sources of the gold labels and scores, by field."""

    origins: dict[str, str]
    """The hashes of the checkpoints that made the predictions, by system, where they are known."""


def align(
    files: Files,
    systems: Mapping[str, Sources],
    *,
    required: bool,
    error_free: float,
    with_error_free: bool = False,
    low_is_bad: bool = False,
    explanations: bool = False,
    several_pairs: bool = False,
    pair_lines: PairLines | None = None,
) -> Alignment:
    """Read and align the predictions of all systems.

    Args:
        files: the files to compare.
        systems: the sources of each system's predictions.
        required: whether predictions that cannot be compared are an error, rather than a warning.
        low_is_bad: whether low values of verdicts mean BAD.
        explanations: whether tags of target words explain scores, so that they are of words if that is unclear.
        several_pairs: whether the lines of the files are of several language pairs.
        pair_lines: the language pair of each line of the files, where it is known of all.
        error_free: the score from which on a segment without spans is free of errors.
        with_error_free: whether segments that are free of errors are compared without gold labels of them too.

    Raises:
        DataError: when predictions and gold labels do not match; the message names the first place.
    """
    excluded = collect_excluded(files, several_pairs=several_pairs)
    gold = collect_gold(files, excluded.numbers, pair_lines)
    targets = None if files.texts is None else files.texts.target
    counts = None if files.texts is None else WordCounts.read(files.texts.source, files.texts.target)
    outputs: list[Aligned | None] = []
    spans: list[Measured] = []
    marked: MarkedTexts | None = None
    lines: dict[Path, int] = {}
    counted = counted_source(gold)
    for name, source in ((name, gold[name]) for name in IN_ORDER if name in gold):
        own_excluded = excluded_lines(excluded, source, gold)
        compared = [output for output, needed in gold_by_prediction().items() if needed == name]
        if name == SPANS:
            compared = [SPANS]
            spans, marked = align_spans(source, systems, own_excluded, targets)
            n_lines = len(source.read().spans)
        elif name in (const.SENTENCE_SCORES, const.BINARY):
            values = np.array(source.read())
            n_lines = lines[source.path] = len(values)
            own_excluded = exclude_more(own_excluded, source, values)
            for output in compared:
                outputs.append(_align_segments(output, values, source, systems, counts, own_excluded, low_is_bad))
        else:
            tags = GoldTags(source.path, source.read())
            n_lines = lines[source.path] = len(tags.rows)
            if counts is not None:
                check_line_count(source.path, len(tags.rows), counts.path, len(counts.target))
            if name == const.TARGET_TAGS:
                systems = {
                    system: split_interleaved(own, tags, counts, explanations) for system, own in systems.items()
                }
            outputs += [_align_tags(output, tags, systems, counts, own_excluded, required) for output in compared]
        if excluded.numbers and source.translations is None and counted.translations is not None:
            check_line_count(source.path, n_lines, counted.path, lines[counted.path])
        is_for_error_free = with_error_free and name in (const.SENTENCE_SCORES, SPANS)
        if not is_for_error_free and not any(output in own for own in systems.values() for output in compared):
            logger.warning("%s is not compared with anything: no system has predictions for it.", source.path)
    origins = {name: found for name, own in systems.items() if (found := checkpoint_hash(own))}
    is_asked = with_error_free or ERROR_FREE in gold
    if is_asked:
        excluded = excluded_lines(excluded, gold.get(ERROR_FREE, counted), gold)
    free = align_error_free(gold, systems, excluded, error_free) if is_asked else None
    return Alignment([each for each in outputs if each is not None], spans, marked, free, lines, gold, origins)


def _align_segments(
    output: str,
    gold: Scores,
    source: Source,
    systems: Mapping[str, Sources],
    counts: WordCounts | None,
    excluded: Excluded,
    low_is_bad: bool,
) -> Aligned | None:
    """Align scores or verdicts; segments for which a system has none are left out, and counted."""
    spec = OUTPUTS[output]
    if spec.is_bad is not None and spec.gold_field != const.BINARY:
        gold = spec.is_bad(gold).astype(np.float64)
    predicted: dict[str, Scores] = {}
    deviations: dict[str, tuple[Scores, Scores]] = {}
    intervals: dict[str, tuple[Scores, Scores]] = {}
    only_order, is_excluded = low_is_bad and spec.kind == "verdict", excluded.mask(len(gold))
    for system, sources in systems.items():
        if mine := sources.get(output):
            values = in_order(np.array(mine.read()), mine, source)
            check_line_count(mine.path, len(values), source.path, len(gold))
            check_missing(values, mine.path, counts, is_excluded)
            predicted[system] = values
            only_order |= mine.only_order
            if spec.has_distribution and (extras := sources.get(EXTRAS)):
                deviations[system] = _read_pairs(extras.path, source.path, np.isnan(values) | is_excluded, MEANS)
            if spec.has_distribution and (ends := sources.get(INTERVALS)):
                intervals[system] = _read_pairs(ends.path, source.path, np.isnan(values) | is_excluded, ENDS)
    if not predicted:
        return None
    present: NDArray[np.bool_] = np.isfinite(np.array([*predicted.values()])).all(axis=0)
    present |= is_excluded
    note_left_out(output, present, counts, source.path)
    left_out, present = int(np.count_nonzero(~present)), present & ~is_excluded
    chosen = {system: values[present] for system, values in predicted.items()}
    kept, ends_kept = (
        {system: (first[present], second[present]) for system, (first, second) in each.items()}
        for each in (deviations, intervals)
    )
    numbers, gold = np.flatnonzero(present) + 1, gold[present]
    if not len(gold):
        raise DataError.at(excluded.place, None, found="every segment", expected="some to compare")
    aligned = Aligned(
        output, gold, chosen, None, numbers, kept, ends_kept, left_out=left_out, excluded=excluded.numbers
    )
    if spec.kind == "score":
        return with_meaning(replace(aligned, predicted=add_ensemble(chosen)), source)
    if not only_order and (unusual := beyond_probabilities(chosen)):
        only_order = True
        note_only_order(output, unusual)
    if low_is_bad:
        chosen = {system: -values for system, values in chosen.items()}
    ensembled = chosen if only_order else add_ensemble(chosen)
    offsets = np.arange(len(gold) + 1)
    return replace(aligned, gold=gold.astype(np.int64), predicted=ensembled, offsets=offsets, only_order=only_order)


MEANS = ("mean, tab, deviation", "a finite mean, a tab, and a positive deviation")
ENDS = ("lower end, tab, upper end", "the lower end of an interval, a tab, and the upper end, which is not below it")
"""What a line has, and what its two numbers are."""


def _read_pairs(
    path: Path, gold_path: Path, missing: NDArray[np.bool_], expected: tuple[str, str]
) -> tuple[Scores, Scores]:
    """Read two numbers for each segment, which only segments without a score may lack.

    Args:
        path: the file.
        gold_path: the file of the gold scores, for errors.
        missing: whether each segment may lack them, (segments,).
        expected: what they are, :data:`MEANS` or :data:`ENDS`.
    """
    lines = read_lines(path)
    check_line_count(path, len(lines), gold_path, len(missing))
    rows = []
    for number, (line, is_missing) in enumerate(zip(lines, missing.tolist(), strict=True), start=1):
        try:
            first, second = map(float, line.split("\t")) if not is_missing else (np.nan, np.nan)
        except ValueError:
            raise DataError.at(path, number, found=f"{line:.60}", expected=expected[0]) from None
        is_possible = second > 0 if expected == MEANS else first <= second
        if not is_missing and not (np.isfinite(first) and np.isfinite(second) and is_possible):
            raise DataError.at(path, number, found=f"{line:.60}", expected=expected[1])
        rows.append((first, second))
    firsts, seconds = np.array(rows).T
    return firsts, seconds


def _align_tags(
    output: str,
    gold: GoldTags,
    systems: Mapping[str, Sources],
    counts: WordCounts | None,
    excluded: Excluded,
    required: bool,
) -> Aligned | None:
    with_gaps = output == const.TARGETGAPS_TAGS or OUTPUTS[output].unit == "gap"
    found: dict[str, tuple[Source, Ragged]] = {}
    for system, sources in systems.items():
        if source := sources.get(output):
            rows = source.read()
            if with_gaps and not gold.has_gaps(rows, output):
                if required and const.TARGET_TAGS not in sources:
                    expected = f"tags with gaps, for {source.path}"
                    raise DataError.at(gold.path, None, found="one tag per word", expected=expected)
                logger.warning("%s is left out: %s has one tag per word, and none for gaps.", source.path, gold.path)
                continue
            check_line_count(source.path, len(rows), gold.path, len(gold.rows))
            found[system] = source, rows
    if not found:
        return None
    is_excluded = excluded.mask(len(gold.rows))
    left_out = np.zeros_like(is_excluded)
    if counts is not None:
        lacking = np.any([rows.lengths == 0 for _, rows in found.values()], axis=0)
        left_out = lacking & counts.has_empty_side & ~is_excluded
    matched: dict[str, Matched] = {}
    for system, (source, rows) in found.items():
        golds = gold.for_eos(rows) if source.has_eos else gold
        matched[system] = golds.align(output, rows, source.path, left_out | is_excluded, of_lines=not source.of_words)
        if len(matched[system].classes) != len(next(iter(matched.values())).classes):
            expected = "the format of the first system, with or without <EOS>"
            raise DataError.at(source.path, None, found="tags in another format", expected=expected)
    first = next(iter(matched.values()))
    n_left_out = int(np.count_nonzero(left_out & (gold.rows.lengths > 0)))
    if counts is not None:
        note_left_out(output, ~left_out, counts, gold.path)
        if not any(source.has_eos for source, _ in found.values()):  # which is no word of a text
            counts.check_tags(unit_of(output), np.diff(first.offsets), first.numbers, gold.path)
    name = const.WMT19 if output == const.TARGETGAPS_TAGS else output
    predicted = {system: each.probabilities for system, each in matched.items()}
    if unusual := beyond_probabilities(predicted):
        note_only_order(output, unusual)
    ensembled = predicted if unusual else add_ensemble(predicted)
    return Aligned(
        name,
        first.classes,
        ensembled,
        first.offsets,
        first.numbers,
        only_order=bool(unusual),
        left_out=n_left_out,
        excluded=excluded.numbers,
    )

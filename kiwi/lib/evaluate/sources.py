"""The files of predictions and gold labels, and their comparison."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.files.lines import read_lines
from kiwi.data.files.tables import read_table
from kiwi.data.labels.gold import GoldTags, Matched, check_line_count
from kiwi.data.labels.ragged import parse_probabilities, ragged_tags, read_probabilities, read_tags
from kiwi.data.labels.scores import parse_scores
from kiwi.data.readers import read_scores
from kiwi.data.wmt.sentence_level import read_sentence_submission, read_span_submission
from kiwi.data.wmt.word_level import read_word_submission
from kiwi.exceptions import DataError
from kiwi.metrics.aligned import Aligned
from kiwi.metrics.measured import SPANS, Measured, measure_spans
from kiwi.metrics.report import ENSEMBLE
from kiwi.outputs import OUTPUTS

logger = logging.getLogger(__name__)

IN_ORDER = (const.SENTENCE_SCORES, const.TARGET_TAGS, const.SOURCE_TAGS, const.BINARY, SPANS)
"""The gold files in the order in which they are compared."""

EXTRAS = const.SENTENCE_SCORES_EXTRAS
"""The file of means and standard deviations."""


def gold_by_prediction() -> dict[str, str]:
    """Return, for each file of predictions, the gold file that it is compared with."""
    fields: dict[str, str] = {}
    for spec in OUTPUTS.values():
        fields[spec.name] = spec.gold_field
        if spec.name == const.GAP_TAGS:
            fields[const.TARGETGAPS_TAGS] = spec.gold_field
    return fields


@dataclass(frozen=True)
class Source:
    """The file of an output's values, and the function that reads them."""

    path: Path
    """The file, as errors name it."""

    read: Callable[[], Any]
    """Returns scores as a list of numbers, tags or probabilities as :class:`Ragged`, spans as a submission."""

    has_eos: bool = False
    """Whether each translation ends with ``<EOS>``."""


Sources = Mapping[str, Source]
"""The sources of a system's predictions, by output."""


def collect_sources(config: Any) -> dict[str, Sources]:
    """Return the sources of each system's predictions, by the name of the system.

    Args:
        config: a configuration with ``predicted_dir`` or ``predicted_files``.
    """
    systems: dict[str, Sources] = {}
    for directory in config.predicted_dir or []:
        files = {name: directory / name for name in (*gold_by_prediction(), EXTRAS, const.ORIGIN_FILE)}
        sources = {name: _file_source(name, path) for name, path in files.items() if path.is_file()}
        systems[_unique(str(directory), systems)] = sources
    for index, files in enumerate(config.predicted_files or [], start=1):
        known = (*gold_by_prediction(), EXTRAS)
        sources = {name: _file_source(name, path) for name, path in files if path is not None and name in known}
        sources |= _table_sources(files.table)
        if (path := files.sentence_submission) is not None:
            sources[const.SENTENCE_SCORES] = _submitted_scores(path, config.language_pair)
        if (path := files.word_submission) is not None:
            sources |= _submitted_tags(path, config.language_pair)
        if (path := files.span_submission) is not None:
            sources[SPANS] = _submitted_spans(path, config.language_pair)
        parents = {str(source.path.parent) for source in sources.values()}
        name = parents.pop() if len(parents) == 1 else f"system {index}"
        systems[_unique(name, systems)] = sources
    return systems


def _unique(name: str, taken: Mapping[str, object]) -> str:
    return name if name not in taken else f"{name} ({len(taken) + 1})"


def _is_score(name: str) -> bool:
    return name in OUTPUTS and OUTPUTS[name].kind == "score"


def _file_source(name: str, path: Path) -> Source:
    if _is_score(name):
        return Source(path, lambda: read_scores(path, allow_nan=True))
    return Source(path, lambda: read_probabilities(path))


def _table_sources(table: Any) -> dict[str, Source]:
    if table is None:
        return {}
    nullable = {name for name in table.columns if _is_score(name)}
    columns = cache(lambda: read_table(table.path, table.columns, nullable))

    def source(name: str) -> Source:
        if _is_score(name):
            return Source(table.path, lambda: parse_scores(columns()[name], table.path))
        return Source(table.path, lambda: parse_probabilities(columns()[name], table.path))

    return {name: source(name) for name in table.columns}


def _submitted_scores(path: Path, language_pair: str | None) -> Source:
    return Source(path, lambda: read_sentence_submission(path, language_pair).scores)


def _submitted_tags(path: Path, language_pair: str | None) -> dict[str, Source]:
    submission = read_word_submission(path, language_pair)  # read now, to see which types of tags it has
    tags = {
        const.TARGET_TAGS: submission.target_tags,
        const.GAP_TAGS: submission.gap_tags,
        const.SOURCE_TAGS: submission.source_tags,
    }

    def source(name: str, rows: list[list[str]]) -> Source:
        return Source(path, lambda: ragged_tags(rows), submission.has_eos and name == const.TARGET_TAGS)

    return {name: source(name, rows) for name, rows in tags.items() if rows is not None}


def _submitted_spans(path: Path, language_pair: str | None) -> Source:
    return Source(path, lambda: read_span_submission(path, language_pair))


def read_outputs(
    gold_files: Any, systems: Mapping[str, Sources], *, required: bool
) -> tuple[list[Aligned], list[Measured], dict[str, str]]:
    """Read everything that can be compared, and the hashes of the checkpoints that made it, if they are known.

    Args:
        gold_files: the gold files by name.
        systems: the sources of each system's predictions.
        required: whether predictions that cannot be compared are an error, rather than a warning.

    Returns:
        The aligned scores and tags, the measured spans, and the hashes by system.

    Raises:
        DataError: when predictions and gold labels do not match; the message names the first place.
    """
    gold: dict[str, Source] = {
        name: Source(path, partial(_read_gold, name, path)) for name, path in gold_files if isinstance(path, Path)
    }
    gold |= _table_sources(gold_files.table)
    outputs: list[Aligned | None] = []
    spans: list[Measured] = []
    for name in (name for name in IN_ORDER if name in gold):
        source = gold[name]
        compared = [output for output, needed in gold_by_prediction().items() if needed == name]
        if name == SPANS:
            compared = [SPANS]
            spans = _measure_spans(source, systems)
        elif name == const.SENTENCE_SCORES:
            for output in compared:
                if (is_bad := OUTPUTS[output].is_bad) is None:
                    outputs.append(_align_scores(output, source, systems))
                else:
                    verdicts = [[const.LABELS[int(bad)]] for bad in is_bad(np.array(source.read()))]
                    gold_tags = GoldTags(source.path, ragged_tags(verdicts))
                    outputs.append(_align_tags(output, gold_tags, systems, required=required))
        else:
            gold_tags = GoldTags(source.path, source.read())
            outputs += [_align_tags(output, gold_tags, systems, required=required) for output in compared]
        if not any(output in sources for sources in systems.values() for output in compared):
            logger.warning("%s is not compared with anything: no system has predictions for it.", source.path)
    hashes = {name: found for name, sources in systems.items() if (found := _read_checkpoint_hash(sources))}
    return [aligned for aligned in outputs if aligned is not None], spans, hashes


def _read_gold(name: str, path: Path) -> Any:
    if name == const.SENTENCE_SCORES:
        return read_scores(path)
    return read_span_submission(path) if name == SPANS else read_tags(path)


def _read_checkpoint_hash(sources: Sources) -> str:
    with suppress(KeyError, OSError, ValueError, TypeError):
        return str(json.loads(sources[const.ORIGIN_FILE].path.read_text(encoding="utf-8"))["checkpoint"])
    return ""


def _align_scores(output: str, source: Source, systems: Mapping[str, Sources]) -> Aligned | None:
    gold = np.array(source.read())
    predicted: dict[str, NDArray[np.float64]] = {}
    deviations: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for system, sources in systems.items():
        if mine := sources.get(output):
            scores = mine.read()
            check_line_count(mine.path, len(scores), source.path, len(gold))
            predicted[system] = np.array(scores)
            if OUTPUTS[output].has_distribution and (extras := sources.get(EXTRAS)):
                deviations[system] = _read_extras(extras.path, source.path, len(gold))
    if not predicted:
        return None
    finite = np.isfinite([gold, *predicted.values()]).all(axis=0)
    if not finite.all():
        logger.warning("%d empty segment(s), whose score is nan, are left out.", np.count_nonzero(~finite))
    chosen = {system: scores[finite] for system, scores in predicted.items()}
    kept = {system: (mean[finite], deviation[finite]) for system, (mean, deviation) in deviations.items()}
    numbers = np.flatnonzero(finite) + 1
    return Aligned(output, gold[finite], _add_ensemble(chosen), None, numbers, kept)


def _read_extras(path: Path, gold_path: Path, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    lines = read_lines(path)
    check_line_count(path, len(lines), gold_path, n)
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            mean, deviation = map(float, line.split("\t"))
        except ValueError:
            raise DataError.at(path, number, found=f"{line:.60}", expected="mean, tab, deviation") from None
        rows.append((mean, deviation))
    means, widths = np.array(rows).T
    return means, widths


def _align_tags(output: str, gold: GoldTags, systems: Mapping[str, Sources], *, required: bool) -> Aligned | None:
    matched: dict[str, Matched] = {}
    for system, sources in systems.items():
        if source := sources.get(output):
            rows = source.read()
            with_gaps = output == const.TARGETGAPS_TAGS or OUTPUTS[output].unit == "gap"
            if with_gaps and not gold.has_gaps(rows, output):
                if required:
                    expected = f"tags with gaps, for {source.path}"
                    raise DataError.at(gold.path, None, found="one tag per word", expected=expected)
                logger.warning("%s is left out: %s has one tag per word, and none for gaps.", source.path, gold.path)
                continue
            matched[system] = (gold.for_eos(rows) if source.has_eos else gold).align(output, rows, source.path)
            if len(matched[system].classes) != len(next(iter(matched.values())).classes):
                expected = "the format of the first system, with or without <EOS>"
                raise DataError.at(source.path, None, found="tags in another format", expected=expected)
    if not matched:
        return None
    first = next(iter(matched.values()))
    name = const.WMT19 if output == const.TARGETGAPS_TAGS else output
    predicted = _add_ensemble({system: each.probabilities for system, each in matched.items()})
    return Aligned(name, first.classes, predicted, first.offsets, first.numbers)


def _measure_spans(source: Source, systems: Mapping[str, Sources]) -> list[Measured]:
    gold = source.read()
    predicted = {}
    for system, sources in systems.items():
        if mine := sources.get(SPANS):
            submission = mine.read()
            check_line_count(mine.path, len(submission.targets), source.path, len(gold.targets))
            for number, (target, expected) in enumerate(zip(submission.targets, gold.targets, strict=True)):
                if target != expected:
                    raise DataError.at(
                        mine.path,
                        None,
                        found=f"{target!r:.60} as the TARGET of SEG {number}",
                        expected=f"{expected!r:.60}",
                    )
            predicted[system] = submission.spans
    return measure_spans(gold.targets, gold.spans, predicted)


def _add_ensemble(predicted: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    if len(predicted) < 2:
        return predicted
    return {**predicted, ENSEMBLE: np.mean(list(predicted.values()), axis=0)}

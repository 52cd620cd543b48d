"""Predictions of systems on disk, held against gold."""

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
from kiwi.runner.predictions import ORIGIN_FILE

logger = logging.getLogger(__name__)

IN_ORDER = (const.SENTENCE_SCORES, const.TARGET_TAGS, const.SOURCE_TAGS, const.BINARY, SPANS)
"""Gold files, in the order in which they are compared."""

EXTRAS = const.SENTENCE_SCORES_EXTRAS
"""The file of means and standard deviations."""


def gold_of() -> dict[str, str]:
    """Return, for each file of predictions, the gold file that it is compared with."""
    fields: dict[str, str] = {}
    for spec in OUTPUTS.values():
        fields[spec.name] = spec.gold_field
        if spec.name == const.GAP_TAGS:
            fields[const.TARGETGAPS_TAGS] = spec.gold_field
    return fields


@dataclass(frozen=True)
class Source:
    """Where values of an output are from, and how they are read."""

    path: Path
    """Named in errors."""

    read: Callable[[], Any]
    """Scores as a list of numbers, tags or probabilities as :class:`Ragged`, spans as a submission."""

    has_eos: bool = False
    """Whether each translation ends with ``<EOS>``."""


Sources = Mapping[str, Source]
"""By output."""


def predictions_of(config: Any) -> dict[str, Sources]:
    """Name of each system to its predictions.

    Args:
        config: with ``predicted_dir`` or ``predicted_files``.
    """
    systems: dict[str, Sources] = {}
    for directory in config.predicted_dir or []:
        files = {name: directory / name for name in (*gold_of(), EXTRAS, ORIGIN_FILE)}
        there = {name: _plain(name, path) for name, path in files.items() if path.is_file()}
        systems[_unique(str(directory), systems)] = there
    for index, files in enumerate(config.predicted_files or [], start=1):
        sources = {
            name: _plain(name, path) for name, path in files if path is not None and name in (*gold_of(), EXTRAS)
        }
        sources |= _of_table(files.table)
        if (path := files.sentence_submission) is not None:
            sources[const.SENTENCE_SCORES] = _scores_of_submission(path, config.language_pair)
        if (path := files.word_submission) is not None:
            sources |= _tags_of_submission(path, config.language_pair)
        if (path := files.span_submission) is not None:
            sources[SPANS] = _spans_of_submission(path, config.language_pair)
        parents = {str(source.path.parent) for source in sources.values()}
        name = parents.pop() if len(parents) == 1 else f"system {index}"
        systems[_unique(name, systems)] = sources
    return systems


def _unique(name: str, taken: Mapping[str, object]) -> str:
    return name if name not in taken else f"{name} ({len(taken) + 1})"


def _plain(name: str, path: Path) -> Source:
    if name == const.SENTENCE_SCORES:
        return Source(path, lambda: read_scores(path, allow_nan=True))
    return Source(path, lambda: read_probabilities(path))


def _of_table(table: Any) -> dict[str, Source]:
    if table is None:
        return {}
    nullable = {const.SENTENCE_SCORES}
    columns = cache(lambda: read_table(table.path, table.columns, nullable))

    def source(name: str) -> Source:
        if name == const.SENTENCE_SCORES:
            return Source(table.path, lambda: parse_scores(columns()[name], table.path))
        return Source(table.path, lambda: parse_probabilities(columns()[name], table.path))

    return {name: source(name) for name in table.columns}


def _scores_of_submission(path: Path, language_pair: str | None) -> Source:
    return Source(path, lambda: read_sentence_submission(path, language_pair).scores)


def _tags_of_submission(path: Path, language_pair: str | None) -> dict[str, Source]:
    submission = read_word_submission(path, language_pair)  # which types it has shows when it is read
    tags = {
        const.TARGET_TAGS: submission.target_tags,
        const.GAP_TAGS: submission.gap_tags,
        const.SOURCE_TAGS: submission.source_tags,
    }

    def source(name: str, rows: list[list[str]]) -> Source:
        return Source(path, lambda: ragged_tags(rows), submission.has_eos and name == const.TARGET_TAGS)

    return {name: source(name, rows) for name, rows in tags.items() if rows is not None}


def _spans_of_submission(path: Path, language_pair: str | None) -> Source:
    return Source(path, lambda: read_span_submission(path, language_pair))


def read_outputs(
    gold_files: Any, systems: Mapping[str, Sources], *, asked_for: bool
) -> tuple[list[Aligned], list[Measured], dict[str, str]]:
    """Everything that can be compared, and the hashes of the checkpoints that made it, where they are known.

    Args:
        gold_files: paths by name.
        systems: predictions of each.
        asked_for: whether each file was named, so that one that cannot be compared is an error, and no warning.

    Returns:
        Scores and tags; spans; hashes by system.

    Raises:
        DataError: at the first place where predictions and gold do not match.
    """
    gold: dict[str, Source] = {
        name: Source(path, partial(_read_gold, name, path)) for name, path in gold_files if isinstance(path, Path)
    }
    gold |= _of_table(gold_files.table)
    outputs: list[Aligned | None] = []
    spans: list[Measured] = []
    for name in (name for name in IN_ORDER if name in gold):
        source = gold[name]
        those = [output for output, needed in gold_of().items() if needed == name]
        if name == SPANS:
            those = [SPANS]
            spans = _spans(source, systems)
        elif name == const.SENTENCE_SCORES:
            outputs.append(_scores(source, systems))
            for output in those:
                if (is_bad := OUTPUTS[output].is_bad) is not None:
                    verdicts = [[const.LABELS[int(bad)]] for bad in is_bad(np.array(source.read()))]
                    gold_tags = GoldTags(source.path, ragged_tags(verdicts))
                    outputs.append(_tags(output, gold_tags, systems, asked_for=asked_for))
        else:
            gold_tags = GoldTags(source.path, source.read())
            outputs += [_tags(output, gold_tags, systems, asked_for=asked_for) for output in those]
        if not any(output in sources for sources in systems.values() for output in those):
            logger.warning("%s is not compared with anything: no system has predictions for it.", source.path)
    origins = {name: origin for name, sources in systems.items() if (origin := _origin(sources))}
    return [aligned for aligned in outputs if aligned is not None], spans, origins


def _read_gold(name: str, path: Path) -> Any:
    if name == const.SENTENCE_SCORES:
        return read_scores(path)
    return read_span_submission(path) if name == SPANS else read_tags(path)


def _origin(sources: Sources) -> str:
    with suppress(KeyError, OSError, ValueError, TypeError):
        return str(json.loads(sources[ORIGIN_FILE].path.read_text(encoding="utf-8"))["checkpoint"])
    return ""


def _scores(source: Source, systems: Mapping[str, Sources]) -> Aligned | None:
    gold = np.array(source.read())
    predicted: dict[str, NDArray[np.float64]] = {}
    deviations: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for system, sources in systems.items():
        if mine := sources.get(const.SENTENCE_SCORES):
            scores = mine.read()
            check_line_count(mine.path, len(scores), source.path, len(gold))
            predicted[system] = np.array(scores)
            if extras := sources.get(EXTRAS):
                deviations[system] = _read_extras(extras.path, source.path, len(gold))
    if not predicted:
        return None
    there = np.isfinite([gold, *predicted.values()]).all(axis=0)
    if not there.all():
        logger.warning("%d empty segment(s), with the score nan, are left out.", np.count_nonzero(~there))
    chosen = {system: scores[there] for system, scores in predicted.items()}
    kept = {system: (mean[there], deviation[there]) for system, (mean, deviation) in deviations.items()}
    numbers = np.flatnonzero(there) + 1
    return Aligned(const.SENTENCE_SCORES, gold[there], _with_mean(chosen), None, numbers, kept)


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


def _tags(output: str, gold: GoldTags, systems: Mapping[str, Sources], *, asked_for: bool) -> Aligned | None:
    matched: dict[str, Matched] = {}
    for system, sources in systems.items():
        if source := sources.get(output):
            rows = source.read()
            if output in (const.GAP_TAGS, const.TARGETGAPS_TAGS) and not gold.has_gaps(rows, output):
                if asked_for:
                    expected = f"tags with gaps, for {source.path}"
                    raise DataError.at(gold.path, None, found="one tag a word", expected=expected)
                logger.warning("%s is left out: %s has one tag a word, and none for gaps.", source.path, gold.path)
                continue
            matched[system] = (gold.for_eos(rows) if source.has_eos else gold).align(output, rows, source.path)
            if len(matched[system].classes) != len(next(iter(matched.values())).classes):
                others = "those of the first system, with <EOS> or without"
                raise DataError.at(source.path, None, found="tags of another form", expected=others)
    if not matched:
        return None
    first = next(iter(matched.values()))
    name = const.WMT19 if output == const.TARGETGAPS_TAGS else output
    predicted = _with_mean({system: each.probabilities for system, each in matched.items()})
    return Aligned(name, first.classes, predicted, first.offsets, first.numbers)


def _spans(source: Source, systems: Mapping[str, Sources]) -> list[Measured]:
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


def _with_mean(predicted: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    if len(predicted) < 2:
        return predicted
    return {**predicted, ENSEMBLE: np.mean(list(predicted.values()), axis=0)}

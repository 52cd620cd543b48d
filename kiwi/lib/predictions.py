"""Predictions of systems on disk, held against gold."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.gold import GoldTags, Matched, check_line_count
from kiwi.data.ragged import read_probabilities
from kiwi.data.readers import read_lines, read_scores
from kiwi.exceptions import DataError
from kiwi.metrics.aligned import Aligned
from kiwi.metrics.report import ENSEMBLE

logger = logging.getLogger(__name__)

GOLD_OF = {
    const.TARGET_TAGS: const.TARGET_TAGS,
    const.GAP_TAGS: const.TARGET_TAGS,
    const.TARGETGAPS_TAGS: const.TARGET_TAGS,
    const.SOURCE_TAGS: const.SOURCE_TAGS,
    const.SENTENCE_SCORES: const.SENTENCE_SCORES,
    const.BINARY: const.BINARY,
}
"""Predicted file to the gold file that it is compared with."""

EXTRAS = "sentence_scores_extras"
"""File of means and deviations."""

ORIGIN_FILE = "predictions.json"
"""In a directory of predictions: what they were made with."""

Files = Mapping[str, Path]
"""By output."""


def predictions_of(config: Any) -> dict[str, Files]:
    """Name of each system to its files.

    Args:
        config: with ``predicted_dir`` or ``predicted_files``.
    """
    systems: dict[str, Files] = {}
    for directory in config.predicted_dir or []:
        files = {name: directory / name for name in (*GOLD_OF, EXTRAS, ORIGIN_FILE)}
        systems[_unique(str(directory), systems)] = {name: path for name, path in files.items() if path.is_file()}
    for index, files in enumerate(config.predicted_files or [], start=1):
        there = {name: path for name, path in files if path is not None}
        parents = {str(path.parent) for path in there.values()}
        name = parents.pop() if len(parents) == 1 else f"system {index}"
        systems[_unique(name, systems)] = there
    return systems


def _unique(name: str, taken: Mapping[str, object]) -> str:
    return name if name not in taken else f"{name} ({len(taken) + 1})"


def read_outputs(
    gold_files: Any, systems: Mapping[str, Files], *, asked_for: bool
) -> tuple[list[Aligned], dict[str, str]]:
    """Everything that can be compared, and the hashes of the checkpoints that made it, where they are known.

    Args:
        gold_files: paths by name.
        systems: files of each.
        asked_for: whether each file was named, so that one that cannot be compared is an error, and no warning.

    Raises:
        DataError: at the first place where predictions and gold do not match.
    """
    outputs: list[Aligned | None] = []
    if gold_files.sentence_scores is not None:
        outputs.append(_scores(gold_files.sentence_scores, systems))
    for name in (const.TARGET_TAGS, const.SOURCE_TAGS, const.BINARY):
        if (path := getattr(gold_files, name)) is not None:
            gold = GoldTags(path)
            those = [output for output, needed in GOLD_OF.items() if needed == name]
            outputs += [_tags(output, gold, systems, asked_for=asked_for) for output in those]
    for name, path in gold_files:
        if path is not None and not any(GOLD_OF.get(file) == name for files in systems.values() for file in files):
            logger.warning("%s is not compared with anything: no system has predictions for it.", path)
    origins = {name: origin for name, files in systems.items() if (origin := _origin(files))}
    return [aligned for aligned in outputs if aligned is not None], origins


def _origin(files: Files) -> str:
    with suppress(KeyError, OSError, ValueError, TypeError):
        return str(json.loads(files[ORIGIN_FILE].read_text(encoding="utf-8"))["checkpoint"])
    return ""


def _scores(gold_path: Path, systems: Mapping[str, Files]) -> Aligned | None:
    gold = np.array(read_scores(gold_path))
    predicted: dict[str, NDArray[np.float64]] = {}
    deviations: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for system, files in systems.items():
        if path := files.get(const.SENTENCE_SCORES):
            scores = read_scores(path, allow_nan=True)
            check_line_count(path, len(scores), gold_path, len(gold))
            predicted[system] = np.array(scores)
            if extras := files.get(EXTRAS):
                deviations[system] = _read_extras(extras, gold_path, len(gold))
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


def _tags(output: str, gold: GoldTags, systems: Mapping[str, Files], *, asked_for: bool) -> Aligned | None:
    matched: dict[str, Matched] = {}
    for system, files in systems.items():
        if path := files.get(output):
            rows = read_probabilities(path)
            if output in (const.GAP_TAGS, const.TARGETGAPS_TAGS) and not gold.has_gaps(rows, output):
                if asked_for:
                    raise DataError.at(gold.path, None, found="one tag a word", expected=f"tags with gaps, for {path}")
                logger.warning("%s is left out: %s has one tag a word, and none for gaps.", path, gold.path)
                continue
            matched[system] = gold.align(output, rows, path)
    if not matched:
        return None
    first = next(iter(matched.values()))
    name = const.WMT19 if output == const.TARGETGAPS_TAGS else output
    predicted = _with_mean({system: each.probabilities for system, each in matched.items()})
    return Aligned(name, first.classes, predicted, first.offsets, first.numbers)


def _with_mean(predicted: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    if len(predicted) < 2:
        return predicted
    return {**predicted, ENSEMBLE: np.mean(list(predicted.values()), axis=0)}

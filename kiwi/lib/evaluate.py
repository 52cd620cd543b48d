"""Compare predictions with gold data: ``kiwi evaluate``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import DirectoryPath, FilePath, field_validator, model_validator

from kiwi import constants as const
from kiwi.data.readers import read_lines, read_scores
from kiwi.data.tokenization import words
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.utils import configure_logging, load_configuration
from kiwi.metrics.report import ENSEMBLE, Report, Row, score_row, tag_row
from kiwi.utils.io import BaseConfig, mistakes

__all__ = ["Configuration", "evaluate_from_configuration", "evaluate_from_file", "run"]

logger = logging.getLogger(__name__)

GOLD_OF = {
    const.TARGET_TAGS: const.TARGET_TAGS,
    const.GAP_TAGS: const.TARGET_TAGS,
    const.TARGETGAPS_TAGS: const.TARGET_TAGS,
    const.SOURCE_TAGS: const.SOURCE_TAGS,
    const.SENTENCE_SCORES: const.SENTENCE_SCORES,
}
"""Predicted file to the gold file that it is compared with."""


class GoldFiles(BaseConfig):
    """What is right, one segment a line."""

    target_tags: FilePath | None = None
    """OK/BAD tags: one a target word (n), or interleaved with gaps (2n+1)."""

    source_tags: FilePath | None = None
    """OK/BAD tags, one a source word."""

    sentence_scores: FilePath | None = None
    """A number a segment."""


class PredictedFiles(BaseConfig):
    """What a system says, one segment a line; tags as probabilities of BAD, or as OK/BAD."""

    target_tags: FilePath | None = None
    """One a target word."""

    source_tags: FilePath | None = None
    """One a source word."""

    gap_tags: FilePath | None = None
    """One a gap, n+1 for n target words."""

    targetgaps_tags: FilePath | None = None
    """Gap, word, gap, ..., gap: 2n+1 for n target words."""

    sentence_scores: FilePath | None = None
    """A number a segment."""


class Configuration(BaseConfig):
    """Options of ``kiwi evaluate``."""

    gold_files: GoldFiles
    """What is right."""

    predicted_dir: list[DirectoryPath] | None = None
    """Directories that ``kiwi predict`` wrote, one a system."""

    predicted_files: list[PredictedFiles] | None = None
    """Files of each system."""

    verbose: bool = False
    """Show debug messages."""

    quiet: bool = False
    """Show warnings and errors only; has precedence over ``verbose``."""

    @field_validator("predicted_dir", "predicted_files", mode="before")
    @classmethod
    def take_one_as_a_list(cls, value: Any) -> Any:
        """One system may stand without the list."""
        return value if value is None or isinstance(value, list | tuple) else [value]

    @model_validator(mode="after")
    def check_there_is_something_to_compare(self) -> Configuration:
        """Predictions come from one place, and each has its gold."""
        if (self.predicted_dir is None) == (self.predicted_files is None):
            raise ValueError("exactly one of predicted_dir and predicted_files is required")
        gold = {name for name, path in self.gold_files if path is not None}
        wrong = {} if gold else {"gold_files": "at least one file is required"}
        for index, files in enumerate(self.predicted_files or []):
            for name, path in files:
                if path is not None and GOLD_OF[name] not in gold:
                    wrong[f"predicted_files.{index}.{name}"] = f"given, but gold_files.{GOLD_OF[name]} is not"
        if wrong:
            raise mistakes("Configuration", wrong)
        return self


def evaluate_from_file(filename: str | Path) -> Report:
    """Evaluate as a configuration file says.

    Args:
        filename: YAML or JSON.

    Raises:
        ConfigError: listing every mistake of the configuration.
        DataError: naming file and line.
    """
    return evaluate_from_configuration(load_configuration(filename))


def evaluate_from_configuration(configuration_dict: Mapping[str, Any]) -> Report:
    """Evaluate as a mapping of options says.

    Args:
        configuration_dict: options of :class:`Configuration`.

    Raises:
        ConfigError: listing every mistake of the configuration.
        DataError: naming file and line.
    """
    configure_logging(verbose=configuration_dict.get("verbose") is True, quiet=configuration_dict.get("quiet") is True)
    return run(Configuration.from_dict(configuration_dict))


def run(config: Configuration) -> Report:
    """Score each system, and with several of them their average.

    Args:
        config: options.

    Returns:
        A row of figures for each output and system.
    """
    systems = _systems(config)
    rows: list[Row] = []
    if config.gold_files.sentence_scores is not None:
        rows += _score_rows(config.gold_files.sentence_scores, systems)
    if config.gold_files.target_tags is not None:
        gold = GoldTags(config.gold_files.target_tags)
        for output in (const.TARGET_TAGS, const.GAP_TAGS, const.TARGETGAPS_TAGS):
            rows += _tag_rows(output, gold, systems, asked_for=config.predicted_files is not None)
    if config.gold_files.source_tags is not None:
        rows += _tag_rows(const.SOURCE_TAGS, GoldTags(config.gold_files.source_tags), systems, asked_for=True)
    if not rows:
        places = ", ".join(map(str, config.predicted_dir or [])) or "predicted_files"
        raise ConfigError(
            f"Nothing to compare: none of {places} has predictions for the "
            f"gold files; expected files named {', '.join(GOLD_OF)}."
        )
    for name, path in config.gold_files:
        if path is not None and not any(GOLD_OF[file] == name for files in systems.values() for file in files):
            logger.warning("%s is not compared with anything: no system has predictions for it.", path)
    report = Report(rows)
    logger.debug("\n%s", report.to_text())
    return report


def _systems(config: Configuration) -> dict[str, dict[str, Path]]:
    """Name of each system to its files, by output."""
    systems: dict[str, dict[str, Path]] = {}
    for directory in config.predicted_dir or []:
        systems[_unique(str(directory), systems)] = {
            name: directory / name for name in GOLD_OF if (directory / name).is_file()
        }
    for index, files in enumerate(config.predicted_files or [], start=1):
        there = {name: path for name, path in files if path is not None}
        parents = {str(path.parent) for path in there.values()}
        name = parents.pop() if len(parents) == 1 else f"system {index}"
        systems[_unique(name, systems)] = there
    return systems


def _unique(name: str, taken: Mapping[str, object]) -> str:
    return name if name not in taken else f"{name} ({len(taken) + 1})"


def _score_rows(gold_path: Path, systems: Mapping[str, Mapping[str, Path]]) -> list[Row]:
    gold = np.array(read_scores(gold_path))
    predicted: dict[str, NDArray[np.float64]] = {}
    for system, files in systems.items():
        if path := files.get(const.SENTENCE_SCORES):
            scores = read_scores(path, allow_nan=True)
            _check_lines(path, len(scores), gold_path, len(gold))
            predicted[system] = np.array(scores)
    there = np.isfinite([gold, *predicted.values()]).all(axis=0)
    if not there.all():
        logger.warning("%d empty segment(s), with the score nan, are left out.", np.count_nonzero(~there))
    predicted = {system: scores[there] for system, scores in predicted.items()}
    return [
        score_row(const.SENTENCE_SCORES, name, gold[there], scores) for name, scores in _with_mean(predicted).items()
    ]


def _tag_rows(output: str, gold: GoldTags, systems: Mapping[str, Mapping[str, Path]], *, asked_for: bool) -> list[Row]:
    predicted: dict[str, NDArray[np.float64]] = {}
    classes: NDArray[np.int64] | None = None
    for system, files in systems.items():
        if path := files.get(output):
            probabilities = read_probabilities(path)
            if output in (const.GAP_TAGS, const.TARGETGAPS_TAGS) and not gold.has_gaps(probabilities, output):
                if asked_for:
                    raise DataError.at(gold.path, None, found="one tag a word", expected=f"tags with gaps, for {path}")
                logger.warning("%s is left out: %s has one tag a word, and none for gaps.", path, gold.path)
                continue
            classes, predicted[system] = gold.align(output, probabilities, path)
    if classes is None:
        return []
    name = const.WMT19 if output == const.TARGETGAPS_TAGS else output
    return [tag_row(name, system, classes, bad > 0.5) for system, bad in _with_mean(predicted).items()]


def _with_mean(predicted: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    if len(predicted) < 2:
        return predicted
    return {**predicted, ENSEMBLE: np.mean(list(predicted.values()), axis=0)}


def _check_lines(path: Path, found: int, gold_path: Path, expected: int) -> None:
    if found != expected:
        raise DataError.at(path, None, found=f"{found} lines", expected=f"{expected}, as {gold_path} has")


class GoldTags:
    """A file of gold tags, whose form shows when it is held against predictions.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = [words(line) for line in read_lines(path)]
        for number, tags in enumerate(self.lines, start=1):
            for position, tag in enumerate(tags, start=1):
                if tag not in const.LABELS:
                    raise DataError.at(path, number, found=f"tag {position} '{tag}'", expected="OK or BAD")

    def align(
        self, output: str, predicted: Sequence[NDArray[np.float64]], place: Path
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Flat classes, and the flat probabilities to compare with them.

        A segment without words has a gold gap, but no predictions: it is left out.

        Raises:
            DataError: at the first line of ``place`` that does not have as many tags as this file.
        """
        _check_lines(place, len(predicted), self.path, len(self.lines))
        has_gaps, part = self.has_gaps(predicted, output), slice(None)
        if has_gaps:
            part = {const.TARGET_TAGS: slice(1, None, 2), const.GAP_TAGS: slice(0, None, 2)}.get(output, part)
        classes: list[bool] = []
        probabilities: list[float] = []
        for number, (row, tags) in enumerate(zip(predicted, self.lines, strict=True), start=1):
            expected = tags[part]
            no_words = has_gaps and len(tags) == 1
            if len(row) != len(expected) and not (no_words and len(row) == 0):
                found = f"{len(row)} tags"
                raise DataError.at(place, number, found=found, expected=f"{len(expected)}, as {self.path} has")
            if no_words:
                continue
            classes += [tag == const.BAD for tag in expected]
            probabilities += row.tolist()
        return np.array(classes, dtype=np.int64), np.array(probabilities)

    def has_gaps(self, predicted: Sequence[NDArray[np.float64]], output: str) -> bool:
        """Whether this file is interleaved, judged by the first line that both sides have tags in."""
        if output == const.SOURCE_TAGS:
            return False
        for tags, row in zip(self.lines, predicted, strict=False):
            if tags and len(row):
                words_of = {const.GAP_TAGS: len(row) - 1, const.TARGETGAPS_TAGS: (len(row) - 1) // 2}
                n_words = words_of.get(output, len(row))
                if len(tags) in (n_words, 2 * n_words + 1):
                    return len(tags) != n_words
                break
        return all(len(tags) % 2 for tags in self.lines)


def read_probabilities(path: Path) -> list[NDArray[np.float64]]:
    """Probabilities of BAD, one row a segment; OK counts as 0 and BAD as 1.

    Raises:
        DataError: at the first line that has something else.
    """
    rows = []
    of_label = {const.OK: 0.0, const.BAD: 1.0}
    for number, line in enumerate(read_lines(path), start=1):
        try:
            row = np.array([of_label[item] if item in of_label else float(item) for item in words(line)])
        except ValueError as error:
            raise DataError.at(path, number, found=str(error), expected="probabilities of BAD, or OK and BAD") from None
        if len(row) and not (row.min() >= 0.0 and row.max() <= 1.0):
            raise DataError.at(path, number, found=f"{line:.60}", expected="probabilities between 0 and 1")
        rows.append(row)
    return rows

"""Compare predictions with gold data: ``kiwi evaluate``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import DirectoryPath, FilePath, field_validator, model_validator

from kiwi import constants as const
from kiwi.data.gold import GoldTags, check_line_count, read_probabilities
from kiwi.data.readers import read_scores
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
            check_line_count(path, len(scores), gold_path, len(gold))
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

"""Compare predictions with gold data: ``kiwi evaluate``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import DirectoryPath, Field, FilePath, NonNegativeInt, field_validator, model_validator

from kiwi import constants as const
from kiwi.data.readers import read_lines
from kiwi.exceptions import ConfigError
from kiwi.lib.predictions import GOLD_OF, predictions_of, read_outputs
from kiwi.lib.utils import configure_logging, load_configuration
from kiwi.metrics.aligned import Aligned
from kiwi.metrics.calibration import coverage, reliability
from kiwi.metrics.measured import measure, measure_explanations
from kiwi.metrics.ranking import best_threshold
from kiwi.metrics.rendering import as_latex, as_markdown, as_text
from kiwi.metrics.report import Calibration, Report, Settings, build_report
from kiwi.utils.io import BaseConfig, mistakes, write_text

__all__ = ["Configuration", "evaluate_from_configuration", "evaluate_from_file", "run"]

logger = logging.getLogger(__name__)


class GoldFiles(BaseConfig):
    """What is right, one segment a line."""

    target_tags: FilePath | None = None
    """OK/BAD tags: one a target word (n), or interleaved with gaps (2n+1)."""

    source_tags: FilePath | None = None
    """OK/BAD tags, one a source word."""

    sentence_scores: FilePath | None = None
    """A number a segment."""

    binary: FilePath | None = None
    """OK or BAD a segment, such as whether it has a critical error."""


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

    sentence_scores_extras: FilePath | None = None
    """Mean and standard deviation of the score, tab-separated, for its calibration."""

    binary: FilePath | None = None
    """A probability of BAD a segment."""


class Texts(BaseConfig):
    """The texts, for a page that shows segments."""

    source: FilePath
    """One segment a line."""

    target: FilePath
    """Its translation."""


class Output(BaseConfig):
    """Files that the figures are written to, besides the terminal."""

    report: Path | None = None
    """A page of HTML: figures, charts, the worst segments."""

    figures: Path | None = None
    """Everything as JSON, for programs."""

    markdown: Path | None = None
    """A table for each output."""

    latex: Path | None = None
    """The same, for the package booktabs."""


class Configuration(BaseConfig):
    """Options of ``kiwi evaluate``."""

    gold_files: GoldFiles
    """What is right."""

    predicted_dir: list[DirectoryPath] | None = None
    """Directories that ``kiwi predict`` wrote, one a system."""

    predicted_files: list[PredictedFiles] | None = None
    """Files of each system."""

    texts: Texts | None = None
    """Source and target, for :attr:`Output.report`."""

    output: Output = Output()
    """Files to write."""

    bootstrap: NonNegativeInt = 1000
    """Samples of the 95 % intervals, and of the tests between systems; 0 makes neither."""

    seed: NonNegativeInt = 42
    """Of the samples."""

    threshold: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    """Probabilities of BAD above this count as BAD."""

    best_threshold: bool = False
    """Say which threshold would have the highest MCC; figures stay those of ``threshold``."""

    explanations: bool = False
    """Measure the probabilities of target words as explanations of the score, too."""

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
                if path is not None and name in GOLD_OF and GOLD_OF[name] not in gold:
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
        A row of figures for each output and system, and how systems compare.
    """
    asked_for = config.predicted_files is not None
    outputs, origins = read_outputs(config.gold_files, predictions_of(config), asked_for=asked_for)
    if not outputs:
        places = ", ".join(map(str, config.predicted_dir or [])) or "predicted_files"
        raise ConfigError(
            f"Nothing to compare: none of {places} has predictions for the "
            f"gold files; expected files named {', '.join(GOLD_OF)}."
        )
    measured = [each for aligned in outputs for each in measure(aligned, config.threshold)]
    if config.explanations:
        words = [aligned for aligned in outputs if aligned.output == const.TARGET_TAGS]
        if not words:
            raise ConfigError("explanations: no system has target_tags, or gold_files.target_tags is not given.")
        measured += measure_explanations(words[0])
    report = build_report(measured, Settings(config.bootstrap, config.seed), origins)
    report = replace(report, calibration=calibrate(outputs, config))
    logger.debug("\n%s", as_text(report))
    _write(config, report, outputs)
    return report


def _write(config: Configuration, report: Report, outputs: Sequence[Aligned]) -> None:
    if config.output.figures is not None:
        write_text(config.output.figures, report.to_json() + "\n")
    if config.output.markdown is not None:
        write_text(config.output.markdown, as_markdown(report))
    if config.output.latex is not None:
        write_text(config.output.latex, as_latex(report))
    if config.output.report is not None:
        texts = None if config.texts is None else {name: read_lines(path) for name, path in config.texts}
        from kiwi.pages.evaluation import evaluation_page

        write_text(config.output.report, evaluation_page(report, outputs, texts))


def calibrate(outputs: Sequence[Aligned], config: Configuration) -> list[Calibration]:
    """How far probabilities are what they say, by output and system."""
    found: list[Calibration] = []
    for aligned in outputs:
        for system, values in aligned.predicted.items():
            if aligned.offsets is not None:
                bins = reliability(aligned.gold, values)
                figures = {"ECE": bins.ece, "Brier": bins.brier}
                if config.best_threshold:
                    figures |= dict(
                        zip(("best_threshold", "MCC_at_best"), best_threshold(aligned.gold, values), strict=True)
                    )
                found.append(Calibration(aligned.output, system, figures))
            elif system in aligned.deviations:
                shares = coverage(aligned.gold, *aligned.deviations[system])
                found.append(Calibration(aligned.output, system, shares))
    return found

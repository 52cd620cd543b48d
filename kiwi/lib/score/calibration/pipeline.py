"""Calibrate a trained system: intervals of its scores, and temperatures of its probabilities."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kiwi import constants as const
from kiwi.data.files.lines import Columns
from kiwi.data.text.language_pairs import listed
from kiwi.exceptions import ConfigError
from kiwi.lib.score.calibration.data import CalibrationFiles, check_outputs, moved_outputs, read_data
from kiwi.lib.score.calibration.scores import (
    INTERVAL_HEADER,
    FittedIntervals,
    check_confidence,
    check_gold,
    fit_intervals,
)
from kiwi.runner import Predictions, Runner
from kiwi.runner.engine import AboutSystem
from kiwi.runner.loading import open_runner
from kiwi.runner.options import PredictOptions
from kiwi.systems.manifest.checkpoint import CheckpointInfo
from kiwi.systems.manifest.export import is_export
from kiwi.systems.manifest.locations import check_not_installed, resolve_run_directory
from kiwi.systems.manifest.rewriting import read_info, rewrite
from kiwi.utils.guard import require_new_directory
from kiwi.utils.imports import needs_extra
from kiwi.utils.written import user_path

if TYPE_CHECKING:
    from kiwi.lib.score.calibration.labelled import Temperature

TEMPERATURE_HEADER = ["output", "labels", "temperature", "NLL before", "after", "ECE before", "after"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Calibrated:
    """What a calibration has stored in a system."""

    path: Path
    """The directory of the system."""

    fitted: FittedIntervals | None = None
    """The intervals of its scores; None without gold scores."""

    temperatures: list[Temperature] = field(default_factory=list)
    """The temperatures of its probabilities; empty without labels."""

    def tables(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """Return the title, the header and the rows of each table, for people."""
        tables: list[tuple[str, list[str], list[list[str]]]] = []
        if self.fitted is not None:
            tables.append((self.fitted.title, INTERVAL_HEADER, [row.cells() for row in self.fitted.rows]))
        if self.temperatures:
            tables.append(("Temperatures", TEMPERATURE_HEADER, [each.cells() for each in self.temperatures]))
        return tables


def calibrate(
    checkpoint: str | Path,
    files: CalibrationFiles,
    *,
    directory: str | Path | None = None,
    confidence: float = 0.9,
    threads: int | None = None,
    overwrite: bool = False,
) -> Calibrated:
    """Store in a system the intervals of its scores, and the temperatures of its probabilities.

    Gold scores make intervals by split conformal prediction, for each language pair and for all segments together
    (Zerva & Martins 2024, arXiv:2306.06221). Labels make temperatures, by which the weights of the output layers are
    divided (Guo et al. 2017, arXiv:1706.04599). The system, or a copy of it, is written as a whole or not at all.

    Args:
        checkpoint: the directory of a checkpoint, of a run, whose best model is used, or of an exported system, which
            can have intervals only; or the name of an installed model, for which ``directory`` is needed.
        files: the calibration data, which must be neither training data nor data to report results on.
        directory: the directory of the calibrated system, which must not exist, or be empty; by default, the system is
            replaced.
        confidence: the share of scores that intervals should cover, in (0, 1).
        threads: the number of CPU threads; None is all of them.
        overwrite: whether ``directory`` may replace a checkpoint or an export.

    Returns:
        What was stored.

    Raises:
        CheckpointError: when there is no such system, or it is damaged.
        ConfigError: when options do not fit the system, it would be changed in an installed package, or ``directory``
            is not empty.
        DataError: when the data cannot be used; the message names file and line.
    """
    check_confidence(confidence)
    path = resolve_run_directory(checkpoint)
    place = _check_place(path, None if directory is None else user_path(directory), files, overwrite=overwrite)
    info = read_info(path)
    if files.has_labels and is_export(path):
        raise ConfigError(
            f"{path}: an exported system, whose probabilities cannot be calibrated. Calibrate its checkpoint, and "
            "export that again; intervals (--gold) can be made here."
        )
    runner = open_runner(path, PredictOptions(threads=threads))
    check_outputs(runner.about, files, path)
    _warn_of_pairs(runner.about, files)
    columns = read_data(files)
    gold_file = files.labels.get(const.SENTENCE_SCORES)
    gold = [] if gold_file is None else list(map(float, columns[const.SENTENCE_SCORES]))
    if gold_file is not None:
        check_gold(gold, runner.about.data.score, gold_file, confidence)
    found = _predict(runner, columns, files)
    fitted = None
    if gold_file is not None:
        pairs = columns.get(const.LANGUAGE_PAIR)
        fitted = fit_intervals(gold, found, runner.about, gold_file, confidence, pairs)
        info = replace(info, data=replace(info.data, intervals=fitted.intervals))
    if not files.has_labels:
        rewrite(path, info, directory=place)
        return Calibrated(place or path, fitted)
    return Calibrated(place or path, fitted, _cool(path, info, runner, columns, found, place))


def _check_place(path: Path, directory: Path | None, files: CalibrationFiles, *, overwrite: bool) -> Path | None:
    """Check where the calibrated system is written, and return the directory; None if the system is replaced.

    Raises:
        ConfigError: when the system is in an installed package, or the directory is not empty.
    """
    if directory is None:
        if overwrite:
            raise ConfigError("--overwrite: given without DIRECTORY; the system itself is replaced. Remove it.")
        check_not_installed(path, "Name the directory of a calibrated copy: kiwi calibrate CHECKPOINT DIRECTORY.")
        return None
    reads = [path, *files.texts.values(), *files.labels.values()]
    require_new_directory(directory, overwrite=overwrite, reads=reads)
    return directory


def _warn_of_pairs(about: AboutSystem, files: CalibrationFiles) -> None:
    """Warn if the temperatures suit segments of unknown language pairs alone."""
    moved = moved_outputs(about, files)
    if moved and const.LANGUAGE_PAIR not in files.texts:
        logger.warning(
            "%s: the system has thresholds of language pairs, which move the probabilities of segments whose pair is "
            "known (%s). Without --lp, the temperatures are those of segments whose pair is not known. If you predict "
            "with language pairs, calibrate with --lp FILE.",
            ", ".join(moved),
            listed(about.data.thresholds.pairs if about.data.thresholds is not None else []),
        )


def _predict(runner: Runner, columns: Columns, files: CalibrationFiles) -> Predictions:
    if const.ALIGNMENTS in runner.about.input_fields and const.ALIGNMENTS not in columns:
        runner.prepare_aligner()
    logger.info("Predicting %d segments.", len(columns[const.TARGET]))
    # The intervals of an earlier calibration do not matter, nor does what it lacks; thresholds are moved afterwards.
    given = {name: columns[name] for name in files.texts if name != const.LANGUAGE_PAIR}
    return runner.predict_columns(given)


def _cool(
    path: Path, info: CheckpointInfo, runner: Runner, columns: Columns, found: Predictions, directory: Path | None
) -> list[Temperature]:
    """Fit the temperatures, and write the system with them."""
    with needs_extra("train", "kiwi calibrate with labels"):
        from kiwi.lib.score.calibration.temperatures import cool
        from kiwi.runner.torch_engine import TorchEngine
        from kiwi.systems.checkpoint import save_weights

    assert isinstance(runner.engine, TorchEngine), "exported systems were rejected"
    system = runner.engine.system
    temperatures = cool(system, runner.engine, columns, found)
    model, thresholds = info.model, info.data.thresholds
    if thresholds is not None:
        for each in temperatures:
            thresholds = thresholds.cooled(each.output, each.temperature)
    if const.ERROR_SPANS in columns and system.outputs.score_weight:
        model = system.model_config.model_dump(mode="json")
    described = replace(info, model=model, metrics=system.metrics, data=replace(info.data, thresholds=thresholds))
    rewrite(path, described, directory=directory, write_weights=lambda file: save_weights(system.weights(), file))
    return temperatures

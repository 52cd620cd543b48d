"""The choice of thresholds for all outputs of a system, and the checkpoint with them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.datasets.wmt_qe_dataset import TrainingConfig, WMTQEDataset
from kiwi.data.files.lines import Columns
from kiwi.data.labels.tags import to_classes
from kiwi.exceptions import ConfigError
from kiwi.lib.thresholds.spans import LEAST, MOST, choose_span_thresholds
from kiwi.metrics.functions import confusion, matthews, tag_metrics
from kiwi.metrics.ranking import best_threshold
from kiwi.runner import Runner
from kiwi.runner.torch_engine import runner_of
from kiwi.systems.outputs.span_level import SpanOutput
from kiwi.systems.outputs.word_level import WordLevelOutput
from kiwi.systems.pretrained.hub import locate
from kiwi.systems.qe_system import QESystem
from kiwi.utils.guard import paths_in, require_new_directory
from kiwi.utils.written import user_path

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chosen:
    """The threshold that was chosen for an output."""

    output: str
    """The name of the output."""

    threshold: float
    """The threshold on the probability of BAD, or of an error, of the original checkpoint."""

    before: float
    """The metric with a threshold of 0.5."""

    after: float
    """The metric with the chosen threshold."""

    metric: str = "MCC"
    """The metric: MCC of tags, or F1 of error spans."""


def choose_thresholds(
    checkpoint: str | Path, directory: str | Path, data: TrainingConfig, *, overwrite: bool = False
) -> list[Chosen]:
    """Write a checkpoint whose tags have the highest MCC, and whose error spans the highest F1, on some data.

    A system that was trained with class weights is not calibrated, so 0.5 is rarely its best threshold. For each output
    of tags that the data has labels for, the threshold with the highest MCC is found and moved to 0.5 by changing the
    output's bias, so that everything that reads probabilities or labels works unchanged. Scores do not change. Error
    spans have two thresholds, for pieces and for omissions.

    Args:
        checkpoint: the directory of a checkpoint, or of a run, whose best model is used, or a name on the hub.
        directory: the directory to write atomically; it must not exist, or be empty.
        data: the validation data, which must be neither training data nor data to report results on.
        overwrite: whether the directory may replace a checkpoint or an export.

    Returns:
        The threshold of each output.

    Raises:
        CheckpointError: when there is no such system.
        ConfigError: when the data has no labels for the system's tags, or ``directory`` is not empty.
        DataError: when the data cannot be used; the message names file and line.
    """
    directory, path = user_path(directory), locate(checkpoint)
    require_new_directory(directory, overwrite=overwrite, reads=[path, *paths_in(data)])
    system = QESystem.load(path)
    if missing := [field for field in system.input_fields if getattr(data.input, field) is None]:
        given = ", ".join(f"--{field.replace('_', '-')}" for field in missing)
        advice = " `kiwi align` writes alignments." if const.ALIGNMENTS in missing else ""
        raise ConfigError(f"{checkpoint} reads {', '.join(missing)}, which is not given. Add {given}.{advice}")
    columns = WMTQEDataset.read(data).columns
    outputs = [(name, output) for name, output in system.outputs.items() if name in columns]
    tags = {name: output for name, output in outputs if isinstance(output, WordLevelOutput)}
    spans = {name: output for name, output in outputs if isinstance(output, SpanOutput)}
    if not tags and not spans:
        names = ", ".join(system.outputs.config.names)
        raise ConfigError(f"{checkpoint} predicts {names}; the data has labels for none of its tags.")
    runner = runner_of(system)
    of_tags, counts = _move_tags(tags, runner, columns) if tags else ([], {})
    of_spans, new_metrics = _move_spans(spans, runner, columns)
    for name, each in counts.items():
        new_metrics |= {f"val_{name}_{metric}": value for metric, value in tag_metrics(each).items()}
    # The losses of tags have changed, and so have the sums that include them.
    changed = ("val_loss", *(f"val_{name}_loss" for name in (*counts, *spans)))
    unchanged = {name: value for name, value in system.metrics.items() if "+" not in name and name not in changed}
    system.save_pretrained(directory, metrics=unchanged | new_metrics)
    return of_tags + of_spans


def _move_tags(
    outputs: Mapping[str, WordLevelOutput], runner: Runner, columns: Columns
) -> tuple[list[Chosen], dict[str, NDArray[np.int64]]]:
    """Choose and move the thresholds of tags; return them, and the confusion matrix of each output afterwards."""
    found = runner.predict_columns(columns)
    chosen = []
    counts: dict[str, NDArray[np.int64]] = {}
    for name, output in outputs.items():
        gold = np.concatenate([to_classes(line) for line in columns[name]])
        probabilities = np.concatenate([np.array(row) for row in getattr(found, f"{name}_BAD_probabilities")])
        threshold, after = best_threshold(gold, probabilities)
        threshold = min(max(threshold, LEAST), MOST)
        before = matthews(confusion(gold, probabilities > 0.5))
        counts[name] = confusion(gold, probabilities > threshold)
        output.move_threshold(threshold)
        chosen.append(Chosen(name, threshold, before, after))
        logger.info("%s: BAD above %.3f, MCC %.4f (at 0.5: %.4f).", name, threshold, after, before)
    if const.TARGET_TAGS in counts and const.GAP_TAGS in counts:
        counts[const.WMT19] = counts[const.TARGET_TAGS] + counts[const.GAP_TAGS]
    return chosen, counts


def _move_spans(
    outputs: Mapping[str, SpanOutput], runner: Runner, columns: Columns
) -> tuple[list[Chosen], dict[str, float]]:
    """Choose and move the thresholds of error spans; return them, and the metrics afterwards."""
    chosen = []
    new_metrics: dict[str, float] = {}
    for name, output in outputs.items():
        moved = choose_span_thresholds(runner.engine, output, columns)
        output.move_thresholds(moved.gaps, moved.units)
        before, after = (metrics[f"{name}_F1"] for metrics in (moved.before, moved.after))
        for what, threshold in ((name, moved.units), (f"{name} (omissions)", moved.gaps)):
            chosen.append(Chosen(what, threshold, before, after, "F1"))
            logger.info("%s: errors above %.3f, F1 %.4f (at 0.5: %.4f).", what, threshold, after, before)
        new_metrics |= {f"val_{metric}": value for metric, value in moved.after.items()}
    return chosen, new_metrics

"""Choose where a word counts as BAD, on data that a system was not trained on: ``kiwi thresholds``."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.datasets.wmt_qe_dataset import TrainingConfig, WMTQEDataset
from kiwi.data.labels.tags import to_classes
from kiwi.exceptions import ConfigError
from kiwi.lib.inspect import best_of
from kiwi.metrics.functions import confusion, matthews, tag_metrics
from kiwi.metrics.ranking import best_threshold
from kiwi.runner.torch_engine import runner_of
from kiwi.systems.outputs.word_level import WordLevelOutput
from kiwi.systems.pretrained.hub import locate
from kiwi.systems.qe_system import QESystem
from kiwi.utils.staging import require_new_directory

logger = logging.getLogger(__name__)

LEAST, MOST = 0.001, 0.999
"""Thresholds have finite odds."""


@dataclass(frozen=True)
class Chosen:
    """What was chosen for one output."""

    output: str
    threshold: float
    """On the probability of BAD as the checkpoint had it."""

    before: float
    """MCC with the threshold of 0.5."""

    after: float
    """MCC with the one that was chosen."""


def choose_thresholds(checkpoint: str | Path, directory: str | Path, data: TrainingConfig) -> list[Chosen]:
    """Write a checkpoint whose tags have the highest MCC on some data.

    What is trained with weights for its labels has no reason to be right at a probability of 0.5. For each output of
    tags that the data has labels for, the threshold with the highest MCC is found, and moved to 0.5 by the output's
    bias, so that everything that reads probabilities or labels stays as it is. Scores do not change.

    Args:
        checkpoint: a directory, that of a run, whose best model is taken, or a name on the hub.
        directory: to write, whole or not at all.
        data: validation data: never that of training, nor what is to be reported.

    Returns:
        What was chosen.

    Raises:
        CheckpointError: when there is no such system.
        ConfigError: when the system has no tags that the data has labels for, or there is something at ``directory``.
        DataError: naming file and line.
    """
    directory = Path(directory)
    require_new_directory(directory)
    system = QESystem.load(best_of(locate(checkpoint)))
    if missing := [field for field in system.input_fields if getattr(data.input, field) is None]:
        given = ", ".join(f"--{field.replace('_', '-')}" for field in missing)
        raise ConfigError(f"{checkpoint} reads {', '.join(missing)}, which is not given: add {given}.")
    columns = WMTQEDataset.read(data).columns
    outputs = {
        name: output
        for name, output in system.outputs.items()
        if isinstance(output, WordLevelOutput) and name in columns
    }
    if not outputs:
        raise ConfigError(f"{checkpoint} predicts {', '.join(system.outputs.config.names)}: no tags of that data.")
    found = runner_of(system).predict_columns(columns)
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
    of_tags = {
        f"val_{name}_{metric}": value for name, each in counts.items() for metric, value in tag_metrics(each).items()
    }
    # Losses of tags are others now, and so is what they are part of.
    changed = ("val_loss", *(f"val_{name}_loss" for name in counts))
    others = {name: value for name, value in system.metrics.items() if "+" not in name and name not in changed}
    system.save_pretrained(directory, metrics=others | of_tags)
    return chosen

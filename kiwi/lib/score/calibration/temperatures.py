"""The temperatures of probabilities: those of tags, verdicts and error spans."""

from __future__ import annotations

from typing import Any

import numpy as np

from kiwi import constants as const
from kiwi.data.files.lines import Columns
from kiwi.data.labels.tags import to_classes
from kiwi.lib.score.calibration.labelled import Labelled, Temperature
from kiwi.lib.score.calibration.spans import cool_spans
from kiwi.outputs import OUTPUTS
from kiwi.runner import Predictions
from kiwi.runner.engine import AboutSystem, Engine
from kiwi.systems.outputs.binary import BinaryOutput
from kiwi.systems.outputs.span_level import SpanOutput
from kiwi.systems.outputs.word_level import WordLevelOutput
from kiwi.systems.qe_system import QESystem


def cool(system: QESystem, engine: Engine, columns: Columns, found: Predictions) -> list[Temperature]:
    """Divide the logits of a system's outputs by the temperatures that suit some labels best (Guo et al. 2017).

    Probabilities are those that users see: where the data has language pairs, their thresholds have moved them.

    Args:
        system: the system, whose weights and metrics change.
        engine: its engine.
        columns: the data, with labels.
        found: the predictions for it, without language pairs.

    Returns:
        The temperatures.

    Raises:
        ConfigError: when the labels of an output are all OK, or none is.
    """
    fitted: list[Temperature] = []
    metrics: dict[str, float] = {}
    changed: list[str] = []
    for name, output in system.outputs.items():
        if name not in columns:
            continue
        if isinstance(output, SpanOutput):
            own, metrics = cool_spans(output, engine, columns)
            if system.outputs.score_weight:
                system.weigh_scores(system.outputs.score_weight / own[0].temperature)
        elif isinstance(output, WordLevelOutput | BinaryOutput):
            own = [_labelled(name, columns, found, engine.about).fit(name)]
            output.cool(own[0].temperature)
        else:
            continue
        fitted += own
        changed.append(name)
    # The losses have changed, and so have the sums that include them. Labels of two classes are as before.
    stale = {"val_loss", *(f"val_{name}_loss" for name in changed)}
    system.metrics = {
        name: value
        for name, value in system.metrics.items()
        if name not in stale and not ("+" in name and ("loss" in name or metrics))
    } | {f"val_{name}": value for name, value in metrics.items()}
    return fitted


def _labelled(name: str, columns: Columns, found: Predictions, about: AboutSystem) -> Labelled:
    """Return the probabilities of tags or verdicts where there are labels."""
    probabilities: Any = found.get(OUTPUTS[name].attributes[0])
    classes = [to_classes(line) for line in columns[name]]
    if not OUTPUTS[name].is_word_level:
        probabilities = [[] if np.isnan(value) else [value] for value in probabilities]
    pairs = columns.get(const.LANGUAGE_PAIR) or [""] * len(classes)
    bad, gold, of_pairs = [np.zeros(0)], [np.zeros(0)], []
    for own, values, pair in zip(classes, probabilities, pairs, strict=True):
        if len(own) == len(values):
            bad.append(np.asarray(values, dtype=np.float64))
            gold.append(own.astype(np.float64))
            of_pairs += [pair] * len(own)
    moved = about.with_thresholds({name: np.concatenate(bad)[:, None]}, of_pairs)[name]
    shares = np.concatenate(gold)[:, None]
    return Labelled(np.concatenate([1.0 - moved, moved], axis=1), np.concatenate([1.0 - shares, shares], axis=1))

"""The choice of thresholds for all outputs of a system, and the checkpoint with them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.datasets.parts import TrainingConfig
from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.data.files.lines import Columns
from kiwi.data.labels.spans.checks import SpanDataConfig
from kiwi.data.labels.tags import to_classes
from kiwi.data.text.language_pairs import listed
from kiwi.exceptions import ConfigError
from kiwi.lib.thresholds.spans import LEAST, MOST, choose_span_thresholds, warn_of_labels
from kiwi.lib.utils.text_options import refuse_unread_texts
from kiwi.metrics.functions import confusion, matthews, tag_metrics
from kiwi.metrics.ranking import best_threshold
from kiwi.runner import Runner
from kiwi.runner.torch_engine import runner_of
from kiwi.systems.manifest.thresholds import PairThresholds, logit, sigmoid
from kiwi.systems.outputs.span_level import SpanOutput
from kiwi.systems.outputs.word_level import WordLevelOutput
from kiwi.systems.pretrained.hub import locate
from kiwi.systems.qe_system import QESystem
from kiwi.utils.guard import paths_in, require_new_directory
from kiwi.utils.written import user_path

logger = logging.getLogger(__name__)

FEWEST_OF_PAIR = 100
"""The number of labelled segments from which on a language pair gets thresholds of its own."""


@dataclass(frozen=True)
class Chosen:
    """The threshold that was chosen for an output."""

    output: str
    """The name of the output."""

    threshold: float
    """The threshold on the probability of BAD, or of an error, of the original checkpoint; for severities, on the
    share of the probability of an error."""

    before: float
    """The metric with a threshold of 0.5."""

    after: float
    """The metric with the chosen threshold."""

    metric: str = "MCC"
    """The metric: MCC of tags, or F1 of error spans."""

    pair: str = ""
    """The language pair that the threshold is for; empty for that of all others."""

    @property
    def title(self) -> str:
        """The output and the language pair, for people."""
        return f"{self.output}, {self.pair}" if self.pair else self.output


def choose_thresholds(
    checkpoint: str | Path,
    directory: str | Path,
    data: TrainingConfig,
    reading: SpanDataConfig | None = None,
    *,
    overwrite: bool = False,
) -> list[Chosen]:
    """Write a checkpoint whose tags have the highest MCC, and whose error spans the highest F1, on some data.

    A system that was trained with class weights is not calibrated, so 0.5 is rarely its best threshold. For each output
    of tags that the data has labels for, the threshold with the highest MCC is found and moved to 0.5 by changing the
    output's bias, so that everything that reads probabilities or labels works unchanged. Scores do not change. Error
    spans have three thresholds: for pieces, for omissions, and for severities, between the least severe label and the
    others.

    Where the data has language pairs, each output has a threshold for each of them (of spans, for pieces) that has
    :data:`FEWEST_OF_PAIR` labelled segments; the others have that of all segments together.

    Args:
        checkpoint: the directory of a checkpoint, or of a run, whose best model is used, or a name on the hub.
        directory: the directory to write atomically; it must not exist, or be empty.
        data: the validation data, which must be neither training data nor data to report results on.
        reading: how error spans are read.
        overwrite: whether the directory may replace a checkpoint or an export.

    Returns:
        The threshold of each output.

    Raises:
        CheckpointError: when there is no such system.
        ConfigError: when the data has no labels for the system's tags, or texts that it does not read, or
            ``directory`` is not empty.
        DataError: when the data cannot be used; the message names file and line.
    """
    directory, path = user_path(directory), locate(checkpoint)
    require_new_directory(directory, overwrite=overwrite, reads=[path, *paths_in(data)])
    system = QESystem.load(path)
    if missing := [field for field in system.input_fields if getattr(data.input, field) is None]:
        given = ", ".join(f"--{field.replace('_', '-')}" for field in missing)
        advice = " `kiwi align` writes alignments." if const.ALIGNMENTS in missing else ""
        raise ConfigError(f"{checkpoint} reads {', '.join(missing)}, which is not given. Add {given}.{advice}")
    given_fields = [field for field, file in data.input if file is not None]
    refuse_unread_texts(given_fields, system.input_fields, checkpoint)
    columns = dict(WMTQEDataset.read(data, reading).columns)
    pairs = _by_pair(columns.pop(const.LANGUAGE_PAIR, []))
    outputs = [(name, output) for name, output in system.outputs.items() if name in columns]
    tags = {name: output for name, output in outputs if isinstance(output, WordLevelOutput)}
    spans = {name: output for name, output in outputs if isinstance(output, SpanOutput)}
    if not tags and not spans:
        names = ", ".join(system.outputs.config.names)
        raise ConfigError(f"{checkpoint} predicts {names}; the data has labels for none of its tags.")
    runner = runner_of(system)
    of_tags, counts = _move_tags(tags, runner, columns, pairs) if tags else ([], {})
    of_spans, new_metrics = _move_spans(system, spans, runner, columns, pairs)
    for name, each in counts.items():
        new_metrics |= {f"val_{name}_{metric}": value for metric, value in tag_metrics(each).items()}
    # The losses of tags have changed, and so have the sums that include them.
    changed = ("val_loss", *(f"val_{name}_loss" for name in (*counts, *spans)))
    unchanged = {name: value for name, value in system.metrics.items() if "+" not in name and name not in changed}
    chosen = of_tags + of_spans
    system.data_info = replace(system.data_info, thresholds=_stored(system.data_info.thresholds, chosen))
    system.save_pretrained(directory, metrics=unchanged | new_metrics)
    return chosen


def _by_pair(column: Sequence[str]) -> dict[str, list[int]]:
    """Return the segments of each language pair that has enough of them for thresholds of its own."""
    found: dict[str, list[int]] = {}
    for index, pair in enumerate(column):
        found.setdefault(pair, []).append(index)
    pairs = {pair: found[pair] for pair in sorted(found) if pair}
    if few := [f"{pair} ({len(own)})" for pair, own in pairs.items() if len(own) < FEWEST_OF_PAIR]:
        logger.warning(
            "%s: fewer than %d segments, so that the thresholds are those of all segments together.",
            listed(few),
            FEWEST_OF_PAIR,
        )
    return {pair: own for pair, own in pairs.items() if len(own) >= FEWEST_OF_PAIR}


def _stored(former: PairThresholds | None, chosen: Sequence[Chosen]) -> PairThresholds | None:
    """Return the thresholds of language pairs after those of all have been moved to 0.5.

    Args:
        former: the thresholds that the system had; those of outputs whose threshold has been chosen are replaced.
        chosen: what has been chosen, on the probabilities before.
    """
    of_all = {each.output: each.threshold for each in chosen if not each.pair}
    kept = None if former is None else former.without([*of_all])
    found: dict[str, Mapping[str, float]] = {} if kept is None else dict(kept.by_output)
    for output, threshold in of_all.items():
        own = {
            each.pair: sigmoid(logit(each.threshold) - logit(threshold))
            for each in chosen
            if each.pair and each.output == output
        }
        if own:
            found[output] = own
    return PairThresholds(found) if found else None


def _move_tags(
    outputs: Mapping[str, WordLevelOutput], runner: Runner, columns: Columns, pairs: Mapping[str, Sequence[int]]
) -> tuple[list[Chosen], dict[str, NDArray[np.int64]]]:
    """Choose and move the thresholds of tags; return them, and the confusion matrix of each output afterwards."""
    found = runner.predict_columns(columns)
    chosen = []
    counts: dict[str, NDArray[np.int64]] = {}
    for name, output in outputs.items():
        gold = [to_classes(line) for line in columns[name]]
        probabilities = [np.array(row) for row in getattr(found, f"{name}_BAD_probabilities")]
        every = _best_of_tags(name, gold, probabilities)
        if every.after <= 0:
            every = replace(every, threshold=0.5, after=every.before)
            warn_of_labels(name, "MCC")
        thresholds = np.full(len(gold), every.threshold)
        of_pairs = []
        for pair, own in pairs.items():
            best = _best_of_tags(name, [gold[index] for index in own], [probabilities[index] for index in own], pair)
            if best.after > 0:  # or nothing tells its threshold, as where all is OK
                of_pairs.append(best)
                thresholds[own] = best.threshold
        labels = [row > threshold for row, threshold in zip(probabilities, thresholds.tolist(), strict=True)]
        counts[name] = confusion(np.concatenate(gold), np.concatenate(labels))
        output.move_threshold(every.threshold)
        for each in (every, *of_pairs):
            logger.info(
                "%s: BAD above %.3f, MCC %.4f (at 0.5: %.4f).", each.title, each.threshold, each.after, each.before
            )
        chosen += [every, *of_pairs]
    if const.TARGET_TAGS in counts and const.GAP_TAGS in counts:
        counts[const.WMT19] = counts[const.TARGET_TAGS] + counts[const.GAP_TAGS]
    return chosen, counts


def _best_of_tags(
    name: str, gold: Sequence[NDArray[np.int64]], probabilities: Sequence[NDArray[np.float64]], pair: str = ""
) -> Chosen:
    """Return the threshold with the highest MCC of some segments."""
    classes, values = np.concatenate(gold), np.concatenate(probabilities)
    threshold, after = best_threshold(classes, values)
    return Chosen(name, min(max(threshold, LEAST), MOST), matthews(confusion(classes, values > 0.5)), after, pair=pair)


def _move_spans(
    system: QESystem,
    outputs: Mapping[str, SpanOutput],
    runner: Runner,
    columns: Columns,
    pairs: Mapping[str, Sequence[int]],
) -> tuple[list[Chosen], dict[str, float]]:
    """Choose and move the thresholds of error spans; return them, and the metrics afterwards."""
    chosen = []
    new_metrics: dict[str, float] = {}
    for name, output in outputs.items():
        moved = choose_span_thresholds(runner.engine, output, columns, pairs)
        output.move_thresholds(moved.gaps, moved.units, moved.severity or 0.5)
        if moved.score_weight:
            system.weigh_scores(system.outputs.score_weight + moved.score_weight)
            logger.info("%s: the score counts with a weight of %.3g.", name, system.outputs.score_weight)
        before, after = (metrics[f"{name}_F1"] for metrics in (moved.before, moved.after))
        thresholds = {name: moved.units, f"{name} (omissions)": moved.gaps}
        if moved.severity is not None:
            thresholds[f"{name} (severities)"] = moved.severity
        chosen += [Chosen(what, threshold, before, after, "F1") for what, threshold in thresholds.items()]
        for pair, own in moved.of_pairs.items():
            before, after = (metrics[f"{name}_F1"] for metrics in (own.before, own.after))
            chosen.append(Chosen(name, own.units, before, after, "F1", pair))
        for each in chosen:
            logger.info(
                "%s: errors above %.3f, F1 %.4f (at 0.5: %.4f).", each.title, each.threshold, each.after, each.before
            )
        new_metrics |= {f"val_{metric}": value for metric, value in moved.after.items()}
    return chosen, new_metrics

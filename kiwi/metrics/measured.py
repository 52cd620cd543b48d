"""A system's predictions for one output, whose metrics can be computed for any selection of segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiwi import constants as const
from kiwi.metrics import functions
from kiwi.metrics.aligned import Aligned
from kiwi.metrics.confidence import Statistics
from kiwi.metrics.explanations import FIGURES, explain_segments
from kiwi.metrics.mt_systems import (
    PERMUTATIONS,
    SEED,
    TieCalibration,
    score_matrix,
    soft_pairwise_accuracy,
    system_metrics,
)
from kiwi.metrics.ranking import critical_metrics, delta_avg, kendall
from kiwi.metrics.spans import DEFINITIONS, MAJOR, MINOR, N_COUNTS, SPANS_MPP, Count, Span, SpanCounts
from kiwi.outputs import names as output_names

EXPLANATIONS = "explanations"
MT_SYSTEMS = "mt_systems"

FEWEST_MT_SYSTEMS = 2
"""The number of MT systems from which on they are compared."""


@dataclass(frozen=True)
class Measured:
    """One system's predictions for one output, with the function that computes their metrics."""

    output: str
    """The output of the system."""

    system: str
    """The name of the system."""

    n: int
    """The number of tags, segments, characters or gold spans that are compared."""

    unit: str
    """The unit of ``n``, which is ``tags``, ``segments``, ``characters`` or ``spans``."""

    n_segments: int
    """The number of segments to select from."""

    statistic: Statistics
    """Computes the metrics of the segments with these indices, the main one first."""

    resampled: Statistics | None = None
    """Computes the metrics that have intervals, where these are not all of them."""

    counts: NDArray[np.int64] | None = None
    """The confusion matrix of each segment, (segments, gold, predicted), for tags."""

    scores: NDArray[np.float64] | None = None
    """The score of each segment, (segments,), for sentence scores."""

    rule: str = ""
    """The rule that decides what counts as BAD, for tags, as it appears in signatures."""

    left_out: int = 0
    """The number of segments that are not compared, because a system has no prediction for them."""

    excluded: int = 0
    """The number of segments that are not compared on request."""

    def figures(self) -> Mapping[str, float]:
        """Return the metrics of all segments."""
        return self.statistic(np.arange(self.n_segments))


def score_metrics(gold: ArrayLike, predicted: ArrayLike) -> dict[str, float]:
    """Return the metrics of sentence scores by name, the main one first."""
    return {
        "PEARSON": functions.pearson(gold, predicted),
        "SPEARMAN": functions.spearman(gold, predicted),
        "KENDALL": kendall(gold, predicted),
        "MAE": functions.mae(gold, predicted),
        "RMSE": functions.rmse(gold, predicted),
        "DELTA_AVG": delta_avg(gold, predicted),
    }


def count_metrics(counts: NDArray[np.int64]) -> dict[str, float]:
    """Return the metrics of tags by name, from their confusion matrix (gold, predicted), the main one first."""
    metrics = functions.tag_metrics(counts)
    for label, name in enumerate(const.LABELS):
        metrics[f"precision_{name}"] = functions.precision(counts, label)
        metrics[f"recall_{name}"] = functions.recall(counts, label)
    return metrics


def measure(aligned: Aligned) -> list[Measured]:
    """Prepare each system's scores, tags, or binary decisions on segments.

    Tags whose predicted values have any scale have no metrics here; see :func:`measure_explanations`.
    """
    is_binary = aligned.output in output_names(kind="verdict")
    if aligned.only_order and not is_binary:
        return []
    return [
        replace(
            _measured(aligned, system, is_binary=is_binary), left_out=aligned.left_out, excluded=len(aligned.excluded)
        )
        for system in aligned.predicted
    ]


def _measured(aligned: Aligned, system: str, *, is_binary: bool) -> Measured:
    gold, values, n = aligned.gold, aligned.predicted[system], aligned.n_segments
    if aligned.offsets is None:
        return Measured(
            aligned.output,
            system,
            n,
            "segments",
            n,
            lambda chosen: score_metrics(gold[chosen], values[chosen]),
            scores=values,
        )
    if aligned.only_order:
        return Measured(
            aligned.output,
            system,
            n,
            "segments",
            n,
            lambda chosen: critical_metrics(gold[chosen], values[chosen]),
            rule="order",
        )
    counts = aligned.counts(system)

    def statistic(chosen: NDArray[np.int64]) -> dict[str, float]:
        metrics = count_metrics(counts[chosen].sum(axis=0))
        return metrics | (critical_metrics(gold[chosen], values[chosen]) if is_binary else {})

    return Measured(
        aligned.output,
        system,
        len(gold),
        "segments" if is_binary else "tags",
        n,
        statistic,
        counts=counts,
        rule=f"threshold:{aligned.threshold:g}",
    )


def measure_explanations(aligned: Aligned) -> list[Measured]:
    """Prepare each system's probabilities of target words, as explanations of the errors in a segment."""
    assert aligned.offsets is not None, "words are needed"
    found = []
    for system, values in aligned.predicted.items():
        ends = aligned.offsets[1:-1]
        figures = explain_segments(np.split(aligned.gold, ends), np.split(values, ends))

        def statistic(chosen: NDArray[np.int64], figures: NDArray[np.float64] = figures) -> dict[str, float]:
            means = figures[chosen].mean(axis=0) if len(chosen) else np.zeros(len(FIGURES))
            return dict(zip(FIGURES, means.tolist(), strict=True))

        measured = Measured(EXPLANATIONS, system, len(figures), "segments", len(figures), statistic)
        found.append(replace(measured, left_out=aligned.left_out, excluded=len(aligned.excluded)))
    return found


def measure_mt_systems(aligned: Aligned) -> list[Measured]:
    """Prepare each system's scores, as a comparison of the MT systems whose translations were scored.

    Samples are drawn from the source segments. SPA has no interval, because it is a resampling itself.
    """
    if aligned.mt_system is None or aligned.source_segment is None:
        return []
    # Systems and segments without any score that is compared do not count.
    (names, systems), (items, segments) = (
        np.unique(index, return_inverse=True) for index in (aligned.mt_system, aligned.source_segment)
    )
    shape = (len(names), len(items))
    if len(names) < FEWEST_MT_SYSTEMS:
        return []
    gold = score_matrix(aligned.gold, systems, segments, shape)
    found = []
    for system, values in aligned.predicted.items():
        predicted = score_matrix(values, systems, segments, shape)
        calibration = TieCalibration(gold, predicted)
        resampled = partial(_mt_system_figures, calibration)
        rule = f"mt_systems:{shape[0]}|epsilon:{calibration.best()[1]:.6g}|permutations:{PERMUTATIONS}|spa_seed:{SEED}"
        measured = Measured(
            MT_SYSTEMS,
            system,
            shape[1],
            "segments",
            shape[1],
            partial(_with_spa, calibration),
            resampled,
            rule=rule,
        )
        found.append(replace(measured, left_out=aligned.left_out, excluded=len(aligned.excluded)))
    return found


def _mt_system_figures(calibration: TieCalibration, chosen: NDArray[np.int64]) -> dict[str, float]:
    gold, predicted = calibration.gold[:, chosen], calibration.predicted[:, chosen]
    return {"acc_eq": calibration.best(chosen)[0], **system_metrics(gold, predicted)}


def _with_spa(calibration: TieCalibration, chosen: NDArray[np.int64]) -> dict[str, float]:
    figures = _mt_system_figures(calibration, chosen)
    spa = soft_pairwise_accuracy(calibration.gold[:, chosen], calibration.predicted[:, chosen])
    return {"acc_eq": figures.pop("acc_eq"), "SPA": spa, **figures}


def measure_spans(
    targets: Sequence[str], gold: Sequence[Sequence[Span]], predicted: Mapping[str, Sequence[Sequence[Span]]]
) -> list[Measured]:
    """Prepare each system's error spans, for each definition of their metrics.

    Beside each F1 stands that of a constant, which marks every translation as one error, with the better severity.

    Args:
        targets: the translation of each segment.
        gold: the gold spans of each segment.
        predicted: the predicted spans of each segment, by system.
    """
    found = []
    wholes = [[[(0, len(target), severity)] for target in targets] for severity in (MINOR, MAJOR)]
    for output, count in DEFINITIONS.items():
        constants = [_count(count, targets, gold, spans) for spans in wholes]
        unit = "spans" if output == SPANS_MPP else "characters"
        n = sum(map(len, gold)) if unit == "spans" else sum(len(target) + 1 for target in targets)
        if_empty = count("", [], []).if_empty
        for system, spans in predicted.items():
            statistic = partial(_span_figures, _count(count, targets, gold, spans), constants, if_empty)
            found.append(Measured(output, system, n, unit, len(targets), statistic))
    return found


def _count(
    count: Count, targets: Sequence[str], gold: Sequence[Sequence[Span]], spans: Sequence[Sequence[Span]]
) -> NDArray[np.float64]:
    """Return the counts of each segment, (segments, counts)."""
    each = [count(*segment).to_array() for segment in zip(targets, gold, spans, strict=True)]
    return np.array(each).reshape(-1, N_COUNTS)


def _span_figures(
    counts: NDArray[np.float64],
    constants: Sequence[NDArray[np.float64]],
    if_empty: float,
    chosen: NDArray[np.int64],
) -> dict[str, float]:
    own, *others = (SpanCounts.from_array(each[chosen].sum(axis=0), if_empty).metrics for each in (counts, *constants))
    return own | {"constant_F1": max(other["F1"] for other in others)}

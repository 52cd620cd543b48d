"""The sections of one system: the pictures of its scores, and those of each kind of its tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.text.words import words
from kiwi.metrics import functions
from kiwi.metrics.aligned import Aligned
from kiwi.metrics.calibration import reliability
from kiwi.metrics.report import Report
from kiwi.outputs import names as output_names
from kiwi.pages import counts, rank_charts, score_charts, tag_charts
from kiwi.pages.figure import Figure, Group, by_length
from kiwi.pages.results import row_of, signature, title_of

Texts = Mapping[str, Sequence[str]]
"""The lines of all segments, by field."""


@dataclass(frozen=True)
class TagSummary:
    """The metrics of one kind of tags."""

    n: int
    gold_bad: float
    """The share of tags that are BAD."""

    predicted_bad: float
    """The share of tags that are predicted as BAD."""

    mcc: float
    f1_bad: float
    f1_ok: float
    ece: float
    log_loss: float
    signature: str


@dataclass(frozen=True)
class Section:
    """An output of a system."""

    title: str
    figures: list[Figure]

    tags: TagSummary | None = None
    """None for scores."""

    direction: str = ""
    """What a high score means."""


def sections(report: Report, outputs: Sequence[Aligned], system: str, texts: Texts) -> list[Section]:
    """Return the sections of a system, that of its scores first.

    Args:
        report: the report, whose signatures the figures carry.
        outputs: the outputs for which ``system`` has predictions.
        system: the name of the system.
        texts: the lines of all segments, by field.
    """
    found = []
    for aligned in sorted(outputs, key=lambda each: each.output != const.SENTENCE_SCORES):
        signed = signature(row_of(report, aligned.output, system), aligned.output, len(aligned.gold))
        lengths = _lengths(aligned, outputs, texts)
        make = _scores if aligned.offsets is None else _ranking if aligned.only_order else _tags
        found.append(make(aligned, system, lengths, signed))
    return found


def _scores(aligned: Aligned, system: str, lengths: NDArray[np.int64] | None, signed: str) -> Section:
    gold, predicted, higher = aligned.gold.astype(np.float64), aligned.predicted[system], aligned.higher_is_better
    figures = [
        score_charts.scatter(gold, predicted, signed, aligned.scale),
        score_charts.residuals(gold, predicted, signed),
        score_charts.distributions(gold, predicted, signed),
        rank_charts.worst_first(
            rank_charts.badness(gold, gold, higher), rank_charts.badness(gold, predicted, higher), signed
        ),
    ]
    if lengths is not None:
        groups = []
        quartered = counts.quarters(lengths)
        for number, name in enumerate(quartered.names):
            members = quartered.group == number
            pair = gold[members], predicted[members]
            groups.append(Group(name, functions.pearson(*pair), len(pair[0]), f"{functions.mae(*pair):.3f}"))
        figures.append(by_length("PEARSON", groups, "MAE", signed))
    return Section(title_of(aligned.output), figures, direction=rank_charts.direction(gold, aligned.scale))


def _ranking(aligned: Aligned, system: str, lengths: NDArray[np.int64] | None, signed: str) -> Section:
    """Return the section of values of which only the order has a meaning."""
    picture = rank_charts.precision_recall(aligned.gold.astype(np.int64), aligned.predicted[system], None, signed)
    return Section(title_of(aligned.output), [picture])


def _tags(aligned: Aligned, system: str, lengths: NDArray[np.int64] | None, signed: str) -> Section:
    gold, bad = aligned.gold.astype(np.int64), aligned.predicted[system]
    predicted = bad > aligned.threshold
    counted, bins = functions.confusion(gold, predicted), reliability(gold, bad)
    figures = [
        tag_charts.reliability_diagram(bins, signed),
        tag_charts.probability_distributions(gold, bad, aligned.threshold, signed),
        tag_charts.confusion_matrix(counted, aligned.threshold, signed),
        rank_charts.precision_recall(gold, bad, aligned.threshold, signed),
    ]
    if lengths is not None and aligned.offsets is not None:
        groups = []
        quartered = counts.quarters(lengths)
        for name, part in zip(quartered.names, counts.confusions(aligned, quartered, gold, predicted), strict=True):
            n = int(part.sum())
            groups.append(Group(name, functions.matthews(part), n, f"{part[1].sum() / max(n, 1):.1%}"))
        figures.append(by_length("MCC", groups, "Gold BAD", signed))
    n = int(counted.sum())
    summary = TagSummary(
        n=n,
        gold_bad=counted[1].sum() / n,
        predicted_bad=counted[:, 1].sum() / n,
        mcc=functions.matthews(counted),
        f1_bad=functions.f1(counted, 1),
        f1_ok=functions.f1(counted, 0),
        ece=bins.ece,
        log_loss=float(counts.log_losses(gold, bad).mean()),
        signature=signed,
    )
    return Section(title_of(aligned.output), figures, summary)


def _lengths(aligned: Aligned, outputs: Sequence[Aligned], texts: Texts) -> NDArray[np.int64] | None:
    """Return the number of words of each segment; None where neither tags nor texts determine it."""
    if aligned.output in output_names(unit="segment"):
        return _target_lengths(aligned.numbers, outputs, texts)
    return counts.lengths_in_words(aligned)


def _target_lengths(numbers: NDArray[np.int64], outputs: Sequence[Aligned], texts: Texts) -> NDArray[np.int64] | None:
    for each in outputs:
        if each.output in (const.TARGET_TAGS, const.WMT19, const.GAP_TAGS) and np.array_equal(each.numbers, numbers):
            return counts.lengths_in_words(each)
    lines = texts.get(const.TARGET, ())
    if len(numbers) and int(numbers.max()) <= len(lines):
        return np.array([len(words(lines[number - 1])) for number in numbers.tolist()], dtype=np.int64)
    return None

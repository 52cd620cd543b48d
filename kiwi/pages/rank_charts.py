"""The pictures of what a ranking of segments or words is good for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kiwi.metrics.ranking import average_precision
from kiwi.metrics.risk import caught_errors
from kiwi.pages.figure import Figure, Scores
from kiwi.pages.svg import Chart

MOST_POINTS = 200
"""The number of points of a curve."""

SHARES = (0.1, 0.2, 0.3, 0.5)
"""The shares of segments that a caption names."""


def counts_errors(gold: Scores) -> bool:
    """Return whether gold scores count errors, as HTER does: they do where all lie between 0 and 1."""
    return bool(len(gold) and gold.min() >= 0.0 and gold.max() <= 1.0)


def direction(gold: Scores, scale: str = "") -> str:
    """Return a sentence that says what a high score means.

    Args:
        gold: the gold scores.
        scale: what they mean, in words, where it is known.
    """
    if scale:
        return f"The name of the gold file tells what scores mean: {scale}."
    if counts_errors(gold):
        return "Higher scores mean more errors, as with HTER: all gold scores lie between 0 and 1."
    return "Higher scores mean better translations, as with DA and MQM: not all gold scores lie between 0 and 1."


def badness(gold: Scores, values: Scores, higher_is_better: bool | None = None) -> Scores:
    """Return values that are higher for worse segments, whatever the direction of the gold scores.

    Args:
        gold: the gold scores.
        values: the gold or the predicted scores.
        higher_is_better: their direction, where it is known; otherwise, it is guessed from the gold scores.
    """
    is_worse = counts_errors(gold) if higher_is_better is None else not higher_is_better
    return values if is_worse else -values


def worst_first(gold: Scores, predicted: Scores, signature: str) -> Figure:
    """Draw how much of all errors is caught if the segments that are predicted to be the worst are edited.

    Args:
        gold: the gold errors of each segment, higher for worse ones.
        predicted: the predicted errors of each segment.
        signature: the signature of the scores.
    """
    errors = gold - min(float(gold.min()), 0.0) if gold.max() > 0 else gold - gold.min()
    shares = np.linspace(0.0, 1.0, min(MOST_POINTS, len(gold)) + 1)
    curves = {css: _caught(errors, order, shares) for css, order in (("trend", predicted), ("gold", errors))}
    named = np.interp(SHARES, shares, curves["trend"]).tolist()
    said = "; ".join(f"worst {share:.0%}: {caught:.0%}" for share, caught in zip(SHARES, named, strict=True))
    label = f"Share of all errors in the segments that are edited first. {said}."
    chart = Chart((0.0, 1.0), (0.0, 1.02), "share of segments edited", "share of all errors", label, percent=True)
    chart.line([(0.0, 0.0), (1.0, 1.0)], "ideal")
    for css, curve in curves.items():
        chart.line(zip(shares.tolist(), curve.tolist(), strict=True), f"line-{css}")
    caption = f"Errors caught by editing the {said}. Dashed: in random order."
    keys = (("predicted", "predicted order"), ("best", "best order"))
    return Figure("Edit the worst segments", caption, f"errors caught|{signature}", chart.svg(), keys=keys)


def _caught(errors: Scores, order: Scores, shares: Scores) -> Scores:
    """Return the share of all errors in each share of the segments, with ties in order at their mean."""
    caught = np.nan_to_num(caught_errors(order, errors, higher_is_better=False))
    found: Scores = np.interp(shares * len(errors), np.arange(len(caught)), caught)
    return found


def precision_recall(gold: NDArray[np.int64], bad: Scores, threshold: float | None, signature: str) -> Figure:
    """Draw precision over recall of BAD at all thresholds, and mark the one that counts.

    Args:
        gold: the gold class of each item.
        bad: the predicted value of each item, higher for BAD.
        threshold: the value above which an item counts as BAD, if values are probabilities.
        signature: the signature of the values.
    """
    values, group = np.unique(-bad, return_inverse=True)
    flagged = np.cumsum(np.bincount(group, minlength=len(values)))
    hits = np.cumsum(np.bincount(group, weights=gold, minlength=len(values)))
    n_bad = max(int(gold.sum()), 1)
    chosen = np.unique(np.linspace(0, len(values) - 1, min(MOST_POINTS, len(values))).astype(np.int64))
    recall, precision = hits / n_bad, hits / flagged
    area = average_precision(gold, bad)
    label = f"Precision over recall of BAD: average precision {area:.3f}."
    chart = Chart((0.0, 1.0), (0.0, 1.02), "recall of BAD", "precision of BAD", label)
    share = float(gold.mean())
    chart.line([(0.0, share), (1.0, share)], "ideal")
    chart.line(zip(recall[chosen].tolist(), precision[chosen].tolist(), strict=True), "line-trend")
    caption = f"Average precision {area:.3f}. Dashed: the share of BAD, {share:.1%}, as in random order."
    if threshold is not None:
        above = int(np.searchsorted(values, -threshold)) - 1
        at = (float(recall[above]), float(precision[above])) if above >= 0 else (0.0, 0.0)
        if above >= 0:
            chart.circle(*at, 6, "dot")
        caption += f" Circle: above the threshold {threshold:g}, precision {at[1]:.3f}, recall {at[0]:.3f}."
    return Figure("Precision and recall", caption, f"AP|{signature}", chart.svg())

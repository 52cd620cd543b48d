"""The pictures of sentence scores."""

from __future__ import annotations

import numpy as np

from kiwi.metrics import functions
from kiwi.pages import counts
from kiwi.pages.figure import Figure, Scores, draw_bars
from kiwi.pages.svg import Chart, bounds

MOST_POINTS = 2_000
"""The number of points that a cloud shows; of more segments, a sample is drawn over the density of all."""

CELLS = 36
"""The number of columns and of rows of a density."""

SAME_SCALE = 0.2
"""The least share of a common axis that gold and predictions must each span for one axis to serve both."""

BINS = 30
"""The number of bins of a histogram of scores."""


def scatter(gold: Scores, predicted: Scores, signature: str, scale: str = "") -> Figure:
    """Draw predicted scores over gold scores.

    Args:
        gold: the gold score of each segment.
        predicted: the predicted scores.
        signature: the signature of the scores.
        scale: what the scores mean, in words, where it is known.
    """
    pearson = functions.pearson(gold, predicted)
    both = bounds((gold.min(), gold.max(), predicted.min(), predicted.max()), 0.04)
    spans = (np.ptp(gold), np.ptp(predicted))
    # A constant says nothing about the scale.
    same = all(span == 0 or span >= SAME_SCALE * (both[1] - both[0]) for span in spans)
    x = both if same else bounds((gold.min(), gold.max()), 0.04)
    y = both if same else bounds((predicted.min(), predicted.max()), 0.04)
    meaning = f" ({scale})" if scale else ""
    chart = Chart(
        x, y, f"gold score{meaning}", f"predicted score{meaning}", f"Predicted over gold scores: Pearson {pearson:.3f}."
    )
    if same:
        chart.line([(both[0], both[0]), (both[1], both[1])], "ideal")
    _draw_cloud(chart, gold, predicted)
    caption = f"{_describe_points(len(gold))} " + (
        "Predictions on the dashed line are exact." if same else "The two axes have different scales."
    )
    return Figure("Predicted over gold", caption, f"PEARSON|{signature}", chart.svg())


def residuals(gold: Scores, predicted: Scores, signature: str) -> Figure:
    """Draw errors over gold scores, with the mean error of each tenth of the segments."""
    errors = predicted - gold
    mean = float(errors.mean())
    chart = Chart(
        bounds((gold.min(), gold.max()), 0.04),
        bounds((errors.min(), errors.max(), 0.0), 0.04),
        "gold score",
        "predicted − gold",
        f"Errors over gold scores: {mean:+.3f} on average.",
    )
    _draw_cloud(chart, gold, errors)
    chart.line([(chart.x[0], 0.0), (chart.x[1], 0.0)], "ideal")
    edges = np.unique(np.quantile(gold, np.linspace(0, 1, 11)))
    index = np.clip(np.searchsorted(edges, gold, side="right") - 1, 0, max(len(edges) - 2, 0))
    n = np.bincount(index)
    filled = n > 0
    means = [np.bincount(index, weights=values)[filled] / n[filled] for values in (gold, errors)]
    chart.line(zip(*(values.tolist() for values in means), strict=True), "trend", marks=True)
    caption = f"Mean error {mean:+.3f}. The line joins the mean errors of tenths of the segments, by gold score."
    return Figure("Residuals over gold", caption, f"mean error|{signature}", chart.svg())


def distributions(gold: Scores, predicted: Scores, signature: str) -> Figure:
    """Draw the histograms of gold and predicted scores."""
    low, high = bounds((gold.min(), gold.max(), predicted.min(), predicted.max()), 0.0)
    edges = np.linspace(low, high, BINS + 1)
    shares = [counts.histogram(values, edges) for values in (gold, predicted)]
    top = float(max(values.max() for values in shares)) * 1.08
    spreads = " and ".join(f"{values.std():.3f}" for values in (gold, predicted))
    label = f"Distributions of gold and predicted scores: standard deviations {spreads}."
    chart = Chart((low, high), (0.0, top), "score", "share of segments", label, percent=True)
    draw_bars(chart, edges, shares[0], "gold")
    chart.steps(edges.tolist(), shares[1].tolist(), "predicted")
    caption = (
        f"Gold scores have mean {gold.mean():.3f} and standard deviation {gold.std():.3f}, "
        f"predictions {predicted.mean():.3f} and {predicted.std():.3f}."
    )
    keys = (("gold", "gold"), ("predicted", "predicted"))
    return Figure("Distributions", caption, f"shares|{signature}", chart.svg(), keys=keys)


def _draw_cloud(chart: Chart, x: Scores, y: Scores) -> None:
    if len(x) > MOST_POINTS:
        grid, _, _ = np.histogram2d(x, y, bins=CELLS, range=[chart.x, chart.y])
        chart.cells(grid.astype(np.int64))
    chosen = counts.sample(len(x), MOST_POINTS)
    chart.points(x[chosen], y[chosen])


def _describe_points(n: int) -> str:
    if n > MOST_POINTS:
        return f"{MOST_POINTS:,} of {n:,} segments, sampled at random. Shades: density of all, on a logarithmic scale."
    return f"{n:,} segment{'s' * (n != 1)}."

"""The pictures of the evaluation page, each a ``<figure>`` with a caption and a signature."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from kiwi.constants import LABELS
from kiwi.metrics import functions
from kiwi.metrics.calibration import N_BINS, Reliability
from kiwi.pages import counts
from kiwi.pages.svg import Chart, bounds, percent

MOST_POINTS = 2_000
"""Points that a cloud shows; of more, a sample is drawn over the density of all (shades on a logarithmic scale)."""

CELLS = 36
"""Columns and rows of a density."""

SAME_SCALE = 0.2
"""Least share of the common axis that gold and predictions each take up, for one axis to serve both."""

Scores = NDArray[np.float64]


def figure(title: str, content: str, caption: str, signature: str, *keys: tuple[str, str]) -> str:
    """A card: title, keys (a class of the style sheet, and a name), picture, what it says, what it is made from."""
    legend = "".join(f'<span><i class="key {css}"></i>{escape(name)}</span>' for css, name in keys)
    return (
        f'<figure><h4>{escape(title)}</h4><div class="legend">{legend}</div>{content}<figcaption>{escape(caption)}'
        f'<code class="signature">{escape(signature)}</code></figcaption></figure>\n'
    )


def scatter(gold: Scores, predicted: Scores, signature: str) -> str:
    """Predicted scores over gold scores."""
    pearson = functions.pearson(gold, predicted)
    both = bounds((gold.min(), gold.max(), predicted.min(), predicted.max()), 0.04)
    spans = (np.ptp(gold), np.ptp(predicted))
    # A constant says nothing of scale.
    same = all(span == 0 or span >= SAME_SCALE * (both[1] - both[0]) for span in spans)
    x = both if same else bounds((gold.min(), gold.max()), 0.04)
    y = both if same else bounds((predicted.min(), predicted.max()), 0.04)
    chart = Chart(x, y, "gold score", "predicted score", f"Predicted over gold scores: Pearson {pearson:.3f}.")
    if same:
        chart.line([(both[0], both[0]), (both[1], both[1])], "ideal")
    _cloud(chart, gold, predicted)
    caption = f"{_points(len(gold))} " + (
        "On the dashed line predictions are right." if same else "The two axes have different scales."
    )
    return figure("Predicted over gold", chart.svg(), caption, f"PEARSON|{signature}")


def residuals(gold: Scores, predicted: Scores, signature: str) -> str:
    """Errors over gold scores, with the mean of each tenth of the segments."""
    errors = predicted - gold
    low, high = bounds((errors.min(), errors.max(), 0.0), 0.04)
    mean = float(errors.mean())
    chart = Chart(
        bounds((gold.min(), gold.max()), 0.04),
        (low, high),
        "gold score",
        "predicted − gold",
        f"Errors over gold scores: on average {mean:+.3f}.",
    )
    _cloud(chart, gold, errors)
    chart.line([(chart.x[0], 0.0), (chart.x[1], 0.0)], "ideal")
    edges = np.unique(np.quantile(gold, np.linspace(0, 1, 11)))
    index = np.clip(np.searchsorted(edges, gold, side="right") - 1, 0, max(len(edges) - 2, 0))
    n = np.bincount(index)
    there = n > 0
    means = [np.bincount(index, weights=values)[there] / n[there] for values in (gold, errors)]
    chart.line(zip(*(values.tolist() for values in means), strict=True), "trend", marks=True)
    caption = f"Mean error {mean:+.3f}. The line joins the means of tenths of the segments, by gold score."
    return figure("Residuals over gold", chart.svg(), caption, f"mean error|{signature}")


def _cloud(chart: Chart, x: Scores, y: Scores) -> None:
    if len(x) > MOST_POINTS:
        grid, _, _ = np.histogram2d(x, y, bins=CELLS, range=[chart.x, chart.y])
        chart.cells(grid.astype(np.int64))
    chosen = counts.sample(len(x), MOST_POINTS)
    chart.points(x[chosen], y[chosen])


def _points(n: int) -> str:
    if n > MOST_POINTS:
        return f"{MOST_POINTS:,} of {n:,} segments, drawn at random; shades: density of all, on a logarithmic scale."
    return f"{n:,} segment{'s' * (n != 1)}."


def score_distributions(gold: Scores, predicted: Scores, signature: str) -> str:
    """Histograms of gold and predicted scores."""
    low, high = bounds((gold.min(), gold.max(), predicted.min(), predicted.max()), 0.0)
    edges = np.linspace(low, high, 31)
    shares = [counts.histogram(values, edges) for values in (gold, predicted)]
    top = float(max(values.max() for values in shares)) * 1.08
    spreads = " and ".join(f"{values.std():.3f}" for values in (gold, predicted))
    chart = Chart(
        (low, high), (0.0, top), "score", "share of segments", f"Distributions: deviations {spreads}.", percent=True
    )
    _bars(chart, edges, shares[0], "gold")
    chart.steps(edges.tolist(), shares[1].tolist(), "predicted")
    caption = (
        f"Gold has mean {gold.mean():.3f} and deviation {gold.std():.3f}, "
        f"predictions {predicted.mean():.3f} and {predicted.std():.3f}."
    )
    return figure(
        "Distributions", chart.svg(), caption, f"shares|{signature}", ("gold", "gold"), ("predicted", "predicted")
    )


def _bars(chart: Chart, edges: Scores, shares: Scores, css: str) -> None:
    for left, right, share in zip(edges.tolist(), edges[1:].tolist(), shares.tolist(), strict=False):
        if share:
            chart.bar(left, right, share, css, f"{left:.3g} to {right:.3g}: {share:.1%}")


def reliability_diagram(found: Reliability, signature: str) -> str:
    """Share of BAD over probability of BAD, with the number of tags in each bin."""
    chart = Chart((0.0, 1.0), (0.0, 1.12), "predicted probability of BAD", "share that is BAD", f"ECE {found.ece:.3f}.")
    most = max(int(found.counts.max()), 1)
    for number, n in enumerate(found.counts.tolist()):
        if n:
            left, right = number / N_BINS, (number + 1) / N_BINS
            chart.bar(left + 0.01, right - 0.01, 0.25 * n / most, "count", f"{left:.1f} to {right:.1f}: {n:,} tags")
            chart.text((left + right) / 2, 1.06, _short(n), "small")
    chart.line([(0.0, 0.0), (1.0, 1.0)], "ideal")
    there = found.counts > 0
    points = zip(found.predicted[there].tolist(), found.observed[there].tolist(), strict=True)
    chart.line(points, "trend", marks=True)
    caption = (
        f"ECE {found.ece:.3f} in {N_BINS} bins. Above: tags in each bin, their bars below. "
        "On the dashed line probabilities are honest."
    )
    return figure("Reliability", chart.svg(), caption, f"ECE|{signature}")


def _short(n: int) -> str:
    """A number in at most four characters."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if n >= size:
            return f"{n / size:.1f}{unit}" if n < 9.95 * size else f"{n / size:.0f}{unit}"
    return str(n)


def probability_distributions(gold: NDArray[np.int64], bad: Scores, threshold: float, signature: str) -> str:
    """Histograms of the probabilities of BAD, of each gold class, and above which of them a tag counts as BAD."""
    n_bins = 2 * N_BINS
    index = np.minimum((bad * n_bins).astype(np.int64), n_bins - 1)
    grid = np.bincount(gold * n_bins + index, minlength=2 * n_bins).reshape(2, n_bins)
    shares = grid / np.maximum(grid.sum(axis=1, keepdims=True), 1)
    top = float(shares.max()) * 1.08
    means = [float(bad[gold == label].mean()) if n else None for label, n in enumerate(grid.sum(axis=1))]
    said = "; ".join(
        f"gold {name}: mean probability {mean:.3f}" if mean is not None else f"no gold {name}"
        for name, mean in zip(LABELS, means, strict=True)
    )
    chart = Chart((0.0, 1.0), (0.0, top), "predicted probability of BAD", "share of the class", said, percent=True)
    edges = np.linspace(0, 1, n_bins + 1)
    _bars(chart, edges, shares[0], "ok")
    _bars(chart, edges, shares[1], "bad")
    chart.line([(threshold, 0.0), (threshold, top)], "ideal")
    keys = ("ok", "gold OK"), ("bad", "gold BAD")
    return figure(
        "Probabilities by gold class", chart.svg(), f"{said[0].upper()}{said[1:]}.", f"shares|{signature}", *keys
    )


def confusion_matrix(counted: NDArray[np.int64], threshold: float, signature: str) -> str:
    """Counts of gold and predicted classes, with their shares of the gold class."""
    total = max(int(counted.sum()), 1)
    rows = []
    for gold, name in enumerate(LABELS):
        cells = []
        for predicted in range(len(LABELS)):
            n = int(counted[gold, predicted])
            share = n / max(int(counted[gold].sum()), 1)
            css = f"{'right' if gold == predicted else 'wrong'} s{round(share * 5)}"
            verdict = "✓ right" if gold == predicted else ("✗ missed" if gold else "✗ false alarm")
            cells.append(
                f'<td class="{css}"><b>{n:,}</b><span>{share:.1%} of gold</span>'
                f"<span>{n / total:.1%} of all</span><em>{verdict}</em></td>"
            )
        rows.append(f'<tr><th scope="row">gold<br>{name}</th>{"".join(cells)}</tr>')
    head = "".join(f'<th scope="col">predicted {name}</th>' for name in LABELS)
    table = f'<table class="confusion"><tr><td></td>{head}</tr>{"".join(rows)}</table>'
    caption = (
        f"A tag is BAD above the probability {threshold:g}. MCC {functions.matthews(counted):.3f}, "
        f"{percent(functions.accuracy(counted))} right."
    )
    return figure("Confusion", table, caption, f"MCC|{signature}")


def by_length(metric: str, groups: Sequence[tuple[str, float, int, str]], also: str, signature: str) -> str:
    """A metric of groups of segments.

    Args:
        metric: its name.
        groups: words, value of the metric, n, and a second figure of each.
        also: what the second figure is.
        signature: of the figures.
    """
    low = min(0.0, *(value for _, value, _, _ in groups)) * 1.15
    high = max(0.1, *(value for _, value, _, _ in groups)) * 1.2
    said = "; ".join(f"{words} words: {value:.3f}" for words, value, _, _ in groups)
    label = f"{metric} by length of the segments. {said}."
    chart = Chart((0.0, len(groups)), (low, high), "", metric, label, x_ticks=False)
    for number, (words, value, n, second) in enumerate(groups):
        hint = f"{words} words, n {n:,}: {metric} {value:.3f}, {also} {second}"
        chart.bar(number + 0.15, number + 0.85, value, "group", hint)
        chart.text(number + 0.5, max(value, 0.0), f"{value:.3f}", "strong", shift=-5)
        chart.text(number + 0.5, low, words, shift=16)
        chart.text(number + 0.5, low, f"n {_short(n)}", "small", shift=30)
    caption = f"By quartiles of length, in words. {also}: {' · '.join(second for _, _, _, second in groups)}."
    return figure(f"{metric} by length", chart.svg(), caption, f"{metric} by length|{signature}")

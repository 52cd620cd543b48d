"""The pictures of tags and of their probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kiwi.constants import LABELS
from kiwi.metrics import functions
from kiwi.metrics.calibration import N_BINS, Reliability
from kiwi.pages.figure import Cell, Figure, Scores, draw_bars, short
from kiwi.pages.svg import Chart, percent


def reliability_diagram(found: Reliability, signature: str) -> Figure:
    """Draw the share of BAD over the probability of BAD, with the number of tags in each bin."""
    label = f"Share of BAD over probability of BAD: ECE {found.ece:.3f}."
    chart = Chart((0.0, 1.0), (0.0, 1.12), "predicted probability of BAD", "share that is BAD", label)
    most = max(int(found.counts.max()), 1)
    for number, n in enumerate(found.counts.tolist()):
        if n:
            left, right = number / N_BINS, (number + 1) / N_BINS
            chart.bar(left + 0.01, right - 0.01, 0.25 * n / most, "count", f"{left:.1f} to {right:.1f}: {n:,} tags")
            chart.text((left + right) / 2, 1.06, short(n), "small")
    chart.line([(0.0, 0.0), (1.0, 1.0)], "ideal")
    filled = found.counts > 0
    points = zip(found.predicted[filled].tolist(), found.observed[filled].tolist(), strict=True)
    chart.line(points, "trend", marks=True)
    caption = (
        f"ECE {found.ece:.3f} in {N_BINS} bins. Numbers and bars show the tags in each bin. "
        "Probabilities on the dashed line are calibrated."
    )
    return Figure("Reliability", caption, f"ECE|{signature}", chart.svg())


def probability_distributions(gold: NDArray[np.int64], bad: Scores, threshold: float, signature: str) -> Figure:
    """Draw the histograms of the probabilities of BAD of each gold class, and the threshold.

    Args:
        gold: the gold class of each tag.
        bad: the predicted probability of BAD of each tag.
        threshold: the probability above which a tag counts as BAD.
        signature: the signature of the probabilities.
    """
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
    draw_bars(chart, edges, shares[0], "ok")
    draw_bars(chart, edges, shares[1], "bad")
    chart.line([(threshold, 0.0), (threshold, top)], "ideal")
    caption = f"{said[0].upper()}{said[1:]}."
    keys = (("ok", "gold OK"), ("bad", "gold BAD"))
    return Figure("Probabilities by gold class", caption, f"shares|{signature}", chart.svg(), keys=keys)


def confusion_matrix(counted: NDArray[np.int64], threshold: float, signature: str) -> Figure:
    """Show how many tags of each gold class were predicted as each class."""
    total = max(int(counted.sum()), 1)
    rows = []
    for gold, name in enumerate(LABELS):
        cells = []
        for predicted in range(len(LABELS)):
            n = int(counted[gold, predicted])
            verdict = "✓ correct" if gold == predicted else "✗ missed" if gold else "✗ false alarm"
            cells.append(Cell(n, n / max(int(counted[gold].sum()), 1), n / total, gold == predicted, verdict))
        rows.append((name, tuple(cells)))
    caption = (
        f"A tag counts as BAD above the probability {threshold:g}. MCC {functions.matthews(counted):.3f}, "
        f"{percent(functions.accuracy(counted))} correct."
    )
    return Figure("Confusion", caption, f"MCC|{signature}", matrix=tuple(rows))

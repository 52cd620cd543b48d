"""A picture with its caption, and the drawing that several pictures share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kiwi.pages.svg import Chart

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """A cell of a confusion matrix."""

    n: int
    """The number of tags of this gold and predicted class."""

    of_gold: float
    """Their share of the tags of the gold class."""

    of_all: float
    """Their share of all tags."""

    right: bool
    verdict: str

    @property
    def shade(self) -> int:
        """The strength of its colour, from 0 to 5."""
        return round(self.of_gold * 5)


@dataclass(frozen=True)
class Figure:
    """A card of the page: a chart or a confusion matrix, and its caption."""

    title: str
    caption: str

    signature: str
    """The data and the settings that the picture was computed from."""

    svg: str = ""
    """The chart, as :meth:`kiwi.pages.svg.Chart.svg` draws it; the page shows it unescaped."""

    matrix: tuple[tuple[str, tuple[Cell, ...]], ...] = ()
    """The rows of a confusion matrix, in the place of a chart: gold class, cells."""

    keys: tuple[tuple[str, str], ...] = ()
    """The legend: a class of the style sheet, and the name of what is drawn with it."""


@dataclass(frozen=True)
class Group:
    """Segments of similar length, and a metric of a system on them."""

    words: str
    """Their length, such as ``7–12``."""

    value: float
    """The metric."""

    n: int
    """The number of segments or tags."""

    second: str
    """A second figure, as it is shown."""


def draw_bars(chart: Chart, edges: Scores, shares: Scores, css: str) -> None:
    """Draw a histogram."""
    for left, right, share in zip(edges.tolist(), edges[1:].tolist(), shares.tolist(), strict=False):
        if share:
            chart.bar(left, right, share, css, f"{left:.3g} to {right:.3g}: {share:.1%}")


def short(n: int) -> str:
    """Return a number in at most four characters."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if n >= size:
            return f"{n / size:.1f}{unit}" if n < 9.95 * size else f"{n / size:.0f}{unit}"
    return str(n)


def by_length(metric: str, groups: Sequence[Group], second: str, signature: str) -> Figure:
    """Draw a metric by the length of the segments.

    Args:
        metric: the name of the metric.
        groups: the segments by length.
        second: the name of the second figure of each group.
        signature: the signature of the metric.
    """
    values = [group.value for group in groups]
    low, high = min(0.0, *values) * 1.15, max(0.1, *values) * 1.2
    said = "; ".join(f"{group.words} words: {group.value:.3f}" for group in groups)
    label = f"{metric} by length of the segments. {said}."
    chart = Chart((0.0, len(groups)), (low, high), "", metric, label, x_ticks=False)
    for number, group in enumerate(groups):
        hint = f"{group.words} words, n {group.n:,}: {metric} {group.value:.3f}, {second} {group.second}"
        chart.bar(number + 0.15, number + 0.85, group.value, "group", hint)
        chart.text(number + 0.5, max(group.value, 0.0), f"{group.value:.3f}", "strong", shift=-5)
        chart.text(number + 0.5, low, group.words, shift=16)
        chart.text(number + 0.5, low, f"n {short(group.n)}", "small", shift=30)
    caption = f"By quartiles of length, in words. {second}: {' · '.join(group.second for group in groups)}."
    return Figure(f"{metric} by length", caption, f"{metric} by length|{signature}", chart.svg())

"""Charts written by hand: a frame with axes, and what is drawn in it.

Colours and fonts are the page's own (classes of its style sheet), so that a chart follows its light and dark look.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 320, 270
LEFT, RIGHT, TOP, BOTTOM = 54, 12, 14, 42
"""Margins of the plot: room for the labels of its axes."""

LAYERS = 20
"""Paths that the points of a cloud are spread over: a path covers itself only once, so one alone shows no density."""


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers within the bounds."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    size = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    return [size * number for number in range(math.ceil(low / size - 1e-9), math.floor(high / size + 1e-9) + 1)]


def bounds(values: Iterable[float], margin: float) -> tuple[float, float]:
    """The least and the greatest value, and a margin (a share of what is between them) around; never empty."""
    values = list(values)
    low, high = min(values), max(values)
    space = (high - low) * margin or max(abs(high), 1.0) * 0.05
    return low - space, high + space


def percent(value: float) -> str:
    """A share as people write it."""
    return f"{value:.0%}"


@dataclass
class Chart:
    """A plot that grows by what is drawn in it."""

    x: tuple[float, float]
    """Bounds of what is drawn, left and right."""

    y: tuple[float, float]
    """Bounds, below and above."""

    x_label: str
    y_label: str
    label: str
    """What the picture says, for those who do not see it."""

    percent: bool = False
    """Whether the vertical axis shows shares."""

    x_ticks: bool = True
    """Whether the horizontal axis has numbers."""

    parts: list[str] = field(default_factory=list)

    def x_of(self, value: float) -> float:
        """Pixels from the left."""
        return LEFT + (WIDTH - LEFT - RIGHT) * (value - self.x[0]) / (self.x[1] - self.x[0])

    def y_of(self, value: float) -> float:
        """Pixels from above."""
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (value - self.y[0]) / (self.y[1] - self.y[0])

    def points(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        """A cloud, darker where it is dense."""
        across = np.round(LEFT + (WIDTH - LEFT - RIGHT) * (x - self.x[0]) / (self.x[1] - self.x[0]), 1)
        up = np.round(self.y_of(0) + (self.y_of(1) - self.y_of(0)) * y, 1)
        for layer in range(min(LAYERS, len(x))):
            pairs = zip(across[layer::LAYERS].tolist(), up[layer::LAYERS].tolist(), strict=True)
            self.parts.append(f'<path class="cloud" d="{"".join(f"M{a:g} {b:g}h0" for a, b in pairs)}"/>')

    def cells(self, counts: NDArray[np.int64], shades: int = 5) -> None:
        """Counts of a grid (columns, rows) over the whole plot as shades, darker on a logarithmic scale."""
        columns, rows = counts.shape
        wide, high = (WIDTH - LEFT - RIGHT) / columns, (HEIGHT - BOTTOM - TOP) / rows
        most = math.log1p(int(counts.max(initial=0))) or 1.0
        levels = np.ceil(np.log1p(counts) / most * shades)
        for level in range(1, shades + 1):
            corners = zip(*np.nonzero(levels == level), strict=True)
            cell = f"h{wide:.1f}v{high:.1f}h-{wide:.1f}z"
            path = "".join(
                f"M{LEFT + column * wide:.1f} {HEIGHT - BOTTOM - (row + 1) * high:.1f}{cell}" for column, row in corners
            )
            if path:
                self.parts.append(f'<path class="cell c{level}" d="{path}"/>')

    def bar(self, left: float, right: float, top: float, css: str, title: str = "") -> None:
        """A bar that stands on the lower bound, or on zero where the axis has it."""
        base = self.y_of(max(self.y[0], min(0.0, self.y[1])))
        x, y = self.x_of(left), self.y_of(top)
        hint = f"<title>{escape(title)}</title>" if title else ""
        self.parts.append(
            f'<rect class="{css}" x="{x:.1f}" y="{min(y, base):.1f}" width="{self.x_of(right) - x:.1f}" '
            f'height="{abs(base - y):.1f}">{hint}</rect>'
        )

    def line(self, points: Iterable[tuple[float, float]], css: str, *, marks: bool = False) -> None:
        """A line through points, with a mark on each if asked for."""
        places = [(self.x_of(x), self.y_of(y)) for x, y in points]
        self.parts.append(f'<polyline class="{css}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>')
        if marks:
            path = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in places)
            self.parts.append(f'<path class="{css} marks" d="{path}"/>')

    def steps(self, edges: Sequence[float], heights: Sequence[float], css: str) -> None:
        """The outline of bars."""
        points = [(edges[0], self.y[0])]
        for left, right, height in zip(edges, edges[1:], heights, strict=False):
            points += [(left, height), (right, height)]
        self.line([*points, (edges[-1], self.y[0])], css)

    def text(self, x: float, y: float, content: str, css: str = "", anchor: str = "middle", shift: float = 0) -> None:
        """Words at a place of the plot, ``shift`` pixels below it."""
        self.parts.append(
            f'<text class="{css}" x="{self.x_of(x):.1f}" y="{self.y_of(y) + shift:.1f}" text-anchor="{anchor}">'
            f"{escape(content)}</text>"
        )

    def svg(self) -> str:
        """The whole picture."""
        right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
        frame = []
        for tick in ticks(*self.y, 5):
            y = f"{self.y_of(tick):.1f}"
            name = percent(tick) if self.percent else f"{tick:.4g}"
            frame.append(f'<path class="grid" d="M{LEFT} {y}H{right}"/>')
            frame.append(f'<text x="{LEFT - 6}" y="{y}" dy="4" text-anchor="end">{name}</text>')
        for tick in ticks(*self.x, 5) if self.x_ticks else ():
            x = f"{self.x_of(tick):.1f}"
            frame.append(f'<path class="axis" d="M{x} {bottom}v4"/>')
            frame.append(f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{tick:.4g}</text>')
        middle = (TOP + bottom) / 2
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self.label)}">'
            f"{''.join(frame)}{''.join(self.parts)}"
            f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>'
            f'<text class="name" x="{(LEFT + right) / 2}" y="{HEIGHT - 6}" text-anchor="middle">'
            f"{escape(self.x_label)}</text>"
            f'<text class="name" transform="translate(10 {middle}) rotate(-90)" text-anchor="middle">'
            f"{escape(self.y_label)}</text></svg>"
        )

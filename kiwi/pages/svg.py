"""A small SVG plotter: a frame with axes, and methods that draw data in it.

Colours and fonts are classes of a style sheet: that of the evaluation page, so that a chart follows its light and dark
look, or the one that :func:`stack` puts into a file of its own.
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
"""The margins of the plot, in pixels: room for the labels of its axes."""

LAYERS = 20
"""The number of paths that the points of a cloud are spread over. A path covers itself only once, so a single one would
not show density."""


def ticks(low: float, high: float, about: int) -> list[float]:
    """Return round numbers within the bounds, about as many intervals as asked for."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    size = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    return [size * number for number in range(math.ceil(low / size - 1e-9), math.floor(high / size + 1e-9) + 1)]


def bounds(values: Iterable[float], margin: float) -> tuple[float, float]:
    """Return the least and the greatest value with a margin around them, a share of their difference; never empty."""
    values = list(values)
    low, high = min(values), max(values)
    space = (high - low) * margin or max(abs(high), 1.0) * 0.05
    return low - space, high + space


def percent(value: float) -> str:
    """Format a share as a percentage."""
    return f"{value:.0%}"


@dataclass(frozen=True)
class Layout:
    """The size of a chart and the margins around its plot, in pixels; by default those of the evaluation page."""

    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM

    space_left: int = 0
    space_below: int = 0
    """The parts of the margins that lie outside the names of the axes."""

    x_intervals: int = 5
    """The approximate number of intervals between the ticks of the horizontal axis."""


@dataclass
class Chart:
    """A plot with two axes, which its methods draw into."""

    x: tuple[float, float]
    """The left and right bounds of the data."""

    y: tuple[float, float]
    """The lower and upper bounds of the data."""

    x_label: str
    y_label: str
    label: str
    """A description of the chart for readers who do not see it."""

    percent: bool = False
    """Whether the vertical axis shows percentages."""

    x_ticks: bool = True
    """Whether the horizontal axis has numbers."""

    x_is_count: bool = False
    """Whether the horizontal axis counts: its ticks are whole numbers, with separators of thousands."""

    title: str = ""
    """A heading above the plot; the top margin needs 50 pixels for a heading and a legend."""

    legend: Sequence[tuple[str, str]] = ()
    """The class and the name of each line in a legend between heading and plot."""

    layout: Layout = Layout()

    parts: list[str] = field(default_factory=list)

    @property
    def _plot(self) -> tuple[float, float, float, float]:
        """The left, right, upper and lower edges of the plot."""
        layout = self.layout
        return layout.left, layout.width - layout.right, layout.top, layout.height - layout.bottom

    def x_of(self, value: float) -> float:
        """Return the distance of a value from the left, in pixels."""
        left, right, _, _ = self._plot
        return left + (right - left) * (value - self.x[0]) / (self.x[1] - self.x[0])

    def y_of(self, value: float) -> float:
        """Return the distance of a value from the top, in pixels."""
        _, _, top, bottom = self._plot
        return bottom - (bottom - top) * (value - self.y[0]) / (self.y[1] - self.y[0])

    def points(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        """Draw a cloud of points, darker where it is dense."""
        left, right, _, _ = self._plot
        across = np.round(left + (right - left) * (x - self.x[0]) / (self.x[1] - self.x[0]), 1)
        up = np.round(self.y_of(0) + (self.y_of(1) - self.y_of(0)) * y, 1)
        for layer in range(min(LAYERS, len(x))):
            pairs = zip(across[layer::LAYERS].tolist(), up[layer::LAYERS].tolist(), strict=True)
            self.parts.append(f'<path class="cloud" d="{"".join(f"M{a:g} {b:g}h0" for a, b in pairs)}"/>')

    def cells(self, counts: NDArray[np.int64], shades: int = 5) -> None:
        """Draw the counts of a grid (columns, rows) over the whole plot as shades on a logarithmic scale."""
        left, right, top, bottom = self._plot
        columns, rows = counts.shape
        width, height = (right - left) / columns, (bottom - top) / rows
        most = math.log1p(int(counts.max(initial=0))) or 1.0
        levels = np.ceil(np.log1p(counts) / most * shades)
        for level in range(1, shades + 1):
            corners = zip(*np.nonzero(levels == level), strict=True)
            cell = f"h{width:.1f}v{height:.1f}h-{width:.1f}z"
            path = "".join(
                f"M{left + column * width:.1f} {bottom - (row + 1) * height:.1f}{cell}" for column, row in corners
            )
            if path:
                self.parts.append(f'<path class="cell c{level}" d="{path}"/>')

    def bar(self, left: float, right: float, top: float, css: str, title: str = "") -> None:
        """Draw a bar that starts at zero or, where the axis does not include zero, at the nearest bound."""
        base = self.y_of(max(self.y[0], min(0.0, self.y[1])))
        x, y = self.x_of(left), self.y_of(top)
        hint = f"<title>{escape(title)}</title>" if title else ""
        self.parts.append(
            f'<rect class="{css}" x="{x:.1f}" y="{min(y, base):.1f}" width="{self.x_of(right) - x:.1f}" '
            f'height="{abs(base - y):.1f}">{hint}</rect>'
        )

    def line(self, points: Iterable[tuple[float, float]], css: str, *, marks: bool = False) -> None:
        """Draw a line through points, optionally with a mark on each point."""
        places = [(self.x_of(x), self.y_of(y)) for x, y in points]
        self.parts.append(f'<polyline class="{css}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>')
        if marks:
            path = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in places)
            self.parts.append(f'<path class="{css} marks" d="{path}"/>')

    def vertical(self, x: float, css: str) -> None:
        """Draw a vertical line from the top of the plot to the bottom."""
        _, _, top, bottom = self._plot
        self.parts.append(f'<path class="{css}" d="M{self.x_of(x):.1f} {top}V{bottom}"/>')

    def circle(self, x: float, y: float, radius: float, css: str) -> None:
        """Draw a circle around a point; the radius is in pixels."""
        self.parts.append(f'<circle class="{css}" cx="{self.x_of(x):.1f}" cy="{self.y_of(y):.1f}" r="{radius}"/>')

    def steps(self, edges: Sequence[float], heights: Sequence[float], css: str) -> None:
        """Draw the outline of bars."""
        points = [(edges[0], self.y[0])]
        for left, right, height in zip(edges, edges[1:], heights, strict=False):
            points += [(left, height), (right, height)]
        self.line([*points, (edges[-1], self.y[0])], css)

    def text(
        self,
        x: float,
        y: float,
        content: str,
        css: str = "",
        anchor: str = "middle",
        shift: float = 0,
        shift_right: float = 0,
    ) -> None:
        """Write text at a point of the plot, moved down by ``shift`` and right by ``shift_right`` pixels."""
        self.parts.append(
            f'<text class="{css}" x="{self.x_of(x) + shift_right:.1f}" y="{self.y_of(y) + shift:.1f}" '
            f'text-anchor="{anchor}">{escape(content)}</text>'
        )

    def svg(self) -> str:
        """Return the chart as an ``<svg>`` element of a page."""
        return (
            f'<svg viewBox="0 0 {self.layout.width} {self.layout.height}" role="img" '
            f'aria-label="{escape(self.label)}">{self.content()}</svg>'
        )

    def content(self) -> str:
        """Return what the chart consists of, without the ``<svg>`` element around it."""
        left, right, top, bottom = self._plot
        middle = (top + bottom) / 2
        name_x, name_y = 10 + self.layout.space_left, self.layout.height - 6 - self.layout.space_below
        return (
            f"{self._heading()}{self._grid()}{''.join(self.parts)}"
            f'<path class="axis" d="M{left} {top}V{bottom}H{right}"/>'
            f'<text class="name" x="{(left + right) / 2}" y="{name_y}" text-anchor="middle">'
            f"{escape(self.x_label)}</text>"
            f'<text class="name" transform="translate({name_x} {middle}) rotate(-90)" text-anchor="middle">'
            f"{escape(self.y_label)}</text>"
        )

    def _grid(self) -> str:
        left, right, _, bottom = self._plot
        parts = []
        for tick in ticks(*self.y, 5):
            y = f"{self.y_of(tick):.1f}"
            name = percent(tick) if self.percent else f"{tick:.4g}"
            parts.append(f'<path class="grid" d="M{left} {y}H{right}"/>')
            parts.append(f'<text x="{left - 6}" y="{y}" dy="4" text-anchor="end">{name}</text>')
        for tick in ticks(*self.x, self.layout.x_intervals) if self.x_ticks else ():
            if self.x_is_count and tick != int(tick):
                continue
            x = f"{self.x_of(tick):.1f}"
            name = f"{tick:,.0f}" if self.x_is_count else f"{tick:.4g}"
            parts.append(f'<path class="axis" d="M{x} {bottom}v4"/>')
            parts.append(f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{name}</text>')
        return "".join(parts)

    def _heading(self) -> str:
        x, top = self.layout.left, self.layout.top
        parts = [f'<text class="title" x="{x}" y="{top - 38}">{escape(self.title)}</text>'] if self.title else []
        for css, name in self.legend:
            parts.append(f'<path class="{css}" d="M{x} {top - 17}h20"/>')
            parts.append(f'<text x="{x + 26}" y="{top - 13}">{escape(name)}</text>')
            x += 8 * len(name) + 50  # text cannot be measured here
        return "".join(parts)


def stack(charts: Sequence[Chart], style: str) -> str:
    """Return an SVG file that shows charts of equal size one below the other.

    Args:
        charts: the charts, at least one, from the top.
        style: the style sheet, CSS.
    """
    layout = charts[0].layout
    height = len(charts) * layout.height
    label = escape(" ".join(chart.label for chart in charts))
    groups = [
        f'<g transform="translate(0 {number * layout.height})">{chart.content()}</g>'
        for number, chart in enumerate(charts)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{layout.width}" height="{height}" '
        f'viewBox="0 0 {layout.width} {height}" role="img" aria-label="{label}">\n<style>\n{style}</style>\n'
        f'<rect class="background" width="{layout.width}" height="{height}"/>\n' + "\n".join(groups) + "\n</svg>\n"
    )

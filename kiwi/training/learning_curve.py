"""A picture of a run, ``learning_curve.svg``, drawn from its ``metrics.csv``.

Written by hand because Lightning loads a plotting library wherever one is installed: matplotlib costs each training
28 MB of memory.
"""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from kiwi.metrics.functions import higher_is_better
from kiwi.pages.svg import bounds, ticks
from kiwi.training.metrics_log import METRICS_FILE, MetricsFile
from kiwi.training.module import TrainingModule
from kiwi.utils.io import write_text

logger = logging.getLogger(__name__)

LEARNING_CURVE = "learning_curve.svg"

WIDTH, HEIGHT, TOP, LEFT, RIGHT = 860, 250, 70, 84, 28
"""Of one panel: its plot, the space above for its title, and the margins."""

BETWEEN = 66
COLORS = ("#2563eb", "#ea580c", "#16a34a", "#9333ea", "#64748b")
MOST_POINTS = 300
"""Points of a line; more are averaged."""

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """One plot over the steps."""

    title: str
    axis: str
    lines: dict[str, Points]
    """By the name in the legend."""


class LearningCurve(Callback):
    """Draws the picture at the end of a run, also of one that fails or is stopped.

    Args:
        output_dir: of the run, with its ``metrics.csv``.
        module: that is trained, for its main metric.
    """

    def __init__(self, output_dir: Path, module: TrainingModule) -> None:
        self.metrics_file = output_dir / METRICS_FILE
        self.destination = output_dir / LEARNING_CURVE
        self.main_metric = module.main_metric
        self.monitor = module.monitor

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw."""
        self._draw(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Draw."""
        self._draw(trainer)

    def _draw(self, trainer: Trainer) -> None:
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        for each in trainer.loggers:
            if isinstance(each, MetricsFile):
                each.flush()
        if self.metrics_file.is_file():
            try:
                draw_learning_curve(self.metrics_file, self.destination, self.main_metric, self.monitor)
            except OSError as error:  # no reason to lose a run, or to hide how it has failed
                logger.warning("%s cannot be drawn: %s.", self.destination, error)


def draw_learning_curve(metrics_file: Path, destination: Path, main_metric: Sequence[str], monitor: str) -> None:
    """Draw losses and main metrics over the optimizer steps, the best step marked.

    Args:
        metrics_file: ``metrics.csv``.
        destination: an SVG file; not written when there is nothing to draw.
        main_metric: metrics to draw, without ``val_``.
        monitor: column whose best value is the best step.
    """
    columns = {name: f"val_{name}" for name in main_metric}
    lines = _read(metrics_file, ["train_loss", "val_loss", monitor, *columns.values()])
    losses = {"training": _thinned(lines["train_loss"]), "validation": lines["val_loss"]}
    metrics = {name: lines[column] for name, column in columns.items()}
    if len(main_metric) > 1:
        metrics["sum"] = lines[monitor]
    up = higher_is_better(main_metric[0])
    best = (max if up else min)(lines[monitor], key=lambda point: point[1], default=None)
    direction = f"{'higher' if up else 'lower'} is better"
    panels = [
        Panel("Loss", "loss (mean per segment)", losses),
        Panel(f"Main metric on the validation data ({direction})", " + ".join(main_metric), metrics),
    ]
    panels = [panel for panel in panels if any(panel.lines.values())]
    if panels:
        write_text(destination, _svg(panels, best))


def _read(metrics_file: Path, columns: Sequence[str]) -> dict[str, Points]:
    lines: dict[str, Points] = {column: [] for column in columns}
    with metrics_file.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for column, points in lines.items():
                if (text := row.get(column)) and math.isfinite(value := float(text)):
                    # Rows are logged before their step is counted.
                    points.append((int(row["step"]) + 1, value))
    return lines


def _thinned(points: Points) -> Points:
    """Means of neighbours, where there are more points than a line can show."""
    size = math.ceil(len(points) / MOST_POINTS)
    groups = [points[start : start + size] for start in range(0, len(points), size or 1)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def _svg(panels: list[Panel], best: tuple[float, float] | None) -> str:
    last = max(x for panel in panels for points in panel.lines.values() for x, _ in points)
    height = len(panels) * (TOP + HEIGHT + BETWEEN)
    drawn = [_panel(panel, number * (TOP + HEIGHT + BETWEEN) + TOP, last, best) for number, panel in enumerate(panels)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="13" fill="#334155">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def _panel(panel: Panel, top: float, last: float, best: tuple[float, float] | None) -> str:
    low, high = bounds([y for points in panel.lines.values() for _, y in points], 0.08)
    right, bottom = WIDTH - RIGHT, top + HEIGHT

    def x_of(step: float) -> str:
        return f"{LEFT + (right - LEFT) * step / last:.1f}"

    def y_of(value: float) -> str:
        return f"{bottom - HEIGHT * (value - low) / (high - low):.1f}"

    parts = [f'<text x="{LEFT}" y="{top - 38}" font-size="16" font-weight="bold">{escape(panel.title)}</text>']
    for tick in ticks(low, high, 5):
        y = y_of(tick)
        parts.append(f'<path d="M{LEFT} {y}H{right}" stroke="#e2e8f0"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y}" dy="4" text-anchor="end">{tick:.4g}</text>')
    for tick in ticks(0, last, 8):
        if tick == int(tick):
            parts.append(f'<text x="{x_of(tick)}" y="{bottom + 20}" text-anchor="middle">{tick:,.0f}</text>')
            parts.append(f'<path d="M{x_of(tick)} {bottom}v5" stroke="#94a3b8"/>')
    parts.append(f'<path d="M{LEFT} {top}V{bottom}H{right}" fill="none" stroke="#94a3b8"/>')
    middle = top + HEIGHT / 2
    parts.append(f'<text x="{(LEFT + right) / 2}" y="{bottom + 42}" text-anchor="middle">optimizer steps</text>')
    parts.append(
        f'<text transform="translate(22 {middle}) rotate(-90)" text-anchor="middle">{escape(panel.axis)}</text>'
    )
    if best:
        parts.append(f'<path d="M{x_of(best[0])} {top}V{bottom}" stroke="#0f172a" stroke-dasharray="4 4"/>')
    legend = LEFT
    for color, (name, points) in zip(COLORS * 9, panel.lines.items(), strict=False):
        if not points:
            continue
        path = " ".join(f"{x_of(x)},{y_of(y)}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        if len(points) <= 40:
            parts += [f'<circle cx="{x_of(x)}" cy="{y_of(y)}" r="3" fill="{color}"/>' for x, y in points]
        parts.append(f'<path d="M{legend} {top - 17}h20" stroke="{color}" stroke-width="3"/>')
        parts.append(f'<text x="{legend + 26}" y="{top - 13}">{escape(name)}</text>')
        legend += 9 * len(name) + 50
    if best and best in [point for points in panel.lines.values() for point in points]:
        near_end = best[0] > 0.75 * last
        parts.append(
            f'<circle cx="{x_of(best[0])}" cy="{y_of(best[1])}" r="6" fill="none" stroke="#0f172a" stroke-width="2"/>'
        )
        anchor, shift = ("end", -10) if near_end else ("start", 10)
        label = bottom - 10 if float(y_of(best[1])) < middle else top + 16  # away from the line
        parts.append(
            f'<text x="{x_of(best[0])}" dx="{shift}" y="{label}" text-anchor="{anchor}" font-weight="bold" '
            f'paint-order="stroke" stroke="#ffffff" stroke-width="4">best: {best[1]:.4g} at step {best[0]:,.0f}</text>'
        )
    return "\n".join(parts)

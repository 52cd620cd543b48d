"""A picture of a run, ``learning_curve.svg``, drawn from its ``metrics.csv``.

It does not use matplotlib, which Lightning imports wherever it is installed and which takes 28 MB of memory.
"""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from kiwi.metrics.functions import higher_is_better
from kiwi.pages.svg import Chart, Layout, bounds, stack
from kiwi.training.metrics_log import METRICS_FILE, MetricsFile
from kiwi.training.module import TrainingModule
from kiwi.utils.io import write_text

logger = logging.getLogger(__name__)

LEARNING_CURVE = "learning_curve.svg"

LAYOUT = Layout(
    width=860, height=386, left=84, right=34, top=70, bottom=66, space_left=10, space_below=24, x_intervals=8
)

N_COLORS = 8

STYLE = """\
text { fill: #334155; font: 13px Helvetica, Arial, sans-serif; }
.background { fill: #ffffff; }
.title { font-size: 16px; font-weight: bold; }
.grid { stroke: #e2e8f0; }
.axis { stroke: #94a3b8; fill: none; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.marks { stroke-width: 6; stroke-linecap: round; }
.color0 { stroke: #2563eb; }
.color1 { stroke: #ea580c; }
.color2 { stroke: #16a34a; }
.color3 { stroke: #9333ea; }
.color4 { stroke: #64748b; }
.color5 { stroke: #0891b2; }
.color6 { stroke: #be123c; }
.color7 { stroke: #ca8a04; }
.best { stroke: #0f172a; stroke-dasharray: 4 4; }
.ring { fill: none; stroke: #0f172a; stroke-width: 2; }
.note { font-weight: bold; paint-order: stroke; stroke: #ffffff; stroke-width: 4px; }
"""

MAX_MARKS = 40
"""The maximum number of points of a line that are marked."""

MAX_PAIRS = 8
"""The maximum number of language pairs that are drawn, as many as the legend has room for."""

MAX_POINTS = 300
"""The maximum number of points of a line; more are averaged."""

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """One plot over the optimizer steps."""

    title: str
    y_label: str
    lines: dict[str, Points]
    """The points of each line, by its name in the legend."""


class LearningCurve(Callback):
    """Draws the learning curve at the end of a run, also of one that fails or is stopped.

    Args:
        output_dir: the directory of the run, with its ``metrics.csv``.
        module: the module that is trained, for its main metric.
    """

    def __init__(self, output_dir: Path, module: TrainingModule) -> None:
        self.metrics_file = output_dir / METRICS_FILE
        self.destination = output_dir / LEARNING_CURVE
        self.main_metric = module.main_metric
        self.monitor = module.monitor
        self.pairs = list(module.validation.counts)

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._draw(trainer)

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._draw(trainer)

    def _draw(self, trainer: Trainer) -> None:
        if not trainer.is_global_zero:
            return
        for each in trainer.loggers:
            if isinstance(each, MetricsFile):
                each.flush()
        if self.metrics_file.is_file():
            try:
                draw_learning_curve(self.metrics_file, self.destination, self.main_metric, self.monitor, self.pairs)
            except OSError as error:  # neither lose the run nor hide why it failed
                logger.warning("%s: the learning curve could not be written: %s.", self.destination, error)


def draw_learning_curve(
    metrics_file: Path, destination: Path, main_metric: Sequence[str], monitor: str, pairs: Sequence[str] = ()
) -> None:
    """Draw losses and main metrics over the optimizer steps, and mark the best step.

    Args:
        metrics_file: the path of ``metrics.csv``.
        destination: the SVG file to write; it is not written when there is nothing to draw.
        main_metric: the metrics to draw, without ``val_``.
        monitor: the column whose best value marks the best step.
        pairs: the language pairs of the validation data, whose metrics are drawn too.
    """
    columns = {name: f"val_{name}" for name in main_metric}
    lines = _read_columns(metrics_file, ["train_loss", "val_loss", monitor, *columns.values()])
    losses = {"training": _downsample(lines["train_loss"]), "validation": lines["val_loss"]}
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
    if pairs:
        title = "Main metric by language pair" + (
            f" (the first {MAX_PAIRS} of {len(pairs)})" * (len(pairs) > MAX_PAIRS)
        )
        shown = {pair: _sum_of_columns(metrics_file, pair, main_metric) for pair in pairs[:MAX_PAIRS]}
        panels.append(Panel(title, " + ".join(main_metric), shown))
    panels = [panel for panel in panels if any(panel.lines.values())]
    if panels:
        last_step = max(x for panel in panels for points in panel.lines.values() for x, _ in points)
        write_text(destination, stack([_chart(panel, last_step, best) for panel in panels], STYLE))


def _read_columns(metrics_file: Path, columns: Sequence[str]) -> dict[str, Points]:
    lines: dict[str, Points] = {column: [] for column in columns}
    with metrics_file.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for column, points in lines.items():
                if (text := row.get(column)) and math.isfinite(value := float(text)):
                    # Rows are logged before their step is counted.
                    points.append((int(row["step"]) + 1, value))
    return lines


def _sum_of_columns(metrics_file: Path, pair: str, main_metric: Sequence[str]) -> Points:
    """Return the sum of the main metrics of a language pair; nothing where a main metric names a pair itself."""
    lines = _read_columns(metrics_file, [f"val_{pair}_{name}" for name in main_metric])
    sums: dict[float, list[float]] = {}
    for points in lines.values():
        for x, y in points:
            sums.setdefault(x, []).append(y)
    return [(x, sum(values)) for x, values in sums.items() if len(values) == len(main_metric)]


def _downsample(points: Points) -> Points:
    """Average neighbouring points where there are more than a line can show."""
    size = math.ceil(len(points) / MAX_POINTS)
    groups = [points[start : start + size] for start in range(0, len(points), size or 1)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def _chart(panel: Panel, last_step: float, best: tuple[float, float] | None) -> Chart:
    lines = [(f"line color{number % N_COLORS}", *line) for number, line in enumerate(panel.lines.items()) if line[1]]
    chart = Chart(
        (0.0, last_step),
        bounds([y for _, _, points in lines for _, y in points], 0.08),
        "optimizer steps",
        panel.y_label,
        f"{panel.title}: {', '.join(name for _, name, _ in lines)}.",
        x_is_count=True,
        title=panel.title,
        legend=[(css, name) for css, name, _ in lines],
        layout=LAYOUT,
    )
    if best:
        chart.vertical(best[0], "best")
    for css, _, points in lines:
        chart.line(points, css, marks=len(points) <= MAX_MARKS)
    if best and any(best in points for _, _, points in lines):
        _annotate_best(chart, *best)
    return chart


def _annotate_best(chart: Chart, step: float, value: float) -> None:
    chart.circle(step, value, 6, "ring")
    low, high = chart.y
    # At the edge of the plot that is farther from the line.
    y, shift = (low, -10) if value > (low + high) / 2 else (high, 16)
    anchor, shift_right = ("end", -10) if step > 0.75 * chart.x[1] else ("start", 10)
    chart.text(step, y, f"best: {value:.4g} at step {step:,.0f}", "note", anchor, shift, shift_right)

"""The results that the command line shows."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from kiwi.lib.search import SearchInfo
    from kiwi.lib.train import TrainRunInfo
    from kiwi.metrics.report import Report


def print_run(info: TrainRunInfo, *, quiet: bool) -> None:
    """Print the metrics and the path of the best model; if quiet, only the path."""
    from kiwi.training.devices import is_first_process

    if not is_first_process():
        return
    if not quiet:
        title = "Best model" if info.best_model_path else "Best metrics (no model saved)"
        figures = {name.removeprefix("val_"): value for name, value in info.best_metrics.items() if "loss" not in name}
        print_table(title, ["metric", "validation"], [[name, f"{value:.4f}"] for name, value in figures.items()])
    if info.best_model_path:
        print(info.best_model_path)


def print_search(info: SearchInfo, *, quiet: bool) -> None:
    """Print the options and the configuration of the best trial; if quiet, only the path of the configuration."""
    if not quiet:
        rows = [
            [name, f"{value:.4g}" if isinstance(value, float) else str(value)]
            for name, value in info.best_options.items()
        ]
        title = f"Best trial: {info.best_trial}, {info.best_value:.4f}"
        print_table(title, ["option", "value"], rows)
    print(info.best_config)


def print_report(report: Report) -> None:
    """Print a table for each output, and one of the calibration."""
    for output in report.outputs:
        rows = report.of(output)
        main = next(iter(rows[0].metrics))
        ranks = {name: rank for rank, group in enumerate(report.clusters.get(output, []), start=1) for name in group}
        # Segments that are not compared are never left out without a word.
        with_left_out = any(row.left_out for row in rows)
        header = ["system", *(["rank"] if ranks else []), "n", *(["left out"] if with_left_out else []), main]
        header += [f"95 % of {main}"] if main in rows[0].intervals else []
        lines = []
        for row in rows:
            line = [row.system, *([str(ranks[row.system])] if ranks else []), str(row.n)]
            line += [str(row.left_out)] if with_left_out else []
            line.append(f"{row.metrics[main]:.4f}")
            line += ["{:.3f} to {:.3f}".format(*row.intervals[main])] if main in row.intervals else []
            lines.append([*line, *(f"{value:.4f}" for name, value in row.metrics.items() if name != main)])
        header += [name for name in rows[0].metrics if name != main]
        print_table(output, header, lines)
    if report.calibration:
        names = list(dict.fromkeys(name for each in report.calibration for name in each.figures))
        lines = [
            [each.output, each.system, *(f"{each.figures[name]:.4f}" if name in each.figures else "" for name in names)]
            for each in report.calibration
        ]
        print_table("calibration", ["output", "system", *names], lines)
    if report.clusters:
        print(
            "Systems of the same rank do not differ significantly in the first metric (p < 0.05, Holm).",
            file=sys.stderr,
        )


def print_table(
    title: str, header: list[str], rows: list[list[str]], align: Literal["left", "right"] = "right"
) -> None:
    """Print a table whose first column is left-aligned."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_header=any(header))
    for position, name in enumerate(header):
        table.add_column(name, justify="left" if position == 0 else align, overflow="fold")
    for row in rows:
        table.add_row(*row)
    # A pipe has no width; this is wide enough for all columns, so that nothing is folded.
    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(table)

"""The figures of one or several systems against gold data."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from kiwi.metrics import functions

ENSEMBLE = "*ensemble*"
"""Name of the average of all systems."""


@dataclass(frozen=True)
class Row:
    """One system's figures for one output."""

    output: str
    """Such as ``target_tags``; ``WMT19`` is target words and gaps together."""

    system: str
    """Its directory or file, or :data:`ENSEMBLE`."""

    n: int
    """Tags or segments that were compared."""

    metrics: dict[str, float]
    """By name, the main one first."""

    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Of metrics by name, where each lies with 95 % confidence."""

    signature: str = ""
    """What the figures were computed from and with."""


@dataclass(frozen=True)
class Report:
    """All figures of an evaluation; a row for each output and system."""

    rows: list[Row]

    @property
    def outputs(self) -> list[str]:
        """The outputs, in order."""
        return list(dict.fromkeys(row.output for row in self.rows))

    def of(self, output: str) -> list[Row]:
        """Rows of an output, the best system by the main metric first."""
        rows = [row for row in self.rows if row.output == output]
        return sorted(rows, key=lambda row: -next(iter(row.metrics.values())))

    def metric(self, output: str, name: str, system: str | None = None) -> float:
        """One figure; of the only system if none is named."""
        rows = [row for row in self.rows if row.output == output and system in (None, row.system)]
        if len(rows) != 1:
            raise KeyError(f"{output} of {system or 'the only system'}: {len(rows)} rows")
        return rows[0].metrics[name]

    def to_json(self) -> str:
        """As a JSON list of rows."""
        return json.dumps([asdict(row) for row in self.rows], indent=1)

    def to_text(self) -> str:
        """As plain tables, for a log."""
        lines: list[str] = []
        for output in self.outputs:
            rows = self.of(output)
            table = [[output, "n", *rows[0].metrics]]
            table += [[row.system, str(row.n), *(f"{value:.4f}" for value in row.metrics.values())] for row in rows]
            widths = [max(map(len, column)) for column in zip(*table, strict=True)]
            for name, *figures in table:
                cells = [f"{figure:>{width}}" for figure, width in zip(figures, widths[1:], strict=True)]
                lines.append("  ".join([f"{name:<{widths[0]}}", *cells]))
            lines.append("")
        return "\n".join(lines)


def tag_row(output: str, system: str, gold: ArrayLike, predicted: ArrayLike) -> Row:
    """Figures of tags, as flat arrays of classes over the whole corpus."""
    counts = functions.confusion(gold, predicted)
    metrics = functions.tag_metrics(counts)
    for label, name in enumerate(("OK", "BAD")):
        metrics[f"precision_{name}"] = functions.precision(counts, label)
        metrics[f"recall_{name}"] = functions.recall(counts, label)
    return Row(output, system, int(counts.sum()), metrics)


def score_row(output: str, system: str, gold: ArrayLike, predicted: ArrayLike) -> Row:
    """Figures of sentence scores."""
    metrics = {
        "PEARSON": functions.pearson(gold, predicted),
        "SPEARMAN": functions.spearman(gold, predicted),
        "MAE": functions.mae(gold, predicted),
        "RMSE": functions.rmse(gold, predicted),
    }
    return Row(output, system, int(np.size(gold)), metrics)

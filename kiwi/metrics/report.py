"""The figures of one or several systems against gold data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from kiwi import __version__
from kiwi.metrics import functions
from kiwi.metrics.confidence import (
    approximate_randomization,
    bootstrap,
    clusters,
    holm,
    interval,
    paired_bootstrap,
    williams,
)
from kiwi.metrics.measured import Measured
from kiwi.metrics.spans import mean_over_pairs

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
    """95 % intervals, of the figures that have one."""

    signature: str = ""
    """What the figures were computed of, and how; the name of a metric goes before it."""


@dataclass(frozen=True)
class Comparison:
    """Two systems by one metric."""

    output: str
    metric: str
    better: str
    """System with the better figure."""

    worse: str
    """The other one."""

    difference: float
    """Of the figures, not negative."""

    p: dict[str, float]
    """Two-sided p-values by test, raised for the number of comparisons (Holm)."""


@dataclass(frozen=True)
class Calibration:
    """Whether a system's probabilities, or the deviations of its scores, mean what they say."""

    output: str
    system: str
    figures: dict[str, float]
    """``ECE`` and ``Brier`` of probabilities; ``within_80`` and the like, ``miscalibration`` of deviations; on request
    ``best_threshold`` and ``MCC_at_best``."""


@dataclass(frozen=True)
class Report:
    """All figures of an evaluation; a row for each output and system."""

    rows: list[Row]

    comparisons: list[Comparison] = field(default_factory=list)
    """Each two systems of each output."""

    clusters: dict[str, list[list[str]]] = field(default_factory=dict)
    """By output: systems that cannot be told apart by the main metric, best first."""

    calibration: list[Calibration] = field(default_factory=list)
    """Of systems and outputs with probabilities or deviations."""

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
        """As JSON: rows, comparisons, clusters."""
        return json.dumps(asdict(self), indent=1)


@dataclass(frozen=True)
class Settings:
    """How sure one wants to be."""

    samples: int = 1000
    """Draws of intervals and tests; 0 makes none."""

    seed: int = 42
    """Of the draws."""


Draws = Mapping[str, NDArray[np.float64]]


def build_report(measured: Sequence[Measured], settings: Settings, origins: Mapping[str, str]) -> Report:
    """The figures of all systems, their intervals, and how they compare.

    Args:
        measured: systems and outputs.
        settings: of intervals and tests.
        origins: hash of the checkpoint of a system, where it is known; for the signatures.
    """
    rows: list[Row] = []
    draws: list[Draws] = []
    for each in measured:
        drawn = bootstrap(each.statistic, each.n_segments, samples=settings.samples, seed=settings.seed)
        parts = [each.output, f"{each.unit}:{each.n}"]
        parts += [f"segments:{each.n_segments}"] if each.unit != "segments" else []
        parts += [each.rule] if each.rule else []
        parts += [f"bootstrap:{settings.samples}", f"seed:{settings.seed}"] if drawn else []
        parts += [f"kiwi:{__version__}"]
        parts += [f"checkpoint:{origins[each.system][:12]}"] if each.system in origins else []
        intervals = {name: interval(values) for name, values in drawn.items()}
        rows.append(Row(each.output, each.system, each.n, dict(each.figures()), intervals, "|".join(parts)))
        draws.append(drawn)
    report = Report(rows)
    if not settings.samples:
        return report
    comparisons: list[Comparison] = []
    groups: dict[str, list[list[str]]] = {}
    for output in report.outputs:
        own = [index for index, row in enumerate(rows) if row.output == output]
        if len(own) < 2 or not draws[own[0]]:
            continue
        main = next(iter(rows[own[0]].metrics))
        for metric in ("PEARSON", "SPEARMAN") if measured[own[0]].scores is not None else (main,):
            order = sorted(own, key=lambda index: -rows[index].metrics[metric])
            found = _compared(metric, [(rows[i], measured[i], draws[i]) for i in order], settings)
            comparisons += found
            if metric == main:
                # The most cautious of the tests decides.
                p_values = {frozenset((each.better, each.worse)): max(each.p.values()) for each in found}
                groups[output] = clusters([rows[index].system for index in order], p_values)
    return Report(rows, comparisons, groups)


def _compared(metric: str, systems: list[tuple[Row, Measured, Draws]], settings: Settings) -> list[Comparison]:
    """Each two of one output's systems, best first.

    Correlations by paired bootstrap and, Pearson's, by Williams' test; tags by approximate randomization; other figures
    by paired bootstrap.
    """
    pairs = list(combinations(systems, 2))
    tests: list[dict[str, float]] = []
    for (one, mine, my_draws), (other, theirs, their_draws) in pairs:
        if mine.counts is not None and theirs.counts is not None:
            p = approximate_randomization(
                mine.counts, theirs.counts, functions.matthews, samples=settings.samples, seed=settings.seed
            )
            tests.append({"approximate randomization": p})
            continue
        test = {"paired bootstrap": paired_bootstrap(my_draws[metric], their_draws[metric])}
        if metric == "PEARSON" and mine.scores is not None and theirs.scores is not None:
            between = functions.pearson(mine.scores, theirs.scores)
            test["Williams"] = williams(one.metrics[metric], other.metrics[metric], between, mine.n_segments)
        tests.append(test)
    adjusted = {name: holm([test[name] for test in tests]) for name in tests[0]}
    return [
        Comparison(
            one.output,
            metric,
            one.system,
            other.system,
            one.metrics[metric] - other.metrics[metric],
            {name: values[index] for name, values in adjusted.items()},
        )
        for index, ((one, *_), (other, *_)) in enumerate(pairs)
    ]


def combine(reports: Mapping[str, Report]) -> Report:
    """The reports of several language pairs as one, with the unweighted means of what all of them have.

    Args:
        reports: by pair, with systems in the same order; a single one without a name stays as it is.
    """
    if "" in reports:
        return reports[""]
    whole = Report([])
    for pair, report in reports.items():
        rows = [replace(row, output=f"{pair} {row.output}") for row in report.rows]
        comparisons = [replace(each, output=f"{pair} {each.output}") for each in report.comparisons]
        groups = {f"{pair} {output}": names for output, names in report.clusters.items()}
        figures = [replace(each, output=f"{pair} {each.output}") for each in report.calibration]
        whole = Report(
            whole.rows + rows, whole.comparisons + comparisons, whole.clusters | groups, whole.calibration + figures
        )
    first, *others = reports.values()
    means: list[Row] = []
    for output in first.outputs:
        of_pairs = [[row for row in report.rows if row.output == output] for report in (first, *others)]
        if len({len(rows) for rows in of_pairs}) > 1:
            continue  # not all pairs have it
        for number, same in enumerate(zip(*of_pairs, strict=True), start=1):
            names = {row.system for row in same}
            system = names.pop() if len(names) == 1 else f"system {number}"
            metrics = mean_over_pairs({str(index): row.metrics for index, row in enumerate(same)})
            signature = f"mean of {len(same)} language pairs|kiwi:{__version__}"
            means.append(Row(f"mean {output}", system, sum(row.n for row in same), metrics, {}, signature))
    return replace(whole, rows=[*whole.rows, *means])

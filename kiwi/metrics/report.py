"""The report of one or several systems against gold labels."""

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
    SIGNIFICANT,
    approximate_randomization,
    bootstrap,
    clusters,
    holm,
    interval,
    paired_bootstrap,
    williams,
)
from kiwi.metrics.measured import Measured

ENSEMBLE = "*ensemble*"
"""The name of the average of all systems."""

MEAN = "mean "
"""The beginning of the name of an output whose metrics are means over language pairs."""


@dataclass(frozen=True)
class Row:
    """One system's metrics for one output."""

    output: str
    """The output, such as ``target_tags``; ``WMT19`` is target words and gaps together."""

    system: str
    """The directory or file of the system's predictions, or :data:`ENSEMBLE`."""

    n: int
    """The number of tags or segments that were compared."""

    metrics: dict[str, float]
    """The metrics by name, the main one first."""

    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    """The 95 % confidence intervals by metric, for metrics that have one."""

    signature: str = ""
    """A signature of the data and the settings of the metrics, to append to the name of a metric."""

    left_out: int = 0
    """The number of segments that were not compared, because a system has no prediction for them."""


@dataclass(frozen=True)
class Comparison:
    """The comparison of two systems by one metric."""

    output: str
    metric: str
    better: str
    """The system with the better value, which may be due to chance unless :attr:`significant`."""

    worse: str
    """The system with the worse value, or the same one."""

    difference: float
    """The difference of the two values, at least 0."""

    p: dict[str, float]
    """Two-sided p-values by test, corrected for the number of comparisons (Holm)."""

    significant: bool = False
    """Whether one system is better than the other: no test attributes the difference to chance (p < 0.05)."""


@dataclass(frozen=True)
class Calibration:
    """The calibration of a system's probabilities, or of the standard deviations of its scores."""

    output: str
    system: str
    figures: dict[str, float]
    """``ECE`` and ``Brier`` for probabilities; the figures of :func:`kiwi.metrics.calibration.coverage` and
    :func:`kiwi.metrics.calibration.uncertainty` for deviations; ``coverage`` and mean ``width`` for intervals; on
    request, ``best_threshold`` and ``MCC_at_best``."""


@dataclass(frozen=True)
class Report:
    """The results of an evaluation, with a row for each output and system."""

    rows: list[Row]

    comparisons: list[Comparison] = field(default_factory=list)
    """The comparisons of all pairs of systems, for each output."""

    clusters: dict[str, list[list[str]]] = field(default_factory=dict)
    """Clusters of systems without significant differences in the main metric, best first, by output."""

    calibration: list[Calibration] = field(default_factory=list)
    """The calibration of the systems and outputs that have probabilities or deviations."""

    @property
    def outputs(self) -> list[str]:
        """The outputs, in order."""
        return list(dict.fromkeys(row.output for row in self.rows))

    def of(self, output: str) -> list[Row]:
        """Return the rows of an output, the best system by the main metric first."""
        rows = [row for row in self.rows if row.output == output]
        return sorted(rows, key=lambda row: -next(iter(row.metrics.values())))

    def metric(self, output: str, name: str, system: str | None = None) -> float:
        """Return the value of a metric; of the only system if none is named."""
        rows = [row for row in self.rows if row.output == output and system in (None, row.system)]
        if len(rows) != 1:
            raise KeyError(f"{output} of {system or 'the only system'}: {len(rows)} rows")
        return rows[0].metrics[name]

    def to_json(self) -> str:
        """Return the report as JSON."""
        return json.dumps(asdict(self), indent=1)


@dataclass(frozen=True)
class Settings:
    """The settings of confidence intervals and significance tests."""

    samples: int = 1000
    """The number of samples; 0 omits intervals and tests."""

    seed: int = 42
    """The seed of the samples."""


Draws = Mapping[str, NDArray[np.float64]]
"""The bootstrap samples of each metric (samples,), by name."""


def build_report(measured: Sequence[Measured], settings: Settings, origins: Mapping[str, str]) -> Report:
    """Compute the metrics of all systems, their intervals, and the comparisons between systems.

    Args:
        measured: the predictions of each system and output.
        settings: the settings of intervals and tests.
        origins: the hash of the checkpoint of each system, where it is known, for the signatures.
    """
    rows: list[Row] = []
    draws: list[Draws] = []
    for each in measured:
        drawn = bootstrap(
            each.resampled or each.statistic, each.n_segments, samples=settings.samples, seed=settings.seed
        )
        parts = [each.output, f"{each.unit}:{each.n}"]
        parts += [f"segments:{each.n_segments}"] if each.unit != "segments" else []
        parts += [f"left_out:{each.left_out}"] if each.left_out else []
        parts += [f"excluded:{each.excluded}"] if each.excluded else []
        parts += [each.rule] if each.rule else []
        parts += [f"bootstrap:{settings.samples}", f"seed:{settings.seed}"] if drawn else []
        parts += [f"kiwi:{__version__}"]
        parts += [f"checkpoint:{origins[each.system][:12]}"] if each.system in origins else []
        intervals = {name: interval(values) for name, values in drawn.items()}
        signature = "|".join(parts)
        rows.append(Row(each.output, each.system, each.n, dict(each.figures()), intervals, signature, each.left_out))
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
            found = _compare(metric, [(rows[i], measured[i], draws[i]) for i in order], settings)
            comparisons += found
            if metric == main:
                # The most conservative test decides.
                p_values = {frozenset((each.better, each.worse)): max(each.p.values()) for each in found}
                groups[output] = clusters([rows[index].system for index in order], p_values)
    return Report(rows, comparisons, groups)


def _compare(metric: str, systems: list[tuple[Row, Measured, Draws]], settings: Settings) -> list[Comparison]:
    """Compare all pairs of one output's systems, which are given best first.

    Tags are tested by approximate randomization, everything else by paired bootstrap, and Pearson's correlation by
    Williams' test too.
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
            all(values[index] < SIGNIFICANT for values in adjusted.values()),
        )
        for index, ((one, *_), (other, *_)) in enumerate(pairs)
    ]


def combine(reports: Mapping[str, Report]) -> Report:
    """Combine the reports of several language pairs, and add the unweighted means of the outputs that all of them have.

    Args:
        reports: the reports by language pair, with systems in the same order; a single report under the empty name is
            returned unchanged.
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
            continue  # an output that not all pairs have
        for number, same in enumerate(zip(*of_pairs, strict=True), start=1):
            names = {row.system for row in same}
            system = names.pop() if len(names) == 1 else f"system {number}"
            metrics = functions.mean_over_pairs({str(index): row.metrics for index, row in enumerate(same)})
            signature = f"mean of {len(same)} language pairs|kiwi:{__version__}"
            means.append(Row(f"{MEAN}{output}", system, sum(row.n for row in same), metrics, {}, signature))
    return replace(whole, rows=[*whole.rows, *means])

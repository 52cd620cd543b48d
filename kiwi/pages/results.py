"""The metrics of a report as the page's tables show them, with their intervals and signatures."""

from __future__ import annotations

from dataclasses import dataclass

from kiwi import __version__, constants as const
from kiwi.metrics import functions
from kiwi.metrics.error_free import ERROR_FREE
from kiwi.metrics.measured import EXPLANATIONS, MT_SYSTEMS
from kiwi.metrics.report import ENSEMBLE, MEAN, Comparison, Report, Row
from kiwi.metrics.spans import SPANS, SPANS_MPP, SPANS_WMT25
from kiwi.outputs import OUTPUTS

TITLES = {
    const.WMT19: "Target words and gaps",
    ERROR_FREE: "Error-free segments",
    EXPLANATIONS: "Explanations of scores",
    MT_SYSTEMS: "Comparison of MT systems",
    SPANS: "Spans of errors (WMT23)",
    SPANS_WMT25: "Spans of errors (WMT25)",
    SPANS_MPP: "Spans of errors, matched one to one",
}
"""The titles of what is measured in addition to the outputs of the table."""


@dataclass(frozen=True)
class Column:
    """A metric of a table."""

    metric: str
    higher_is_better: bool

    best: float | None
    """The value that is marked as the best; None where one system alone has values."""


@dataclass(frozen=True)
class Table:
    """The metrics of all systems for one output."""

    title: str
    columns: list[Column]

    rows: list[tuple[Row, str]]
    """The metrics of each system, the best first, and their signature."""

    groups: list[list[str]]
    """Groups of systems that do not differ significantly, the best first."""

    comparisons: list[Comparison]

    @property
    def n_systems(self) -> int:
        """The number of systems, without their average."""
        return sum(row.system != ENSEMBLE for row, _ in self.rows)

    @property
    def best_row(self) -> tuple[Row, str]:
        """The best system, which their average is not."""
        return next((pair for pair in self.rows if pair[0].system != ENSEMBLE), self.rows[0])

    @property
    def signatures(self) -> list[tuple[str, str]]:
        """The name and the signature of each row."""
        return [(row.system, signed) for row, signed in self.rows]

    @property
    def has_intervals(self) -> bool:
        """Whether any metric has an interval."""
        return any(row.intervals for row, _ in self.rows)


def title_of(output: str) -> str:
    """Return the title of an output; what precedes its name, such as a language pair, is kept."""
    before, _, last = output.rpartition(" ")
    return f"{before} {OUTPUTS[last].title if last in OUTPUTS else TITLES.get(last, last)}".strip()


def row_of(report: Report, output: str, system: str) -> Row | None:
    """Return the metrics of a system for an output, if the report has them."""
    return next((row for row in report.rows if (row.output, row.system) == (output, system)), None)


def signature(row: Row | None, output: str, n: int) -> str:
    """Return what the page shows beneath everything that was computed from an output."""
    if row is not None and row.signature:
        return row.signature
    return f"{output}|n:{row.n if row is not None else n}|kiwi:{__version__}"


def result_tables(report: Report) -> list[Table]:
    """Return a table for each output of a report; means over language pairs come first."""
    return [_table(report, output) for output in sorted(report.outputs, key=lambda name: not name.startswith(MEAN))]


def _table(report: Report, output: str) -> Table:
    rows = report.of(output)
    return Table(
        title_of(output),
        [_column(rows, metric) for metric in rows[0].metrics],
        [(row, signature(row, output, row.n)) for row in rows],
        report.clusters.get(output, []),
        [each for each in report.comparisons if each.output == output],
    )


def _column(rows: list[Row], metric: str) -> Column:
    higher = functions.higher_is_better(metric)
    values = [row.metrics[metric] for row in rows if metric in row.metrics and row.system != ENSEMBLE]
    return Column(metric, higher, (max if higher else min)(values) if len(values) > 1 else None)

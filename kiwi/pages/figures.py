"""The figures of a report as tables of HTML, with their intervals and signatures."""

from __future__ import annotations

from html import escape

from kiwi import __version__, constants as const
from kiwi.metrics import functions
from kiwi.metrics.measured import EXPLANATIONS, SPANS
from kiwi.metrics.report import Report, Row

NAMES = {
    const.SENTENCE_SCORES: "Sentence scores",
    const.TARGET_TAGS: "Target words",
    const.GAP_TAGS: "Gaps",
    const.WMT19: "Target words and gaps",
    const.SOURCE_TAGS: "Source words",
    const.BINARY: "Binary verdicts",
    EXPLANATIONS: "Explanations of scores",
    SPANS: "Spans of errors",
}
"""What people call the outputs."""


def name_of(output: str) -> str:
    """What people call an output; what stands before it, such as a language pair, stays."""
    before, _, last = output.rpartition(" ")
    return f"{before} {NAMES.get(last, last)}".strip()


def row_of(report: Report, output: str, system: str) -> Row | None:
    """The figures of a system for an output, if the report has them."""
    return next((row for row in report.rows if (row.output, row.system) == (output, system)), None)


def signature(row: Row | None, output: str, n: int) -> str:
    """What stands under everything that was computed from an output."""
    if row is not None and row.signature:
        return row.signature
    return f"{output}|n:{row.n if row is not None else n}|kiwi:{__version__}"


def breakable(name: str) -> str:
    """The name of a system, escaped, with places where a line may end: after each part of a path."""
    return escape(name).replace("/", "/<wbr>")


def figures(report: Report) -> str:
    """The main figures large, and all of them in tables."""
    if not report.rows:
        return '<section id="figures"><p class="note">There are no figures.</p></section>\n'
    tables = "".join(_table(report, output) for output in report.outputs)
    return f'<section id="figures"><h2>Figures</h2>{_tiles(report)}{tables}</section>\n'


def _tiles(report: Report) -> str:
    """The main figure of each output, of the best system."""
    tiles = []
    for output in report.outputs:
        rows = report.of(output)
        metric, value = next(iter(rows[0].metrics.items()))
        best = f"<small>best of {len(rows)}: {breakable(rows[0].system)}</small>" if len(rows) > 1 else ""
        tiles.append(
            f'<div class="tile"><span>{escape(name_of(output))}</span><b>{value:.3f}</b>'
            f"<span>{escape(metric)}{_interval(rows[0], metric)}</span>{best}"
            f'<code class="signature">{escape(metric)}|{escape(signature(rows[0], output, rows[0].n))}</code></div>'
        )
    return f'<div class="tiles">{"".join(tiles)}</div>\n'


def _interval(row: Row, metric: str) -> str:
    if metric not in row.intervals:
        return ""
    low, high = row.intervals[metric]
    return f' <span class="interval">[{low:.3f}, {high:.3f}]</span>'


def _table(report: Report, output: str) -> str:
    """All systems' figures for an output, the best of each metric marked."""
    rows = report.of(output)
    names = list(rows[0].metrics)
    best = {}
    for name in names:
        values = [row.metrics[name] for row in rows if name in row.metrics]
        best[name] = (max if functions.higher_is_better(name) else min)(values)
    head = "".join(f'<th scope="col">{escape(name)}{_arrow(name)}</th>' for name in names)
    body = []
    for row in rows:
        cells = []
        for name in names:
            value = row.metrics.get(name)
            is_best = len(rows) > 1 and value == best[name]
            figure = "–" if value is None else f"<b>{value:.4f}</b>" if is_best else f"{value:.4f}"
            hint = escape(f"{name}|{signature(row, output, row.n)}")
            cells.append(f'<td title="{hint}">{figure}{_interval(row, name)}</td>')
        body.append(
            f'<tr><th scope="row">{breakable(row.system)}</th><td>{row.n:,}</td>{"".join(cells)}</tr>'
            f'<tr class="of"><td colspan="{len(names) + 2}"><code class="signature">'
            f"{escape(signature(row, output, row.n))}</code></td></tr>"
        )
    any_interval = ", with 95 % intervals" if any(row.intervals for row in rows) else ""
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{escape(name_of(output))}"><table>'
        f"<caption>{escape(name_of(output))}{any_interval}</caption>"
        f'<thead><tr><th scope="col">system</th><th scope="col">n</th>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>{_comparisons(report, output)}</div>\n"
    )


def _comparisons(report: Report, output: str) -> str:
    """Which systems can be told apart, and each two of them."""
    groups = report.clusters.get(output, [])
    ranks = "; ".join(f"{rank}. {', '.join(map(breakable, group))}" for rank, group in enumerate(groups, start=1))
    apart = (
        f'<p class="note">Ranks, shared by systems that cannot be told apart (p &lt; 0.05, Holm): {ranks}.</p>'
        if groups
        else ""
    )
    pairs = [
        f'<tr><th scope="row">{breakable(each.better)} over {breakable(each.worse)}</th><td>{escape(each.metric)}</td>'
        f"<td>+{each.difference:.4f}</td>"
        f"<td>{escape(', '.join(f'{test} {p:.3g}' for test, p in each.p.items()))}</td></tr>"
        for each in report.comparisons
        if each.output == output
    ]
    if not pairs:
        return apart
    return (
        f"{apart}<details><summary>Each two systems</summary><table><thead><tr><th>systems</th><th>metric</th>"
        f"<th>difference</th><th>p</th></tr></thead><tbody>{''.join(pairs)}</tbody></table></details>"
    )


def _arrow(name: str) -> str:
    up = functions.higher_is_better(name)
    return f' <span class="arrow" title="{"higher" if up else "lower"} is better">{"↑" if up else "↓"}</span>'

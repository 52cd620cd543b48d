"""Renders a report as plain text, Markdown or LaTeX."""

from __future__ import annotations

from collections.abc import Callable

from kiwi.metrics.report import Report, Row


def as_text(report: Report) -> str:
    """Render plain-text tables, for a log."""
    lines: list[str] = []
    for output in report.outputs:
        rows = report.of(output)
        table = [[output, "n", *rows[0].metrics]]
        table += [[row.system, str(row.n), *(f"{value:.4f}" for value in row.metrics.values())] for row in rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for name, *figures in table:
            cells = [f"{figure:>{width}}" for figure, width in zip(figures, widths[1:], strict=True)]
            lines.append("  ".join([f"{name:<{widths[0]}}", *cells]))
        lines.append("")
    return "\n".join(lines)


def as_markdown(report: Report) -> str:
    """Render a Markdown table for each output, with intervals in brackets and signatures below."""

    def cell(text: str) -> str:
        return text.replace("|", "\\|")

    lines: list[str] = []
    for output in report.outputs:
        rows = report.of(output)
        lines += [f"## {output}", "", "| system | n | " + " | ".join(map(cell, rows[0].metrics)) + " |"]
        lines += ["|---|" + "---:|" * (len(rows[0].metrics) + 1)]
        lines += [f"| {cell(row.system)} | {row.n} | " + " | ".join(_figures(row, _plain)) + " |" for row in rows]
        lines += ["", *_remarks(report, output, rows, "`{}`"), ""]
    return "\n".join(lines)


LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    character: f"\\{character}" for character in "&%$#_{}"
}


def as_latex(report: Report) -> str:
    """Render a LaTeX table for each output, which needs the package booktabs."""

    def cell(text: str) -> str:
        return "".join(LATEX.get(character, character) for character in text)

    def figure(value: float, interval: tuple[float, float] | None) -> str:
        ends = "" if interval is None else " {{\\scriptsize [{:.3f}, {:.3f}]}}".format(*interval)
        return f"${value:.4f}$" + ends

    lines: list[str] = []
    for output in report.outputs:
        rows = report.of(output)
        columns = "lr" + "r" * len(rows[0].metrics)
        lines += [r"\begin{table}", r"\centering", f"\\begin{{tabular}}{{{columns}}}", r"\toprule"]
        lines += [" & ".join(["system", "$n$", *map(cell, rows[0].metrics)]) + r" \\", r"\midrule"]
        lines += [" & ".join([cell(row.system), str(row.n), *_figures(row, figure)]) + r" \\" for row in rows]
        remarks = " ".join(cell(remark) for remark in _remarks(report, output, rows, "{}") if remark)
        lines += [r"\bottomrule", r"\end{tabular}", f"\\caption{{{cell(output)}. {remarks}}}", r"\end{table}", ""]
    return "\n".join(lines)


def _figures(row: Row, form: Callable[[float, tuple[float, float] | None], str]) -> list[str]:
    return [form(value, row.intervals.get(name)) for name, value in row.metrics.items()]


def _plain(value: float, interval: tuple[float, float] | None) -> str:
    return f"{value:.4f}" + ("" if interval is None else " [{:.3f}, {:.3f}]".format(*interval))


def _remarks(report: Report, output: str, rows: list[Row], form: str) -> list[str]:
    remarks = [form.format(signature) for signature in dict.fromkeys(row.signature for row in rows) if signature]
    if groups := report.clusters.get(output):
        ranks = "; ".join(f"{rank}. {', '.join(group)}" for rank, group in enumerate(groups, start=1))
        remarks.append(f"Systems that do not differ significantly in the first metric (p < 0.05, Holm): {ranks}.")
    return remarks

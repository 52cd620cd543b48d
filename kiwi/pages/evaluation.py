"""An evaluation as one page of HTML that needs nothing but a browser: ``kiwi evaluate --report report.html``."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources

from kiwi import __version__
from kiwi.metrics.aligned import Aligned
from kiwi.metrics.report import Report
from kiwi.pages.figures import breakable, figures
from kiwi.pages.outputs import score_section, tag_sections
from kiwi.pages.segments import worst_segments

MOST_SYSTEMS = 6
"""Systems with pictures, so that the page stays small; the table has all of them."""


def evaluation_page(
    report: Report,
    outputs: Sequence[Aligned],
    texts: Mapping[str, Sequence[str]] | None = None,
    title: str = "Evaluation",
    worst: int = 30,
) -> str:
    """Show figures, pictures and the worst segments of systems.

    Args:
        report: the figures.
        outputs: what they were computed from; predictions of a system that ``report`` does not name are shown too.
        texts: ``source`` and ``target``, lines of all segments of the files.
        title: of the page.
        worst: segments that are shown of each system.

    Returns:
        HTML with its style, pictures and script inside.
    """
    systems = _systems(report, outputs)
    shown = systems[:MOST_SYSTEMS]
    pages = [_system(number, name, report, outputs, texts or {}, worst) for number, name in enumerate(shown)]
    left_out = ""
    if len(systems) > len(shown):
        left_out = f'<p class="note">Pictures are of the best {len(shown)} of {len(systems)} systems.</p>'
    options = "".join(f'<option value="{number}">{escape(name)}</option>' for number, name in enumerate(shown))
    picker = f'<p class="picker"><label>System <select id="system">{options}</select></label></p>'
    body = (
        f"<header><h1>{escape(title)}</h1><p>{_overview(systems, outputs)}</p></header>\n<main>\n"
        f"{figures(report)}{picker if len(shown) > 1 else ''}{left_out}{''.join(pages)}</main>\n"
        f"<footer><p>Made by kiwi {__version__}. Whatever the page needs is in this file.</p></footer>\n"
    )
    return _document(title, body)


def _document(title: str, body: str) -> str:
    style, script = (_asset(name) for name in ("evaluation.css", "evaluation.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # The browser runs this one script, and asks nobody for anything.
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n{body}"
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _asset(name: str) -> str:
    return resources.files("kiwi").joinpath("assets", "page", name).read_text(encoding="utf-8")


def _systems(report: Report, outputs: Sequence[Aligned]) -> list[str]:
    """Systems that have predictions, the best by the first output of the report first."""
    there = dict.fromkeys(system for each in outputs if len(each.gold) for system in each.predicted)
    ranked = dict.fromkeys(row.system for output in report.outputs for row in report.of(output))
    return [system for system in ranked if system in there] + [system for system in there if system not in ranked]


def _overview(systems: Sequence[str], outputs: Sequence[Aligned]) -> str:
    segments = max((len(each.numbers) for each in outputs), default=0)
    return f"{len(systems)} system{'s' * (len(systems) != 1)}, {segments:,} segment{'s' * (segments != 1)}"


def _system(
    number: int,
    system: str,
    report: Report,
    outputs: Sequence[Aligned],
    texts: Mapping[str, Sequence[str]],
    worst: int,
) -> str:
    """Everything about one system."""
    there = [each for each in outputs if system in each.predicted and len(each.gold)]
    return (
        f'<section class="system" data-system="{number}"><h2>{breakable(system)}</h2>\n'
        f"{score_section(report, there, system, texts)}{tag_sections(report, there, system, texts)}"
        f"{_worst(number, there, system, texts, worst)}</section>\n"
    )


def _worst(number: int, outputs: Sequence[Aligned], system: str, texts: Mapping[str, Sequence[str]], worst: int) -> str:
    how, cards = worst_segments(outputs, system, texts, worst)
    if not cards:
        return ""
    key = (
        '<p class="key-line">Shade: probability of BAD <span class="w p0">0</span><span class="w p2">0.2</span>'
        '<span class="w p4">0.4</span><span class="w p6 said">0.6</span><span class="w p9 said">0.9</span> · '
        '<span class="w said">bold</span> predicted BAD · <span class="w bad">underlined</span> gold BAD · '
        'gaps <span class="g p0"></span> <span class="g p9 said"></span> <span class="g p1 bad"></span> alike</p>'
    )
    return (
        f'<h3>Worst segments</h3><p class="note">The {len(cards)} worst, {escape(how)}.</p>{key}'
        f'<p class="filter"><label>Filter <input type="search" class="filter-box" aria-controls="segments-{number}" '
        'placeholder="a word or #number"></label> <output></output></p>'
        f'<ol class="segments" id="segments-{number}">{"".join(cards)}</ol>\n'
    )

"""An evaluation as one page of HTML that needs nothing but a browser: ``kiwi evaluate --report report.html``."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kiwi import __version__
from kiwi.metrics.aligned import Aligned
from kiwi.metrics.report import ENSEMBLE, Report
from kiwi.pages.assets import read_asset
from kiwi.pages.marks import MarkedTexts
from kiwi.pages.outputs import Section, Texts, sections
from kiwi.pages.results import result_tables
from kiwi.pages.segments import Card, worst_segments
from kiwi.utils.templates import render

MOST_SYSTEMS = 6
"""The number of systems with pictures, which bounds the size of the page; the tables have all systems."""


@dataclass(frozen=True)
class System:
    """The part of the page about one system."""

    name: str
    sections: list[Section]

    ranked_by: str
    """The criterion by which the worst segments were ranked."""

    worst: list[Card]


def evaluation_page(
    report: Report,
    outputs: Sequence[Aligned],
    texts: Mapping[str, Sequence[str]] | None = None,
    title: str = "Evaluation",
    worst: int = 30,
    marked: MarkedTexts | None = None,
) -> str:
    """Return a page that shows the metrics, pictures and worst segments of systems.

    Args:
        report: the metrics.
        outputs: the data that the metrics were computed from; systems that ``report`` does not name are shown too.
        texts: the lines of all segments of the files, by field (``source`` and ``target``).
        title: the title of the page.
        worst: the maximum number of segments that are shown for each system.
        marked: the error spans of the segments, if they are compared.

    Returns:
        HTML that contains its style, pictures and script.
    """
    systems = _systems(report, outputs, marked)
    n_segments = [len(each.numbers) for each in outputs] + ([] if marked is None else [len(marked.numbers)])
    script = read_asset("evaluation.js")
    return render(
        "evaluation.html.jinja",
        title=title,
        style=read_asset("evaluation.css"),
        script=script,
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        tables=result_tables(report),
        n_systems=len(systems),
        n_segments=max(n_segments, default=0),
        systems=[_system(name, report, outputs, texts or {}, worst, marked) for name in systems[:MOST_SYSTEMS]],
        ensemble=ENSEMBLE,
        kiwi_version=__version__,
    )


def _systems(report: Report, outputs: Sequence[Aligned], marked: MarkedTexts | None) -> list[str]:
    """Return the systems that have predictions, the best by the first output of the report first; no average."""
    predicting = dict.fromkeys(system for each in outputs if len(each.gold) for system in each.predicted)
    predicting |= dict.fromkeys(() if marked is None else marked.predicted)
    predicting.pop(ENSEMBLE, None)
    ranked = dict.fromkeys(row.system for output in report.outputs for row in report.of(output))
    return [system for system in ranked if system in predicting] + [
        system for system in predicting if system not in ranked
    ]


def _system(
    name: str, report: Report, outputs: Sequence[Aligned], texts: Texts, worst: int, marked: MarkedTexts | None
) -> System:
    predicted = [each for each in outputs if name in each.predicted and len(each.gold)]
    return System(
        name, sections(report, predicted, name, texts), *worst_segments(predicted, name, texts, worst, marked)
    )

"""A corpus as one page of HTML that needs nothing but a browser: ``report.html`` of ``kiwi corpus``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kiwi import __version__
from kiwi.constants import GAP_TAGS, SOURCE_TAGS, TARGET_TAGS
from kiwi.pages.assets import read_asset
from kiwi.pages.figure import Figure, draw_bars
from kiwi.pages.svg import Chart
from kiwi.utils.templates import render

BINS = 40
"""The number of bins of HTER."""

MOST_SUBSTITUTIONS = 40

MOST_UNEDITED, MOST_HTER, MOST_DROPPED = 0.8, 0.7, 0.2
"""The shares of unedited segments and of segments left out, and the mean HTER, above which the page warns."""

OUTPUTS = {TARGET_TAGS: "BAD words", GAP_TAGS: "BAD gaps", SOURCE_TAGS: "BAD source words"}


@dataclass(frozen=True)
class PartFigures:
    """The figures of a part of the corpus."""

    name: str
    n_segments: int
    n_words: Mapping[str, int]
    """The number of words of each text."""

    hter: float
    """The mean HTER."""

    unedited: float
    """The share of segments whose HTER is 0."""

    bad: Mapping[str, float]
    """The share of BAD tags by output."""


@dataclass(frozen=True)
class Annotator:
    """The figures of a person who edited segments."""

    name: str
    n_segments: int
    hter: float

    difference: float
    """The difference of the mean HTER to that of all others."""

    is_far: bool
    """Whether the difference is larger than chance and 0.1."""


@dataclass(frozen=True)
class EditedSegment:
    """A segment with its edits."""

    place: str
    """Its place, such as its line."""

    hter: float
    source: str

    edits: Sequence[tuple[str, str, str]]
    """Each step of the edits, with its word of the translation and of the post-edit."""


@dataclass(frozen=True)
class CorpusFigures:
    """What the page shows."""

    title: str
    settings: Sequence[tuple[str, str]]
    """How the corpus was made."""

    parts: Sequence[PartFigures]
    n_read: int
    dropped: Sequence[tuple[str, str, int]]
    """The name, the description and the number of segments of each cleaning rule that was applied."""

    hter: Sequence[int]
    lengths: Mapping[int, int]
    substitutions: Sequence[tuple[tuple[str, str], int]]
    annotators: Sequence[Annotator]
    worst: Sequence[EditedSegment]

    is_reference: bool
    """Whether independent references stand in for post-edits."""

    notes: Sequence[str] = ()
    """Further warnings."""


def corpus_page(corpus: CorpusFigures) -> str:
    """Return a page with the figures of a corpus, which contains its style and pictures."""
    return render(
        "corpus.html.jinja",
        corpus=corpus,
        n_segments=sum(part.n_segments for part in corpus.parts),
        outputs={output: name for output, name in OUTPUTS.items() if any(output in part.bad for part in corpus.parts)},
        style=read_asset("evaluation.css"),
        figures=[_draw_hter(corpus), _draw_lengths(corpus)],
        warnings=warnings_of(corpus),
        substitutions=corpus.substitutions[:MOST_SUBSTITUTIONS],
        edited="reference" if corpus.is_reference else "post-edit",
        kiwi_version=__version__,
    )


def warnings_of(corpus: CorpusFigures) -> list[str]:
    """Return what is unusual about a corpus."""
    found = list(corpus.notes)
    n_segments = sum(part.n_segments for part in corpus.parts)
    unedited = sum(part.unedited * part.n_segments for part in corpus.parts) / max(n_segments, 1)
    hter = sum(part.hter * part.n_segments for part in corpus.parts) / max(n_segments, 1)
    if corpus.is_reference:
        found.append(
            "References stand in for post-edits. A reference is one of many good translations, so HTER and BAD tags "
            "include words that are not wrong."
        )
    if unedited > MOST_UNEDITED:
        found.append(f"{unedited:.0%} of the segments are unedited. Were all of them read by the post-editors?")
    if hter > MOST_HTER:
        found.append(f"The mean HTER is {hter:.2f}. Do the lines of the files match?")
    n_dropped = sum(n for _, _, n in corpus.dropped)
    if n_dropped > MOST_DROPPED * corpus.n_read:
        found.append(f"{n_dropped / corpus.n_read:.0%} of the segments were left out; dropped.tsv lists them.")
    for person in corpus.annotators:
        if person.is_far:
            found.append(
                f"The segments of {person.name} have a mean HTER of {person.hter:.2f}, {person.difference:+.2f} "
                "compared to all others."
            )
    return found


def _draw_hter(corpus: CorpusFigures) -> Figure:
    shares = np.array(corpus.hter) / max(sum(corpus.hter), 1)
    edges = np.linspace(0.0, 1.0, BINS + 1)
    chart = Chart((0.0, 1.0), (0.0, max(float(shares.max()), 0.01) * 1.1), "HTER", "segments", "HTER.", percent=True)
    draw_bars(chart, edges, shares, "group")
    return Figure("Distribution of HTER", f"In {BINS} bins; the last one includes 1.", "", chart.svg())


def _draw_lengths(corpus: CorpusFigures) -> Figure:
    values = np.array(list(corpus.lengths), dtype=np.float64)
    weights = np.array(list(corpus.lengths.values()), dtype=np.float64)
    width = max(1, round(float(values.max(initial=1)) / BINS))
    edges = np.arange(0.5, values.max(initial=1) + width + 0.5, width)
    counts, _ = np.histogram(values, edges, weights=weights)
    shares = counts / max(float(counts.sum()), 1.0)
    chart = Chart(
        (0.0, float(edges[-1])),
        (0.0, max(float(shares.max()), 0.01) * 1.1),
        "words",
        "segments",
        "Lengths.",
        percent=True,
    )
    draw_bars(chart, edges, shares, "group")
    mean = float((values * weights).sum() / max(weights.sum(), 1.0))
    return Figure("Lengths of translations", f"{mean:.1f} words on average.", "", chart.svg())

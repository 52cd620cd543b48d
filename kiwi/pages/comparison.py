"""A comparison of systems as one page of HTML that needs nothing but a browser: ``kiwi compare --report``."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kiwi import __version__
from kiwi.metrics.comparison import Comparison, PairFigures
from kiwi.metrics.confidence import SIGNIFICANT
from kiwi.pages import counts
from kiwi.pages.assets import read_asset
from kiwi.pages.figure import Figure, Scores, draw_bars
from kiwi.pages.segments import TRACK_LENGTH, TRACK_START
from kiwi.pages.svg import Chart, bounds
from kiwi.utils.templates import render

MOST_PICTURES = 6
"""The number of pairs of systems with a picture, which bounds the size of the page; the tables have all."""

BINS = 30
"""The number of bins of a histogram of differences."""


@dataclass(frozen=True)
class Segment:
    """A segment whose translations have different scores."""

    number: int
    """Its number, from 1."""

    source: str

    translations: Sequence[tuple[str, float, str]]
    """The name, score and translation of each system, the best system first."""

    pair: str = ""
    """Its language pair, if there are any."""

    def best(self, higher_is_better: bool) -> float:
        """Return the best score."""
        scores = [score for _, score, _ in self.translations]
        return max(scores) if higher_is_better else min(scores)

    @property
    def difference(self) -> float:
        """The difference between the best and the worst score."""
        return self.best(True) - self.best(False)


@dataclass(frozen=True)
class ComparisonFigures:
    """What the page shows."""

    meaning: str
    """What the scores mean, in words."""

    higher_is_better: bool
    whole: Comparison
    by_pair: Mapping[str, Comparison]
    """The comparison on the segments of each language pair."""

    scores: Mapping[str, Scores]
    """The score of each compared segment, by system."""

    segments: Sequence[Segment]
    """The segments whose scores differ most."""

    n_left_out: int
    """The number of segments that are not compared."""

    settings: Sequence[tuple[str, str]]
    """How the comparison was made."""


def comparison_page(figures: ComparisonFigures, title: str = "Comparison of systems") -> str:
    """Return a page with the comparison of systems, which contains its style, pictures and script.

    Args:
        figures: what it shows.
        title: the title of the page.
    """
    script = read_asset("evaluation.js")
    pairs = [pair for pair in figures.whole.pairs if figures.whole.systems[0].system == pair.better]
    return render(
        "comparison.html.jinja",
        title=title,
        style=read_asset("evaluation.css"),
        script=script,
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        figures=figures,
        parts={"": figures.whole, **figures.by_pair},
        places=_places(figures),
        pictures=[_draw(figures, pair) for pair in pairs[:MOST_PICTURES]],
        n_pictures=len(pairs),
        significant=SIGNIFICANT,
        kiwi_version=__version__,
    )


def _places(figures: ComparisonFigures) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Return the places of low end, mean and high end of each interval in its picture, by part and system."""
    found = {}
    for part, comparison in {"": figures.whole, **figures.by_pair}.items():
        ends = {each.system: each.interval or (each.mean, each.mean) for each in comparison.systems}
        low, high = min(end for end, _ in ends.values()), max(end for _, end in ends.values())
        found[part] = {
            each.system: tuple(
                TRACK_START + TRACK_LENGTH * (value - low) / ((high - low) or 1.0)
                for value in (ends[each.system][0], each.mean, ends[each.system][1])
            )
            for each in comparison.systems
        }
    return found  # type: ignore[return-value]


def _draw(figures: ComparisonFigures, pair: PairFigures) -> Figure:
    """Draw the histogram of the differences between two systems."""
    sign = 1 if figures.higher_is_better else -1
    gains = sign * (figures.scores[pair.better] - figures.scores[pair.worse])
    largest = bounds((0.0, float(np.abs(gains).max())), 0.0)[1]
    edges = np.linspace(-largest, largest, BINS + 1)
    shares = counts.histogram(gains, edges)
    label = (
        f"Differences between {pair.better} and {pair.worse}: {pair.wins} wins, {pair.ties} ties, {pair.losses} losses."
    )
    top = float(shares.max()) * 1.08 or 1.0
    chart = Chart((-largest, largest), (0.0, top), "how much better", "share of segments", label, percent=True)
    draw_bars(chart, edges, shares, "gold")
    chart.vertical(0.0, "ideal")
    caption = (
        f"{pair.better} is better in {pair.wins:,} segments (right of the dashed line), {pair.worse} in "
        f"{pair.losses:,}; {pair.ties:,} have equal scores."
    )
    signature = f"shares|n:{figures.whole.n_segments}|{figures.meaning}|kiwi:{__version__}"
    return Figure(f"{pair.better} and {pair.worse}", caption, signature, chart.svg())

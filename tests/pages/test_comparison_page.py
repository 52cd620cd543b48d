"""The page of a comparison of systems."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np

from kiwi.metrics.comparison import compare_systems, most_different
from kiwi.pages.comparison import ComparisonFigures, Segment, comparison_page
from tests.browser import Chromium

EVIL = "<script>document.title='owned'</script>"
LONG = "runs/experiment-with-a-very-long-name-17/nmt"


def figures(samples: int = 100) -> ComparisonFigures:
    random = np.random.default_rng(3)
    scores = {EVIL: random.random(40), LONG: random.random(40) + 0.5}
    scores["same"] = scores[EVIL].copy()
    whole = compare_systems(scores, higher_is_better=True, samples=samples)
    segments = [
        Segment(number + 1, EVIL, [(name, float(values[number]), EVIL) for name, values in scores.items()], "en-de")
        for number in most_different(scores, 12)
    ]
    part = {name: values[:1] for name, values in scores.items()}
    by_pair = {"en-de": whole, "et-en": compare_systems(part, higher_is_better=True)}
    return ComparisonFigures("DA", True, whole, by_pair, scores, segments, 2, [("model", "a")])


def test_what_the_page_shows() -> None:
    page = comparison_page(figures())
    assert page.count('<li class="segment"') == 12
    assert "3 systems, 40 segments, 2 left out; DA" in page
    for part in ("All segments, 40 segments", "en-de, 40 segments", "et-en, 1 segment<"):
        assert part in page
    assert page.count("<figure>") == 2  # the best system and each other one
    assert EVIL not in page
    assert escape(EVIL).replace("&#x27;", "&#39;") in page
    assert "resamples won" in page
    assert "mean score ↑" in page
    without = comparison_page(figures(samples=0))
    assert re.search(r'<td data-label="p">–</td>', without)


def test_a_page_without_segments() -> None:
    page = comparison_page(replace(figures(), segments=[]))
    assert "All translations have equal scores." in page
    assert "filter-box" not in page.partition("<main>")[2].partition("</main>")[0]


def test_the_page_in_a_browser(browser: Chromium, tmp_path: Path) -> None:
    path = tmp_path / "comparison.html"
    path.write_text(comparison_page(figures()), encoding="utf-8")
    seen = browser.open(path, width=390)
    assert seen.width <= 390  # nothing sticks out
    assert seen.shown(".segment") == 12
    number = seen.page.locator(".segment").first.get_attribute("data-number")
    seen.page.locator(".filter-box").first.fill(f"#{number}")
    assert 1 <= seen.shown(".segment") < 12
    assert seen.page.title() == "Comparison of systems"
    assert seen.console == []
    assert seen.requests == []

"""The report of a corpus."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiwi.lib.corpus.labelling import Row
from kiwi.lib.corpus.summary import Summary
from kiwi.pages.corpus import BINS, Annotator, CorpusFigures, PartFigures, corpus_page, warnings_of
from tests.browser import Chromium

PART = PartFigures("train", 100, {"source": 500, "target": 600, "post_edit": 610}, 0.3, 0.2, {"target_tags": 0.25})

CORPUS = CorpusFigures(
    title="Corpus A",
    settings=[("languages", "en to de")],
    parts=[PART],
    n_read=110,
    dropped=[("empty", "a side without a word", 10)],
    hter=[100] + [0] * (BINS - 1),
    lengths={6: 100},
    substitutions=[(("der", "die"), 12)],
    annotators=[],
    worst=[],
    is_reference=False,
)

FAR = Annotator("Kim", 50, 0.6, 0.4, True)


@pytest.mark.parametrize(
    ("changes", "warnings"),
    [
        ({}, []),
        ({"is_reference": True}, ["References stand in for post-edits"]),
        ({"parts": [replace(PART, unedited=0.81)]}, ["81% of the segments are unedited"]),
        ({"parts": [replace(PART, hter=0.75)]}, ["The mean HTER is 0.75. Do the lines of the files match?"]),
        ({"dropped": [("empty", "", 30), ("copied", "", 5)]}, ["32% of the segments were left out"]),
        ({"annotators": [FAR, replace(FAR, is_far=False)]}, ["of Kim have a mean HTER of 0.60, +0.40 compared"]),
        ({"notes": ["Something else."]}, ["Something else."]),
    ],
)
def test_warnings(changes: dict[str, Any], warnings: list[str]) -> None:
    found = warnings_of(replace(CORPUS, **changes))
    assert len(found) == len(warnings)
    for text, expected in zip(found, warnings, strict=True):
        assert expected in text


def test_the_page_shows_what_there_is() -> None:
    page = corpus_page(CORPUS)
    assert "100 segments of 110 that were read" in page
    assert "BAD words" in page
    assert "BAD source words" not in page
    assert "<del>der</del> <ins>die</ins> <small>12</small>" in page
    assert "Annotators" not in page
    assert "Warnings" not in page
    shown = corpus_page(replace(CORPUS, annotators=[FAR]))
    assert "Annotators" in shown
    assert "Warnings" in shown


def row(number: int, hter: float, path: str = "=s") -> Row:
    texts = {"source": "a b", "target": "eins zwo", "post_edit": "eins zwei"}
    return Row(number, {}, texts, path=path, hter=hter)


def test_the_summary_of_rows() -> None:
    summary = Summary()
    for number in range(60):
        tags = {"target_tags": ["OK", "BAD"], "gap_tags": ["OK", "OK", "OK"]}
        hter = 0.8 if number % 3 == 0 else 0.1 + number / 1000
        summary.add("train", row(number, hter), tags, "Kim" if number % 3 == 0 else "Lee")
    summary.drop("copied")
    figures = summary.parts["train"].figures("train")
    assert (figures.n_segments, figures.bad) == (60, {"target_tags": 0.5, "gap_tags": 0.0})
    assert summary.edits.substitutions == Counter({("zwo", "zwei"): 60})
    assert (summary.n_read, summary.dropped["copied"]) == (61, 1)
    assert [segment.hter for segment in summary.edits.worst()][:20] == [0.8] * 20
    assert len(summary.edits.worst()) == 30
    assert [segment.place for segment in summary.edits.worst()][:2] == ["line 0", "line 3"]
    lee, kim = summary.annotator_figures()
    assert (lee.name, lee.n_segments, kim.name, kim.n_segments) == ("Lee", 40, "Kim", 20)
    assert kim.hter == pytest.approx(0.8)
    assert kim.difference == pytest.approx(0.8 - lee.hter)
    assert kim.is_far
    assert lee.is_far


def test_annotators_who_agree_are_not_far() -> None:
    summary = Summary()
    for number in range(60):
        summary.add(
            "train", row(number, (number // 2) / 60), {"target_tags": ["OK", "BAD"]}, "Kim" if number % 2 else "Lee"
        )
    assert not any(person.is_far for person in summary.annotator_figures())


def test_the_page_in_a_browser(browser: Chromium, tmp_path: Path) -> None:
    path = tmp_path / "corpus.html"
    path.write_text(corpus_page(replace(CORPUS, annotators=[FAR], title="Corpus <b>")), encoding="utf-8")
    seen = browser.open(path, width=390)
    assert seen.width <= 390  # nothing sticks out
    assert "Corpus <b>" in seen.page.locator("h1").inner_text()
    assert seen.shown("svg") >= 2
    assert seen.console == []
    assert seen.requests == []

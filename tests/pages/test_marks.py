"""Error spans on the page of an evaluation."""

from __future__ import annotations

import pytest

from kiwi.metrics.measured import measure_spans
from kiwi.metrics.report import Settings, build_report
from kiwi.pages.evaluation import evaluation_page
from kiwi.pages.marks import MOST_CHARACTERS, MarkedTexts, disagreement, mark
from tests.pages.test_evaluation_page import Page

TARGET = "Das Haus ist klein ."


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ([], [], [(TARGET, "", "")]),
        (
            [(0, 8, "minor")],
            [(4, 12, "major", 0.834)],
            [
                ("Das ", "e gold-minor", "gold minor"),
                ("Haus", "e said-major gold-minor", "predicted major 0.83, gold minor"),
                (" ist", "e said-major", "predicted major 0.83"),
                (" klein .", "", ""),
            ],
        ),
        # The most severe of overlapping spans; an end beyond the text is its end.
        (
            [(0, 99, "minor"), (13, 18, "critical"), (14, 15, "major")],
            [],
            [
                (TARGET[:13], "e gold-minor", "gold minor"),
                ("k", "e gold-critical", "gold critical"),
                ("l", "e gold-critical", "gold critical"),
                ("ein", "e gold-critical", "gold critical"),
                (" .", "e gold-minor", "gold minor"),
            ],
        ),
        (
            [(9, 9, "major"), (20, 20, "minor")],
            [(9, 9, "minor", 1.0)],
            [
                (TARGET[:9], "", ""),
                ("", "g said-minor gold-major", "omission: predicted minor 1.00, gold major"),
                (TARGET[9:], "", ""),
                ("", "g gold-minor", "omission: gold minor"),
            ],
        ),
    ],
)
def test_marks(gold: list, predicted: list, expected: list) -> None:
    assert mark(TARGET, gold, predicted) == expected


def test_a_very_long_translation_is_cut() -> None:
    pieces = mark("x" * 9000, [(5000, 6000, "minor")], [(10, 9000, "major", 0.5)])
    assert sum(len(piece.text) for piece in pieces) == MOST_CHARACTERS


def test_disagreement() -> None:
    gold, predicted = [(0, 8, "minor"), (9, 9, "major")], [(4, 12, "major", 0.8), (9, 9, "minor", 0.7)]
    assert disagreement(TARGET, gold, predicted) == 8
    assert disagreement(TARGET, gold, []) == 9
    assert disagreement(TARGET, [], [(20, 20, "minor")]) == 1


def test_the_page_shows_spans_over_gold() -> None:
    targets = ["<b>ok</b> text", TARGET, TARGET]
    gold = [[(0, 3, "minor")], [], [(0, 3, "major"), (9, 9, "minor")]]
    predicted = {"us": [[(0, 3, "minor", 0.9)], [(4, 8, "critical", 0.7)], []]}
    marked = MarkedTexts(targets, gold, predicted, [1, 3, 4])
    report = build_report(measure_spans(targets, gold, predicted), Settings(samples=0), {})
    html = evaluation_page(report, [], {}, marked=marked)
    page = Page(html)
    assert "&lt;b" in html
    assert "<b>ok" not in html
    # Of the key and the segments.
    assert (page.count("span", "said-critical"), page.count("span", "gold-minor")) == (1 + 1, 1 + 2)
    numbers = [attributes["data-number"] for tag, attributes in page.elements if "data-number" in attributes]
    assert numbers == ["3", "4", "1"]  # the worst first
    assert "3 segments" in html
    assert "4 characters apart" in html
    hints = [attributes.get("title") for _, attributes in page.elements if attributes.get("title")]
    assert "predicted critical 0.70" in hints

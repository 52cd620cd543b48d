from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from time import perf_counter

import numpy as np
import pytest

from kiwi.metrics.aligned import Aligned
from kiwi.metrics.report import ENSEMBLE, Report, Row
from kiwi.pages.evaluation import MOST_SYSTEMS, evaluation_page
from kiwi.pages.rank_charts import badness, precision_recall, worst_first
from kiwi.pages.words import MOST_WORDS
from tests.pages.corpus import SYSTEMS, evaluated, report_of

VOID = {"meta", "input", "br", "wbr"}
FIGURES_OF_SCORES = [
    "Predicted over gold",
    "Residuals over gold",
    "Distributions",
    "Edit the worst segments",
    "PEARSON by length",
]
FIGURES_OF_TAGS = ["Reliability", "Probabilities by gold class", "Confusion", "Precision and recall", "MCC by length"]


class Page(HTMLParser):
    """The elements and texts of a page, which must close every element that it opens."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.texts.setdefault(tag, []).append("")
        if tag not in VOID and not (self.get_starttag_text() or "").endswith("/>"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]][-1] += data

    def count(self, tag: str, css: str | None = None) -> int:
        return sum(name == tag and css in (None, *(attrs.get("class") or "").split()) for name, attrs in self.elements)


@pytest.fixture(scope="module")
def page() -> Page:
    data = evaluated(200)
    return Page(evaluation_page(data.report, data.outputs, data.texts, title="Test <set>", worst=5))


def test_all_figures_with_intervals_and_signatures(page):
    data = evaluated(200)
    for row in data.report.rows:
        assert all(f"{value:.4f}" in page.html for value in row.metrics.values())
        low, high = next(iter(row.intervals.values()))
        assert f"[{low:.3f}, {high:.3f}]" in page.html
        # In the table, and beneath every picture.
        assert page.html.count(row.signature) >= 5


def test_pictures_of_every_system(page):
    each = Counter(FIGURES_OF_SCORES) + Counter(FIGURES_OF_TAGS * 4)
    assert Counter(page.texts["h4"]) == Counter(each.elements()) + each
    assert page.count("section", "system") == len(SYSTEMS)
    assert page.texts["h2"] == ["Results", *SYSTEMS]
    pictures = [attrs for name, attrs in page.elements if name == "svg" and "aria-hidden" not in attrs]
    assert len(pictures) == 2 * (len(FIGURES_OF_SCORES) + 4 * 4)
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in pictures)


def test_worst_segments(page):
    data = evaluated(200)
    scores = data.outputs[0]
    errors = np.abs(scores.predicted["runs/good"] - scores.gold)
    expected = [str(number) for number in scores.numbers[np.argsort(-errors)[:5]]]
    cards = [attrs["data-number"] for name, attrs in page.elements if attrs.get("class") == "segment"]
    assert cards[:5] == expected
    assert page.count("span", "w") > 5 * 2 * 5
    # Each segment has one more gap than words; the key shows three.
    worst = [data.texts["target"][int(number) - 1].split() for number in cards]
    assert page.count("span", "g") == sum(len(words) + 1 for words in worst) + 3 * len(SYSTEMS)


def test_which_systems_differ_significantly(page):
    report = evaluated(200).report
    assert report.comparisons
    assert page.html.count("systems that do not differ significantly") == len(report.clusters)
    assert page.count("details") - page.count("details", "signed") == len(report.outputs)
    assert all(f">+{each.difference:.4f}</td>" in page.html for each in report.comparisons)
    for each in report.comparisons:
        verdict = "better than" if each.significant else "and"
        assert re.search(rf"good\s+{verdict} runs/<wbr>poor|poor\s+{verdict} runs/<wbr>good", page.html)


def test_alike_systems_are_not_called_better():
    gold = np.arange(40.0)
    outputs = [Aligned(SCORES, gold, {"a": gold + 1, "b": gold + 1}, None, np.arange(1, 41))]
    html = evaluation_page(report_of(outputs), outputs)
    assert "no significant difference" in html
    assert "better than" not in html


def test_the_average_is_no_system():
    names = ("a", "b", ENSEMBLE)
    html = evaluation_page(*vars(evaluated(50, names)).values(), worst=2)
    assert "<p>2 systems, 50 segments</p>" in html
    assert Page(html).count("section", "system") == 2
    assert "best of 2" in html
    assert "average of the systems" in html
    assert html.count("<option value") == 2 + 3


def test_signatures_are_shown_on_request_only(page):
    shown = re.sub(r'<details class="signed">.*?</details>', "", page.html, flags=re.DOTALL)
    assert page.html.count('class="signature"') > 20
    assert 'class="signature"' not in shown
    assert "|segments:" not in shown


@pytest.mark.parametrize(("shift", "said"), [(0.0, "Higher scores mean more errors"), (-1.0, "better translations")])
def test_the_direction_of_scores_is_said(shift, said):
    gold = np.array([0.1, 0.5, 0.2, 1.0]) + shift
    outputs = [Aligned(SCORES, gold, {"a": gold}, None, np.arange(1, 5))]
    assert said in evaluation_page(report_of(outputs), outputs)


def test_editing_the_worst_segments():
    errors = np.array([0.0, 0.4, 0.1, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0])
    order = np.array([0.0, 0.9, 0.1, 0.0, 0.8, 0.0, 0.0, 0.0, 0.0, 0.0])
    figure = worst_first(errors, order, "")
    assert "worst 10%: 40%; worst 20%: 90%; worst 30%: 100%; worst 50%: 100%" in figure.caption
    quality = np.array([3.0, 1.0, 2.0])
    assert badness(quality, quality).tolist() == [-3.0, -1.0, -2.0]
    assert "worst 50%: 50%" in worst_first(errors, np.zeros(10), "").caption  # ties are in random order


def test_precision_and_recall_at_the_threshold():
    figure = precision_recall(np.array([0, 1, 1, 0]), np.array([0.1, 0.9, 0.4, 0.6]), 0.5, "")
    assert "Average precision 0.833" in figure.caption
    assert "above the threshold 0.5, precision 0.500, recall 0.500" in figure.caption
    assert "precision 0.000, recall 0.000" in precision_recall(np.array([0, 1]), np.array([0.1, 0.2]), 0.5, "").caption


def test_values_of_which_only_the_order_counts():
    outputs = [
        Aligned(
            "binary",
            np.array([0, 1, 0]),
            {"a": np.array([-3.0, 2.0, -9.0])},
            np.arange(4),
            np.arange(1, 4),
            only_order=True,
        )
    ]
    page = Page(evaluation_page(report_of(outputs), outputs))
    assert page.texts["h4"] == ["Precision and recall"]


def test_language_pairs_keep_their_name():
    report = Report([Row("en-de target_tags", "a", 7, {"MCC": 0.125})])
    assert "<caption>en-de Target words</caption>" in evaluation_page(report, [])


def test_nothing_is_loaded_from_elsewhere(page):
    assert {name for name, _ in page.elements} & {"link", "img", "iframe", "object", "a"} == set()
    assert page.count("script") == page.count("style") == 1
    assert not [attrs for _, attrs in page.elements if {"src", "href", "srcset", "onclick", "onload"} & set(attrs)]
    assert not re.search(r"url\(|@import|https?://", page.html)


def test_the_title_is_escaped(page):
    assert "Test &lt;set&gt;" in page.html
    assert "Test <set>" not in page.html


def test_whatever_comes_from_files_is_escaped():
    evil = "<script>alert(1)</script>\"'&amp;<img/src=x>"
    data = evaluated(20, systems=(evil,))
    texts = {field: [f"{evil} " + line.split(" ", 1)[1] for line in lines] for field, lines in data.texts.items()}
    report = Report([*data.report.rows, Row(evil, evil, 1, {f"{evil}_MCC": 1.0}, signature=evil)])
    outputs = [*data.outputs, Aligned(evil, np.array([0, 1]), {evil: np.array([0.1, 0.9])}, None, np.array([1, 2]))]
    page = Page(evaluation_page(report, outputs, texts, title=evil))
    assert "alert(1)&lt;/script&gt;" in page.html
    assert page.count("script") == 1
    assert page.count("img") == 0


def test_without_scores_segments_are_ranked_by_the_loss_of_their_tags():
    gold = np.array([0, 1, 0, 0])
    outputs = [
        Aligned("target_tags", gold, {"a": np.array([0.1, 0.9, 0.9, 0.2])}, np.array([0, 2, 4]), np.array([3, 8]))
    ]
    html = evaluation_page(report_of(outputs), outputs)
    assert re.findall(r'data-number="(\d+)"', html) == ["8", "3"]
    assert "log-loss 1.263" in html  # (-ln 0.1 - ln 0.8) / 2
    assert 'title="0.90, gold OK">1</span>' in html  # without texts, positions stand for words


def test_texts_that_do_not_match_the_tags():
    outputs = [Aligned("target_tags", np.array([0, 1]), {"a": np.array([0.1, 0.9])}, np.array([0, 2]), np.array([2]))]
    page = Page(evaluation_page(report_of(outputs), outputs, {"target": ["", "one two three"]}))
    assert "found 3 words, but tags for 2" in page.html
    # There are fewer lines than segments: this one has no text.
    assert 'data-number="2"' in evaluation_page(report_of(outputs), outputs, {"target": ["one"], "source": []})


def test_target_words_and_gaps_from_both_together():
    both = evaluated(10).only("WMT19")
    apart = evaluated(10).only("target_tags", "gap_tags", "WMT19")
    found = [
        re.findall(r'<span class="[wg] p.*?</span>', evaluation_page(*vars(each).values())) for each in (both, apart)
    ]
    assert found[0] == found[1]
    assert len(found[0]) > 100


def test_a_very_long_segment_is_cut():
    n = 5_000
    outputs = [Aligned("target_tags", np.zeros(n, np.int64), {"a": np.full(n, 0.2)}, np.array([0, n]), np.array([1]))]
    html = evaluation_page(report_of(outputs), outputs, {"target": [" ".join(["word"] * n)]})
    assert f"and {n - MOST_WORDS:,} more words" in html
    assert len(html) < 100_000


def zeros(n: int) -> np.ndarray:
    return np.zeros(n, dtype=np.int64)


SCORES, TAGS = "sentence_scores", "target_tags"
DEGENERATE = {
    "nothing": [],
    "no systems": [Aligned(SCORES, np.array([0.1]), {}, None, np.array([1]))],
    "no segments": [Aligned(SCORES, np.array([]), {"a": np.array([])}, None, np.array([], dtype=np.int64))],
    "one segment": [
        Aligned(SCORES, np.array([0.1]), {"a": np.array([0.4])}, None, np.array([1])),
        Aligned(TAGS, np.array([1]), {"a": np.array([0.4])}, np.array([0, 1]), np.array([1])),
    ],
    "constant scores": [Aligned(SCORES, np.full(9, 0.5), {"a": np.full(9, 0.5)}, None, np.arange(1, 10))],
    "zeros": [Aligned(SCORES, np.zeros(9), {"a": np.zeros(9)}, None, np.arange(1, 10))],
    "constant predictions": [Aligned(SCORES, np.arange(9.0), {"a": np.full(9, 0.5)}, None, np.arange(1, 10))],
    "large scores": [Aligned(SCORES, np.arange(9) * 1e9, {"a": np.arange(9) * -1e9}, None, np.arange(1, 10))],
    "different scales": [Aligned(SCORES, np.arange(9.0), {"a": np.arange(9) * 1e-3}, None, np.arange(1, 10))],
    "no BAD": [Aligned(TAGS, zeros(6), {"a": np.full(6, 0.2)}, np.array([0, 2, 6]), np.array([1, 2]))],
    "all BAD": [Aligned(TAGS, zeros(6) + 1, {"a": np.ones(6)}, np.array([0, 2, 6]), np.array([1, 2]))],
    "a segment without words": [Aligned(TAGS, zeros(2), {"a": np.zeros(2)}, np.array([0, 0, 2]), np.array([1, 2]))],
    "verdicts": [Aligned("binary", np.array([0, 1]), {"a": np.array([0.2, 0.7])}, np.arange(3), np.array([1, 2]))],
    "one output of one system": [
        Aligned(SCORES, np.array([0.1, 0.3]), {"a": np.array([0.4, 0.1])}, None, np.array([1, 2])),
        Aligned(TAGS, np.array([1, 0]), {"b": np.array([0.4, 0.1])}, np.array([0, 1, 2]), np.array([1, 2])),
    ],
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_inputs(name):
    outputs = DEGENERATE[name]
    page = Page(evaluation_page(report_of(outputs), outputs))
    assert not re.search(r"\bnan\b|\binf\b", page.html.split("</style>")[1])
    systems = {system for each in outputs if len(each.gold) for system in each.predicted}
    assert page.count("section", "system") == len(systems)


def test_a_report_without_the_data():
    page = Page(evaluation_page(Report([Row(TAGS, "a", 7, {"MCC": 0.125})]), []))
    assert "0.1250" in page.html
    assert page.count("figure") == 0


def test_a_figure_without_signature_gets_one():
    outputs = DEGENERATE["no BAD"]
    html = evaluation_page(Report([Row(TAGS, "a", 6, {"MCC": 0.0})]), outputs)
    assert "target_tags|n:6|kiwi:" in html


def test_more_systems_than_a_page_can_hold():
    systems = tuple(f"system {number}" for number in range(MOST_SYSTEMS + 2))
    data = evaluated(30, systems)
    page = Page(evaluation_page(*vars(data).values(), worst=2))
    assert page.count("section", "system") == MOST_SYSTEMS
    assert page.count("option") == 2 * MOST_SYSTEMS + 1
    assert f"The charts are those of the best {MOST_SYSTEMS} of {len(systems)} systems" in page.html
    assert all(f">{system}</th>" in page.html for system in systems)


def test_a_million_segments():
    n, per_segment = 1_000_000, 4
    generator = np.random.default_rng(0)
    gold = generator.random(n)
    classes = (generator.random(n * per_segment) < 0.2).astype(np.int64)
    outputs = [
        Aligned(SCORES, gold, {"a": gold + generator.normal(0, 0.1, n)}, None, np.arange(1, n + 1)),
        Aligned(
            TAGS, classes, {"a": generator.random(len(classes))}, np.arange(n + 1) * per_segment, np.arange(1, n + 1)
        ),
    ]
    start = perf_counter()
    html = evaluation_page(Report([]), outputs, {"target": ["one two three four"] * n})
    assert perf_counter() - start < 20  # one or two seconds on an idle machine
    assert len(html.encode()) < 300_000
    assert "2,000 of 1,000,000 segments" in html


def test_the_same_page_each_time():
    pages = [evaluation_page(*vars(evaluated(3_000, ("a",))).values()) for _ in range(2)]
    assert pages[0] == pages[1]
    assert len(pages[0].encode()) < 300_000

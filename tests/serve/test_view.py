"""What the page shows of estimates."""

from __future__ import annotations

from kiwi.serve.views.examples import GENERIC, choose_examples, find_example, sentences
from kiwi.serve.views.view import Meter, compare, difference, mark, mark_source, number, overlap, shown_scores, view

COMMON = {"kind": "da", "higher_is_better": True, "range": [0, 100]}


def test_marks_in_a_translation() -> None:
    words = [
        {"start": 0, "end": 1, "probability": 0.2},
        {"start": 2, "end": 3, "probability": 0.834},
    ]
    marked = mark("a b c", {"words": {"target": words}})
    assert [(part.text, part.title) for part in marked] == [("a ", ""), ("b", "probably wrong: 83%"), (" c", "")]
    spans = [
        {"start": 2, "end": 5, "severity": "critical", "confidence": 0.5},
        {"start": 3, "end": 4, "severity": "minor", "confidence": 0.5},
        {"start": 1, "end": 1, "severity": "minor", "confidence": 0.9},
    ]
    parts = mark("a b c", {"spans": spans})
    assert [(part.text, part.kind) for part in parts] == [
        ("a", ""),
        ("\u2038", "minor"),
        (" ", ""),
        ("b c", "critical"),
    ]


def test_words_beside_spans_gaps_and_source_words() -> None:
    words = {
        "target": [
            {"start": 0, "end": 1, "probability": 0.95},
            {"start": 2, "end": 3, "probability": 0.31},
            {"start": 4, "end": 5, "probability": 0.9},
        ],
        "gaps": [{"start": 2, "end": 2, "probability": 0.6}, {"start": 5, "end": 5, "probability": 0.45}],
        "source": [{"start": 0, "end": 3, "probability": 0.7}],
    }
    spans = [{"start": 4, "end": 5, "severity": "major", "confidence": 0.8}]
    found = [
        (part.text, part.kind, part.title) for part in mark("a b c", {"spans": spans, "words": words}) if part.title
    ]
    assert found == [
        ("a", "word p9", "probably wrong: 95%"),
        ("\u2038", "word p6", "probably missing here: 60%"),
        ("b", "word p3", "possibly wrong: 31%"),
        ("c", "major", "major, confidence 80%"),
    ]
    assert mark_source("abc d", {"words": words})[0].title == "probably mistranslated: 70%"


def test_a_score_on_its_scale() -> None:
    calibrated = view("a", {"score": 80.0, "interval": [70.0, 110.0], "deviation": 3.0}, COMMON)
    assert (calibrated.meter, calibrated.interval) == (Meter(80, 70, 100), "70.0 to 110.0")
    assert (calibrated.score, calibrated.tone) == ("80.0", "tone4")
    lower = view("a", {"score": 0.25, "deviation": 0.1}, {"kind": "hter", "higher_is_better": False, "range": [0, 1]})
    assert (lower.meter, lower.interval, lower.tone) == (Meter(25, 15, 35), "± 0.100", "tone3")
    unbounded = view("a", {"score": -1.5}, {"kind": "other", "higher_is_better": None, "range": None})
    assert (unbounded.meter, unbounded.score, unbounded.tone) == (None, "-1.5", "")
    assert view("", {"score": None}, COMMON).score == "no score"
    assert [number(value, COMMON) for value in (2.345, 12.345, 100.0)] == ["2.3", "12.3", "100.0"]
    of_edits = {"range": [0, 1]}
    assert [number(value, of_edits) for value in (0.1, 0.12345)] == ["0.100", "0.123"]
    unknown = {"range": None}
    assert [number(value, unknown) for value in (0.12345, 12.345, 100.0)] == ["0.123", "12.3", "100.0"]


def test_penalties_stand_in_for_scores() -> None:
    answer = {"segments": [{"score": None, "mqm_score": 5.0}], "scale": COMMON}
    segments, scale = shown_scores(answer)
    assert (segments[0]["score"], scale["higher_is_better"]) == (5.0, False)
    assert shown_scores({"segments": [{"score": 1.0, "mqm_score": 5.0}], "scale": COMMON})[1] == COMMON


def test_the_better_of_two() -> None:
    one, other = (view("a", {"score": score, "deviation": 2.0}, COMMON) for score in (70.0, 75.0))
    assert difference(one, other, COMMON) == -5
    assert difference(one, other, COMMON | {"higher_is_better": False}) == 5
    assert difference(one, other, COMMON | {"higher_is_better": None}) is None
    assert not overlap(one, other)
    assert overlap(one, view("a", {"score": 73.0, "deviation": 2.0}, COMMON))
    assert not overlap(one, view("a", {"score": 70.0}, COMMON))


def test_a_difference_that_nobody_sees_is_none() -> None:
    views = [view("a", {"score": score}, COMMON) for score in (70.01, 70.04, 70.5)]
    assert compare(1, "a", views[:2], COMMON).better is None
    found = compare(1, "a", views[1:], COMMON)
    assert (found.better, found.by) == (1, "0.5")


def test_examples() -> None:
    assert [example.pair for example in choose_examples([])] == [*GENERIC]
    assert [example.pair for example in choose_examples(["en-xx", "zh-Hant-TW-pt-BR", "ps-en"])] == [
        "zh-Hant-TW-pt-BR",
        "ps-en",
    ]
    assert find_example("en-en-US") is None
    example = find_example("en-he")
    assert example is not None
    assert (example.title, example.source) == ("English → Hebrew", sentences()["en"].good)
    for name, good, bad in sentences().values():
        assert name.isascii()
        assert ("8:30" in good, "9:30" in bad, good != bad) == (True, True, True)

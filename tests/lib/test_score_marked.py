from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from kiwi.data.documents.parts import one_line, place_spans
from kiwi.data.labels.error_spans import ErrorSpan, spans_cell
from kiwi.lib.score.marked import mark_spans, show_spans

SPANS = [ErrorSpan(0, 3, "minor", 0.75), ErrorSpan(8, 8, "major", 0.5)]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], "Das ist gut."),
        (SPANS, "[Das|minor] ist [_|major]gut."),
        ([(4, 12, "minor"), (4, 7, "critical")], "Das [ist|critical][ gut.|minor]"),  # nested
        ([(0, 7, "major"), (4, 12, "minor")], "[Das ist|major][ gut.|minor]"),  # overlapping
        ([(2, 2, "minor"), (0, 3, "major")], "[Da|major][_|minor][s|major] ist gut."),
        ([(12, 12, "minor")], "Das ist gut.[_|minor]"),
    ],
)
def test_marks_in_brackets(spans: list[Any], expected: str) -> None:
    assert mark_spans("Das ist gut.", [ErrorSpan(*span) for span in spans], coloured=False) == expected


def test_colours() -> None:
    assert mark_spans("Das ist", SPANS[:1], coloured=True) == "\x1b[33mDas\x1b[0m ist"


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert mark_spans("a\x1b[2Jb\t", [ErrorSpan(0, 3, "minor")], coloured=False) == "[a\\x1b[|minor]2Jb\\t"


def test_the_lines_of_a_segment() -> None:
    target = "Das ist gut."
    row = {"sentence_scores": 0.5, "sentence_scores_deviation": float("nan"), "error_spans": spans_cell(SPANS, target)}
    assert show_spans(7, target, row, coloured=False).split("\n") == [
        "7  sentence_scores 0.5",
        "   [Das|minor] ist [_|major]gut.",
        '     minor 0.75 0-3 "Das"',
        "     major 0.50 8 (omission)",
    ]


def test_the_interval_of_a_score_is_beside_it() -> None:
    scores = {"sentence_scores": 0.5, "sentence_scores_low": -0.5702, "sentence_scores_high": 1.5702, "mqm_score": 1.0}
    row = scores | {"error_spans": []}
    assert show_spans(1, "Das", row, coloured=False).split("\n")[0] == (
        "1  sentence_scores 0.5 (-0.57 to 1.57), mqm_score 1"
    )
    row |= dict.fromkeys([*scores], float("nan"))
    assert show_spans(1, "Das", row, coloured=False).split("\n")[0] == "1  no score"


def test_flags_and_decisions_are_shown() -> None:
    row = {"sentence_scores": 0.5, "error_spans": [], "flags": ["numbers", "tags"], "decision": "review"}
    assert show_spans(1, "Das", row | {"decision_reason": "flags"}, coloured=False).split("\n") == [
        "1  sentence_scores 0.5, flags numbers tags, decision review, decision_reason flags",
        "   Das",
    ]
    assert show_spans(1, "Das", row | {"flags": []}, coloured=False).startswith("1  sentence_scores 0.5, decision")


def test_a_bad_segment_says_why_it_has_no_score() -> None:
    row = {"sentence_scores": float("nan"), "error_spans": []}
    assert show_spans(3, " ", row, coloured=False, reason="no words") == "3  no score (no words)"
    assert show_spans(3, "Das", row, coloured=False).split("\n") == ["3  no score", "   Das"]


GIVEN = st.text(st.sampled_from(" \t\n\r ab\u00a0")).filter(str.strip)


@given(GIVEN, st.data())
def test_spans_are_placed_in_the_text_as_given(given_text: str, data: st.DataObject) -> None:
    text = one_line(given_text)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    (found,) = place_spans([ErrorSpan(start, end, "minor")], given_text)
    assert 0 <= found.start <= found.end <= len(given_text)
    marked = given_text[found.start : found.end]
    assert (start == end) == (found.start == found.end)
    if not text[start:end].isspace():
        assert one_line(marked) == text[start:end].strip(" ")


def test_an_omission_at_the_end_is_placed_before_the_white_space_there() -> None:
    assert place_spans([ErrorSpan(3, 3, "minor"), ErrorSpan(2, 2, "minor")], " a \n b \n") == [
        ErrorSpan(6, 6, "minor"),
        ErrorSpan(5, 5, "minor"),
    ]

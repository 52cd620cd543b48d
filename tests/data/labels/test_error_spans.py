from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from kiwi.data.labels.error_spans import (
    SEVERITIES,
    ErrorSpan,
    format_error_spans,
    gap_labels,
    mqm_score,
    parse_error_spans,
    parse_spans_line,
    spans_cell,
    spans_line,
    spans_of_cell,
    unit_labels,
)

MINOR, MAJOR, CRITICAL = SEVERITIES

Raters = tuple[tuple[ErrorSpan, ...], ...]

SPANS = st.builds(
    lambda start, size, severity, confidence: ErrorSpan(start, start + size, severity, confidence),
    st.integers(0, 12),
    st.integers(0, 6),
    st.sampled_from(SEVERITIES),
    st.floats(0.0, 1.0),
)

RATERS = st.lists(st.lists(SPANS, max_size=4).map(tuple), max_size=3).map(tuple)

BOUNDS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4)), max_size=6).map(
    lambda sizes: bounds(*_ordered(sizes))
)


def _ordered(sizes: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Units in order, from the white space before each and its length."""
    units, place = [], 0
    for space, size in sizes:
        units.append((place + space, place + space + size))
        place += space + size
    return units


def bounds(*units: tuple[int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    return np.array(units, dtype=np.int64).reshape(-1, 2)


@pytest.mark.parametrize(
    ("raters", "text"),
    [
        ((), ""),
        (((),), "-"),
        (((), ()), "-|-"),
        (((ErrorSpan(0, 4, MINOR), ErrorSpan(9, 9, MAJOR)), ()), "0:4:minor 9:9:major|-"),
        (((ErrorSpan(0, 4, CRITICAL, 0.5),),), "0:4:critical:0.5"),
    ],
)
def test_the_string_of_a_row(raters: Raters, text: str) -> None:
    assert format_error_spans(raters) == text
    assert parse_error_spans(text) == raters


@given(RATERS)
def test_strings_are_read_back(raters: Raters) -> None:
    assert parse_error_spans(format_error_spans(raters)) == raters


# "Das ist  gut": two spaces before the last word.
WORDS = bounds((0, 3), (4, 7), (9, 12))


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], "...."[:3]),
        ([ErrorSpan(0, 3, MINOR)], "m.."),
        ([ErrorSpan(0, 4, MINOR)], "m.."),  # with the space after it
        ([ErrorSpan(3, 7, MINOR)], ".m."),  # with the space before it
        ([ErrorSpan(2, 5, MAJOR)], "MM."),  # cuts two words
        ([ErrorSpan(7, 9, MAJOR)], "..."),  # white space alone
        ([ErrorSpan(5, 5, MAJOR)], "..."),  # an omission
        ([ErrorSpan(0, 12, MINOR), ErrorSpan(4, 7, MAJOR)], "mMm"),  # nested
        ([ErrorSpan(4, 7, MAJOR), ErrorSpan(0, 12, MINOR)], "mMm"),
        ([ErrorSpan(0, 7, CRITICAL), ErrorSpan(4, 12, MAJOR)], "CCM"),  # overlapping
    ],
)
def test_labels_of_words(spans: list[ErrorSpan], expected: str) -> None:
    classes = unit_labels([spans], WORDS).argmax(axis=1)
    assert "".join(".mMC"[index] for index in classes) == expected


def test_units_are_marked_by_a_span_that_cuts_them() -> None:
    # "e\u0301" is shown as one letter, and the family below as one emoji.
    text = "e\u0301 \U0001f468\u200d\U0001f469\u200d\U0001f467 ."
    units = bounds((0, 2), (3, 8), (9, 10))
    assert [text[start:end] for start, end in units.tolist()] == text.split(" ")
    of_accent = unit_labels([[ErrorSpan(1, 2, MINOR)]], units)
    of_one_person = unit_labels([[ErrorSpan(5, 6, MINOR)]], units)
    assert of_accent.argmax(axis=1).tolist() == [1, 0, 0]
    assert of_one_person.argmax(axis=1).tolist() == [0, 1, 0]


def test_a_unit_without_characters_is_marked_where_it_lies_in_a_span() -> None:
    units = bounds((0, 0), (0, 3), (4, 4), (4, 7))
    assert unit_labels([[ErrorSpan(0, 4, MINOR)]], units).argmax(axis=1).tolist() == [1, 1, 0, 0]
    assert unit_labels([[ErrorSpan(4, 5, MINOR)]], units).argmax(axis=1).tolist() == [0, 0, 1, 1]


def test_labels_are_shares_of_raters() -> None:
    raters = [[ErrorSpan(0, 3, MINOR)], [ErrorSpan(0, 7, MAJOR)], [], []]
    found = unit_labels(raters, WORDS)
    assert found.dtype == np.float32
    assert found.tolist() == [[0.5, 0.25, 0.25, 0.0], [0.75, 0.0, 0.25, 0.0], [1.0, 0.0, 0.0, 0.0]]
    assert not unit_labels([], WORDS).any()
    assert unit_labels([], WORDS).shape == (3, 4)


@pytest.mark.parametrize(
    ("severities", "expected"),
    [
        ((MINOR, MAJOR), {MINOR: 1, MAJOR: 2, CRITICAL: 2}),
        ((MINOR, CRITICAL), {MINOR: 1, MAJOR: 1, CRITICAL: 2}),
        ((MAJOR,), {MINOR: 1, MAJOR: 1, CRITICAL: 1}),
    ],
)
def test_severities_that_a_system_does_not_have(severities: tuple[str, ...], expected: dict[str, int]) -> None:
    for severity, index in expected.items():
        found = unit_labels([[ErrorSpan(0, 3, severity)]], WORDS, severities)
        assert found.shape == (3, 1 + len(severities))
        assert found[0].argmax() == index
        assert gap_labels([[ErrorSpan(0, 0, severity)]], WORDS, severities)[0].argmax() == index


@pytest.mark.parametrize(
    ("position", "gap"),
    # At the beginning, within a word, after it, before the next, between the spaces, and at the end.
    [(0, 0), (1, 0), (3, 1), (4, 1), (6, 1), (7, 2), (8, 2), (9, 2), (11, 2), (12, 3)],
)
def test_gaps_of_omissions(position: int, gap: int) -> None:
    found = gap_labels([[ErrorSpan(position, position, MAJOR)]], WORDS)
    assert found.dtype == np.float32
    assert found.argmax(axis=1).tolist() == [2 * (index == gap) for index in range(4)]


def test_an_omission_before_a_word_is_before_the_mark_of_its_beginning() -> None:
    units = bounds((0, 0), (0, 3), (4, 4), (4, 7))
    found = [gap_labels([[ErrorSpan(place, place, MINOR)]], units).argmax(axis=1).argmax() for place in (0, 3, 4, 7)]
    assert found == [0, 2, 2, 4]


def test_the_most_severe_omission_of_a_gap_counts_and_errors_mark_no_gap() -> None:
    raters = [[ErrorSpan(3, 3, MAJOR), ErrorSpan(4, 4, MINOR)], [ErrorSpan(0, 12, CRITICAL)]]
    assert gap_labels(raters, WORDS)[1].tolist() == [0.5, 0.0, 0.5, 0.0]
    assert gap_labels(raters, WORDS)[[0, 2, 3], 0].tolist() == [1.0, 1.0, 1.0]
    assert gap_labels(raters, bounds()).shape == (1, 4)


@given(RATERS, BOUNDS)
def test_labels_by_the_definition(raters: Raters, units: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> None:
    ranks = {severity: rank for rank, severity in enumerate(SEVERITIES, start=1)}
    expected = np.zeros((len(units), 4))
    gaps = np.zeros((len(units) + 1, 4))
    places = units.tolist()
    for spans in raters:
        for unit, (start, end) in enumerate(places):
            characters = set(range(start, end)) or {start}
            marks = [ranks[span.severity] for span in spans if characters & set(range(span.start, span.end))]
            expected[unit, max(marks, default=0)] += 1 / len(raters)
        for gap in range(len(units) + 1):
            marks = [
                ranks[span.severity]
                for span in spans
                if span.start == span.end
                and gap
                == next((i for i, (a, b) in enumerate(units.tolist()) if b > span.start or a >= span.start), len(units))
            ]
            gaps[gap, max(marks, default=0)] += 1 / len(raters)
    np.testing.assert_allclose(unit_labels(raters, units), expected, atol=1e-6)
    np.testing.assert_allclose(gap_labels(raters, units), gaps, atol=1e-6)


def test_the_penalty_of_spans() -> None:
    spans = [ErrorSpan(0, 3, MINOR), ErrorSpan(1, 1, MAJOR), ErrorSpan(0, 9, CRITICAL)]
    assert mqm_score(spans) == 16.0
    assert mqm_score([]) == 0.0
    assert mqm_score(spans, {MINOR: 0.1, MAJOR: 5.0, CRITICAL: 25.0}) == pytest.approx(30.1)


@given(st.lists(SPANS, max_size=4))
def test_lines_and_cells_are_read_back(spans: list[ErrorSpan]) -> None:
    rounded = [span._replace(confidence=round(span.confidence, 6)) for span in spans]
    assert parse_spans_line(spans_line(spans)) == rounded
    assert spans_of_cell(spans_cell(spans)) == rounded


def test_lines_and_cells() -> None:
    spans = [ErrorSpan(0, 3, MINOR, 0.75), ErrorSpan(8, 8, MAJOR, 0.5)]
    assert spans_line(spans) == "0 8\t3 8\tminor major\t0.750000 0.500000"
    assert spans_line([]) == "-1\t-1\tno-error\t-1"
    assert spans_cell(spans, "Das ist gut.") == [
        {"start": 0, "end": 3, "text": "Das", "severity": "minor", "confidence": 0.75},
        {"start": 8, "end": 8, "text": "", "severity": "major", "confidence": 0.5},
    ]
    for line in ("", "0\t1\tminor", "0 1\t1\tminor\t0.5", "a\t1\tminor\t0.5"):
        with pytest.raises(ValueError):  # noqa: PT011
            parse_spans_line(line)

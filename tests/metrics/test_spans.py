from __future__ import annotations

import pytest

from kiwi.metrics.explanations import explain_segments
from kiwi.metrics.functions import mean_over_pairs
from kiwi.metrics.measured import measure_spans
from kiwi.metrics.spans import Span, SpanCounts, count_spans


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ([], [], (0.0, 0, 0)),
        ([(0, 3, "minor")], [], (0.0, 3, 0)),
        ([(0, 3, "minor")], [(0, 3, "minor")], (3.0, 3, 3)),
        ([(0, 3, "minor")], [(0, 3, "major")], (1.5, 3, 3)),
        ([(0, 4, "major")], [(2, 6, "major")], (2.0, 4, 4)),
        # Where gold has both severities, any hit is whole.
        ([(0, 2, "minor"), (0, 2, "major")], [(0, 2, "minor")], (2.0, 2, 2)),
        # The system has both, gold one of them.
        ([(0, 2, "minor")], [(0, 2, "minor"), (0, 2, "major")], (2.0, 2, 2)),
        # No width marks a character; the one behind the last counts too; ends are cut.
        ([(1, 1, "minor")], [(1, 2, "minor")], (1.0, 1, 1)),
        ([(6, 6, "major")], [(6, 9, "major")], (1.0, 1, 1)),
        ([(4, 99, "minor")], [(4, 6, "minor")], (2.0, 3, 2)),
        ([(0, 2, "critical")], [(0, 2, "major")], (2.0, 2, 2)),
        # Overlaps count once.
        ([(0, 3, "minor"), (1, 4, "minor")], [(0, 4, "minor")], (4.0, 4, 4)),
    ],
)
def test_characters_of_spans(gold: list[Span], predicted: list[Span], expected: tuple[float, int, int]) -> None:
    assert count_spans("sechs!", gold, predicted) == SpanCounts(*expected)


def test_metrics_are_over_all_characters() -> None:
    predicted: list[list[Span]] = [[(0, 1, "minor")], [(0, 2, "major")]]
    (measured,) = measure_spans(["abc", "abcdef"], [[(0, 2, "minor")], []], {"a": predicted})
    assert measured.figures() == pytest.approx({"precision": 1 / 3, "recall": 1 / 2, "F1": 0.4})
    (nothing,) = measure_spans([], [], {"a": []})
    assert nothing.figures() == {"precision": 0.0, "recall": 0.0, "F1": 0.0}


def test_means_over_pairs_are_not_weighted() -> None:
    assert mean_over_pairs({"en-de": {"F1": 0.2}, "zh-en": {"F1": 0.4}}) == pytest.approx({"F1": 0.3})
    assert mean_over_pairs({}) == {}


def test_explanations() -> None:
    gold = [[1, 0, 0], [0, 0], [1, 1], [0, 1, 1, 0]]
    scores = [[0.9, 0.1, 0.2], [0.5, 0.6], [0.1, 0.2], [0.9, 0.8, 0.1, 0.2]]
    figures = explain_segments(gold, scores)
    # The first segment is right; in the last, one of four pairs is in order, and one of two is found.
    assert figures.tolist() == [[1, 1, 1], [0.25, 0.5, 0.5]]
    assert explain_segments([[0]], [[0.3]]).shape == (0, 3)

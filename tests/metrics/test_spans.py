from __future__ import annotations

import numpy as np
import pytest

from kiwi.metrics.explanations import explain_segments
from kiwi.metrics.functions import mean_over_pairs
from kiwi.metrics.measured import measure_spans
from kiwi.metrics.spans import Span, SpanCounts, count_characters, count_spans, match_spans


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
        # No width marks a character; the one behind the last counts too.
        ([(1, 1, "minor")], [(1, 2, "minor")], (1.0, 1, 1)),
        ([(6, 6, "major")], [(6, 9, "major")], (1.0, 1, 1)),
        # Ends are cut where the text ends; what starts beyond it marks nothing.
        ([(4, 99, "minor")], [(4, 6, "minor")], (2.0, 2, 2)),
        ([(0, 9, "minor")], [(7, 9, "minor")], (0.0, 6, 0)),
        ([(7, 7, "minor")], [(6, 6, "minor")], (0.0, 0, 1)),
        ([(0, 2, "critical")], [(0, 2, "major")], (2.0, 2, 2)),
        # Overlaps count once.
        ([(0, 3, "minor"), (1, 4, "minor")], [(0, 4, "minor")], (4.0, 4, 4)),
    ],
)
def test_characters_of_spans(gold: list[Span], predicted: list[Span], expected: tuple[float, int, int]) -> None:
    assert count_spans("sechs!", gold, predicted) == SpanCounts(*expected)


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ([], [], (0.0, 0, 0)),
        ([(0, 3, "minor")], [(0, 3, "minor")], (3.0, 3, 3)),
        ([(0, 3, "minor")], [(0, 3, "major")], (1.5, 3, 3)),
        ([(0, 3, "critical")], [(0, 3, "major")], (3.0, 3, 3)),
        # Each span counts: of two in gold, the system has one.
        ([(0, 2, "minor"), (0, 2, "minor")], [(0, 2, "minor")], (2.0, 4, 2)),
        # Both severities in gold, minor in the system: the minor ones match, and nothing is left to match major.
        ([(0, 2, "minor"), (0, 2, "major")], [(0, 2, "minor")], (2.0, 4, 2)),
        # Two minor in the system: what is left over on both sides has half credit.
        ([(0, 2, "minor"), (0, 2, "major")], [(0, 2, "minor"), (0, 2, "minor")], (3.0, 4, 4)),
        # Two left over in gold and one in the system: the smaller number counts.
        ([(0, 2, "major"), (0, 2, "major")], [(0, 2, "minor")], (1.0, 4, 2)),
        # Omissions and undecided spans are left out, and ends are cut.
        ([(1, 1, "major"), (0, 4, "undecided")], [(6, 6, "minor")], (0.0, 0, 0)),
        ([(4, 99, "minor")], [(5, 6, "minor"), (0, 1, "undecided")], (1.0, 2, 1)),
    ],
)
def test_characters_with_multiplicity(
    gold: list[Span], predicted: list[Span], expected: tuple[float, int, int]
) -> None:
    assert count_characters("sechs!", gold, predicted) == SpanCounts(*expected, if_empty=1.0)


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ([], [], (0.0, 0, 0, 0.0)),
        ([(0, 3, "minor")], [(0, 3, "major")], (1.0, 1, 1, 1.0)),
        # Half of the predicted span, and the whole gold span.
        ([(0, 2, "minor")], [(0, 4, "minor")], (0.5, 1, 1, 1.0)),
        ([(0, 4, "minor")], [(2, 6, "minor")], (0.5, 1, 1, 0.5)),
        # One to one: the second half of the gold span goes to nobody.
        ([(0, 6, "minor")], [(0, 4, "minor"), (4, 6, "minor")], (1.0, 1, 2, 4 / 6)),
        # Greedy: the best pair (2 to 6, 4/5) comes first, although the two others overlap more in sum.
        ([(1, 5, "minor"), (2, 6, "minor")], [(2, 6, "minor"), (5, 6, "minor")], (1.0, 2, 2, 1.0)),
        # Equally good pairs: the first predicted span gets the first gold span.
        ([(0, 2, "minor"), (2, 4, "minor")], [(1, 3, "minor")], (0.5, 2, 1, 0.5)),
        ([(0, 2, "minor")], [(2, 4, "minor")], (0.0, 1, 1, 0.0)),
        ([(1, 1, "major"), (0, 4, "undecided")], [(6, 9, "minor")], (0.0, 0, 0, 0.0)),
    ],
)
def test_matched_spans(gold: list[Span], predicted: list[Span], expected: tuple[float, int, int, float]) -> None:
    counts = match_spans("sechs!", gold, predicted)
    found = (counts.hits, counts.gold, counts.predicted, counts.hits if counts.found is None else counts.found)
    assert found == pytest.approx(expected)


def random_spans(random: np.random.Generator, length: int) -> list[Span]:
    ends = np.sort(random.integers(0, length + 3, (random.integers(0, 5), 2)), axis=1)
    severities = random.choice(["minor", "major", "critical", "undecided"], len(ends))
    return [(int(a), int(b), str(severity)) for (a, b), severity in zip(ends, severities, strict=True)]


def naive_marks(length: int, spans: list[Span]) -> dict[bool, set[int]]:
    """Mark characters step by step as the official scorer of WMT 2023 does."""
    marks: dict[bool, set[int]] = {True: set(), False: set()}
    for start, end, severity in (span[:3] for span in spans if span[2] != "undecided"):
        end = min(end, length)
        if start == end:
            marks[severity == "minor"].add(start)
        while start < end:
            marks[severity == "minor"].add(start)
            start += 1
    return marks


def naive_characters(length: int, gold: list[Span], predicted: list[Span]) -> tuple[float, int, int]:
    """Follow the definition of WMT 2025 character by character."""
    hits, sums = 0.0, [0, 0]
    for place in range(length):
        counts = [
            {
                minor: sum(a <= place < b and s != "undecided" and (s == "minor") == minor for a, b, s in spans)
                for minor in (True, False)
            }
            for spans in (gold, predicted)
        ]
        sums = [total + sum(own.values()) for total, own in zip(sums, counts, strict=True)]
        same = {minor: min(own[minor] for own in counts) for minor in (True, False)}
        hits += sum(same.values()) + 0.5 * min(sum(own.values()) - sum(same.values()) for own in counts)
    return hits, sums[0], sums[1]


def naive_matching(length: int, gold: list[Span], predicted: list[Span]) -> tuple[float, float]:
    """Take the best free pair until there is none."""
    own, golds = (
        {i: (a, min(b, length)) for i, (a, b, s) in enumerate(spans) if s != "undecided" and a < min(b, length)}
        for spans in (predicted, gold)
    )
    hits = found = 0.0

    def overlap(i: int, j: int) -> int:
        return min(own[i][1], golds[j][1]) - max(own[i][0], golds[j][0])

    def size(span: tuple[int, int]) -> int:
        return span[1] - span[0]

    while pairs := [(i, j) for i in own for j in golds if overlap(i, j) > 0]:
        i, j = max(pairs, key=lambda pair: 2 * overlap(*pair) / (size(own[pair[0]]) + size(golds[pair[1]])))
        hits, found = hits + overlap(i, j) / size(own[i]), found + overlap(i, j) / size(golds[j])
        del own[i], golds[j]
    return hits, found


def test_random_spans() -> None:
    random = np.random.default_rng(7)
    for _ in range(300):
        length = int(random.integers(1, 12))
        gold, predicted = random_spans(random, length), random_spans(random, length)
        once = count_spans("x" * length, gold, predicted)
        marked, system = naive_marks(length, gold), naive_marks(length, predicted)
        both = (marked[True] | marked[False]) & (system[True] | system[False])
        same = (marked[True] & system[True]) | (marked[False] & system[False])
        expected = ((len(both) + len(same)) / 2, len(marked[True] | marked[False]), len(system[True] | system[False]))
        assert (once.hits, once.gold, once.predicted) == expected
        counts = count_characters("x" * length, gold, predicted)
        assert (counts.hits, counts.gold, counts.predicted) == naive_characters(length, gold, predicted)
        matched = match_spans("x" * length, gold, predicted)
        own = (matched.hits, matched.hits if matched.found is None else matched.found)
        assert own == pytest.approx(naive_matching(length, gold, predicted))


def test_what_is_not_there_is_right_since_wmt_2025() -> None:
    one: list[Span] = [(0, 1, "minor")]
    for count in (count_characters, match_spans):
        assert count("ab", [], []).metrics == {"F1": 1.0, "precision": 1.0, "recall": 1.0}
        assert count("ab", one, []).metrics == {"F1": 0.0, "precision": 1.0, "recall": 0.0}
        assert count("ab", [], one).metrics == {"F1": 0.0, "precision": 0.0, "recall": 1.0}
        together = count("ab", [], []) + count("ab", one, one) + count("ab", [], one)
        assert together.metrics == pytest.approx({"F1": 2 / 3, "precision": 0.5, "recall": 1.0})


def test_metrics_are_over_all_characters() -> None:
    predicted: list[list[Span]] = [[(0, 1, "minor")], [(0, 2, "major")]]
    gold: list[list[Span]] = [[(0, 2, "minor")], []]
    by_output = {each.output: each for each in measure_spans(["abc", "abcdef"], gold, {"a": predicted})}
    assert list(by_output) == ["spans", "spans_WMT25", "spans_MPP"]
    # Of 9 characters that the constant marks, 2 are in error.
    expected = {"precision": 1 / 3, "recall": 1 / 2, "F1": 0.4, "constant_F1": 4 / 11}
    assert by_output["spans"].figures() == pytest.approx(expected)
    assert by_output["spans_WMT25"].figures() == pytest.approx(expected)
    # Half of the gold span is found by one of two spans.
    expected = {"precision": 1 / 2, "recall": 1 / 2, "F1": 1 / 2, "constant_F1": 2 / (3 + 3)}
    expected["constant_F1"] = 2 * (1 / 3) * 1 / (1 / 3 + 1)
    assert by_output["spans_MPP"].figures() == pytest.approx(expected)
    assert {each.unit for each in by_output.values()} == {"characters", "spans"}
    empty = [each.figures()["F1"] for each in measure_spans([], [], {"a": []})]
    assert empty == [0.0, 1.0, 1.0]


def test_the_constant_has_the_better_severity() -> None:
    for severity in ("minor", "major", "critical"):
        for measured in measure_spans(["abcd"], [[(0, 4, severity)]], {"a": [[]]}):
            assert measured.figures()["constant_F1"] == 1.0


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

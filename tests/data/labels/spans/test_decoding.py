from __future__ import annotations

import numpy as np
import pytest

from kiwi.data.labels.error_spans import ErrorSpan, gap_labels, unit_labels
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.data.labels.spans.decoding import decode_batch, decode_spans, expected_penalties
from kiwi.data.labels.spans.options import SpanLevelConfig
from kiwi.exceptions import ConfigError

SEVERITIES = ("minor", "major")

BOUNDS = np.array([[0, 3], [4, 6], [6, 9], [11, 12]])
"""Units of a text such as ``abc defgh  i``."""

OK, MINOR, MAJOR = [0.9, 0.06, 0.04], [0.3, 0.5, 0.2], [0.25, 0.0, 0.75]


def table(*units: list[float], gaps: dict[int, list[float]] | None = None) -> np.ndarray:
    values = np.array([OK] * (2 * len(units) + 1), dtype=np.float32)
    values[1::2] = units
    for place, own in (gaps or {}).items():
        values[2 * place] = own
    return values


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (table(OK, OK, OK, OK), []),
        (table(MINOR, OK, OK, OK), [(0, 3, "minor", 0.7)]),
        (table(OK, MINOR, MINOR, OK), [(4, 9, "minor", 0.7)]),
        # A run may lead through white space, and has one severity: that of the highest mean.
        (table(MINOR, MAJOR, OK, MAJOR), [(0, 6, "major", 0.725), (11, 12, "major", 0.75)]),
        (table(OK, OK, MINOR, MINOR, gaps={1: MAJOR}), [(4, 4, "major", 0.75), (6, 12, "minor", 0.7)]),
        (table(OK, OK, OK, OK, gaps={0: MINOR, 4: MAJOR}), [(0, 0, "minor", 0.7), (12, 12, "major", 0.75)]),
        # An omission does not divide the span around it, and comes first where both begin.
        (
            table(MINOR, MINOR, OK, OK, gaps={0: MINOR, 1: MINOR}),
            [(0, 0, "minor", 0.7), (0, 6, "minor", 0.7), (4, 4, "minor", 0.7)],
        ),
        (table([0.5, 0.5, 0.0], OK, OK, OK), []),  # as probably right as wrong
    ],
)
def test_spans(values: np.ndarray, expected: list[tuple[int, int, str, float]]) -> None:
    found = decode_spans(values, BOUNDS, SEVERITIES)
    assert [span[:3] for span in found] == [span[:3] for span in expected]
    assert [span.confidence for span in found] == pytest.approx([span[3] for span in expected])


def test_a_text_without_units() -> None:
    nothing = np.empty((0, 2), dtype=np.int64)
    assert decode_spans(np.array([OK]), nothing, SEVERITIES) == []
    assert [span[:3] for span in decode_spans(np.array([MAJOR]), nothing, SEVERITIES)] == [(0, 0, "major")]


def test_labels_are_decoded_to_the_spans_that_they_were_made_from() -> None:
    spans = [ErrorSpan(0, 3, "minor"), ErrorSpan(4, 4, "major"), ErrorSpan(6, 12, "major"), ErrorSpan(12, 12, "minor")]
    labels = np.zeros((9, 3), dtype=np.float32)
    labels[0::2], labels[1::2] = gap_labels([spans], BOUNDS, SEVERITIES), unit_labels([spans], BOUNDS, SEVERITIES)
    assert decode_spans(labels, BOUNDS, SEVERITIES) == spans


def test_padding_of_a_batch_is_not_decoded() -> None:
    values = np.stack([table(MINOR, OK, OK, MAJOR), table(OK, MAJOR, MAJOR, MAJOR, gaps={4: MAJOR})])
    mask = np.array([[True] * 4, [True] * 2 + [False] * 2])
    found = decode_batch(values, mask, np.stack([BOUNDS, BOUNDS]), SEVERITIES)
    assert [[span[:2] for span in spans] for spans in found] == [[(0, 3), (11, 12)], [(4, 6)]]


CLEAN, HALF = [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]


@pytest.mark.parametrize(
    ("units", "gaps", "expected"),
    [
        ([CLEAN, CLEAN, CLEAN, CLEAN], {}, 0.0),
        ([HALF, CLEAN, CLEAN, CLEAN], {}, 0.5),
        ([HALF, HALF, HALF, CLEAN], {}, 0.5),  # one error of three units
        ([HALF, CLEAN, HALF, CLEAN], {}, 1.0),  # two errors
        ([HALF, [0.2, 0.8, 0.0], HALF, CLEAN], {}, 0.8),  # another error begins where the probability rises
        ([CLEAN, [0.4, 0.2, 0.4], CLEAN, CLEAN], {}, 0.2 * 1 + 0.4 * 5),
        ([HALF, [0.2, 0.0, 0.8], CLEAN, CLEAN], {}, 0.5 + 0.3 * 5),  # with the severity of the unit where it begins
        ([HALF, HALF, CLEAN, CLEAN], {0: HALF, 1: [0.9, 0.0, 0.1]}, 0.5 + 0.5 + 0.1 * 5),  # each gap counts
    ],
)
def test_the_expected_penalty(units: list[list[float]], gaps: dict[int, list[float]], expected: float) -> None:
    values = table(*units, gaps=dict.fromkeys(range(5), CLEAN) | gaps)
    # A batch pads it with units that are wrong, which must not count.
    padded = np.concatenate([values, np.full((4, 3), 1 / 3, dtype=np.float32)])
    mask = np.array([[True] * 4 + [False] * 2])
    assert expected_penalties(padded[None], mask, SEVERITIES, SpanLevelConfig().points) == pytest.approx([expected])


def test_options() -> None:
    config = SpanLevelConfig.from_dict({"severities": ["critical", "minor"], "mqm_weights": {"minor": 0.5}})
    assert config.severities == ["minor", "critical"]
    spans = [ErrorSpan(0, 1, "minor"), ErrorSpan(1, 2, "minor"), ErrorSpan(2, 2, "critical"), ErrorSpan(3, 4, "major")]
    assert config.penalty(spans) == 0.5 + 0.5 + 10 + 5
    for wrong in ({"severities": []}, {"severities": ["minor", "minor"]}, {"combined_share": 1.5}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            SpanLevelConfig.from_dict(wrong)


@pytest.mark.parametrize(
    ("meaning", "score", "quality"),
    [
        (ScoreMeaning("mqm", higher_is_better=False, range=(0.0, 25.0)), 5.0, 80.0),
        (ScoreMeaning("mqm", higher_is_better=True, range=(-25.0, 0.0)), -5.0, 80.0),
        (ScoreMeaning("da", higher_is_better=True, range=(0.0, 100.0)), 60.0, 60.0),
        (ScoreMeaning("da", higher_is_better=True), 0.0, 50.0),
    ],
)
def test_the_combined_score(meaning: ScoreMeaning, score: float, quality: float) -> None:
    config = SpanLevelConfig()
    # A penalty of 10 has the quality 60; one beyond 25 has the quality 0.
    expected = [0.78 * quality + 0.22 * 60, 0.78 * quality, float("nan")]
    found = config.combine([10.0, 40.0, float("nan")], [score, score, float("nan")], meaning)
    assert found == pytest.approx(expected, nan_ok=True)

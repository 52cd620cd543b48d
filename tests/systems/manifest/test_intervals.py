"""The intervals of sentence scores that a system stores."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.metrics.conformal import rank_of_quantile
from kiwi.systems.manifest.checkpoint import CheckpointInfo
from kiwi.systems.manifest.data_info import DataInfo
from kiwi.systems.manifest.intervals import CalibrationGroup, ScoreIntervals

PAIRS = ["en-de"] * 4 + ["en-fr"] * 2
GOLD = [1.0, 2.0, 3.0, 4.0, 5.0, 9.0]


@pytest.fixture
def intervals() -> ScoreIntervals:
    """Errors 1 to 4 of en-de and 5, 9 of en-fr, at 75 %: the ranks are ⌈5 · .75⌉ = 4, ⌈3 · .75⌉ = 3, ⌈7 · .75⌉ = 6."""
    return ScoreIntervals.fit(GOLD, np.zeros(6), 0.75, pairs=PAIRS)


def test_quantiles_by_hand(intervals: ScoreIntervals) -> None:
    assert intervals.groups == {
        "all": CalibrationGroup(6, 9.0),
        "en-de": CalibrationGroup(4, 4.0),
        "en-fr": CalibrationGroup(2, None),
    }
    assert (intervals.pairs, intervals.lacking) == (["en-de", "en-fr"], ["en-fr"])
    assert [intervals.quantile(pair) for pair in ("", "en-de", "en-fr", "et-en")] == [9.0, 4.0, 9.0, 9.0]
    assert intervals.without_own(["et-en", "en-de", "en-fr"]) == ["en-fr", "et-en"]
    assert ScoreIntervals.fit(GOLD, np.zeros(6), 0.75).without_own(["et-en"]) == []
    assert str(intervals) == "75 %, from 6 segments, of their own for en-de (4)"


def test_bounds_are_those_of_each_pair_within_what_is_possible(intervals: ScoreIntervals) -> None:
    scores = [0.0, 10.0, math.nan]
    found = intervals.bounds(scores, pairs=["en-de", "et-en", ""])
    np.testing.assert_equal(found, [[-4.0, 4.0], [1.0, 19.0], [math.nan, math.nan]])
    clipped = intervals.bounds(scores, pairs=["en-de", "et-en", ""], limits=(0.0, math.inf))
    np.testing.assert_equal(clipped, [[0.0, 4.0], [1.0, 19.0], [math.nan, math.nan]])
    np.testing.assert_equal(intervals.bounds([1.0]), [[-8.0, 10.0]])


def test_normalized_intervals_are_in_proportion_to_deviations() -> None:
    found = ScoreIntervals.fit([1.0, 4.0, 6.0], [0.0, 0.0, 0.0], 0.5, deviations=[1.0, 2.0, 2.0])
    assert found.groups["all"] == CalibrationGroup(3, 2.0)
    np.testing.assert_equal(found.bounds([5.0, 5.0], [0.5, 3.0]), [[4.0, 6.0], [-1.0, 11.0]])
    assert "in proportion to the predicted deviation" in str(found)


def test_each_pair_is_covered_by_its_own_intervals() -> None:
    """The errors of one pair are three times those of the other; one quantile for both covers neither as promised."""
    n, draws, confidence = 40, 400, 0.8
    rng = np.random.default_rng(11)
    pairs = ["en-de"] * n + ["en-fr"] * n
    scale = np.repeat([1.0, 3.0], n)
    own, pooled = np.zeros((draws, 2)), np.zeros((draws, 2))
    for draw in range(draws):
        intervals = ScoreIntervals.fit(rng.normal(size=2 * n) * scale, np.zeros(2 * n), confidence, pairs=pairs)
        gold = rng.normal(size=2 * n) * scale
        for covered, names in ((own, pairs), (pooled, None)):
            low, high = intervals.bounds(np.zeros(2 * n), pairs=names).T
            covered[draw] = ((low <= gold) & (gold <= high)).reshape(2, n).mean(axis=1)
    expected = rank_of_quantile(n, confidence) / (n + 1)
    assert expected >= confidence
    error = 3 * own.std(axis=0) / math.sqrt(draws)
    assert (np.abs(own.mean(axis=0) - expected) < error).all()
    assert pooled.mean(axis=0)[0] > 0.9
    assert pooled.mean(axis=0)[1] < 0.75


def test_a_checkpoint_keeps_them(intervals: ScoreIntervals) -> None:
    info = CheckpointInfo("NuQE", {"outputs": {}}, data=DataInfo(intervals=intervals))
    assert CheckpointInfo.from_dict(info.to_dict()).data.intervals == intervals
    assert "intervals" not in DataInfo().to_dict()  # which other versions of kiwi do not know


@pytest.mark.parametrize(
    "change",
    [
        {"confidence": 1.0},
        {"is_normalized": "yes"},
        {"groups": {}},
        {"groups": {"all": {"segments": 3, "quantile": None}}},
        {"groups": {"all": {"segments": 3, "quantile": -1.0}}},
        {"groups": {"all": {"segments": 3, "quantile": math.inf}}},
    ],
)
def test_damaged_ones_are_refused(intervals: ScoreIntervals, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected the quantile"):
        ScoreIntervals.from_dict(intervals.to_dict() | change)


@pytest.mark.parametrize(
    ("meaning", "possible"),
    [
        (ScoreMeaning("hter", False, (0.0, 1.0)), (0.0, math.inf)),
        (ScoreMeaning("mqm", False, (0.0, 25.0)), (0.0, math.inf)),
        (ScoreMeaning("mqm", True, (-25.0, 0.0)), (-math.inf, 0.0)),
        (ScoreMeaning("da", True, (0.0, 100.0)), (0.0, 100.0)),
        (ScoreMeaning("da", True), (-math.inf, math.inf)),
    ],
)
def test_possible_scores(meaning: ScoreMeaning, possible: tuple[float, float]) -> None:
    assert meaning.possible == possible

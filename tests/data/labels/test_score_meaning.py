from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.data.labels.score_options import ScoreConfig, find_meaning
from kiwi.exceptions import ConfigError, DataError

HTER = ScoreMeaning("hter", False, (0.0, 1.0))
MQM = ScoreMeaning("mqm", True, (-25.0, 0.0))
DA = ScoreMeaning("da", True, None, mean=0.1, deviation=0.8)


@pytest.mark.parametrize(
    ("meaning", "score", "expected"),
    [
        (HTER, 0.0, 100.0),
        (HTER, 0.25, 75.0),
        (HTER, 1.0, 0.0),
        (HTER, 1.7, 0.0),
        (MQM, 0.0, 100.0),
        (MQM, -5.0, 80.0),
        (MQM, -40.0, 0.0),
        (ScoreMeaning("mqm", False, (0.0, 25.0)), 5.0, 80.0),
        (ScoreMeaning("da", True, (0.0, 100.0)), 62.5, 62.5),
        (DA, 0.1, 50.0),
        (DA, 0.9, 84.134475),
        (ScoreMeaning("other", False, None, 0.1, 0.8), 0.9, 15.865525),
    ],
)
def test_quality(meaning: ScoreMeaning, score: float, expected: float) -> None:
    assert float(meaning.to_quality(score)) == pytest.approx(expected, abs=1e-6)


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.sampled_from([HTER, MQM, DA]))
def test_quality_is_monotone_and_has_an_inverse(one: float, other: float, meaning: ScoreMeaning) -> None:
    low, high = meaning.range or (-3.0, 3.0)
    scores = [low + share * (high - low) for share in (one, other)]
    quality = meaning.to_quality(scores)
    assert ((quality >= 0) & (quality <= 100)).all()
    if scores[0] < scores[1]:
        assert (quality[0] <= quality[1]) == meaning.higher_is_better or quality[0] == quality[1]
    np.testing.assert_allclose(meaning.from_quality(quality), scores, atol=1e-9)


def test_a_segment_without_a_score_has_no_quality() -> None:
    assert np.isnan(HTER.to_quality([float("nan")])).all()


@pytest.mark.parametrize(
    ("name", "scores", "options", "expected"),
    [
        ("train.hter", [0.0, 0.5, 1.0], {}, ("hter", False, (0.0, 1.0))),
        ("train.scores", [0.0, 0.5], {}, None),
        ("train.hter", [-0.5, 0.5], {}, None),
        ("shelter.txt", [0.0, 0.5], {}, None),
        ("train.da", [-1.0, 0.7], {}, ("da", True, None)),
        ("train.da", [10.0, 70.0], {}, ("da", True, (0.0, 100.0))),
        ("train.da", [0.1, 0.7], {}, ("da", True, (0.0, 1.0))),
        ("mqm_scores.txt", [0.0, -6.0], {}, ("mqm", True, (-25.0, 0.0))),
        ("mqm_scores.txt", [0.0, 6.0], {}, ("mqm", False, (0.0, 25.0))),
        ("train.mqm", [-1.0, 1.0], {}, None),
        ("train.hter", [0.1], {"kind": "da"}, ("da", True, (0.0, 1.0))),
        ("scores", [0.1, 4.0], {"kind": "other", "higher_is_better": False}, ("other", False, None)),
        ("scores", [1, 5], {"kind": "other", "higher_is_better": True, "range": [1, 5]}, ("other", True, (1.0, 5.0))),
        ("scores", [0.5, 1.5], {"kind": "hter"}, ("hter", False, (0.0, 1.0))),
        ("scores", [0.1, 0.7], {"kind": "da", "range": "standardized"}, ("da", True, None)),
        ("s", [-2, -1], {"kind": "mqm", "higher_is_better": True, "range": "standardized"}, ("mqm", True, None)),
        ("scores", [70, 99], {"kind": "mqm", "higher_is_better": True, "range": [0, 100]}, ("mqm", True, (0.0, 100.0))),
    ],
)
def test_meaning_of_training_data(name: str, scores: list[float], options: dict, expected: tuple | None) -> None:
    found = find_meaning(ScoreConfig.from_dict(options), scores, Path(name))
    assert (None if found is None else (found.kind, found.higher_is_better, found.range)) == expected
    if found is not None:
        assert ScoreMeaning.from_dict(found.to_dict()) == found
        assert found.mean == pytest.approx(sum(scores) / len(scores))


@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        ([0.1], {"higher_is_better": True}, r"data\.score\.kind: required"),
        ([0.1], {"kind": "other"}, r"data\.score\.higher_is_better: required for other"),
        ([-1.0, 1.0], {"kind": "mqm"}, r"higher_is_better: required for mqm, unless all scores"),
        (
            [0.1],
            {"kind": "hter", "higher_is_better": True},
            r"found true; in these scores of kind hter, lower is better",
        ),
        ([-3.0], {"kind": "mqm", "higher_is_better": False}, r"found false; .* higher is better"),
        ([0.1], {"kind": "other", "higher_is_better": True, "range": [1, 0]}, r"range: found 1 and 0"),
        ([0.1], {"kind": "da", "range": [0, float("inf")]}, r"range: found 0 and inf; expected two finite numbers"),
        ([0.1], {"kind": "da", "range": [float("nan"), 1]}, r"range: found nan and 1; expected two finite numbers"),
        ([0.1], {"kind": "da", "range": [-1e308, 1e308]}, r"range: found -1e\+308 and 1e\+308; expected two finite"),
        ([0.1], {"kind": "hter", "range": "standardized"}, r"data\.score\.range: found standardized; an HTER is"),
    ],
)
def test_contradictory_options_are_refused(scores: list[float], options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_meaning(ScoreConfig.from_dict(options), scores, Path("scores"))


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ([0], r"\[0\]"),
        (5, "5"),
        ([0, 1, 2], r"\[0, 1, 2\]"),
        (["low", "high"], r"\['low', 'high'\]"),
        ("standardised", "'standardised'"),
        ({"low": 0}, r"\{'low': 0\}"),
    ],
)
def test_a_range_of_another_form_is_refused_in_one_sentence(given: object, found: str) -> None:
    expected = "expected two finite numbers, the lowest score first, or standardized for scores without a range"
    with pytest.raises(ConfigError, match=rf"data\.score\.range: found {found}; {expected}$"):
        ScoreConfig.from_dict({"kind": "da", "range": given}, "data.score")


@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        ([0.1, -0.97], {"kind": "hter"}, r"scores, line 2: found the score -0.97; expected an HTER.*data\.score\.kind"),
        ([0.1, 101], {"kind": "da", "range": [0, 100]}, r"line 2: found the score 101; expected 0 to 100"),
    ],
)
def test_contradictory_scores_are_refused(scores: list[float], options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        find_meaning(ScoreConfig.from_dict(options), scores, Path("scores"))
    with pytest.raises(DataError, match=r"scores: found the score"):
        find_meaning(ScoreConfig.from_dict(options), scores, Path("scores"), is_numbered=False)

from __future__ import annotations

import numpy as np
import pytest

from kiwi.systems.manifest.data_info import DataInfo
from kiwi.systems.manifest.thresholds import PairThresholds, logit, sigmoid


def test_the_threshold_of_a_pair_becomes_a_half() -> None:
    thresholds = PairThresholds({"target_tags": {"en-de": 0.8, "si-en": 0.2}})
    tags = np.array([[0.8, 0.9, 0.5], [0.2, 0.1, 0.5], [0.8, 0.2, 0.5], [0.8, 0.2, 0.5]], dtype=np.float32)
    moved = thresholds.move({"target_tags": tags, "gap_tags": tags}, ["en-de", "si-en", "en-zh", ""])
    # Odds are divided by those of the threshold: 9 / 4, and 1 / 4.
    assert moved["target_tags"][0] == pytest.approx([0.5, 9 / 13, 0.2], abs=1e-6)
    assert moved["target_tags"][1] == pytest.approx([0.5, 4 / 13, 0.8], abs=1e-6)
    np.testing.assert_array_equal(moved["target_tags"][2:], tags[2:])  # pairs without thresholds
    assert moved["target_tags"].dtype == np.float32
    assert moved["gap_tags"] is tags  # an output without thresholds


def test_pieces_move_and_gaps_do_not() -> None:
    # gap, unit, gap; OK, minor, major
    spans = np.array([[[0.5, 0.25, 0.25], [0.4, 0.2, 0.4], [0.9, 0.1, 0.0]]], dtype=np.float32)
    moved = PairThresholds({"error_spans": {"en-de": 0.6}}).move({"error_spans": spans}, ["en-de"])["error_spans"]
    np.testing.assert_array_equal(moved[:, 0::2], spans[:, 0::2])
    assert moved[0, 1] == pytest.approx([0.5, 1 / 6, 1 / 3], abs=1e-6)
    assert spans[0, 1, 0] == pytest.approx(0.4)  # what the engine gave is as it was


def test_labels_stay_when_logits_are_divided() -> None:
    thresholds = PairThresholds({"target_tags": {"en-de": 0.8}, "gap_tags": {"en-de": 0.6}})
    cooled = thresholds.cooled("target_tags", 2.0)
    assert cooled.by_output == {"target_tags": {"en-de": pytest.approx(2 / 3)}, "gap_tags": {"en-de": 0.6}}
    for probability in (0.79, 0.81):
        flat = sigmoid(logit(probability) / 2.0)
        one, two = (
            each.move({"target_tags": np.array([[value]])}, ["en-de"])["target_tags"][0, 0] > 0.5
            for each, value in ((thresholds, probability), (cooled, flat))
        )
        assert one == two == (probability > 0.8)
    assert thresholds.cooled("error_spans", 2.0) is thresholds


def test_outputs_whose_thresholds_are_chosen_anew() -> None:
    thresholds = PairThresholds({"target_tags": {"en-de": 0.8}, "gap_tags": {"en-de": 0.6}})
    assert thresholds.without(["target_tags"]) == PairThresholds({"gap_tags": {"en-de": 0.6}})
    assert thresholds.without(["target_tags", "gap_tags"]) is None
    assert thresholds.pairs == ["en-de"]


@pytest.mark.parametrize(
    "content", [{"target_tags": {"en-de": 1.0}}, {"target_tags": 0.5}, {"target_tags": {"a": "x"}}, 3]
)
def test_damaged_thresholds(content: object) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        PairThresholds.from_dict(content)  # type: ignore[arg-type]


def test_plain_values_and_back() -> None:
    thresholds = PairThresholds({"target_tags": {"en-de": 0.8}})
    assert PairThresholds.from_dict(thresholds.to_dict()) == thresholds
    assert DataInfo(thresholds=thresholds).to_dict()["thresholds"] == {"target_tags": {"en-de": 0.8}}
    assert "thresholds" not in DataInfo().to_dict()
    assert str(thresholds) == "target_tags of en-de"

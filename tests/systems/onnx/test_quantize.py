"""Quantization of weights to 8 bits."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from kiwi.systems.onnx.quantize import WEIGHT_RANGE, scaled


def _weights(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((384, 48)).astype(np.float32)


def _restored(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    integers, scales = scaled(weights, 0, WEIGHT_RANGE)
    return integers * scales


def test_weights_are_rounded_to_the_nearest_integers() -> None:
    weights = _weights()
    integers, scales = scaled(weights, 0, WEIGHT_RANGE)
    assert np.abs(integers).max(axis=0).tolist() == [WEIGHT_RANGE] * 48
    assert np.abs(integers * scales - weights).max() <= scales.max() / 2 * (1 + 1e-6)


def _with_an_outlier() -> NDArray[np.float32]:
    weights = _weights()
    weights[0] = 1000
    return weights


def _mostly_zero() -> NDArray[np.float32]:
    weights = _weights()
    weights[50:] = 0
    return weights


@pytest.mark.parametrize("weights", [_with_an_outlier(), _mostly_zero(), np.zeros((384, 48), dtype=np.float32)])
@pytest.mark.parametrize("axis", [0, 1])
def test_zeros_and_outliers_are_no_grid(weights: NDArray[np.float32], axis: int) -> None:
    integers, scales = scaled(weights, axis, WEIGHT_RANGE)
    assert np.array_equal(integers, np.rint(weights / scales))


def test_restored_weights_stay_as_they_are() -> None:
    integers, scales = scaled(_weights(), 0, WEIGHT_RANGE)
    again, same = scaled(integers * scales, 0, WEIGHT_RANGE)
    assert np.array_equal(again, integers)
    assert np.allclose(same, scales, rtol=1e-6)


def test_weights_that_are_next_to_the_grid_are_on_it() -> None:
    generator = np.random.default_rng(7)  # other numbers than those by which weights are rounded
    integers = generator.integers(-WEIGHT_RANGE, WEIGHT_RANGE, (384, 1000), endpoint=True).astype(np.float32)
    integers[0] = WEIGHT_RANGE  # so that the scale is 1
    moved = integers + 3e-5 * generator.choice([-1, 1], integers.shape).astype(np.float32)
    moved[0] = WEIGHT_RANGE
    assert np.array_equal(scaled(moved, 0, WEIGHT_RANGE)[0], integers)


def test_further_training_is_not_taken_back() -> None:
    """A product of what training has moved by a tenth of a step is nearly what it is in 32 bits."""
    before = _restored(_weights())
    step = np.abs(before).max(axis=0) / WEIGHT_RANGE
    direction = np.sign(_weights(1)[:, :1])  # as inputs that always have these signs have moved it
    trained = before + 0.1 * step * direction
    integers, scales = scaled(trained, 0, WEIGHT_RANGE)
    kept = direction.T @ (integers * scales - before) / (direction.T @ (trained - before))
    assert 0.8 < kept.mean() < 1.2
    again, _ = scaled(trained, 0, WEIGHT_RANGE)
    assert np.array_equal(again, integers)
    assert np.abs(integers).max() == WEIGHT_RANGE

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import truncnorm

from kiwi.modules.truncated_normal import truncated_normal_moments, truncated_normal_nll

VALUES = [0.0, 1e-6, 0.03, 0.5, 0.98, 1.0]
MEANS = [0.0, 1e-30, 1e-6, 0.2, 0.5, 0.8, 0.999999, 1.0]
DEVIATIONS = [0.01, 0.012, 0.05, 0.3, 0.7, 1.01]
"""What a system can ask for."""
WIDE = [1e-4, 1e-3, 0.02, 0.5, 2.0, 20.0, 100.0]


def reference(mean: np.ndarray, deviation: np.ndarray) -> object:
    return truncnorm(-mean / deviation, (1 - mean) / deviation, loc=mean, scale=deviation)


@pytest.mark.parametrize(
    ("dtype", "deviations", "tolerance"), [(torch.float32, DEVIATIONS, 3e-5), (torch.float64, WIDE, 1e-9)]
)
def test_likelihood_is_that_of_scipy(dtype: torch.dtype, deviations: list[float], tolerance: float) -> None:
    value, mean, deviation = np.array(list(itertools.product(VALUES, MEANS, deviations))).T
    found = truncated_normal_nll(*(torch.tensor(column, dtype=dtype) for column in (value, mean, deviation)))
    expected = -reference(mean, deviation).logpdf(value)  # type: ignore[attr-defined]
    np.testing.assert_allclose(found.numpy(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("dtype", "deviations", "tolerance"), [(torch.float32, DEVIATIONS, 2e-5), (torch.float64, WIDE, 1e-7)]
)
def test_moments_are_those_of_scipy(dtype: torch.dtype, deviations: list[float], tolerance: float) -> None:
    mean, deviation = np.array(list(itertools.product(MEANS, deviations))).T
    found = truncated_normal_moments(*(torch.tensor(column, dtype=dtype) for column in (mean, deviation)))
    expected = reference(mean, deviation)
    np.testing.assert_allclose(found[0].numpy(), expected.mean(), rtol=tolerance, atol=tolerance)  # type: ignore[attr-defined]
    np.testing.assert_allclose(found[1].numpy(), expected.std(), rtol=tolerance, atol=tolerance)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("mean", "deviation", "expected"), [(0.5, 0.01, 0.5), (0.0, 0.01, 0.00797885), (1.0, 0.01, 0.99202115)]
)
def test_a_mean_at_an_edge_moves_inside(mean: float, deviation: float, expected: float) -> None:
    # Half a Gaussian has its mean at sqrt(2 / pi) deviations.
    moments = truncated_normal_moments(torch.tensor([mean]), torch.tensor([deviation]))
    assert moments[0].item() == pytest.approx(expected, abs=1e-6)


def test_moments_stay_in_range() -> None:
    mean, deviation = torch.tensor(list(itertools.product(MEANS, DEVIATIONS))).unbind(1)
    means, deviations = truncated_normal_moments(mean, deviation)
    assert ((means >= 0) & (means <= 1)).all()
    assert ((deviations > 0) & (deviations <= deviation + 1e-6)).all()


def test_gradients_are_finite_everywhere() -> None:
    value, mean, deviation = torch.tensor(list(itertools.product(VALUES, MEANS, DEVIATIONS))).unbind(1)
    mean, deviation = mean.clone().requires_grad_(), deviation.clone().requires_grad_()
    truncated_normal_nll(value, mean, deviation).sum().backward()
    assert mean.grad is not None
    assert deviation.grad is not None
    assert torch.isfinite(mean.grad).all()
    assert torch.isfinite(deviation.grad).all()


def test_gradients_are_right() -> None:
    value, mean, deviation = torch.tensor(
        list(itertools.product([0.0, 0.4, 1.0], [0.01, 0.5, 0.9], [0.05, 0.5])), dtype=torch.float64
    ).unbind(1)
    inputs = (value, mean.clone().requires_grad_(), deviation.clone().requires_grad_())
    assert torch.autograd.gradcheck(truncated_normal_nll, inputs)

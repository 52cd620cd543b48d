"""The Gaussian truncated to [0, 1], for scores in this range."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def _log_density(x: Tensor) -> Tensor:
    return -0.5 * x * x - 0.5 * math.log(2 * math.pi)


def _edges(mean: Tensor, deviation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    low, high = -mean / deviation, (1 - mean) / deviation
    mass = torch.special.ndtr(high) - torch.special.ndtr(low)
    return low, high, mass.clamp(min=torch.finfo(mass.dtype).tiny)


def truncated_normal_nll(value: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Compute the negative log-likelihood of values in [0, 1].

    Args:
        value: the values, (batch,).
        mean: the mean of the Gaussian before truncation, in [0, 1], (batch,).
        deviation: the standard deviation of the Gaussian before truncation, positive, (batch,).

    Returns:
        The negative log-likelihoods in nats, (batch,).
    """
    *_, mass = _edges(mean, deviation)
    return -_log_density((value - mean) / deviation) + deviation.log() + mass.log()


def truncated_normal_moments(mean: Tensor, deviation: Tensor) -> tuple[Tensor, Tensor]:
    """Compute mean and standard deviation of the truncated Gaussian.

    Args:
        mean: the mean before truncation, in [0, 1], (batch,).
        deviation: the standard deviation before truncation, positive, (batch,).

    Returns:
        Mean and standard deviation after truncation, (batch,) each.
    """
    low, high, mass = _edges(mean, deviation)
    at_low, at_high = _log_density(low).exp() / mass, _log_density(high).exp() / mass
    shift = at_low - at_high
    variance = 1 + low * at_low - high * at_high - shift * shift
    truncated_mean = (mean + deviation * shift).clamp(0.0, 1.0)
    return truncated_mean, deviation * variance.clamp(min=0.0).sqrt()

"""Losses of a Gaussian that is predicted for each segment."""

from __future__ import annotations

from torch import Tensor


def normal_nll(value: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Compute the negative log-likelihood of values, without its constant (Kendall and Gal 2017, arXiv 1703.04977).

    Args:
        value: the values, (batch,).
        mean: the predicted mean, (batch,).
        deviation: the predicted standard deviation, positive, (batch,).

    Returns:
        ½ log σ² + (y - µ)² / 2σ², in nats, (batch,).
    """
    return deviation.log() + 0.5 * ((value - mean) / deviation).square()


def normal_divergence(mean: Tensor, deviation: Tensor, predicted_mean: Tensor, predicted_deviation: Tensor) -> Tensor:
    """Compute the Kullback-Leibler divergence KL(p ‖ q) of a predicted Gaussian q from a given one p.

    Minimizing it is the objective for segments with several raters in Zerva et al. 2022, arXiv 2204.06546.

    Args:
        mean: the given mean, (batch,).
        deviation: the given standard deviation, positive, (batch,).
        predicted_mean: the predicted mean, (batch,).
        predicted_deviation: the predicted standard deviation, positive, (batch,).

    Returns:
        log(σ_q / σ_p) + (σ_p² + (µ_p - µ_q)²) / 2σ_q² - ½, in nats, (batch,).
    """
    ratio = deviation / predicted_deviation
    distance = (mean - predicted_mean) / predicted_deviation
    return 0.5 * (ratio.square() + distance.square() - 1.0) - ratio.log()

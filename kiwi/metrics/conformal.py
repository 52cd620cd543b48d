"""Intervals of scores by split conformal prediction, and temperatures of probabilities."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEAST_DEVIATION = 1e-6
"""The least predicted deviation that errors are divided by, since some scores have the deviation 0."""

LEAST_PROBABILITY = 1e-7
"""The least probability whose logarithm is taken, about the precision of float32."""

COLDEST, HOTTEST = 0.05, 20.0
"""The range of temperatures."""

STEPS = 60
"""The number of halvings of the range of temperatures, after which it is narrower than the precision of floats."""


def rank_of_quantile(n: int, confidence: float) -> int:
    """Return the rank of the conformal quantile, ⌈(n + 1) · confidence⌉; beyond n, there is none.

    The product is exact for a confidence in decimal notation, so that 9 errors are enough for 0.9.

    Args:
        n: the number of calibration errors.
        confidence: the confidence of the interval, in (0, 1).
    """
    return math.ceil((n + 1) * Fraction(repr(float(confidence))))


def fewest_segments(confidence: float) -> int:
    """Return the fewest calibration segments with which an interval can be certified.

    Args:
        confidence: the confidence of the interval, in (0, 1).
    """
    share = Fraction(repr(float(confidence)))
    return math.ceil(share / (1 - share))


def conformal_quantile(errors: ArrayLike, confidence: float) -> float | None:
    """Return the error that a new one does not exceed with at least this probability (Zerva & Martins 2024).

    It is the ⌈(n + 1) · confidence⌉-th smallest of n errors (arXiv:2306.06221). The guarantee holds on average over
    calibration data, if the new segment is exchangeable with the calibration segments. Intervals include their ends, so
    that equal errors can only raise the coverage.

    Args:
        errors: the absolute errors of the calibration segments, (segments,), divided by the predicted deviations where
            there are any.
        confidence: the confidence of the interval, in (0, 1).

    Returns:
        The quantile; None where there are too few segments for it.
    """
    values = np.asarray(errors, dtype=np.float64)
    rank = rank_of_quantile(len(values), confidence)
    if rank > len(values):
        return None
    return float(np.partition(values, rank - 1)[rank - 1])


def conformity_errors(gold: ArrayLike, scores: ArrayLike, deviations: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return absolute errors, divided by the predicted deviations where there are any, (segments,).

    Args:
        gold: the gold scores (segments,).
        scores: the predicted scores (segments,).
        deviations: the predicted standard deviations (segments,).
    """
    errors = np.abs(np.asarray(gold, dtype=np.float64) - np.asarray(scores, dtype=np.float64))
    return errors if deviations is None else errors / widths(deviations)


def widths(deviations: ArrayLike) -> NDArray[np.float64]:
    """Return the deviations that errors are divided by, which are never 0, (segments,).

    Args:
        deviations: the predicted standard deviations (segments,).
    """
    return np.maximum(np.asarray(deviations, dtype=np.float64), LEAST_DEVIATION)


def interval_figures(gold: ArrayLike, low: ArrayLike, high: ArrayLike) -> dict[str, float]:
    """Return the ``coverage`` of intervals, the share of gold scores within, and their mean ``width``.

    Args:
        gold: the gold scores (segments,).
        low: the lower ends (segments,).
        high: the upper ends (segments,); NaN where a segment has no interval, which is left out.

    Returns:
        The figures, and ``with_interval``, the share of segments that have one; nothing where no segment has one.
    """
    y, lower, upper = (np.asarray(each, dtype=np.float64) for each in (gold, low, high))
    known = ~(np.isnan(lower) | np.isnan(upper))
    if not known.any():
        return {}
    inside = (lower <= y) & (y <= upper)
    return {
        "coverage": float(np.mean(inside[known])),
        "width": float(np.mean((upper - lower)[known])),
        "with_interval": float(np.mean(known)),
    }


def _logits(probabilities: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(probabilities, dtype=np.float64)
    return np.log(np.clip(values, LEAST_PROBABILITY, 1.0))


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float64)


def at_temperature(probabilities: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Return probabilities with logits divided by a temperature, (items, labels); the likeliest label stays so.

    Args:
        probabilities: the probabilities (items, labels).
        temperature: the temperature, positive; above 1, probabilities come closer to each other.
    """
    return _softmax(_logits(probabilities) / temperature)


def log_loss(probabilities: ArrayLike, gold: ArrayLike) -> float:
    """Return the mean negative log-likelihood of gold labels.

    Args:
        probabilities: the probabilities (items, labels).
        gold: the share of each label in the gold data (items, labels).
    """
    return float(-(np.asarray(gold, dtype=np.float64) * _logits(probabilities)).sum(axis=-1).mean())


def fit_temperature(probabilities: ArrayLike, gold: ArrayLike) -> float:
    """Return the temperature with the highest likelihood of gold labels (Guo et al. 2017, arXiv:1706.04599).

    The likelihood is concave in the reciprocal of the temperature, so the root of its derivative is found by halving.

    Args:
        probabilities: the probabilities (items, labels).
        gold: the share of each label in the gold data (items, labels), each row with the sum 1.

    Returns:
        A temperature from 0.05 to 20.
    """
    logits, shares = _logits(probabilities), np.asarray(gold, dtype=np.float64)
    low, high = math.log(1 / HOTTEST), math.log(1 / COLDEST)
    for _ in range(STEPS):
        middle = (low + high) / 2
        excess = ((_softmax(math.exp(middle) * logits) - shares) * logits).sum()
        low, high = (middle, high) if excess < 0 else (low, middle)
    return math.exp(-(low + high) / 2)

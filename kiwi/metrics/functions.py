"""Metrics of a whole corpus, each a function of arrays or of counts.

Where a metric is not defined it is 0: a correlation with a constant or of fewer than two segments, MCC where its
denominator is 0, F1 of a class that neither side has. NaN never comes back.
"""

from __future__ import annotations

import math
import sys

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiwi.constants import BAD, LABELS, OK

LOWER_IS_BETTER = frozenset({"RMSE", "MAE", "PERP", "ExpErr"})


def higher_is_better(name: str) -> bool:
    """The direction of a metric, from the last part of its name (``target_tags_MCC``, ``RMSE``)."""
    return name.rpartition("_")[2] not in LOWER_IS_BETTER


def confusion(gold: ArrayLike, predicted: ArrayLike) -> NDArray[np.int64]:
    """Counts of classes, (gold, predicted), for two flat arrays of classes 0 (OK) and 1 (BAD)."""
    gold, predicted = np.asarray(gold, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    n = len(LABELS)
    return np.bincount(gold * n + predicted, minlength=n * n).reshape(n, n)


def matthews(counts: NDArray[np.int64] | NDArray[np.float64]) -> float:
    """Matthews correlation coefficient of a (2, 2) confusion."""
    (tn, fp), (fn, tp) = counts.astype(float)
    denominator = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return float((tp * tn - fp * fn) / denominator) if denominator else 0.0


def precision(counts: NDArray[np.int64], label: int) -> float:
    """Share of those predicted as a class that have it."""
    return _ratio(counts[label, label], counts[:, label].sum())


def recall(counts: NDArray[np.int64], label: int) -> float:
    """Share of those of a class that are predicted so."""
    return _ratio(counts[label, label], counts[label].sum())


def f1(counts: NDArray[np.int64], label: int) -> float:
    """Harmonic mean of precision and recall of a class."""
    return _ratio(2 * counts[label, label], counts[label].sum() + counts[:, label].sum())


def accuracy(counts: NDArray[np.int64]) -> float:
    """Share of correct predictions."""
    return _ratio(np.trace(counts), counts.sum())


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def tag_metrics(counts: NDArray[np.int64]) -> dict[str, float]:
    """The metrics of tags by name, the main one first."""
    f1_ok, f1_bad = f1(counts, LABELS.index(OK)), f1(counts, LABELS.index(BAD))
    return {
        "MCC": matthews(counts),
        "F1_MULT": f1_ok * f1_bad,
        "CORRECT": accuracy(counts),
        f"F1_{OK}": f1_ok,
        f"F1_{BAD}": f1_bad,
    }


def pearson(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Pearson's correlation of two arrays (segments,)."""
    x, y = np.asarray(gold, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if len(x) < 2:
        return 0.0
    # Scaled first: squares of very large or small values leave the range of floating point numbers.
    x, y = (values / (np.abs(values).max() or 1.0) for values in (x, y))
    x, y = x - x.mean(), y - y.mean()
    # A mean rounds: what is left of a constant is noise in its last digits.
    if min(np.abs(x).max(), np.abs(y).max()) < 1e-15:
        return 0.0
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    return float(np.clip(x @ y, -1.0, 1.0))


def spearman(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Spearman's rank correlation of two arrays (segments,); ties share their mean rank."""
    return pearson(ranks(gold), ranks(predicted))


def ranks(values: ArrayLike) -> NDArray[np.float64]:
    """Ranks from 1; ties share the mean of theirs."""
    _, inverse, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: NDArray[np.float64] = (last - (counts - 1) / 2)[inverse]
    return mean


def rmse(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Root of the mean squared error."""
    errors = np.asarray(gold, dtype=np.float64) - np.asarray(predicted, dtype=np.float64)
    return float(np.sqrt(np.mean(errors**2))) if errors.size else 0.0


def mae(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Mean absolute error."""
    errors = np.asarray(gold, dtype=np.float64) - np.asarray(predicted, dtype=np.float64)
    return float(np.mean(np.abs(errors))) if errors.size else 0.0


def perplexity(log_probability: float, n_tokens: int) -> float:
    """Of tokens whose log-probabilities (in nats) add up to ``log_probability``; 0 without tokens."""
    if not n_tokens:
        return 0.0
    # A model that has not learned anything may say what no floating point number holds.
    return math.exp(min(-log_probability / n_tokens, math.log(sys.float_info.max)))

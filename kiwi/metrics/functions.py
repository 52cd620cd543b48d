"""Metrics of a whole corpus, each a function of arrays or of counts.

A metric that is undefined is 0, never NaN: a correlation with a constant or of fewer than two segments, MCC where its
denominator is 0, and F1 of a class that is neither in the gold labels nor predicted.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiwi.constants import BAD, LABELS, OK
from kiwi.utils.io import did_you_mean

HIGHER_IS_BETTER = {
    # of tags
    "MCC": True,
    "F1_MULT": True,
    "F1_OK": True,
    "F1_BAD": True,
    "CORRECT": True,
    "precision_OK": True,
    "precision_BAD": True,
    "recall_OK": True,
    "recall_BAD": True,
    # of sentence scores
    "PEARSON": True,
    "SPEARMAN": True,
    "KENDALL": True,
    "DELTA_AVG": True,
    "MAE": False,
    "RMSE": False,
    # of binary decisions and of explanations
    "AUC": True,
    "AP": True,
    "MCC_at_K": True,
    "recall_at_K": True,
    # of error spans
    "F1": True,
    "precision": True,
    "recall": True,
    # of several MT systems
    "acc_eq": True,
    "SPA": True,
    # of language models
    "PERP": False,
    "ExpErr": False,
}
"""The direction of each metric. In full names, a prefix may come first, as in ``val_target_tags_MCC``."""


def find_metric(name: str) -> str | None:
    """Return the metric of :data:`HIGHER_IS_BETTER` that a name denotes without its prefix; None if there is none."""
    parts = name.split("_")
    return next((rest for n in range(len(parts)) if (rest := "_".join(parts[n:])) in HIGHER_IS_BETTER), None)


def higher_is_better(name: str) -> bool:
    """Return the direction of a metric, such as ``RMSE`` or ``target_tags_MCC``.

    Raises:
        ValueError: when the metric is unknown.
    """
    if (metric := find_metric(name)) is None:
        raise ValueError(f"unknown metric '{name}'; {did_you_mean(name, HIGHER_IS_BETTER)}")
    return HIGHER_IS_BETTER[metric]


def confusion(gold: ArrayLike, predicted: ArrayLike) -> NDArray[np.int64]:
    """Return the confusion matrix (gold, predicted) of two flat arrays of classes 0 (OK) and 1 (BAD)."""
    gold, predicted = np.asarray(gold, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    n = len(LABELS)
    return np.bincount(gold * n + predicted, minlength=n * n).reshape(n, n)


def matthews(counts: NDArray[np.int64] | NDArray[np.float64]) -> float:
    """Return the Matthews correlation coefficient of a (2, 2) confusion matrix."""
    (tn, fp), (fn, tp) = counts.astype(float)
    denominator = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return float((tp * tn - fp * fn) / denominator) if denominator else 0.0


def precision(counts: NDArray[np.int64], label: int) -> float:
    """Return the precision of a class: the share of its predictions that are correct."""
    return _ratio(counts[label, label], counts[:, label].sum())


def recall(counts: NDArray[np.int64], label: int) -> float:
    """Return the recall of a class: the share of its gold labels that are predicted."""
    return _ratio(counts[label, label], counts[label].sum())


def f1(counts: NDArray[np.int64], label: int) -> float:
    """Return the harmonic mean of precision and recall of a class."""
    return _ratio(2 * counts[label, label], counts[label].sum() + counts[:, label].sum())


def accuracy(counts: NDArray[np.int64]) -> float:
    """Return the share of correct predictions."""
    return _ratio(np.trace(counts), counts.sum())


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def tag_metrics(counts: NDArray[np.int64]) -> dict[str, float]:
    """Return the metrics of tags by name, the main one first."""
    f1_ok, f1_bad = f1(counts, LABELS.index(OK)), f1(counts, LABELS.index(BAD))
    return {
        "MCC": matthews(counts),
        "F1_MULT": f1_ok * f1_bad,
        "CORRECT": accuracy(counts),
        f"F1_{OK}": f1_ok,
        f"F1_{BAD}": f1_bad,
    }


def pearson(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Return Pearson's correlation of two arrays (segments,)."""
    x, y = np.asarray(gold, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if len(x) < 2:
        return 0.0
    # Scale first, because squares of very large or small values leave the range of floating-point numbers.
    x, y = (values / (np.abs(values).max() or 1.0) for values in (x, y))
    x, y = x - x.mean(), y - y.mean()
    # Because the mean is rounded, a constant may leave noise in the last digits.
    if min(np.abs(x).max(), np.abs(y).max()) < 1e-15:
        return 0.0
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    return float(np.clip(x @ y, -1.0, 1.0))


def spearman(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Return Spearman's rank correlation of two arrays (segments,); ties share their mean rank."""
    return pearson(ranks(gold), ranks(predicted))


def ranks(values: ArrayLike) -> NDArray[np.float64]:
    """Return ranks, counted from 1; ties share their mean rank."""
    _, inverse, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: NDArray[np.float64] = (last - (counts - 1) / 2)[inverse]
    return mean


def rmse(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Return the root of the mean squared error."""
    errors = np.asarray(gold, dtype=np.float64) - np.asarray(predicted, dtype=np.float64)
    return float(np.sqrt(np.mean(errors**2))) if errors.size else 0.0


def mae(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Return the mean absolute error."""
    errors = np.asarray(gold, dtype=np.float64) - np.asarray(predicted, dtype=np.float64)
    return float(np.mean(np.abs(errors))) if errors.size else 0.0


def perplexity(log_probability: float, n_tokens: int) -> float:
    """Return the perplexity of tokens from the sum of their log-probabilities, in nats; 0 without tokens."""
    if not n_tokens:
        return 0.0
    # The perplexity of an untrained model may exceed the range of floating-point numbers.
    return math.exp(min(-log_probability / n_tokens, math.log(sys.float_info.max)))


def mean_over_pairs(by_pair: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return the unweighted mean of each metric over language pairs, as the multilingual tracks of WMT report it.

    A metric that some pairs lack is averaged over the others.
    """
    names = dict.fromkeys(name for metrics in by_pair.values() for name in metrics)
    return {name: float(np.mean([metrics[name] for metrics in by_pair.values() if name in metrics])) for name in names}

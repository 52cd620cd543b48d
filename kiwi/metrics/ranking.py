"""Metrics of order: how predicted scores rank segments or words, against gold scores or classes.

None depends on the order in which segments stand: ties count as a random order would on average.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiwi.metrics.functions import matthews, ranks


def kendall(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Kendall's tau-b of two arrays (segments,), in n log n (Kendall 1945, Biometrika 33); 0 with a constant."""
    x, y = (np.unique(np.asarray(values), return_inverse=True)[1].astype(np.int64) for values in (gold, predicted))
    n = len(x)
    pairs = n * (n - 1) // 2
    tied_x, tied_y = _tied_pairs(x), _tied_pairs(y)
    if pairs in (tied_x, tied_y):
        return 0.0
    tied_both = _tied_pairs(x * (int(y.max()) + 1) + y)
    discordant = _inversions(y[np.lexsort((y, x))])
    concordant_minus = pairs - tied_x - tied_y + tied_both - 2 * discordant
    return float(np.clip(concordant_minus / np.sqrt(float(pairs - tied_x) * float(pairs - tied_y)), -1.0, 1.0))


def _tied_pairs(classes: NDArray[np.int64]) -> int:
    counts = np.unique(classes, return_counts=True)[1].astype(np.int64)
    return int((counts * (counts - 1) // 2).sum())


def _inversions(values: NDArray[np.int64]) -> int:
    """Pairs in which the larger value stands first: bit by bit, within the values that agree in all higher bits."""
    total = 0
    for bit in reversed(range(int(values.max()).bit_length())):
        ones = (values >> bit) & 1
        group = values >> (bit + 1)
        starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
        sizes = np.diff(np.r_[starts, len(values)])
        ones_before = np.cumsum(ones) - ones
        ones_before -= np.repeat(ones_before[starts], sizes)  # in the group
        total += int(ones_before[ones == 0].sum())
        # Zeros of a group before its ones, each in their order.
        place = np.arange(len(values)) - np.repeat(starts, sizes)
        zeros_of_group = np.repeat(np.add.reduceat(1 - ones, starts), sizes)
        destination = np.repeat(starts, sizes) + np.where(ones == 1, zeros_of_group + ones_before, place - ones_before)
        ordered = np.empty_like(values)
        ordered[destination] = values
        values = ordered
    return total


def delta_avg(gold: ArrayLike, predicted: ArrayLike) -> float:
    """DeltaAvg, the ranking metric of the WMT 2012 to 2014 tasks (Callison-Burch et al. 2012), in n log n.

    Segments are ranked by predicted score, highest first, and cut into n quantiles, for each n from 2 to half of the
    segments; averaged is by how much the gold scores of the first 1, 2, ..., n - 1 quantiles exceed those of all.

    Returns:
        In units of the gold scores; 0 for fewer than four segments.
    """
    y, scores = np.asarray(gold, dtype=np.float64), np.asarray(predicted)
    n = len(y)
    if n < 4:
        return 0.0
    _, group, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    means = np.bincount(group, weights=y) / counts
    sums = np.cumsum(np.repeat(means, counts))  # of the first segments, ties at the mean of theirs
    overall = sums[-1] / n
    total, quantiles = 0.0, 2
    while quantiles <= n // 2:
        size = n // quantiles
        last = min(n // size, n // 2)  # numbers of quantiles that have this size
        firsts = np.cumsum(sums[np.arange(size, size * last, size) - 1] / np.arange(size, size * last, size))
        numbers = np.arange(quantiles, last + 1)
        total += float((firsts[numbers - 2] / (numbers - 1) - overall).sum())
        quantiles = last + 1
    return total / (n // 2 - 1)


def roc_auc(gold: ArrayLike, scores: ArrayLike) -> float:
    """Probability that a BAD one (class 1) has a higher score than one that is OK, ties by half; 0.5 with one class."""
    bad = np.asarray(gold, dtype=bool)
    n_bad = int(bad.sum())
    n_ok = len(bad) - n_bad
    if not n_bad or not n_ok:
        return 0.5
    return float((ranks(scores)[bad].sum() - n_bad * (n_bad + 1) / 2) / (float(n_bad) * n_ok))


def average_precision(gold: ArrayLike, scores: ArrayLike) -> float:
    """Mean precision at the scores at which recall rises, equal scores together; 0 when nothing is BAD (class 1)."""
    bad, values = np.asarray(gold, dtype=np.float64), np.asarray(scores)
    n_bad = bad.sum()
    if not n_bad:
        return 0.0
    _, group, counts = np.unique(-values, return_inverse=True, return_counts=True)
    found = np.bincount(group, weights=bad)
    precision = np.cumsum(found) / np.cumsum(counts)
    return float((precision * found).sum() / n_bad)


def recall_at_k(gold: ArrayLike, scores: ArrayLike) -> float:
    """Share of the K that are BAD (class 1) among the K highest scores; 0 when nothing is."""
    found, n_bad = _found_at_k(gold, scores)
    return found / n_bad if n_bad else 0.0


def critical_counts(gold: ArrayLike, scores: ArrayLike) -> NDArray[np.float64]:
    """Confusion (gold, flagged) when as many of the highest scores are flagged as are BAD, as in WMT 2022.

    Of equal scores at the border each is flagged in part, so counts may be fractions.
    """
    found, n_bad = _found_at_k(gold, scores)
    missed = n_bad - found
    return np.array([[np.size(gold) - n_bad - missed, missed], [missed, found]])


def _found_at_k(gold: ArrayLike, scores: ArrayLike) -> tuple[float, int]:
    bad, values = np.asarray(gold, dtype=bool), np.asarray(scores)
    n_bad = int(bad.sum())
    if not n_bad:
        return 0.0, 0
    border = np.partition(values, len(values) - n_bad)[len(values) - n_bad]
    above, at = values > border, values == border
    left = n_bad - int(above.sum())
    return float(bad[above].sum() + left * bad[at].sum() / at.sum()), n_bad


def best_threshold(gold: ArrayLike, probabilities: ArrayLike) -> tuple[float, float]:
    """The threshold on probabilities of BAD that has the highest MCC, and that MCC.

    What lies above the threshold is BAD. Of thresholds that are as good, the one nearest to 0.5.
    """
    bad, values = np.asarray(gold, dtype=np.int64), np.asarray(probabilities, dtype=np.float64)
    distinct, group = np.unique(values, return_inverse=True)
    total, of_bad = np.bincount(group), np.bincount(group, weights=bad)
    # Flagged: those above each threshold; first the one below all values, which flags everything.
    flagged = np.r_[total.sum(), total.sum() - np.cumsum(total)].astype(np.float64)
    hits = np.r_[of_bad.sum(), of_bad.sum() - np.cumsum(of_bad)]
    n, n_bad = float(len(bad)), float(of_bad.sum())
    scale = np.sqrt(flagged * (n - flagged) * n_bad * (n - n_bad))
    with np.errstate(invalid="ignore", divide="ignore"):
        mcc = np.where(scale > 0, (hits * n - flagged * n_bad) / scale, 0.0)
    between = np.r_[distinct[0] - 0.5, (distinct[:-1] + distinct[1:]) / 2, distinct[-1]] if len(distinct) else [0.5]
    thresholds = np.clip(between, 0.0, 1.0)
    best = np.flatnonzero(mcc >= mcc.max() - 1e-12)
    chosen = best[np.argmin(np.abs(thresholds[best] - 0.5))]
    return float(thresholds[chosen]), float(mcc[chosen])


def critical_metrics(gold: ArrayLike, scores: ArrayLike) -> dict[str, float]:
    """Metrics of a binary decision on segments by the scores alone: ROC AUC, average precision, MCC and recall at K."""
    counts = critical_counts(gold, scores)
    return {
        "AUC": roc_auc(gold, scores),
        "AP": average_precision(gold, scores),
        "MCC_at_K": matthews(counts),
        "recall_at_K": recall_at_k(gold, scores),
    }

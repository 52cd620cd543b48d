"""Ranking metrics: how predicted scores rank segments or words, compared with gold scores or classes.

No metric depends on the order of the segments, because ties count as the average over their possible orders.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiwi.metrics.functions import matthews, ranks, recall


def kendall(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Return Kendall's tau-b of two arrays (segments,) (Kendall 1945, doi:10.1093/biomet/33.3.239); 0 with a constant.

    The running time is O(n log n).
    """
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
    """Count the pairs in which the larger value is first, bit by bit, among values that agree in all higher bits."""
    total = 0
    for bit in reversed(range(int(values.max()).bit_length())):
        ones = (values >> bit) & 1
        group = values >> (bit + 1)
        starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
        sizes = np.diff(np.r_[starts, len(values)])
        ones_before = np.cumsum(ones) - ones
        ones_before -= np.repeat(ones_before[starts], sizes)  # within the group
        total += int(ones_before[ones == 0].sum())
        # Stable partition of each group: its zeros before its ones.
        place = np.arange(len(values)) - np.repeat(starts, sizes)
        zeros_of_group = np.repeat(np.add.reduceat(1 - ones, starts), sizes)
        destination = np.repeat(starts, sizes) + np.where(ones == 1, zeros_of_group + ones_before, place - ones_before)
        ordered = np.empty_like(values)
        ordered[destination] = values
        values = ordered
    return total


def delta_avg(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Return DeltaAvg, the ranking metric of the WMT 2012 to 2014 tasks (Callison-Burch et al. 2012, W12-3102).

    Segments are ranked by predicted score, highest first, and divided into n quantiles, for each n from 2 to half of
    the segments. DeltaAvg is the average amount by which the mean gold score of the first 1, 2, ..., n - 1 quantiles
    exceeds that of all segments. The running time is O(n log n).

    Returns:
        DeltaAvg in the unit of the gold scores; 0 for fewer than four segments.
    """
    y, scores = np.asarray(gold, dtype=np.float64), np.asarray(predicted)
    n = len(y)
    if n < 4:
        return 0.0
    _, group, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    means = np.bincount(group, weights=y) / counts
    sums = np.cumsum(np.repeat(means, counts))  # of the first segments, with ties at their mean
    overall = sums[-1] / n
    total, quantiles = 0.0, 2
    while quantiles <= n // 2:
        size = n // quantiles
        last = min(n // size, n // 2)  # the largest number of quantiles of this size
        firsts = np.cumsum(sums[np.arange(size, size * last, size) - 1] / np.arange(size, size * last, size))
        numbers = np.arange(quantiles, last + 1)
        total += float((firsts[numbers - 2] / (numbers - 1) - overall).sum())
        quantiles = last + 1
    return total / (n // 2 - 1)


def roc_auc(gold: ArrayLike, scores: ArrayLike) -> float:
    """Return the probability that a BAD item (class 1) has a higher score than an OK item, with ties counted as half.

    With one class only, it is 0.5.
    """
    bad = np.asarray(gold, dtype=bool)
    n_bad = int(bad.sum())
    n_ok = len(bad) - n_bad
    if not n_bad or not n_ok:
        return 0.5
    return float((ranks(scores)[bad].sum() - n_bad * (n_bad + 1) / 2) / (float(n_bad) * n_ok))


def average_precision(gold: ArrayLike, scores: ArrayLike) -> float:
    """Return the mean precision at each score where recall rises; 0 without BAD items (class 1).

    Equal scores count together.
    """
    bad, values = np.asarray(gold, dtype=np.float64), np.asarray(scores)
    n_bad = bad.sum()
    if not n_bad:
        return 0.0
    _, group, counts = np.unique(-values, return_inverse=True, return_counts=True)
    found = np.bincount(group, weights=bad)
    precision = np.cumsum(found) / np.cumsum(counts)
    return float((precision * found).sum() / n_bad)


def recall_at_k(gold: ArrayLike, scores: ArrayLike) -> float:
    """Return the share of the K BAD items (class 1) that are among the K highest scores; 0 without BAD items.

    Equal scores at the border are found in equal part.
    """
    bad, values = np.asarray(gold, dtype=bool), np.asarray(scores)
    n_bad = int(bad.sum())
    if not n_bad:
        return 0.0
    border = _border(values, n_bad)
    above, at = values > border, values == border
    left = n_bad - int(above.sum())
    return float(bad[above].sum() + left * bad[at].sum() / at.sum()) / n_bad


def _border(values: NDArray[np.float64], k: int) -> float:
    """Return the K-th highest value."""
    return float(np.partition(values, len(values) - k)[len(values) - k])


def critical_counts(gold: ArrayLike, scores: ArrayLike) -> NDArray[np.int64]:
    """Return the confusion matrix (gold, flagged) when the K highest scores are flagged, as in WMT 2022.

    K is the number of BAD items. Of equal scores at the border all are flagged, as the official scorer does, so that
    more than K items may be; with all scores equal, these are all items.
    """
    bad, values = np.asarray(gold, dtype=bool), np.asarray(scores, dtype=np.float64)
    n_bad = int(bad.sum())
    flagged = values >= _border(values, n_bad) if n_bad else np.zeros_like(bad)
    found, called = int(bad[flagged].sum()), int(flagged.sum())
    return np.array([[len(bad) - n_bad - (called - found), called - found], [n_bad - found, found]])


def best_threshold(gold: ArrayLike, probabilities: ArrayLike) -> tuple[float, float]:
    """Return the threshold on probabilities of BAD with the highest MCC, and that MCC.

    Probabilities above the threshold count as BAD. Of equally good thresholds, the one nearest to 0.5 is chosen.
    """
    bad, values = np.asarray(gold, dtype=np.int64), np.asarray(probabilities, dtype=np.float64)
    distinct, group = np.unique(values, return_inverse=True)
    total, bad_counts = np.bincount(group), np.bincount(group, weights=bad)
    # Items above each threshold are flagged; the first threshold is below all values and flags everything.
    flagged = np.r_[total.sum(), total.sum() - np.cumsum(total)].astype(np.float64)
    hits = np.r_[bad_counts.sum(), bad_counts.sum() - np.cumsum(bad_counts)]
    n, n_bad = float(len(bad)), float(bad_counts.sum())
    scale = np.sqrt(flagged * (n - flagged) * n_bad * (n - n_bad))
    with np.errstate(invalid="ignore", divide="ignore"):
        mcc = np.where(scale > 0, (hits * n - flagged * n_bad) / scale, 0.0)
    between = np.r_[distinct[0] - 0.5, (distinct[:-1] + distinct[1:]) / 2, distinct[-1]] if len(distinct) else [0.5]
    thresholds = np.clip(between, 0.0, 1.0)
    best = np.flatnonzero(mcc >= mcc.max() - 1e-12)
    chosen = best[np.argmin(np.abs(thresholds[best] - 0.5))]
    return float(thresholds[chosen]), float(mcc[chosen])


def critical_metrics(gold: ArrayLike, scores: ArrayLike) -> dict[str, float]:
    """Return the metrics of a binary decision on segments, from their scores only, by name."""
    counts = critical_counts(gold, scores)
    return {
        "MCC_at_K": matthews(counts),
        "recall_at_K": recall(counts, 1),
        "AUC": roc_auc(gold, scores),
        "AP": average_precision(gold, scores),
    }

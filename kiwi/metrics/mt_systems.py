"""How well scores of translations compare several MT systems: segment by segment, and as whole systems.

These are the metrics of the WMT metrics tasks since 2023, with the definitions of ``mt-metrics-eval``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiwi.metrics.functions import pearson

Matrix = NDArray[np.float64]
"""The scores of translations, (MT systems, segments); NaN where a translation has none."""

PERMUTATIONS = 1000
"""The number of sign permutations of SPA."""

SEED = 4
"""The seed of the sign permutations of SPA."""

TOLERANCE = 1e-12
"""The difference below which two accuracies are equal but for rounding."""


def score_matrix(scores: ArrayLike, mt_system: ArrayLike, segment: ArrayLike, shape: tuple[int, int]) -> Matrix:
    """Arrange the scores of translations by MT system and segment; several scores of one translation are averaged.

    Args:
        scores: the score of each translation, (translations,).
        mt_system: the index of the MT system of each translation, (translations,).
        segment: the index of the source segment of each translation, (translations,).
        shape: the number of MT systems and of segments.
    """
    cells = np.asarray(mt_system) * shape[1] + np.asarray(segment)
    counts = np.bincount(cells, minlength=shape[0] * shape[1])
    sums = np.bincount(cells, weights=np.asarray(scores, dtype=np.float64), minlength=shape[0] * shape[1])
    with np.errstate(invalid="ignore"):
        means: Matrix = (sums / counts).reshape(shape)
    return means


@dataclass(frozen=True)
class TieCalibration:
    """Pairwise accuracy with tie calibration, acc*eq (Deutsch et al. 2023, arXiv:2305.14324).

    A pair of MT systems is correct on a segment if gold and predicted scores order its two translations alike, or both
    tie them. Predicted scores that differ by at most ε are tied, with the ε that maximizes the mean accuracy of the
    segments; all differences of predicted scores, and 0, are candidates. A translation without a gold or a predicted
    score is left out, and so is a segment with fewer than two translations.

    The accuracy equals that of ``tau_optimization`` of mt-metrics-eval (``acc_23``, ``sample_rate=1.0``) but for the
    rounding of a running sum, which is not repeated here; of equally good ε, the smallest one is chosen.
    """

    gold: Matrix
    predicted: Matrix

    @cached_property
    def _pairs(self) -> tuple[Matrix, NDArray[np.bool_], NDArray[np.int64], Matrix, Matrix, NDArray[np.int64]]:
        """Return the accuracy of each segment at ε = 0, whether it has any pair, and what larger ε change.

        The latter are, in the order of ε: the segment of each pair whose correctness changes when it is tied, by how
        much this changes the accuracy of the segment, ε, and the last pair of each ε.
        """
        first, second = np.triu_indices(len(self.gold), 1)
        present = np.isfinite(self.gold) & np.isfinite(self.predicted)
        both = present[first] & present[second]  # (pairs, segments)
        gold = np.sign(self.gold[first] - self.gold[second])
        difference = self.predicted[first] - self.predicted[second]
        correct = both & (gold == np.sign(difference))
        n_pairs = both.sum(axis=0)
        share = 1.0 / np.maximum(n_pairs, 1)
        change = np.where(both, (gold == 0).astype(np.int64) - correct, 0)
        pair, segment = np.nonzero(change)
        epsilon = np.abs(difference[pair, segment])
        order = np.argsort(epsilon, kind="stable")
        epsilon, pair, segment = epsilon[order], pair[order], segment[order]
        last = np.flatnonzero(np.r_[epsilon[1:] != epsilon[:-1], np.ones(min(len(epsilon), 1), dtype=bool)])
        changes = change[pair, segment] * share[segment]
        return correct.sum(axis=0) * share, n_pairs > 0, segment, changes, epsilon, last

    def best(self, chosen: NDArray[np.int64] | None = None) -> tuple[float, float]:
        """Return the highest accuracy and its ε; (0, 0) without any pair.

        Args:
            chosen: the indices of the segments, which may occur more than once; None stands for each segment once.
        """
        accuracy, has_pairs, segment, changes, epsilon, last = self._pairs
        weights = has_pairs.astype(np.float64)
        if chosen is not None:
            weights *= np.bincount(chosen, minlength=len(weights))
        total = weights.sum()
        if not total:
            return 0.0, 0.0
        start, gains = weights @ accuracy, np.cumsum(changes * weights[segment])[last]
        highest = max(gains.max(initial=0.0), 0.0)
        if highest <= TOLERANCE * total:
            return float(start / total), 0.0
        best = int(np.argmax(gains >= highest - TOLERANCE * total))
        return float((start + gains[best]) / total), float(epsilon[last[best]])


def soft_pairwise_accuracy(gold: Matrix, predicted: Matrix) -> float:
    """Return SPA, the soft pairwise accuracy of MT systems (Thompson et al. 2024, arXiv:2409.09598).

    It is 1 minus the mean over pairs of MT systems of the absolute difference of two p-values, those of the hypothesis
    that one system is better, from gold and from predicted scores; see :func:`p_values`. Only segments with both scores
    for every MT system count; without any, or with fewer than two systems, SPA is 0.

    Where every system has gold scores for the same segments, as in the tasks of WMT, the result is that of
    mt-metrics-eval with the MT systems in the same order: the signs are the same bit by bit, and so is the arithmetic,
    in single precision. Sums of whole numbers, as of MQM with its weights 1 and 5, are exact, so that the result is the
    same on any machine. Other sums are rounded in the order in which the BLAS library of NumPy adds, so that another
    library may decide otherwise about permutations whose difference equals the observed one but for rounding, each of
    which moves a p-value by 0.001. With other signs, results are equal in distribution only. Where systems have gold
    scores for different segments, mt-metrics-eval compares scores of different segments, or fails.
    """
    complete = np.isfinite(gold).all(axis=0) & np.isfinite(predicted).all(axis=0)
    upper = np.triu_indices(len(gold), 1)
    if not complete.any() or not len(upper[0]):
        return 0.0
    differences = np.abs(p_values(gold[:, complete]) - p_values(predicted[:, complete]))[upper]
    return float(1.0 - np.mean(differences))


def p_values(scores: Matrix) -> Matrix:
    """Return the p-value of each MT system being better than each later one, by a paired permutation test.

    A permutation swaps the scores of two systems on random segments. The p-value is the share of permutations whose
    difference of sums is at least the observed one; all pairs share the permutations.

    Args:
        scores: the score of each MT system and segment.

    Returns:
        The p-values above the diagonal, (systems, systems); 0 elsewhere.
    """
    n_systems, n_segments = scores.shape
    # Steps, types and the order of the operands are those of the official code, on which the last bits depend.
    signs = np.random.default_rng(SEED).random(size=(PERMUTATIONS, n_segments), dtype=np.float32)
    np.rint(signs, out=signs)
    signs *= 2.0
    signs -= 1.0
    single = scores.astype(np.float32)
    sums = np.sum(single, axis=1)  # (systems,)
    permuted = np.matmul(signs, single.T)  # (permutations, systems)
    found = np.zeros((n_systems, n_systems))
    for one in range(n_systems - 1):
        differences = permuted[:, one, None] - permuted[:, one + 1 :]
        found[one, one + 1 :] = (differences >= sums[one] - sums[one + 1 :]).sum(axis=0) / PERMUTATIONS
    return found


def system_scores(gold: Matrix, predicted: Matrix) -> tuple[Matrix, Matrix]:
    """Return the mean gold and the mean predicted score of each MT system, over the translations that have both."""
    present = np.isfinite(gold) & np.isfinite(predicted)
    counts = present.sum(axis=1)
    kept = counts > 0
    sums = (np.where(present, values, 0.0).sum(axis=1) for values in (gold, predicted))
    means = [total[kept] / counts[kept] for total in sums]
    return means[0], means[1]


def pairwise_accuracy(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Return the share of pairs of MT systems that two scores order alike, or both tie (Kocmi et al. 2021).

    See arXiv:2107.10821.

    Args:
        gold: the gold score of each MT system, (systems,).
        predicted: the predicted score of each MT system, (systems,).
    """
    x, y = np.asarray(gold), np.asarray(predicted)
    first, second = np.triu_indices(len(x), 1)
    agree = np.sign(x[first] - x[second]) == np.sign(y[first] - y[second])
    return float(agree.mean()) if len(agree) else 0.0


def system_metrics(gold: Matrix, predicted: Matrix) -> dict[str, float]:
    """Return Pearson's correlation and the pairwise accuracy of the mean scores of MT systems, by name."""
    means = system_scores(gold, predicted)
    return {"SYS_PEARSON": pearson(*means), "SYS_CORRECT": pairwise_accuracy(*means)}

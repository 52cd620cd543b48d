"""Scores of words as explanations of a segment's score, as in the shared task of Eval4NLP 2021 (Fomicheva et al.)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from kiwi.metrics.ranking import average_precision, recall_at_k, roc_auc


def explanation_metrics(gold: Sequence[ArrayLike], scores: Sequence[ArrayLike]) -> tuple[dict[str, float], int]:
    """Means over the segments that are neither all OK nor all BAD.

    Args:
        gold: classes of each segment's words, 1 is BAD.
        scores: of the same words, higher for those that are likelier BAD.

    Returns:
        AUC, average precision and recall at K (0 without such a segment), and the number of those segments.
    """
    rows = []
    for classes, values in zip(gold, scores, strict=True):
        bad = np.asarray(classes, dtype=bool)
        if bad.any() and not bad.all():
            rows.append((roc_auc(bad, values), average_precision(bad, values), recall_at_k(bad, values)))
    means = np.mean(rows, axis=0).tolist() if rows else [0.0, 0.0, 0.0]
    return dict(zip(("AUC", "AP", "recall_at_K"), means, strict=True)), len(rows)

"""Scores of words as explanations of a segment's score, as in the shared task of Eval4NLP 2021 (Fomicheva et al.)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiwi.metrics.ranking import average_precision, recall_at_k, roc_auc

FIGURES = ("AUC", "AP", "recall_at_K")
"""Of each segment: area under the ROC curve, average precision, and recall among as many words as are BAD."""


def explain_segments(gold: Sequence[ArrayLike], scores: Sequence[ArrayLike]) -> NDArray[np.float64]:
    """Figures of the segments that are neither all OK nor all BAD; those of a corpus are their means.

    Args:
        gold: classes of each segment's words, 1 is BAD.
        scores: of the same words, higher for those that are likelier BAD.

    Returns:
        (segments, figures), of those segments alone.
    """
    rows = []
    for classes, values in zip(gold, scores, strict=True):
        bad = np.asarray(classes, dtype=bool)
        if bad.any() and not bad.all():
            rows.append((roc_auc(bad, values), average_precision(bad, values), recall_at_k(bad, values)))
    return np.array(rows, dtype=np.float64).reshape(-1, len(FIGURES))

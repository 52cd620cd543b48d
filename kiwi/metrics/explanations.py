"""Word scores as explanations of a segment's score, as in the Eval4NLP 2021 shared task (Fomicheva et al. 2021).

DOI: 10.18653/v1/2021.eval4nlp-1.17.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiwi.metrics.ranking import average_precision, recall_at_k, roc_auc

FIGURES = ("AUC", "AP", "recall_at_K")
"""The metrics of a segment, which are the area under the ROC curve, average precision, and recall among the K highest
scores, where K is the number of BAD words."""


def explain_segments(gold: Sequence[ArrayLike], scores: Sequence[ArrayLike]) -> NDArray[np.float64]:
    """Return the metrics of the segments that have both OK and BAD words; corpus metrics are their means.

    Args:
        gold: the classes of each segment's words, where 1 is BAD.
        scores: the scores of the same words, higher for words that are more likely BAD.

    Returns:
        The metrics of these segments only, (segments, metrics).
    """
    rows = []
    for classes, values in zip(gold, scores, strict=True):
        bad = np.asarray(classes, dtype=bool)
        if bad.any() and not bad.all():
            rows.append((roc_auc(bad, values), average_precision(bad, values), recall_at_k(bad, values)))
    return np.array(rows, dtype=np.float64).reshape(-1, len(FIGURES))

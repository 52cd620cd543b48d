"""The detection of segments without errors, as in WMT 2026."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kiwi.metrics.aligned import Aligned
from kiwi.metrics.functions import confusion, f1, matthews, precision, recall
from kiwi.metrics.measured import Measured
from kiwi.metrics.ranking import average_precision

ERROR_FREE = "error_free"
"""The output, whose gold class 1 is a segment without errors."""


def measure_error_free(aligned: Aligned) -> list[Measured]:
    """Prepare each system's decisions on segments: the metrics of the error-free ones, MCC first.

    Args:
        aligned: the gold classes, where 1 is a segment without errors, and predicted values that are at least 0 for
            segments that a system takes as such, and rank them.
    """
    found = []
    for system, values in aligned.predicted.items():
        classes, gold = (values >= 0.0).astype(np.int64), aligned.gold
        counts = np.zeros((len(gold), 2, 2), dtype=np.int64)
        counts[np.arange(len(gold)), gold.astype(np.int64), classes] = 1

        def statistic(chosen: NDArray[np.int64], system: str = system) -> dict[str, float]:
            gold, values = aligned.gold[chosen], aligned.predicted[system][chosen]
            return error_free_metrics(gold.astype(np.int64), values)

        n = len(gold)
        found.append(
            Measured(
                ERROR_FREE,
                system,
                n,
                "segments",
                n,
                statistic,
                counts=counts,
                rule=aligned.scale,
                left_out=aligned.left_out,
                excluded=len(aligned.excluded),
            )
        )
    return found


def error_free_metrics(gold: NDArray[np.int64], values: NDArray[np.float64]) -> dict[str, float]:
    """Return the metrics of error-free segments by name, MCC first.

    Args:
        gold: the gold classes, where 1 is a segment without errors.
        values: the predicted values, which are at least 0 for segments that are taken as free of errors.
    """
    counts = confusion(gold, values >= 0.0)
    return {
        "MCC": matthews(counts),
        "F1": f1(counts, 1),
        "precision": precision(counts, 1),
        "recall": recall(counts, 1),
        "AP": average_precision(gold, values),
    }

"""Decoding of probabilities of pieces and gaps into error spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiwi.data.labels.error_spans import ErrorSpan


def decode_spans(
    probabilities: NDArray[np.floating[Any]], bounds: NDArray[np.int64], severities: Sequence[str]
) -> list[ErrorSpan]:
    """Return the error spans of a translation, in the order of their positions.

    A span is a run of units that are more probably wrong than right, whatever their severities. Its severity is the one
    with the highest mean probability over its units, and its confidence is their mean probability of an error. A gap
    that is more probably wrong than right is an omission, an empty span at the beginning of the next unit.

    Args:
        probabilities: the probabilities of OK and of each severity of gaps and units, alternating from gap 0 to the gap
            after the last unit, (2 * units + 1, 1 + severities).
        bounds: the positions of the first character of each unit and after its last one, (units, 2).
        severities: the severities, the least severe first.
    """
    is_error = probabilities[:, 0] < 0.5
    if not is_error.any():
        return []
    values = probabilities.astype(np.float64)
    gaps, units = values[0::2], values[1::2]
    edges = np.flatnonzero(np.diff(is_error[1::2].astype(np.int8), prepend=0, append=0))
    spans = [
        _span(int(bounds[first, 0]), int(bounds[after - 1, 1]), units[first:after].mean(axis=0), severities)
        for first, after in edges.reshape(-1, 2).tolist()
    ]
    places = [*bounds[:, 0].tolist(), int(bounds[-1, 1]) if len(bounds) else 0]
    spans += [_span(places[gap], places[gap], gaps[gap], severities) for gap in np.flatnonzero(is_error[0::2]).tolist()]
    return sorted(spans, key=lambda span: span[:2])


def _span(start: int, end: int, probabilities: NDArray[np.float64], severities: Sequence[str]) -> ErrorSpan:
    severity = severities[int(probabilities[1:].argmax())]
    return ErrorSpan(start, end, severity, float(1.0 - probabilities[0]))


def decode_batch(
    probabilities: NDArray[np.floating[Any]],
    mask: NDArray[np.bool_],
    bounds: NDArray[np.int64],
    severities: Sequence[str],
) -> list[list[ErrorSpan]]:
    """Return the error spans of each segment of a batch; see :func:`decode_spans`.

    Args:
        probabilities: the probabilities of all segments, (batch, 2 * units + 1, 1 + severities).
        mask: whether there is a unit, (batch, units).
        bounds: the positions of the units, (batch, units, 2).
        severities: the severities, the least severe first.
    """
    return [
        decode_spans(own[: 2 * count + 1], places[:count], severities)
        for own, places, count in zip(probabilities, bounds, np.count_nonzero(mask, axis=1).tolist(), strict=True)
    ]


def expected_penalty(
    probabilities: NDArray[np.floating[Any]], severities: Sequence[str], weights: Mapping[str, float]
) -> float:
    """Return the expected penalty of a translation under the probabilities of its labels.

    An error counts where it begins. Adjacent units are assumed to belong to the same error as far as their
    probabilities allow: a new error begins at a unit with the increase of the error probability over the unit before.
    Each gap counts.

    Args:
        probabilities: the probabilities of OK and of each severity of gaps and units, alternating from gap 0 to the gap
            after the last unit, (2 * units + 1, 1 + severities).
        severities: the severities, the least severe first.
        weights: the points of penalty of each severity.
    """
    values = probabilities.astype(np.float64)
    points = (values[:, 1:] * [weights[severity] for severity in severities]).sum(axis=1)
    errors = values[1::2, 1:].sum(axis=1)
    rises = np.maximum(np.diff(errors, prepend=0.0), 0.0)
    begins = np.divide(rises, errors, out=np.zeros_like(errors), where=errors > 0)
    return float((begins * points[1::2]).sum() + points[0::2].sum())


def expected_penalties(
    probabilities: NDArray[np.floating[Any]],
    mask: NDArray[np.bool_],
    severities: Sequence[str],
    weights: Mapping[str, float],
) -> list[float]:
    """Return the expected penalty of each segment of a batch; see :func:`expected_penalty`.

    Args:
        probabilities: the probabilities of all segments, (batch, 2 * units + 1, 1 + severities).
        mask: whether there is a unit, (batch, units).
        severities: the severities, the least severe first.
        weights: the points of penalty of each severity.
    """
    return [
        expected_penalty(own[: 2 * count + 1], severities, weights)
        for own, count in zip(probabilities, np.count_nonzero(mask, axis=1).tolist(), strict=True)
    ]

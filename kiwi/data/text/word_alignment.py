"""Word alignments from contextual word vectors of the two sides of a segment."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Method = Literal["argmax", "softmax"]

METHODS: tuple[Method, ...] = get_args(Method)

SHARPNESS = 30.0
"""The factor of the cosines before the softmax; 20 to 40 hardly differ on the development data of MLQE-PE."""

THRESHOLD = 0.2
"""The geometric mean of the probabilities in both directions that a pair must exceed; so do 0.15 to 0.25."""

Vectors = NDArray[np.float32]


def similarities(source: Vectors, target: Vectors) -> NDArray[np.float64]:
    """Return the cosine of each pair of words, after subtracting the mean of its own side.

    The mean is that of the segment, so that an alignment depends on no other segment.

    Args:
        source: the vectors of the source words, (source_words, hidden).
        target: the vectors of the target words, (target_words, hidden).

    Returns:
        The cosines, (source_words, target_words).
    """
    return _centred(source) @ _centred(target).T


def _centred(vectors: Vectors) -> NDArray[np.float64]:
    vectors64 = vectors.astype(np.float64)
    # A side of one word is its own mean, which leaves no direction.
    centred = vectors64 - vectors64.mean(axis=0) if len(vectors64) > 1 else vectors64
    unit: NDArray[np.float64] = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    return unit


def align_words(source: Vectors, target: Vectors, method: Method = "argmax") -> list[tuple[int, int]]:
    """Align the words of a segment.

    Args:
        source: the vectors of the source words, (source_words, hidden).
        target: the vectors of the target words, (target_words, hidden).
        method: ``argmax`` links words that are each other's most similar word (Jalili Sabet et al. 2020, SimAlign,
            arXiv 2004.08728); ``softmax`` links words whose probabilities in both directions (Dou and Neubig 2021,
            awesome-align, arXiv 2101.08231) have a geometric mean above 0.2, which finds more links.

    Returns:
        The pairs of source and target index, counted from 0, in order.
    """
    if not len(source) or not len(target):
        return []
    found = similarities(source, target)
    if method == "argmax":
        # Of equal cosines, the first word wins.
        best = found.argmax(axis=1)
        rows = np.arange(len(best))
        linked = found.argmax(axis=0)[best] == rows
        return list(zip(rows[linked].tolist(), best[linked].tolist(), strict=True))
    forward, backward = _softmax(found, axis=1), _softmax(found, axis=0)
    # Directions that agree say more than either bound of its own: a sure one makes up for one of several candidates.
    pairs = np.argwhere(forward * backward > THRESHOLD**2)
    return [(int(row), int(column)) for row, column in pairs]


def _softmax(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    powers = np.exp(SHARPNESS * (values - values.max(axis=axis, keepdims=True)))
    shares: NDArray[np.float64] = powers / powers.sum(axis=axis, keepdims=True)
    return shares


def alignment_line(pairs: list[tuple[int, int]]) -> str:
    """Return the pairs of a segment as a line of a file of alignments, such as ``0-0 1-2``."""
    return " ".join(f"{source}-{target}" for source, target in pairs)

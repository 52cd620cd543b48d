"""The statistics that the page draws, from arrays of any size: bins, groups by length, samples, losses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiwi import constants as const
from kiwi.metrics.aligned import Aligned
from kiwi.outputs import names as output_names

SEED = 20
"""The seed of the samples, so that the same data gives the same page."""

LEAST_PROBABILITY = 1e-6
"""The least probability that enters a loss, which stays finite where a system was certain and wrong."""


def log_losses(gold: NDArray[np.int64], bad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log-loss of each tag in nats, (tags,)."""
    right = np.where(gold == 1, bad, 1.0 - bad)
    losses: NDArray[np.float64] = -np.log(np.maximum(right, LEAST_PROBABILITY))
    return losses


def means_of_segments(values: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean of the values of each segment, (segments,); 0 for a segment without values."""
    sums = np.concatenate(([0.0], np.cumsum(values)))
    return np.diff(sums[offsets]) / np.maximum(np.diff(offsets), 1)


def lengths_in_words(aligned: Aligned) -> NDArray[np.int64] | None:
    """Return the number of words of each segment, (segments,), from its tags; None if these do not determine it."""
    if aligned.offsets is None or aligned.output in output_names(unit="segment"):
        return None
    tags = np.diff(aligned.offsets)
    if aligned.output in output_names(unit="gap"):
        tags = tags - 1
    elif aligned.output == const.WMT19:
        tags = (tags - 1) // 2
    return np.maximum(tags, 0)


@dataclass(frozen=True)
class Quarters:
    """Segments grouped by length."""

    names: list[str]
    """The lengths of each group, such as ``7–12``."""

    group: NDArray[np.int64]
    """The group of each segment, (segments,)."""


def quarters(lengths: NDArray[np.int64]) -> Quarters:
    """Group segments by the quartiles of their length; into fewer groups where many have the same length."""
    edges = np.unique(np.floor(np.quantile(lengths, [0.25, 0.5, 0.75, 1.0])).astype(np.int64))
    # Groups without a segment get no number.
    _, group = np.unique(np.searchsorted(edges, lengths), return_inverse=True)
    names = []
    for number in range(int(group.max()) + 1):
        members = lengths[group == number]
        low, high = int(members.min()), int(members.max())
        names.append(f"{low}–{high}" if low < high else f"{low}")
    return Quarters(names, group)


def confusions(
    aligned: Aligned, quartered: Quarters, gold: NDArray[np.int64], predicted: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Count the tags of each group by class, (groups, gold, predicted)."""
    assert aligned.offsets is not None
    group = np.repeat(quartered.group, np.diff(aligned.offsets))
    n = len(quartered.names)
    return np.bincount(group * 4 + gold * 2 + predicted, minlength=n * 4).reshape(n, 2, 2)


def sample(n: int, most: int) -> NDArray[np.int64]:
    """Return the indices of ``n`` items, or a sample of ``most`` of them that is the same each time."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(SEED).choice(n, most, replace=False))


def histogram(values: ArrayLike, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of the values in each bin, (bins,)."""
    counts, _ = np.histogram(np.asarray(values), edges)
    shares: NDArray[np.float64] = counts / max(int(counts.sum()), 1)
    return shares

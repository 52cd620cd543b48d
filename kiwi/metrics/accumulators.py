"""Metrics of a corpus that is seen in batches: they keep statistics of all of it, never means of batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiwi.constants import IGNORE, LABELS
from kiwi.metrics import functions


class Accumulator(ABC):
    """Takes batches of gold and predicted values, and computes metrics of all of them together.

    Args:
        prefix: of the metrics' names.
    """

    names: tuple[str, ...]
    """Names of the metrics, with the prefix, the main one first."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.reset()

    @abstractmethod
    def reset(self) -> None:
        """Forget everything."""

    @abstractmethod
    def update(self, gold: ArrayLike, predicted: ArrayLike) -> None:
        """Take a batch; both arrays have the same shape."""

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Take what another one, of the same metrics, has taken."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Metrics of everything taken so far, by name."""


class TagMetrics(Accumulator):
    """MCC, F1 and accuracy of classes; gold values of :data:`kiwi.constants.IGNORE` do not count."""

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.names = tuple(self.compute())

    def reset(self) -> None:
        """As :meth:`Accumulator.reset`."""
        self.counts: NDArray[np.int64] = np.zeros((len(LABELS), len(LABELS)), dtype=np.int64)

    def update(self, gold: ArrayLike, predicted: ArrayLike) -> None:
        """As :meth:`Accumulator.update`, with classes."""
        gold, predicted = np.asarray(gold), np.asarray(predicted)
        there = gold != IGNORE
        self.counts += functions.confusion(gold[there], predicted[there])

    def merge(self, other: Self) -> None:
        """As :meth:`Accumulator.merge`."""
        self.counts += other.counts

    def compute(self) -> dict[str, float]:
        """As :meth:`Accumulator.compute`."""
        return {f"{self.prefix}_{name}": value for name, value in functions.tag_metrics(self.counts).items()}


class Accuracy(TagMetrics):
    """The share of correct classes alone."""

    def compute(self) -> dict[str, float]:
        """As :meth:`Accumulator.compute`."""
        return {f"{self.prefix}_CORRECT": functions.accuracy(self.counts)}


class ScoreMetrics(Accumulator):
    """Pearson, Spearman and RMSE of sentence scores; names carry no prefix."""

    names = ("PEARSON", "SPEARMAN", "RMSE")

    def reset(self) -> None:
        """As :meth:`Accumulator.reset`."""
        self.gold: list[NDArray[np.float64]] = []
        self.predicted: list[NDArray[np.float64]] = []

    def update(self, gold: ArrayLike, predicted: ArrayLike) -> None:
        """As :meth:`Accumulator.update`, with scores."""
        self.gold.append(np.asarray(gold, dtype=np.float64))
        self.predicted.append(np.asarray(predicted, dtype=np.float64))

    def merge(self, other: Self) -> None:
        """As :meth:`Accumulator.merge`."""
        self.gold += other.gold
        self.predicted += other.predicted

    def compute(self) -> dict[str, float]:
        """As :meth:`Accumulator.compute`."""
        gold, predicted = (np.concatenate([[], *batches]) for batches in (self.gold, self.predicted))
        of = {"PEARSON": functions.pearson, "SPEARMAN": functions.spearman, "RMSE": functions.rmse}
        return {name: of[name](gold, predicted) for name in self.names}


class LanguageModelMetrics(Accumulator):
    """Perplexity, accuracy and expected error of predicted tokens.

    The expected error is 1 minus the mean probability of the tokens that are there.
    """

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.names = tuple(self.compute())

    def reset(self) -> None:
        """As :meth:`Accumulator.reset`."""
        self.n_tokens = self.n_correct = 0
        self.log_probability = self.probability = 0.0

    def update(self, gold: ArrayLike, predicted: ArrayLike) -> None:
        """Take some tokens.

        Args:
            gold: log-probability of each token that is there, in nats, (tokens,).
            predicted: whether each was the likeliest, bool (tokens,).
        """
        log_probabilities = np.asarray(gold, dtype=np.float64)
        self.n_tokens += log_probabilities.size
        self.n_correct += int(np.asarray(predicted, dtype=bool).sum())
        self.log_probability += float(log_probabilities.sum())
        self.probability += float(np.exp(log_probabilities).sum())

    def merge(self, other: Self) -> None:
        """As :meth:`Accumulator.merge`."""
        self.n_tokens += other.n_tokens
        self.n_correct += other.n_correct
        self.log_probability += other.log_probability
        self.probability += other.probability

    def compute(self) -> dict[str, float]:
        """As :meth:`Accumulator.compute`; everything is 0 without tokens."""
        n = self.n_tokens
        values = {
            "PERP": functions.perplexity(self.log_probability, n),
            "CORRECT": self.n_correct / n if n else 0.0,
            "ExpErr": 1.0 - self.probability / n if n else 0.0,
        }
        return {f"{self.prefix}_{name}": value for name, value in values.items()}

"""Metrics of a corpus that arrives in batches; they are computed from the whole corpus, never averaged over batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import override

from kiwi.constants import IGNORE, LABELS, SENTENCE_SCORES
from kiwi.metrics import functions
from kiwi.metrics.ranking import critical_metrics
from kiwi.metrics.spans import Span, SpanCounts, count_spans


class Accumulator(ABC):
    """Accumulates batches of gold and predicted values, and computes the metrics of all of them together.

    Args:
        prefix: the prefix of the metrics' names.
    """

    names: tuple[str, ...]
    """The names of the metrics, with the prefix, the main one first."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.reset()

    @abstractmethod
    def reset(self) -> None:
        """Discard all batches."""

    @abstractmethod
    def update(self, gold: ArrayLike, predicted: ArrayLike) -> None:
        """Add a batch; both arrays have the same shape."""

    @property
    @abstractmethod
    def is_empty(self) -> bool:
        """Whether no batch so far had labels."""

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Add the batches of another accumulator of the same metrics."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Return the metrics of all batches so far, by name."""


class TagMetrics(Accumulator):
    """MCC, F1 and accuracy of classes; gold values of :data:`kiwi.constants.IGNORE` are ignored."""

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.names = tuple(self.compute())

    @override
    def reset(self) -> None:
        self.counts: NDArray[np.int64] = np.zeros((len(LABELS), len(LABELS)), dtype=np.int64)

    @override
    def update(self, gold: ArrayLike, predicted: ArrayLike) -> None:
        gold, predicted = np.asarray(gold), np.asarray(predicted)
        labelled = gold != IGNORE
        self.counts += functions.confusion(gold[labelled], predicted[labelled])

    @property
    @override
    def is_empty(self) -> bool:
        return not self.counts.any()

    @override
    def merge(self, other: Self) -> None:
        self.counts += other.counts

    @override
    def compute(self) -> dict[str, float]:
        return {f"{self.prefix}_{name}": value for name, value in functions.tag_metrics(self.counts).items()}


class ValueMetrics(Accumulator):
    """Metrics that need the values of all segments together."""

    @override
    def reset(self) -> None:
        self.gold: list[NDArray[np.float64]] = []
        self.predicted: list[NDArray[np.float64]] = []

    @override
    def update(self, gold: ArrayLike, predicted: ArrayLike) -> None:
        gold, predicted = np.asarray(gold, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
        labelled = ~np.isnan(gold)
        self.gold.append(gold[labelled])
        self.predicted.append(predicted[labelled])

    @property
    @override
    def is_empty(self) -> bool:
        return not any(len(batch) for batch in self.gold)

    @override
    def merge(self, other: Self) -> None:
        self.gold += other.gold
        self.predicted += other.predicted

    def values(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the gold and predicted values of all segments, (segments,) each."""
        gold, predicted = (np.concatenate([[], *batches]) for batches in (self.gold, self.predicted))
        return gold, predicted


class VerdictMetrics(ValueMetrics):
    """Accuracy, MCC and F1 of verdicts on segments, and metrics of their ranking by the probability of BAD."""

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.names = tuple(self.compute())

    @override
    def compute(self) -> dict[str, float]:
        gold, predicted = self.values()
        metrics = functions.tag_metrics(functions.confusion(gold, predicted > 0.5))
        metrics = {"CORRECT": metrics["CORRECT"]} | metrics | critical_metrics(gold, predicted)
        return {f"{self.prefix}_{name}": value for name, value in metrics.items()}


class ScoreMetrics(ValueMetrics):
    """Pearson, Spearman and RMSE of scores.

    Args:
        prefix: the name of the output, which the names of its metrics begin with, except for ``sentence_scores``.
    """

    def __init__(self, prefix: str) -> None:
        own = "" if prefix == SENTENCE_SCORES else f"{prefix}_"
        self.names = tuple(f"{own}{name}" for name in ("PEARSON", "SPEARMAN", "RMSE"))
        super().__init__(prefix)

    @override
    def compute(self) -> dict[str, float]:
        gold, predicted = self.values()
        metrics = (functions.pearson, functions.spearman, functions.rmse)
        return {name: metric(gold, predicted) for name, metric in zip(self.names, metrics, strict=True)}


class SpanMetrics(Accumulator):
    """F1 of error spans, in the definition of WMT23, and MCC of right and wrong pieces.

    The spans of each rater of a segment count as the gold spans of one segment.
    """

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.names = tuple(self.compute())

    @override
    def reset(self) -> None:
        self.spans = SpanCounts()
        self.counts: NDArray[np.int64] = np.zeros((len(LABELS), len(LABELS)), dtype=np.int64)

    @override
    def update(self, gold: ArrayLike, predicted: ArrayLike) -> None:
        """Add the pieces of a batch.

        Args:
            gold: whether at least half of the raters marked each piece, bool (pieces,).
            predicted: whether the system marks it, bool (pieces,).
        """
        self.counts += functions.confusion(gold, predicted)

    def add_spans(self, gold: Sequence[Span], predicted: Sequence[Span]) -> None:
        """Add the spans of a segment; none lies beyond its end."""
        length = max((span[1] for span in (*gold, *predicted)), default=0)
        self.spans += count_spans(" " * length, gold, predicted)

    @property
    @override
    def is_empty(self) -> bool:
        return not self.counts.any()

    @override
    def merge(self, other: Self) -> None:
        self.spans += other.spans
        self.counts += other.counts

    @override
    def compute(self) -> dict[str, float]:
        values = {"F1": self.spans.metrics["F1"], "MCC": functions.matthews(self.counts)}
        return {f"{self.prefix}_{name}": value for name, value in values.items()}


class LanguageModelMetrics(Accumulator):
    """Perplexity, accuracy and expected error of predicted tokens.

    The expected error is 1 minus the mean probability of the gold tokens. All metrics are 0 without tokens.
    """

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.names = tuple(self.compute())

    @override
    def reset(self) -> None:
        self.n_tokens = self.n_correct = 0
        self.log_probability = self.probability = 0.0

    @override
    def update(self, gold: ArrayLike, predicted: ArrayLike) -> None:
        """Add the gold tokens of a batch.

        Args:
            gold: the log-probability of each gold token, in nats, (tokens,).
            predicted: whether each gold token was the most probable one, bool (tokens,).
        """
        log_probabilities = np.asarray(gold, dtype=np.float64)
        self.n_tokens += log_probabilities.size
        self.n_correct += int(np.asarray(predicted, dtype=bool).sum())
        self.log_probability += float(log_probabilities.sum())
        self.probability += float(np.exp(log_probabilities).sum())

    @property
    @override
    def is_empty(self) -> bool:
        return not self.n_tokens

    @override
    def merge(self, other: Self) -> None:
        self.n_tokens += other.n_tokens
        self.n_correct += other.n_correct
        self.log_probability += other.log_probability
        self.probability += other.probability

    @override
    def compute(self) -> dict[str, float]:
        n = self.n_tokens
        values = {
            "PERP": functions.perplexity(self.log_probability, n),
            "CORRECT": self.n_correct / n if n else 0.0,
            "ExpErr": 1.0 - self.probability / n if n else 0.0,
        }
        return {f"{self.prefix}_{name}": value for name, value in values.items()}

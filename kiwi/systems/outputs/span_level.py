"""The span-level output: errors in the translation, and omissions, with severities."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.data.labels.error_spans import SEVERITIES, parse_error_spans
from kiwi.data.labels.spans.decoding import decode_batch
from kiwi.data.labels.spans.options import SpanLabel, SpanLevelConfig
from kiwi.metrics.accumulators import Accumulator, SpanMetrics
from kiwi.systems.features import Features, FeatureSizes
from kiwi.systems.outputs.base import Output, divide_logits

GAPS, UNITS = 0, 1
"""The rows of weights for gaps and units, which alternate in logits, labels and probabilities."""


LABEL_ARRAYS = ("unit_mask", "unit_bounds", "span_labels", "gold_spans", "n_raters")
"""The arrays of a batch that its metrics are computed from."""


class SpanOutput(Output):
    """OK or a severity for each unit of the translation, and for each gap before, between and after units.

    The features of a gap are those of the units on its two sides, zeros beyond the ends.

    Args:
        in_dim: the size of a unit's features.
        config: the options.
        dropout: the dropout probability of the features.
    """

    label_field = const.ERROR_SPANS

    def __init__(self, in_dim: int, config: SpanLevelConfig, dropout: float) -> None:
        super().__init__()
        self.severities = config.severities
        labels: tuple[SpanLabel, ...] = ("OK", *config.severities)
        self.dropout = nn.Dropout(dropout)
        self.units = nn.Linear(in_dim, len(labels))
        self.gaps = nn.Linear(2 * in_dim, len(labels))
        by_row = (config.class_weights.omissions, config.class_weights.spans)
        weights = torch.tensor([[own.get(label, 1.0) for label in labels] for own in by_row])
        self.register_buffer("class_weights", weights, persistent=False)
        # The labels that have been trained, now or before, and those that the training data has: a logit without
        # labels is not trained, which would only push it down, and is not predicted before it has been trained.
        only_ok = torch.zeros(2, len(labels), dtype=torch.bool)
        only_ok[:, 0] = True
        self.register_buffer("trained", only_ok)
        self.register_buffer("in_data", only_ok.clone(), persistent=False)
        ok_of_units = torch.zeros(2, len(labels))
        ok_of_units[UNITS, 0] = 1.0
        self.register_buffer("ok_of_units", ok_of_units, persistent=False)

    @classmethod
    @override
    def build(cls, name: str, config: Any, sizes: FeatureSizes) -> Self:
        return cls(sizes.target, config.span_level, config.dropout)

    def fit(self, lines: Iterable[str]) -> None:
        """Record which labels the training data has.

        Args:
            lines: the error spans of each segment.
        """
        found = {
            (span.start < span.end, span.severity)
            for line in set(lines)
            for spans in parse_error_spans(line)
            for span in spans
        }
        for is_unit, severity in found:
            known = [SEVERITIES.index(own) for own in self.severities]
            label = max(1, sum(own <= SEVERITIES.index(severity) for own in known))
            for buffer in ("trained", "in_data"):
                self.get_buffer(buffer)[int(is_unit), label] = True

    @override
    def forward(self, features: Features) -> Tensor:
        """Return logits of gaps and units, alternating, (batch, 2 * units + 1, labels)."""
        assert features.units is not None, "the system batches units"
        words = self.dropout(features.units)
        padded = functional.pad(words, (0, 0, 1, 1))  # (batch, units + 2, in_dim)
        gaps = self.gaps(torch.cat([padded[:, :-1], padded[:, 1:]], dim=-1))
        units = functional.pad(self.units(words), (0, 0, 0, 1))  # (batch, units + 1, labels), as gaps
        return torch.stack([gaps, units], dim=2).flatten(1, 2)[:, :-1]

    def shift(self, logits: Tensor, amounts: Tensor) -> Tensor:
        """Return logits, in which those of OK are raised for all units of a segment.

        Args:
            logits: the logits of gaps and units, (batch, 2 * units + 1, labels).
            amounts: the amount for each segment, (batch,).
        """
        return logits + amounts.to(logits.dtype)[:, None, None] * self._rows("ok_of_units", logits).to(logits.dtype)

    def _rows(self, buffer: str, logits: Tensor) -> Tensor:
        """Return the row of a buffer for each gap and unit, (2 * units + 1, labels)."""
        rows = self.get_buffer(buffer)
        return rows[torch.arange(logits.shape[1], device=rows.device) % 2]

    @override
    def loss(self, logits: Tensor, batch: QEBatch[Tensor]) -> Tensor:
        """Return the weighted cross-entropy with the shares of raters, summed over gaps and units."""
        assert batch.span_labels is not None
        absent = ~self._rows("in_data", logits)
        log_probabilities = logits.float().masked_fill(absent, -math.inf).log_softmax(dim=-1).masked_fill(absent, 0.0)
        weights = self._rows("class_weights", logits)
        return -(batch.span_labels * weights * log_probabilities).sum() / len(batch)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probabilities of labels of gaps and units, alternating, (batch, 2 * units + 1, labels)."""
        return logits.float().masked_fill(~self._rows("trained", logits), -math.inf).softmax(dim=-1)

    @override
    def update(self, accumulator: Accumulator, logits: Tensor, batch: QEBatch[Tensor]) -> None:
        arrays = {name: tensor.cpu().numpy() for name, tensor in batch.arrays().items() if name in LABEL_ARRAYS}
        self.measure(accumulator, self.probabilities(logits).cpu().numpy(), arrays)

    def measure(
        self, accumulator: Accumulator, found: NDArray[np.floating[Any]], arrays: Mapping[str, NDArray[Any]]
    ) -> None:
        """Add a batch to an accumulator.

        Args:
            accumulator: the accumulator.
            found: the probabilities of labels, (batch, 2 * units + 1, labels).
            arrays: the arrays of the batch, which include :data:`LABEL_ARRAYS`.
        """
        assert isinstance(accumulator, SpanMetrics)
        mask, bounds, labels, gold, n_raters = (arrays[name] for name in LABEL_ARRAYS)
        rated = mask & (labels.sum(axis=-1)[:, 1::2] > 0)
        accumulator.update((labels[:, 1::2, 0] <= 0.5)[rated], (found[:, 1::2, 0] < 0.5)[rated])
        for segment, spans in enumerate(decode_batch(found, mask, bounds, self.severities)):
            own = gold[gold[:, 0] == segment]
            for rater in range(int(n_raters[segment])):
                marked = own[own[:, 1] == rater][:, 2:].tolist()
                accumulator.add_spans(
                    [(start, end, SEVERITIES[severity]) for start, end, severity in marked],
                    spans,
                )

    @override
    def values(self, logits: Tensor) -> dict[str, Tensor]:
        return {const.ERROR_SPANS: self.probabilities(logits)}

    @torch.no_grad()
    def move_thresholds(self, gaps: float, units: float, severity: float = 0.5) -> None:
        """Change the biases so that these probabilities become 0.5.

        Args:
            gaps: the probability of an error at gaps, in (0, 1).
            units: the probability of an error at units, with severities that have been moved, in (0, 1).
            severity: the probability that an error at a unit is more severe than the least severe label, in (0, 1).
        """
        for layer, threshold in ((self.gaps, gaps), (self.units, units)):
            layer.bias[0] += math.log(threshold / (1 - threshold))
        self.units.bias[2:] += math.log((1 - severity) / severity)

    def cool(self, gaps: float, units: float) -> None:
        """Divide the logits by temperatures, which leave 0.5 where it is if there is one severity.

        Args:
            gaps: the temperature of gaps, positive.
            units: the temperature of units, positive.
        """
        divide_logits(self.gaps, gaps)
        divide_logits(self.units, units)

"""The thresholds above which pieces and gaps count as errors, chosen on held-out data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.batch import NumpyBatch
from kiwi.data.files.lines import Columns
from kiwi.data.sampling import batches_by_tokens
from kiwi.metrics.accumulators import SpanMetrics
from kiwi.runner.engine import Engine
from kiwi.systems.outputs.span_level import GAPS, UNITS, SpanOutput

N_CANDIDATES = 40
"""The number of thresholds that are tried, each at another share of pieces or gaps."""

LEAST, MOST = 0.001, 0.999
"""The range of thresholds, in which their odds are finite."""

Found = list[tuple[NDArray[np.float64], NumpyBatch]]
"""The probabilities of batches, (batch, 2 * units + 1, labels), and the batches."""


@dataclass(frozen=True)
class SpanThresholds:
    """Thresholds on the probabilities of errors, and the metrics of error spans with them."""

    gaps: float
    units: float
    before: dict[str, float]
    """The metrics with thresholds of 0.5."""

    after: dict[str, float]
    """The metrics with the chosen thresholds."""

    of_pairs: dict[str, SpanThresholds] = field(default_factory=dict)
    """Those of language pairs with thresholds of their own, whose threshold of gaps is that of all pairs."""


def choose_span_thresholds(
    engine: Engine, output: SpanOutput, columns: Columns, pairs: Mapping[str, Sequence[int]]
) -> SpanThresholds:
    """Return the thresholds with the highest F1 of error spans, first that of pieces and then that of gaps.

    Data without omissions do not say where the threshold of gaps should be, which then stays at 0.5.

    Args:
        engine: the engine of the system.
        output: its output of error spans.
        columns: the data, with labels.
        pairs: the segments of each language pair that gets a threshold of pieces of its own.
    """
    by_pair = _compute(engine, columns, pairs)
    every = [each for own in by_pair.values() for each in own]

    def metrics(found: Found, gaps: float, units: float) -> dict[str, float]:
        return _measure(output, [(_moved(values, gaps, units), batch) for values, batch in found])

    def best(found: Found, tried: Sequence[tuple[float, float]]) -> tuple[float, float]:
        scores = [metrics(found, *pair)[f"{const.ERROR_SPANS}_F1"] for pair in tried]
        chosen = [pair for pair, score in zip(tried, scores, strict=True) if score >= max(scores) - 1e-12]
        return min(chosen, key=lambda pair: sum(abs(value - 0.5) for value in pair))

    has_omissions = any(batch.span_labels is not None and batch.span_labels[:, 0::2, 1:].any() for _, batch in every)
    gaps, units = best(every, [(MOST if has_omissions else 0.5, value) for value in _candidates(every, UNITS)])
    if has_omissions:
        gaps, units = best(every, [(value, units) for value in (*_candidates(every, GAPS), MOST)])
    of_pairs = {}
    for pair in pairs:
        own = by_pair[pair]
        _, threshold = best(own, [(gaps, value) for value in _candidates(own, UNITS)])
        after = metrics(own, gaps, threshold)
        if after[f"{const.ERROR_SPANS}_F1"] > 0:  # or nothing tells its threshold, as where no error is marked
            of_pairs[pair] = SpanThresholds(gaps, threshold, metrics(own, 0.5, 0.5), after)
    thresholds = {pair: of_pairs[pair].units if pair in of_pairs else units for pair in by_pair}
    moved = [(_moved(values, gaps, thresholds[pair]), batch) for pair in by_pair for values, batch in by_pair[pair]]
    return SpanThresholds(gaps, units, metrics(every, 0.5, 0.5), _measure(output, moved), of_pairs)


def _compute(engine: Engine, columns: Columns, pairs: Mapping[str, Sequence[int]]) -> dict[str, Found]:
    """Compute batches of the segments of each language pair, and of the others, under an empty name."""
    names = {index: pair for pair, indices in pairs.items() for index in indices}
    groups: dict[str, list[int]] = defaultdict(list)
    for index in range(len(columns[const.TARGET])):
        groups[names.get(index, "")].append(index)
    found = {}
    for pair, indices in groups.items():
        own = {name: [column[index] for index in indices] for name, column in columns.items()}
        rows = [dict(zip(own, texts, strict=True)) for texts in zip(*own.values(), strict=True)]
        batches = batches_by_tokens(engine.collate.lengths(own), engine.batch_tokens)
        prepared = [engine.collate([rows[index] for index in batch]) for batch in batches]
        found[pair] = [(engine(batch)[const.ERROR_SPANS].astype(np.float64), batch) for batch in prepared]
    return found


def _measure(output: SpanOutput, found: Found) -> dict[str, float]:
    accumulator = SpanMetrics(const.ERROR_SPANS)
    for values, batch in found:
        output.measure(accumulator, values, batch.arrays())
    return accumulator.compute()


def _moved(probabilities: NDArray[np.float64], gaps: float, units: float) -> NDArray[np.float64]:
    """Return probabilities in which those of errors that equal a threshold are 0.5."""
    moved = probabilities.copy()
    moved[:, 0::2, 0] *= gaps / (1 - gaps)
    moved[:, 1::2, 0] *= units / (1 - units)
    moved /= moved.sum(axis=-1, keepdims=True)
    return moved


def _candidates(found: Sequence[tuple[NDArray[np.float64], NumpyBatch]], which: int) -> list[float]:
    """Return thresholds to try: 0.5, and quantiles of the probabilities of errors of gaps or units."""
    errors = np.concatenate([1.0 - own[:, which::2, 0][_is_real(batch, which)] for own, batch in found])
    quantiles = 1.0 - np.geomspace(1e-4, 1.0, N_CANDIDATES)
    return sorted({0.5, *np.clip(np.quantile(errors, quantiles), LEAST, MOST).tolist()})


def _is_real(batch: NumpyBatch, which: int) -> NDArray[np.bool_]:
    """Return which gaps or units of a batch are not padding."""
    assert batch.unit_mask is not None
    mask: NDArray[np.bool_] = batch.unit_mask
    if which == GAPS:
        mask = np.arange(mask.shape[1] + 1) <= mask.sum(axis=1, keepdims=True)
    return mask

"""The thresholds above which pieces and gaps count as errors, chosen on held-out data."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.batch import NumpyBatch
from kiwi.data.files.lines import Columns
from kiwi.data.sampling import batches_by_tokens
from kiwi.metrics.accumulators import SpanMetrics
from kiwi.runner.engine import Engine
from kiwi.systems.outputs.span_level import GAPS, UNITS, SpanOutput

logger = logging.getLogger(__name__)

F1 = f"{const.ERROR_SPANS}_F1"
"""The metric that is maximized."""

N_CANDIDATES = 40
"""The number of thresholds that are tried, each at another share of pieces or gaps."""

N_ROUGH = 16
"""The number of thresholds of pieces that are tried with each weight of scores and each threshold of severities."""

LEAST, MOST = 0.001, 0.999
"""The range of thresholds, in which their odds are finite."""

MIN_OMISSIONS = 20
"""The smallest number of marked omissions that choose a threshold of gaps; fewer would choose it by chance."""

SCORE_WEIGHTS = (0.0, 0.2, 0.4)
"""The weights of scores that are tried, per standard deviation of the scores."""

SEVERITY_THRESHOLDS = (0.5, 0.45, 0.55, 0.4, 0.6, 0.35, 0.65)
"""The thresholds of severities that are tried; of equally good ones, the first is chosen. More extreme ones would give
nearly all errors the same severity, which can raise F1, but tells readers nothing."""


@dataclass(frozen=True)
class Computed:
    """A batch, and what a system predicts for it."""

    batch: NumpyBatch
    """The batch, with labels."""

    values: NDArray[np.float64]
    """The probabilities of error spans, (batch, 2 * units + 1, labels)."""

    scores: NDArray[np.float64] | None
    """The scores, (batch,), where the system predicts them."""

    def shifted(self, weight: float, severity: float = 0.5) -> Computed:
        """Return the probabilities with another weight of the scores, and another threshold of severities."""
        values = self.values.copy()
        if self.scores is not None:
            values[:, 1::2, 0] *= np.exp(weight * self.scores)[:, None]
        values[:, 1::2, 2:] *= (1 - severity) / severity
        return replace(self, values=values / values.sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class SpanThresholds:
    """Thresholds on the probabilities of errors, and the metrics of error spans with them."""

    gaps: float
    units: float
    before: dict[str, float]
    """The metrics with thresholds of 0.5."""

    after: dict[str, float]
    """The metrics with the chosen thresholds."""

    score_weight: float = 0.0
    """By how much each unit of the score raises the log-odds that a piece is OK, beyond what it does already."""

    severity: float | None = None
    """The share of the probability of an error above which the error is more severe than the least severe label; None
    if the system knows a single severity."""

    of_pairs: dict[str, SpanThresholds] = field(default_factory=dict)
    """Those of language pairs with thresholds of their own, whose threshold of gaps is that of all pairs."""


def choose_span_thresholds(
    engine: Engine, output: SpanOutput, columns: Columns, pairs: Mapping[str, Sequence[int]] | None = None
) -> SpanThresholds:
    """Return the thresholds of pieces and gaps with the highest F1 of error spans and of omissions, respectively.

    Omissions are so few that the F1 of error spans, which counts characters, does not say where the threshold of gaps
    should be. With fewer than ``MIN_OMISSIONS``, it stays at 0.5. The weight of scores, where the system predicts them,
    and then the threshold of severities are chosen together with the threshold of pieces.

    Args:
        engine: the engine of the system.
        output: its output of error spans.
        columns: the data, with labels.
        pairs: the segments of each language pair that gets a threshold of pieces of its own; None for none.
    """
    pairs = pairs or {}
    given = _compute(engine, columns, pairs)
    every = [each for own in given.values() for each in own]
    gaps = _threshold_of_gaps(every)

    def metrics(found: Sequence[Computed], gaps: float, units: float) -> dict[str, float]:
        return _measure(output, [(_moved(each.values, gaps, units), each.batch) for each in found])

    def best(found: Sequence[Computed], n_candidates: int = N_CANDIDATES) -> tuple[float, float]:
        """Return the highest F1 of error spans, and its threshold of units."""
        tried = _candidates(found, UNITS, n_candidates)
        return _highest(tried, [metrics(found, gaps, value)[F1] for value in tried])

    def search(options: Sequence[tuple[float, float]]) -> tuple[float, float]:
        """Return the weight of scores and the threshold of severities with the highest F1."""
        return max(options, key=lambda option: best([each.shifted(*option) for each in every], N_ROUGH)[0])

    score_weight, severity = search([(weight, 0.5) for weight in _score_weights(every)])
    has_severities = int(output.get_buffer("trained")[UNITS, 1:].sum()) > 1
    if has_severities:
        score_weight, severity = search([(score_weight, tried) for tried in SEVERITY_THRESHOLDS])
    by_pair = {pair: [each.shifted(score_weight, severity) for each in own] for pair, own in given.items()}
    score_of_all, units = best([each for own in by_pair.values() for each in own])
    if score_of_all <= 0:
        warn_of_labels(const.ERROR_SPANS, "F1")
        before, after = (metrics(every, each, 0.5) for each in (0.5, gaps))
        return SpanThresholds(gaps, 0.5, before, after, severity=0.5 if has_severities else None)
    of_pairs = {}
    for pair in pairs:
        score, own = best(by_pair[pair])
        if score > 0:  # or nothing tells its threshold, as where no error is marked
            before, after = metrics(given[pair], 0.5, 0.5), metrics(by_pair[pair], gaps, own)
            of_pairs[pair] = SpanThresholds(gaps, own, before, after)
    thresholds = {pair: of_pairs[pair].units if pair in of_pairs else units for pair in by_pair}
    moved = [(_moved(each.values, gaps, thresholds[pair]), each.batch) for pair, own in by_pair.items() for each in own]
    before, after = metrics(every, 0.5, 0.5), _measure(output, moved)
    return SpanThresholds(gaps, units, before, after, score_weight, severity if has_severities else None, of_pairs)


def warn_of_labels(name: str, metric: str) -> None:
    """Warn that the labels of an output do not tell its threshold.

    Args:
        name: the name of the output.
        metric: the metric that is maximized.
    """
    logger.warning(
        "%s: no threshold on this data has %s above 0, so that it stays at 0.5. If all labels are equal, give others.",
        name,
        metric,
    )


def _threshold_of_gaps(found: Sequence[Computed]) -> float:
    """Return the threshold with the highest F1 of omissions that at least one rater marked, of annotated segments."""
    marked, errors = [], []
    for each in found:
        assert each.batch.span_labels is not None
        labels: NDArray[np.float32] = each.batch.span_labels[:, 0::2]
        rated = labels.sum(axis=-1) > 0
        marked.append(labels[..., 1:].sum(axis=-1)[rated] > 0)
        errors.append(1.0 - each.values[:, 0::2, 0][rated])
    gold, probabilities = np.concatenate(marked), np.concatenate(errors)
    if gold.sum() < MIN_OMISSIONS:
        return 0.5
    tried = _candidates(found, GAPS)
    chosen = [probabilities > threshold for threshold in tried]
    return _highest(tried, [2.0 * (own & gold).sum() / (own.sum() + gold.sum()) for own in chosen])[1]


def _highest(tried: Sequence[float], scores: Sequence[float]) -> tuple[float, float]:
    """Return the highest score, and its threshold; of several, the one that is nearest to 0.5."""
    chosen = [value for value, score in zip(tried, scores, strict=True) if score >= max(scores) - 1e-12]
    return max(scores), min(chosen, key=lambda value: abs(value - 0.5))


def _compute(engine: Engine, columns: Columns, pairs: Mapping[str, Sequence[int]]) -> dict[str, list[Computed]]:
    """Compute batches of the segments of each language pair, and of the others, under an empty name."""
    names = {index: pair for pair, indices in pairs.items() for index in indices}
    groups: dict[str, list[int]] = defaultdict(list)
    for index in range(len(columns[const.TARGET])):
        groups[names.get(index, "")].append(index)
    found: dict[str, list[Computed]] = {}
    for pair, indices in groups.items():
        own = {name: [column[index] for index in indices] for name, column in columns.items()}
        rows = [dict(zip(own, texts, strict=True)) for texts in zip(*own.values(), strict=True)]
        found[pair] = []
        for chosen in batches_by_tokens(engine.collate.lengths(own), engine.batch_tokens):
            batch = engine.collate([rows[index] for index in chosen])
            values = {name: array.astype(np.float64) for name, array in engine(batch).items()}
            found[pair].append(Computed(batch, values[const.ERROR_SPANS], values.get(const.SENTENCE_SCORES)))
    return found


def _score_weights(found: Sequence[Computed]) -> list[float]:
    """Return the weights of scores to try: 0, and some with which worse scores make errors more probable."""
    if any(each.scores is None for each in found):
        return [0.0]
    scores = np.concatenate([each.scores for each in found if each.scores is not None])
    errors = np.concatenate([_share_of_errors(each.batch) for each in found])
    deviation = float(scores.std())
    rated = np.isfinite(errors)
    if deviation == 0.0 or rated.sum() < 2:
        return [0.0]
    direction = -np.sign(np.cov(scores[rated], errors[rated])[0, 1])
    return sorted({0.0, *(float(direction * each / deviation) for each in SCORE_WEIGHTS)}, key=abs)


def _share_of_errors(batch: NumpyBatch) -> NDArray[np.float64]:
    """Return the share of the units of each segment that raters marked, (batch,); NaN without raters."""
    assert batch.span_labels is not None
    labels = batch.span_labels[:, 1::2].astype(np.float64).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(1.0 - labels[:, 0] / labels.sum(axis=-1))


def _measure(output: SpanOutput, found: Sequence[tuple[NDArray[np.float64], NumpyBatch]]) -> dict[str, float]:
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


def _candidates(found: Sequence[Computed], which: int, n_candidates: int = N_CANDIDATES) -> list[float]:
    """Return thresholds to try: 0.5, quantiles of the probabilities of errors of gaps or units, and one below all."""
    errors = np.concatenate([1.0 - each.values[:, which::2, 0][_is_real(each.batch, which)] for each in found])
    quantiles = 1.0 - np.geomspace(1e-4, 1.0, n_candidates)
    return sorted({0.5, LEAST, *np.clip(np.quantile(errors, quantiles), LEAST, MOST).tolist()})


def _is_real(batch: NumpyBatch, which: int) -> NDArray[np.bool_]:
    """Return which gaps or units of a batch are not padding."""
    assert batch.unit_mask is not None
    mask: NDArray[np.bool_] = batch.unit_mask
    if which == GAPS:
        mask = np.arange(mask.shape[1] + 1) <= mask.sum(axis=1, keepdims=True)
    return mask

"""The temperatures of error spans: one for pieces, and one for gaps, where something may be missing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.batch import NumpyBatch
from kiwi.data.files.lines import Columns
from kiwi.data.sampling import batches_by_tokens
from kiwi.lib.score.calibration.labelled import Labelled, Temperature
from kiwi.metrics.accumulators import SpanMetrics
from kiwi.metrics.conformal import at_temperature
from kiwi.runner.engine import Engine
from kiwi.systems.outputs.span_level import GAPS, UNITS, SpanOutput

logger = logging.getLogger(__name__)

Found = Sequence[tuple[NDArray[np.float64], NumpyBatch]]
"""The probabilities of each batch, (batch, 2 * units + 1, labels), and the batch."""


def cool_spans(output: SpanOutput, engine: Engine, columns: Columns) -> tuple[list[Temperature], dict[str, float]]:
    """Divide the logits of gaps and pieces by the temperatures that suit the labels of raters best.

    Data without omissions do not say how probable these are; the logits of gaps then stay as they are.

    Args:
        output: the output of error spans, whose weights change.
        engine: the engine of the system.
        columns: the data, with labels.

    Returns:
        The temperatures, and the metrics of error spans with them: where there are several severities, a piece whose
        labels are about as likely as OK may be marked now and not before, or the other way round.

    Raises:
        ConfigError: when all pieces are OK, or none is.
    """
    every = [dict(zip(columns, texts, strict=True)) for texts in zip(*columns.values(), strict=True)]
    rows = [row for row in every if row[const.TARGET].strip(" \t")]
    lengths = engine.collate.lengths({name: [row[name] for row in rows] for name in columns})
    batches = batches_by_tokens(lengths, engine.batch_tokens)
    prepared = [engine.collate([rows[index] for index in indices]) for indices in batches]
    found = [
        (_probabilities(engine, batch, [rows[index].get(const.LANGUAGE_PAIR, "") for index in indices]), batch)
        for batch, indices in zip(prepared, batches, strict=True)
    ]
    trained = output.get_buffer("trained").cpu().numpy()
    units = _labelled(found, UNITS, trained).fit(const.ERROR_SPANS)
    gaps = _labelled(found, GAPS, trained)
    fitted, of_gaps = [units], 1.0
    if len(gaps.gold) and gaps.gold[:, 1:].any():
        fitted.append(gaps.fit(f"{const.ERROR_SPANS} (omissions)"))
        of_gaps = fitted[-1].temperature
    before, after = (_metrics(output, found, trained, *pair) for pair in ((1.0, 1.0), (of_gaps, units.temperature)))
    f1 = f"{const.ERROR_SPANS}_F1"
    logger.info("%s: F1 %.4f (before: %.4f).", const.ERROR_SPANS, after[f1], before[f1])
    output.cool(of_gaps, units.temperature)
    return fitted, after


def _probabilities(engine: Engine, batch: NumpyBatch, pairs: Sequence[str]) -> NDArray[np.float64]:
    """Return the probabilities of error spans of a batch, as users see them who say the language pairs."""
    return engine.about.with_thresholds(engine(batch), pairs)[const.ERROR_SPANS].astype(np.float64)


def _labelled(found: Found, which: int, trained: NDArray[np.bool_]) -> Labelled:
    """Return the probabilities of gaps or units that raters have seen, of the labels that the system predicts."""
    known = trained[which]
    probabilities, gold = [np.zeros((0, int(known.sum())))], [np.zeros((0, int(known.sum())))]
    for values, batch in found:
        assert batch.span_labels is not None
        shares = batch.span_labels[:, which::2][..., known].astype(np.float64)
        total = shares.sum(axis=-1, keepdims=True)
        rated = total[..., 0] > 0
        probabilities.append(values[:, which::2][..., known][rated])
        gold.append((shares / np.where(total > 0, total, 1.0))[rated])
    return Labelled(np.concatenate(probabilities), np.concatenate(gold))


def _metrics(
    output: SpanOutput, found: Found, trained: NDArray[np.bool_], gaps: float, units: float
) -> dict[str, float]:
    accumulator = SpanMetrics(const.ERROR_SPANS)
    for values, batch in found:
        output.measure(accumulator, _cooled(values, trained, gaps, units), batch.arrays())
    return accumulator.compute()


def _cooled(values: NDArray[np.float64], trained: NDArray[np.bool_], gaps: float, units: float) -> NDArray[Any]:
    """Return probabilities at other temperatures; those of labels that the system does not predict stay 0."""
    cooled = np.zeros_like(values)
    for which, temperature in ((GAPS, gaps), (UNITS, units)):
        own = cooled[:, which::2]
        own[..., trained[which]] = at_temperature(values[:, which::2][..., trained[which]], temperature)
    return cooled

"""The intervals of sentence scores that ``kiwi calibrate`` stores in a system."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiwi.metrics.conformal import conformal_quantile, conformity_errors, widths

EVERY = "all"
"""The group of all calibration segments, beside the language pairs."""


@dataclass(frozen=True)
class CalibrationGroup:
    """The calibration of a language pair, or of all segments."""

    segments: int
    """The number of calibration segments."""

    quantile: float | None
    """The conformal quantile of their errors; None where they are too few."""


@dataclass(frozen=True)
class ScoreIntervals:
    """The conformal quantiles of a system's sentence scores (Zerva & Martins 2024, arXiv:2306.06221)."""

    confidence: float
    """The share of scores that should lie within their intervals, in (0, 1)."""

    groups: dict[str, CalibrationGroup]
    """The calibration of :data:`EVERY` segment, and of each language pair of the calibration data."""

    is_normalized: bool = False
    """Whether errors were divided by the predicted standard deviations."""

    @classmethod
    def fit(
        cls,
        gold: ArrayLike,
        scores: ArrayLike,
        confidence: float,
        deviations: ArrayLike | None = None,
        pairs: Sequence[str] | None = None,
    ) -> ScoreIntervals:
        """Compute the quantiles of the errors of calibration segments, of all together and of each language pair.

        Args:
            gold: the gold scores (segments,).
            scores: the predicted scores (segments,).
            confidence: the confidence of the intervals, in (0, 1).
            deviations: the predicted standard deviations (segments,), which errors are divided by.
            pairs: the language pair of each segment, empty where it is not known.
        """
        errors = conformity_errors(gold, scores, deviations)
        chosen = {EVERY: errors}
        if pairs is not None:
            names = np.array(pairs, dtype=object)
            chosen |= {name: errors[names == name] for name in sorted({*pairs} - {""})}
        groups = {name: CalibrationGroup(len(own), conformal_quantile(own, confidence)) for name, own in chosen.items()}
        return cls(confidence, groups, deviations is not None)

    @property
    def pairs(self) -> list[str]:
        """The language pairs of the calibration data."""
        return [name for name in self.groups if name != EVERY]

    @property
    def lacking(self) -> list[str]:
        """The language pairs that have too few calibration segments for a quantile of their own."""
        return [name for name, group in self.groups.items() if group.quantile is None]

    def without_own(self, pairs: Iterable[str]) -> list[str]:
        """Return which language pairs have none of their own, where others have; that of all segments is theirs."""
        return sorted(name for name in {*pairs} if self.groups.get(name, _UNKNOWN).quantile is None and self.pairs)

    def quantile(self, pair: str = "") -> float:
        """Return the quantile for the segments of a language pair.

        A pair without a quantile of its own has that of all segments, whose coverage holds for their mixture.

        Args:
            pair: the language pair; empty if it is not known.
        """
        own = self.groups.get(pair or EVERY, _UNKNOWN).quantile
        found = self.groups[EVERY].quantile if own is None else own
        return math.inf if found is None else found

    def bounds(
        self,
        scores: ArrayLike,
        deviations: ArrayLike | None = None,
        pairs: Sequence[str] | None = None,
        *,
        limits: tuple[float, float] | None = None,
    ) -> NDArray[np.float64]:
        """Return the lower and the upper end of the interval of each score, (segments, 2); NaN for a score NaN.

        Args:
            scores: the scores (segments,).
            deviations: their predicted standard deviations (segments,), where :attr:`is_normalized`.
            pairs: the language pair of each segment, where it is known.
            limits: the lowest and the highest possible score, within which intervals remain.
        """
        means = np.asarray(scores, dtype=np.float64)
        names = [""] * len(means) if pairs is None else pairs
        by_name = {name: self.quantile(name) for name in {*names}}
        reach = np.array([by_name[name] for name in names], dtype=np.float64)
        if self.is_normalized:
            assert deviations is not None, "the system predicts deviations, or its errors would not be normalized"
            reach = reach * widths(deviations)
        ends = np.stack([means - reach, means + reach], axis=-1)
        return ends if limits is None else np.clip(ends, *limits)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for YAML and JSON."""
        groups = {name: {"segments": own.segments, "quantile": own.quantile} for name, own in self.groups.items()}
        return {"confidence": self.confidence, "is_normalized": self.is_normalized, "groups": groups}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ScoreIntervals:
        """Invert :meth:`to_dict`; raises various errors for other content."""
        confidence, is_normalized = float(content["confidence"]), content["is_normalized"]
        groups = {
            str(name): CalibrationGroup(
                int(own["segments"]), None if own["quantile"] is None else float(own["quantile"])
            )
            for name, own in content["groups"].items()
        }
        known = [own.quantile for own in groups.values() if own.quantile is not None]
        if (
            not 0 < confidence < 1
            or not isinstance(is_normalized, bool)
            or groups.get(EVERY, _UNKNOWN).quantile is None
            or not all(math.isfinite(quantile) and quantile >= 0 for quantile in known)
        ):
            raise ValueError(f"found {content!r:.200}; expected the quantile of the errors of '{EVERY}' segments")
        return cls(confidence, groups, is_normalized)

    def __str__(self) -> str:
        """Return the confidence and the calibration data, for people."""
        own = [f"{name} ({self.groups[name].segments:,})" for name in self.pairs if name not in self.lacking]
        by_pair = f", of their own for {', '.join(own)}" if own else ""
        kind = ", in proportion to the predicted deviation" if self.is_normalized else ""
        return f"{100 * self.confidence:g} %, from {self.groups[EVERY].segments:,} segments{by_pair}{kind}"


_UNKNOWN = CalibrationGroup(0, None)

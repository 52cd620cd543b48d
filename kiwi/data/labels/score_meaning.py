"""What sentence scores mean: their kind, their direction and their range, and one scale that all of them share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

ScoreKind = Literal["hter", "da", "mqm", "esa", "other"]
"""Human translation edit rate, direct assessment, multidimensional quality metrics, error span annotation, or another
score."""

Scores = NDArray[np.float64]

WORST_PENALTY = 25.0
"""The penalty of MQM that has the lowest quality, as in the annotation of WMT."""

LARGEST_QUALITY = 100.0

SMALLEST_SHARE = 1e-12
"""The share of a normal distribution beyond which standardized scores are not told apart."""

DESCRIPTIONS: dict[ScoreKind, str] = {
    "hter": "HTER",
    "da": "direct assessment (DA)",
    "mqm": "MQM",
    "esa": "error span annotation (ESA)",
    "other": "score",
}


@dataclass(frozen=True)
class ScoreMeaning:
    """What the scores of a system mean."""

    kind: ScoreKind

    higher_is_better: bool
    """Whether a higher score means a better translation."""

    range: tuple[float, float] | None = None
    """The lowest and the highest score; None for scores that have been standardized."""

    mean: float = 0.0
    """The mean of the training data, which places standardized scores on the common scale."""

    deviation: float = 1.0
    """The standard deviation of the training data."""

    @property
    def form(self) -> tuple[Any, ...]:
        """What is equal for scores that can be compared: kind, direction and range."""
        return self.kind, self.higher_is_better, self.range

    @property
    def summary(self) -> str:
        """The kind and the direction, as the names of columns of scores say them."""
        return f"{self.kind}, {'higher' if self.higher_is_better else 'lower'} is better"

    def __str__(self) -> str:
        low, high = self.range or (0.0, 0.0)
        span = "standardized" if self.range is None else f"{low:g} to {high:g}"
        return f"{DESCRIPTIONS[self.kind]}, {'higher' if self.higher_is_better else 'lower'} is better, {span}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self) | {"range": None if self.range is None else list(self.range)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ScoreMeaning:
        """Invert :meth:`to_dict`.

        Raises:
            ValueError: for other content.
        """
        kind, higher, ends = content.get("kind"), content.get("higher_is_better"), content.get("range")
        numbers = [float(content.get("mean", 0.0)), float(content.get("deviation", 1.0)), *map(float, ends or ())]
        if (
            kind is None
            or kind not in get_args(ScoreKind)
            or not isinstance(higher, bool)
            or not all(map(math.isfinite, numbers))
        ):
            raise ValueError(f"found {content!r:.200}; expected kind, higher_is_better and range of a score")
        mean, deviation, *span = numbers
        if (span and (len(span) != 2 or span[0] >= span[1])) or deviation <= 0:
            raise ValueError(f"found range {span} and deviation {deviation}; expected low and high, and a positive one")
        return cls(kind, higher, (span[0], span[1]) if span else None, mean, deviation)

    def to_quality(self, scores: Any) -> Scores:
        """Convert scores to the common scale, from 0 (worst) to 100 (best).

        With a range it is linear between its ends, so that HTER h becomes 100·(1 - min(h, 1)), and a penalty p of MQM
        100·(1 - p/25). Scores beyond the range get the quality of its end. Standardized scores become the share of the
        training data with a worse score, 100·Φ((score - mean)/deviation), under a normal distribution.

        Args:
            scores: the scores; NaN stays NaN.
        """
        values = np.asarray(scores, dtype=np.float64)
        if self.range is None:
            normal = NormalDist(self.mean, self.deviation)
            quality = np.array([normal.cdf(value) for value in values.flat]).reshape(values.shape)
        else:
            low, high = self.range
            quality = np.clip((values - low) / (high - low), 0.0, 1.0)
        return LARGEST_QUALITY * (quality if self.higher_is_better else 1.0 - quality)

    @property
    def possible(self) -> tuple[float, float]:
        """The lowest and the highest possible score; an HTER and a penalty of MQM may exceed their range."""
        low, high = self.range or (-math.inf, math.inf)
        if self.kind in ("hter", "mqm") and self.range is not None:
            return (-math.inf, high) if self.higher_is_better else (low, math.inf)
        return low, high

    @property
    def quality_per_score(self) -> float:
        """The change of quality for a change of the score by 1; for standardized scores, at their mean."""
        if self.range is None:
            return LARGEST_QUALITY * NormalDist(self.mean, self.deviation).pdf(self.mean)
        return LARGEST_QUALITY / (self.range[1] - self.range[0])

    def from_quality(self, quality: Any) -> Scores:
        """Invert :meth:`to_quality`, within the range.

        Args:
            quality: values from 0 to 100.
        """
        share = np.asarray(quality, dtype=np.float64) / LARGEST_QUALITY
        share = share if self.higher_is_better else 1.0 - share
        if self.range is None:
            normal = NormalDist(self.mean, self.deviation)
            inner = np.clip(share, SMALLEST_SHARE, 1.0 - SMALLEST_SHARE)
            return np.array([normal.inv_cdf(value) for value in inner.flat]).reshape(share.shape)
        low, high = self.range
        return np.asarray(low + share * (high - low), dtype=np.float64)

"""What sentence scores mean: their kind, their direction and their range, and one scale that all of them share."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from kiwi.exceptions import ConfigError, DataError
from kiwi.utils.io import BaseConfig

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

DIRECTIONS: dict[ScoreKind, bool] = {"hter": False, "da": True, "esa": True}
"""Whether higher is better, for the kinds for which it is certain."""


class ScoreConfig(BaseConfig):
    """What the sentence scores mean. It is stored in the trained system, and shown wherever a score is."""

    kind: ScoreKind | None = None
    """Kind of the scores: ``hter``, ``da``, ``mqm``, ``esa`` or ``other``. By default, it is recognized by the name of
    the file, such as ``train.hter``, where the scores agree."""

    higher_is_better: bool | None = None
    """Whether a higher score means a better translation. Required for ``other``, and for ``mqm`` with scores on both
    sides of 0."""

    range: tuple[float, float] | None = Field(default=None)
    """The lowest and the highest possible score. By default 0 and 1 for ``hter``; 0 and 100, or 0 and 1, for ``da`` and
    ``esa`` if all scores are in it; 0 and 25 points of penalty for ``mqm`` on one side of 0."""


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


def find_meaning(
    config: ScoreConfig, scores: Sequence[float], path: Path, *, is_numbered: bool = True
) -> ScoreMeaning | None:
    """Return what the scores of the training data mean; None where nothing says it.

    Args:
        config: the options of ``data.score``.
        scores: the scores of the training data; NaN stands for a segment without one.
        path: their file, whose name tells the kind where the options do not.
        is_numbered: whether scores have the numbers of their lines.

    Raises:
        ConfigError: when options are missing or contradict each other.
        DataError: when the scores contradict the options; the message names the file and, where it is known, the line.
    """
    values = np.array(scores, dtype=np.float64)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    kind = config.kind or _recognize(path, low, high)
    if kind is None:
        if config.higher_is_better is not None or config.range is not None:
            raise ConfigError(
                "data.score.kind: required with higher_is_better or range. Set hter, da, mqm, esa or other."
            )
        return None
    meaning = _meaning(kind, config, low, high)
    _check_values(values, kind, config, path, is_numbered=is_numbered)
    return replace(meaning, mean=float(np.nanmean(values)), deviation=float(np.nanstd(values)) or 1.0)


def declared_meaning(config: ScoreConfig) -> ScoreMeaning:
    """Return what scores mean by their options alone, without any data.

    Raises:
        ConfigError: when options are missing or contradict each other.
    """
    if config.kind is None:
        raise ConfigError("kind: required. Set hter, da, mqm, esa or other.")
    low, high = (0.0, 1.0) if config.kind == "hter" else (-1.0, 1.0)
    if config.kind == "mqm" and config.higher_is_better is not None:
        low, high = (-WORST_PENALTY, 0.0) if config.higher_is_better else (0.0, WORST_PENALTY)
    return _meaning(config.kind, config, low, high)


def declared_kind(config: ScoreConfig, path: Path) -> ScoreKind | None:
    """Return the kind that the options say, or that a file is named HTER, whatever its scores are.

    Args:
        config: the options of ``data.score``.
        path: the file of the scores.
    """
    return config.kind or ("hter" if "hter" in _name_parts(path) else None)


def named_kind(path: Path) -> ScoreKind | None:
    """Return the only kind that the name of a file says; None for ``da``, which may also be a language."""
    kinds: tuple[ScoreKind, ...] = ("hter", "mqm", "esa", "da")
    found = [kind for kind in kinds if kind in _name_parts(path)]
    return found[0] if len(found) == 1 and found[0] != "da" else None


def _name_parts(path: Path) -> set[str]:
    return set(re.split(r"[^a-z0-9]+", path.name.lower()))


def _meaning(kind: ScoreKind, config: ScoreConfig, low: float, high: float) -> ScoreMeaning:
    higher = _direction(kind, config, low, high)
    span = config.range or _usual_range(kind, higher, low, high)
    if span is not None and not span[0] < span[1]:
        raise ConfigError(f"data.score.range: found {span[0]:g} and {span[1]:g}; expected the lowest score first.")
    return ScoreMeaning(kind, higher, span)


def _recognize(path: Path, low: float, high: float) -> ScoreKind | None:
    """Return the kind that the name of a file says, unless the scores contradict it."""
    parts = _name_parts(path)
    if "hter" in parts and low >= 0.0 and high <= 1.0:
        return "hter"
    if "mqm" in parts and (low >= 0.0) != (high <= 0.0):
        return "mqm"
    for kind in ("da", "esa"):
        if kind in parts:
            return kind
    return None


def _direction(kind: ScoreKind, config: ScoreConfig, low: float, high: float) -> bool:
    known = DIRECTIONS.get(kind)
    if known is None and kind == "mqm" and (low >= 0.0) != (high <= 0.0):
        known = high <= 0.0  # points are penalties, or negative
        if config.range is not None:
            known = None  # another form of it
    given = config.higher_is_better
    if given is None and known is None:
        unless = ", unless all scores are on one side of 0" if kind == "mqm" else ""
        raise ConfigError(
            f"data.score.higher_is_better: required for {kind}{unless}. Set true if a higher score means a better "
            "translation, else false."
        )
    if known is not None and given is not None and given != known:
        expected = "higher" if known else "lower"
        raise ConfigError(
            f"data.score.higher_is_better: found {str(given).lower()}; in these scores of kind {kind}, {expected} is "
            "better. Remove the option, or set data.score.kind=other."
        )
    return bool(known if given is None else given)


def _usual_range(kind: ScoreKind, higher: bool, low: float, high: float) -> tuple[float, float] | None:
    if kind == "hter":
        return (0.0, 1.0)
    if kind == "mqm" and (low >= 0.0 or high <= 0.0):
        return (-WORST_PENALTY, 0.0) if higher else (0.0, WORST_PENALTY)
    if kind in ("da", "esa") and low >= 0.0 and high <= LARGEST_QUALITY:
        return (0.0, 1.0) if high <= 1.0 else (0.0, LARGEST_QUALITY)
    return None


def _check_values(values: Scores, kind: ScoreKind, config: ScoreConfig, path: Path, *, is_numbered: bool) -> None:
    """Check that all scores are possible."""
    low, high = config.range or ((0.0, math.inf) if kind == "hter" else (-math.inf, math.inf))
    if len(beyond := np.flatnonzero((values < low) | (values > high))):
        index = int(beyond[0])
        raise DataError.at(
            path,
            index + 1 if is_numbered else None,
            found=f"the score {values[index]:g}",
            expected=f"{low:g} to {high:g}" if config.range else "an HTER, which is not negative",
            advice="Set data.score.range." if config.range else "Set data.score.kind, such as da.",
        )

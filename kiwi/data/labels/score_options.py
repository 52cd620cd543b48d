"""The options that say what sentence scores mean, and what the scores of training data mean by them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, field_validator

from kiwi.data.labels.score_meaning import LARGEST_QUALITY, WORST_PENALTY, ScoreKind, ScoreMeaning, Scores
from kiwi.exceptions import ConfigError, DataError
from kiwi.utils.io import BaseConfig

STANDARDIZED: Literal["standardized"] = "standardized"
"""The range of scores that have been standardized, with the mean 0 and the standard deviation 1."""

Span = tuple[float, float]
"""The lowest and the highest score."""

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

    range: tuple[float, float] | Literal["standardized"] | None = Field(default=None)
    """The lowest and the highest possible score, or ``standardized`` for z-scores, which have none. By default 0 and 1
    for ``hter``; 0 and 100, or 0 and 1, for ``da`` and ``esa`` if all scores are in it; 0 and 25 points of penalty for
    ``mqm`` on one side of 0."""

    @field_validator("range", mode="wrap")
    @classmethod
    def check_range(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Span | Literal["standardized"] | None:
        """Reject what is not two numbers, or a range that is not finite or in the wrong order."""
        found = repr(value)
        try:
            valid: Span | Literal["standardized"] | None = handler(value)
        except ValidationError:
            pass
        else:
            if not isinstance(valid, tuple) or 0.0 < valid[1] - valid[0] < math.inf:
                return valid
            found = f"{valid[0]:g} and {valid[1]:g}"
        raise ValueError(
            f"found {found:.60}; expected two finite numbers, the lowest score first, or {STANDARDIZED} for scores "
            "without a range"
        )


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
    if config.range != STANDARDIZED:
        return ScoreMeaning(kind, higher, config.range or _usual_range(kind, higher, low, high))
    if kind == "hter":
        raise ConfigError(
            f"data.score.range: found {STANDARDIZED}; an HTER is a share of edits, from 0 to 1. For z-scores of HTER, "
            "set kind to other, and higher_is_better to false."
        )
    return ScoreMeaning(kind, higher)


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
    span = None if config.range == STANDARDIZED else config.range
    low, high = span or ((0.0, math.inf) if kind == "hter" else (-math.inf, math.inf))
    if len(beyond := np.flatnonzero((values < low) | (values > high))):
        index = int(beyond[0])
        raise DataError.at(
            path,
            index + 1 if is_numbered else None,
            found=f"the score {values[index]:g}",
            expected=f"{low:g} to {high:g}" if span else "an HTER, which is not negative",
            advice="Set data.score.range." if span else "Set data.score.kind, such as da.",
        )

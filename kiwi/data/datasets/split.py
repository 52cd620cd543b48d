"""The options that all datasets share: languages, length buckets, and the split into training and validation data."""

from __future__ import annotations

import re
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, PositiveInt

from kiwi.exceptions import DataError
from kiwi.utils.io import BaseConfig

LANGUAGE = re.compile(
    r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?(-[A-Za-z0-9]{5,8})*(-x(-[A-Za-z0-9]{1,8})+)?"
)
"""A BCP 47 tag of language, script, region, variants and private use."""


def check_language(value: str) -> str:
    """Return a language tag, or reject it when it is not a BCP 47 tag."""
    if not LANGUAGE.fullmatch(value):
        advice = f"; did you mean '{tag}'?" if LANGUAGE.fullmatch(tag := value.strip().replace("_", "-")) else ""
        raise ValueError(f"found '{value}'; expected a BCP 47 tag, such as en, pt-BR or zh-Hant{advice}")
    return value


Language = Annotated[str, AfterValidator(check_language)]

Languages = Language | Annotated[list[Language], Field(min_length=1)]


class SplitConfig(BaseConfig):
    """Options that all datasets share."""

    source_language: Languages | None = None
    """Language of the source as a BCP 47 tag such as ``en``, or a list of tags. It is stored in the trained system, and
    prediction warns when the data has another language."""

    target_language: Languages | None = None
    """Language of the translations, in the same form as ``source_language``."""

    buffer_size: PositiveInt | None = None
    """Number of shuffled segments that are sorted by length together, so that batches hold segments of similar length.
    If unset, segments are shuffled but not sorted."""

    split: float | None = Field(default=None, gt=0.0, lt=1.0)
    """Share of ``train`` to train on, in (0, 1), drawn at random with the seed of the run. The rest is used for
    validation."""

    @property
    def languages(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The languages of source and target; empty where they are not given."""
        source, target = (
            (value,) if isinstance(value, str) else tuple(value or ())
            for value in (self.source_language, self.target_language)
        )
        return source, target


def draw_split(n_segments: int, share: float, seed: int, place: object) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of the segments for training and of those for validation, each in the order of the data.

    Args:
        n_segments: the number of all segments.
        share: the share of segments to train on, in (0, 1).
        seed: the seed of the random choice.
        place: the file of the data, for errors.

    Raises:
        DataError: when a part would be empty.
    """
    size = round(share * n_segments)
    if not 0 < size < n_segments:
        raise DataError.at(
            place,
            None,
            found=f"{n_segments} segments",
            expected=f"enough segments for data.split={share} to leave some for training and some for validation",
        )
    order = np.random.default_rng(seed).permutation(n_segments)
    return np.sort(order[:size]), np.sort(order[size:])

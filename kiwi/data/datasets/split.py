"""What all data has: its languages, and parts for training and for validation, perhaps drawn from one."""

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
"""A tag of BCP 47: language, script, region, variants, and what is private."""


def check_language(value: str) -> str:
    """Refuse what is no tag of a language."""
    if not LANGUAGE.fullmatch(value):
        advice = f"; did you mean '{tag}'?" if LANGUAGE.fullmatch(tag := value.strip().replace("_", "-")) else ""
        raise ValueError(f"found '{value}'; expected a BCP 47 tag, such as en, pt-BR or zh-Hant{advice}")
    return value


def same_language(one: str, other: str) -> bool:
    """Whether two tags are of one language, whatever their scripts and regions."""
    return one.partition("-")[0].lower() == other.partition("-")[0].lower()


Language = Annotated[str, AfterValidator(check_language)]

Languages = Language | Annotated[list[Language], Field(min_length=1)]


class SplitConfig(BaseConfig):
    """Options of all data."""

    source_language: Languages | None = None
    """Language of the source: a BCP 47 tag such as ``en``, or a list of them where there are several. Trained systems
    keep it, and prediction warns of others."""

    target_language: Languages | None = None
    """Language of the translations, in the same form."""

    buffer_size: PositiveInt | None = None
    """Sort this many shuffled segments at a time by length, so that batches hold segments of like length;
    unset, batches are shuffled only."""

    split: float | None = Field(default=None, gt=0.0, lt=1.0)
    """Share of ``train`` to train on, the rest being ``valid``; drawn at random by the run's seed."""

    @property
    def languages(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Of source and target; empty where they are not given."""
        source, target = (
            (value,) if isinstance(value, str) else tuple(value or ())
            for value in (self.source_language, self.target_language)
        )
        return source, target


def draw_split(n_segments: int, share: float, seed: int, place: object) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which segments are for training and which for validation, each in the order of the data.

    Args:
        n_segments: of all data.
        share: of them, to train on.
        seed: of the choice.
        place: the data's file, for errors.

    Raises:
        DataError: when a part would be empty.
    """
    size = round(share * n_segments)
    if not 0 < size < n_segments:
        raise DataError.at(
            place,
            None,
            found=f"{n_segments} segments",
            expected=f"enough for data.split={share} to leave some on both sides",
        )
    order = np.random.default_rng(seed).permutation(n_segments)
    return np.sort(order[:size]), np.sort(order[size:])

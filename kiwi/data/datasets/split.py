"""Data for training and for validation, from files of their own or drawn from one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from kiwi.exceptions import DataError
from kiwi.utils.io import BaseConfig


class SplitConfig(BaseConfig):
    """Options of all data to train on."""

    buffer_size: PositiveInt | None = None
    """Sort this many shuffled segments at a time by length, so that batches hold segments of like length;
    unset, batches are shuffled only."""

    split: float | None = Field(default=None, gt=0.0, lt=1.0)
    """Share of ``train`` to train on, the rest being ``valid``; drawn at random by the run's seed."""


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

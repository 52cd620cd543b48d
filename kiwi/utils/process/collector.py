"""The garbage collector of Python in processes that are short."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Mapping

THRESHOLDS = gc.get_threshold()
"""When collections take place otherwise."""

FIRST_OBJECTS = 400_000
"""The number of objects that are made before the first collection, more than a small system and its libraries have."""


def postpone_collection() -> None:
    """Let the garbage collector begin when many objects have been made, as most of the first ones stay.

    A process that ends before does not search what it has for garbage either, which would take a tenth of its time.
    """
    if _begin not in gc.callbacks:
        gc.callbacks.append(_begin)
        gc.set_threshold(FIRST_OBJECTS, *THRESHOLDS[1:])
        atexit.register(_end)


def _begin(phase: str, info: Mapping[str, int]) -> None:
    gc.callbacks.remove(_begin)
    gc.set_threshold(*THRESHOLDS)


def _end() -> None:
    if _begin in gc.callbacks:
        gc.freeze()

"""The garbage collector of Python in processes that are short."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Mapping

FIRST_OBJECTS = 400_000
"""The number of objects that are made before the first collection, more than a small system and its libraries have."""


def postpone_collection() -> None:
    """Let the garbage collector begin when many objects have been made, as most of the first ones stay.

    A process that ends before does not search what it has for garbage either, which would take a tenth of its time.
    """
    thresholds = gc.get_threshold()

    def begin(phase: str, info: Mapping[str, int]) -> None:
        gc.callbacks.remove(begin)
        gc.set_threshold(*thresholds)

    def end() -> None:
        if begin in gc.callbacks:
            gc.freeze()

    gc.callbacks.append(begin)
    gc.set_threshold(FIRST_OBJECTS, *thresholds[1:])
    atexit.register(end)

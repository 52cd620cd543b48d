"""How many threads to compute with."""

from __future__ import annotations

import os
from pathlib import Path

from kiwi.exceptions import ConfigError

QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""What a container may use of the processors: microseconds in a period, and the period."""


def number_of_threads(asked: int | None = None) -> int:
    """Threads to compute with.

    Args:
        asked: by the user; None takes ``OMP_NUM_THREADS``, or what this process may use: its cores, or what its
            container is given of them.

    Raises:
        ConfigError: when less than one is asked for.
    """
    if asked is not None:
        if asked < 1:
            raise ConfigError(f"threads: found {asked}; expected at least 1.")
        return asked
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if told.isdigit() and int(told) > 0:
        return int(told)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = QUOTA.read_text(encoding="ascii").split()
        return max(1, min(cores, round(int(quota) / int(period))))
    except (OSError, ValueError):  # there is none, or it says "max"
        return cores

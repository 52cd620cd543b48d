"""The number of threads to compute with."""

from __future__ import annotations

import os
from pathlib import Path

from kiwi.exceptions import ConfigError

QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""The file with the CPU quota of a container and its period, in microseconds."""


def number_of_threads(asked: int | None = None) -> int:
    """Return the number of threads to compute with.

    Args:
        asked: the number that the user asked for; None means ``OMP_NUM_THREADS``, or else the number of cores that this
            process or its container may use.

    Raises:
        ConfigError: when fewer than one is asked for.
    """
    if asked is not None:
        if asked < 1:
            raise ConfigError(f"threads: found {asked}; expected at least 1.")
        return asked
    configured = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if configured.isdigit() and int(configured) > 0:
        return int(configured)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = QUOTA.read_text(encoding="ascii").split()
        return max(1, min(cores, round(int(quota) / int(period))))
    except (OSError, ValueError):  # there is no quota, or it is "max"
        return cores

"""The amount of available memory."""

from __future__ import annotations

import re
from pathlib import Path

MEMORY_FILE = Path("/proc/meminfo")


def available_memory() -> int | None:
    """Return the available memory in bytes, without swapping; None where the system does not report it."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB$", MEMORY_FILE.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None

"""How much memory there is."""

from __future__ import annotations

import re
from pathlib import Path

MEMORY_FILE = Path("/proc/meminfo")


def available_memory() -> int | None:
    """Bytes that can be had without swapping; None where the system does not say."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB$", MEMORY_FILE.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None

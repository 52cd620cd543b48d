"""Peak memory of a benchmark's process."""

from __future__ import annotations

import re
from pathlib import Path


def peak_mb() -> float:
    """Of this process alone; ``getrusage`` would count what the process that started it had."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise OSError("this system does not say how much memory a process had at most")
    return int(found[1]) / 1024

"""Short processes do without the garbage collector; others have it as ever."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import gc
from kiwi.utils.process.collector import postpone_collection
usual = gc.get_threshold()
postpone_collection()
postpone_collection()
assert gc.get_threshold()[0] > 100_000
made = [[] for _ in range({n})]
print(gc.get_threshold() == usual, len(gc.callbacks))
import atexit
atexit._run_exitfuncs()
print(gc.get_freeze_count() > 0)
"""


@pytest.mark.parametrize(("n", "expected"), [(1_000, "False 1\nTrue\n"), (500_000, "True 0\nFalse\n")])
def test_the_first_collection_is_late_and_short_processes_have_none(n: int, expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(n=n)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == expected

"""A watch over the sockets of a program and of all processes that it starts, and over the files in its home."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from kiwi import _TELEMETRY as SWITCHES

IN_CI = ("CI", "PYTEST_CURRENT_TEST", "PYTEST_VERSION", "GITHUB_ACTIONS", "BUILDKITE")
"""Variables by which libraries recognize tests, and then send nothing."""


def trace_sockets(command: Sequence[str], directory: Path) -> list[str]:
    """Run a program with an empty home; return the system calls on internet sockets, and the files in the home.

    Args:
        command: the program and its arguments.
        directory: an empty directory.
    """
    assert shutil.which("strace"), "The tests watch sockets: on Debian, `apt-get install strace`."
    home, log = directory / "home", directory / "strace.log"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in (*SWITCHES, *IN_CI)}
    environment |= {"HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(["."])}
    environment.pop("XDG_CACHE_HOME", None)
    calls = "trace=socket,connect,sendto,sendmsg,sendmmsg"
    done = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-qq", "-e", calls, "-e", "signal=none", "-o", log, *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    files = [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]
    return [line for line in lines if "AF_INET" in line] + files

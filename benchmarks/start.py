"""How long a process takes from the shell to its first score, and how much memory: ``python benchmarks/start.py``.

Each command starts in a process of its own, in turn, so that what else the machine does affects all alike. CPU time is
that of all threads; bytecode is written to a directory of this program, as an installation does.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCE = "The house is small.\nI like tea.\n"
TARGET = "Das Haus ist klein.\nIch mag Kaffee.\n"


def measure(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Run a command, and return its CPU time and elapsed time in seconds, and its peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    """Print the medians of some commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-m", "--model", help="the system; by default, the installed model")
    parser.add_argument("--repeats", type=int, default=10)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "two.src"), Path(folder, "two.mt")
        source.write_text(SOURCE, encoding="utf-8")
        target.write_text(TARGET, encoding="utf-8")
        named = [] if given.model is None else ["-m", given.model]
        commands = {
            "kiwi score": ["score", "-s", str(source), "-t", str(target), *named],
            "kiwi --help": ["--help"],
            "kiwi score --help": ["score", "--help"],
            "kiwi models": ["models"],
        }
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"PYTHONPYCACHEPREFIX": str(Path(folder, "bytecode")), "OMP_NUM_THREADS": "1"}
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in commands}
        for repeat in range(given.repeats + 1):
            for name, arguments in commands.items():
                measured = measure([sys.executable, "-m", "kiwi", *arguments], environment)
                found[name] += [measured] if repeat else []  # the first one writes the bytecode
    print(f"medians of {given.repeats} runs   CPU s   elapsed s   peak MB")
    for name, rows in found.items():
        cpu, elapsed, memory = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{name:<20} {cpu:>9.2f} {elapsed:>11.2f} {memory:>9.0f}")


if __name__ == "__main__":
    main()

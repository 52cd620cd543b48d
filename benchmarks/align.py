"""How fast kiwi align is, compared with scoring by a system on the same encoder.

    python benchmarks/align.py SYSTEM SOURCE TARGET [--encoder DIR] [--segments 500] [--rounds 5]

SYSTEM is a checkpoint or an export of a system with a pretrained encoder, and DIR its encoder, a folder or an export of
kiwi align; SOURCE and TARGET are files of segments. Both run in turn on one thread; the medians count.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from kiwi.data.files.lines import read_lines
from kiwi.runner import PredictOptions, load_system
from kiwi.runner.word_aligner import load_word_aligner


def main() -> None:
    """Print the segments per second of each round, and the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", type=Path)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--encoder", default=None)
    parser.add_argument("--segments", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    columns = {name: read_lines(getattr(given, name))[: given.segments] for name in ("source", "target")}
    runner, aligner = load_system(given.system, threads=1), load_word_aligner(given.encoder, threads=1)
    works: dict[str, Callable[[], object]] = {
        "align": lambda: list(aligner.align(columns["source"], columns["target"])),
        "score": lambda: runner.predict_columns(columns, PredictOptions(threads=1, deduplicate=False)),
    }
    rates: dict[str, list[float]] = {name: [] for name in works}
    for number in range(given.rounds + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if number:  # the first round fills the caches of pieces
                rates[name].append(len(columns["source"]) / (time.perf_counter() - start))
        if number:
            print(f"round {number}", *(f"{name} {rate[-1]:.1f} segments/s" for name, rate in rates.items()), sep="\t")
    medians = {name: median(rate) for name, rate in rates.items()}
    ratio = medians["align"] / medians["score"]
    print("median", *(f"{name} {rate:.1f}" for name, rate in medians.items()), f"align/score {ratio:.2f}", sep="\t")
    print(aligner.engine.name)


if __name__ == "__main__":
    main()

"""Seconds and memory of kiwi evaluate for many segments, without intervals.

    python benchmarks/evaluate.py [--segments 1000000] [--words 30] [--repeats 3]

Writes made-up scores and tags (target words with gaps, and source words) of one system to a temporary directory, and
evaluates them in a process of its own, with one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from memory import peak_mb

CHUNK = 10_000
"""Segments that are made at a time."""


def write(place: Path, n_segments: int, n_words: int) -> dict[str, object]:
    """Write the files; the configuration of the evaluation."""
    random = np.random.default_rng(1)
    names = {"target_tags": 2 * n_words + 1, "source_tags": n_words}
    (place / "system").mkdir()
    with (place / "scores").open("w") as gold, (place / "system" / "sentence_scores").open("w") as mine:
        for _ in range(0, n_segments, CHUNK):
            scores = random.random(CHUNK)
            gold.writelines(f"{value:.6f}\n" for value in scores)
            mine.writelines(f"{value:.6f}\n" for value in scores + random.normal(0, 0.3, CHUNK))
    for name, width in names.items():
        predicted = {"target_tags": "targetgaps_tags"}.get(name, name)
        with (place / name).open("w") as gold, (place / "system" / predicted).open("w") as mine:
            for _ in range(0, n_segments, CHUNK):
                tags = random.random((CHUNK, width)) < 0.2
                labels = np.where(tags, "BAD", "OK")
                gold.writelines(" ".join(row) + "\n" for row in labels.tolist())
                values = np.char.mod("%.4f", np.clip(0.4 * tags + 0.6 * random.random((CHUNK, width)), 0, 1))
                mine.writelines(" ".join(row) + "\n" for row in values.tolist())
    files = {"sentence_scores": "scores", "target_tags": "target_tags", "source_tags": "source_tags"}
    return {
        "gold_files": {name: str(place / file) for name, file in files.items()},
        "predicted_dir": [str(place / "system")],
        "bootstrap": 0,
        "quiet": True,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=1_000_000)
    parser.add_argument("--words", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        from kiwi.lib.evaluate import evaluate_from_file

        evaluate_from_file(arguments.run)
        print(peak_mb())
        return
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        config = place / "config.json"
        config.write_text(json.dumps(write(place, arguments.segments, arguments.words)))
        seconds, peaks = [], []
        for _ in range(arguments.repeats):
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, __file__, "--run", str(config)],
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
                check=True,
            )
            peaks.append(float(done.stdout.split()[-1]))
            seconds.append(time.perf_counter() - start)
            print(f"{seconds[-1]:.1f} s, {peaks[-1]:.0f} MB", flush=True)
    n = arguments.segments
    print(f"{n} segments: {statistics.median(seconds):.1f} s, {statistics.median(peaks):.0f} MB (medians)")


if __name__ == "__main__":
    main()

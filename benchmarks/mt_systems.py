"""Measures the time of acc*eq and SPA, and of their intervals.

python benchmarks/mt_systems.py --systems 20 --segments 2000
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from kiwi.metrics.aligned import Aligned
from kiwi.metrics.confidence import bootstrap
from kiwi.metrics.measured import measure_mt_systems
from kiwi.metrics.mt_systems import TieCalibration, soft_pairwise_accuracy


def timed(name: str, function: Callable[[], Any]) -> Any:
    """Call a function, and print how long it took."""
    start = time.perf_counter()
    found = function()
    print(f"{name:<40} {time.perf_counter() - start:8.2f} s")
    return found


def main() -> None:
    """Measure random scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", type=int, default=20)
    parser.add_argument("--segments", type=int, default=2000)
    parser.add_argument("--samples", type=int, default=1000, help="the number of bootstrap samples")
    options = parser.parse_args()
    random = np.random.default_rng(0)
    shape = options.systems, options.segments
    gold = random.integers(-25, 1, shape).astype(np.float64)
    predicted = gold + random.normal(size=shape) * 5
    print(f"{shape[0]} MT systems, {shape[1]} segments")
    accuracy, epsilon = timed("acc*eq", lambda: TieCalibration(gold, predicted).best())
    spa = timed("SPA", lambda: soft_pairwise_accuracy(gold, predicted))
    index = np.indices(shape).reshape(2, -1)
    numbers = np.arange(gold.size) + 1
    aligned = Aligned(
        "sentence_scores",
        gold.ravel(),
        {"us": predicted.ravel()},
        None,
        numbers,
        mt_system=index[0],
        source_segment=index[1],
    )
    (measured,) = timed("preparation", lambda: measure_mt_systems(aligned))
    statistic = measured.resampled
    timed(
        f"intervals of {options.samples} samples",
        lambda: bootstrap(statistic, measured.n_segments, samples=options.samples),
    )
    print(f"acc*eq {accuracy:.4f} (epsilon {epsilon:.4g}), SPA {spa:.4f}")


if __name__ == "__main__":
    main()

"""The bundled sample, enlarged and scored by systems that do not exist."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np

from kiwi.metrics.aligned import Aligned
from kiwi.metrics.measured import measure
from kiwi.metrics.report import Report, Settings, build_report

SYSTEMS = ("runs/good", "runs/poor")
PARTS = {"tags": {"target_tags": [1], "gap_tags": [0], "WMT19": [0, 1]}, "source_tags": {"source_tags": [0, 1]}}
"""The files of tags, and the positions (modulo 2) of each output's tags in their lines."""


@dataclass(frozen=True)
class Evaluated:
    report: Report
    outputs: list[Aligned]
    texts: dict[str, list[str]]

    def only(self, *names: str) -> Evaluated:
        outputs = [each for each in self.outputs if each.output in names]
        return Evaluated(report_of(outputs), outputs, self.texts)


def lines(suffix: str) -> list[str]:
    return resources.files("kiwi").joinpath("assets", "sample", f"train.{suffix}").read_text("utf-8").splitlines()


def report_of(outputs: list[Aligned]) -> Report:
    origins = {"runs/good": "0123456789abcdef", "runs/poor": "fedcba9876543210"}
    return build_report([each for aligned in outputs for each in measure(aligned)], Settings(samples=20), origins)


def evaluated(n: int, systems: tuple[str, ...] = SYSTEMS) -> Evaluated:
    """Segments of the sample in random order, with noisy predictions; the first system is the best."""
    generator = np.random.default_rng(3)
    chosen = generator.integers(0, 300, n)
    texts = {field: [lines(suffix)[i] for i in chosen] for field, suffix in (("source", "src"), ("target", "mt"))}
    numbers = np.arange(1, n + 1)
    gold = np.array([float(line) for line in lines("hter")])[chosen]
    outputs = [
        Aligned(
            "sentence_scores",
            gold,
            {name: gold * 0.7 + generator.normal(0, 0.05 + 0.1 * i, n) for i, name in enumerate(systems)},
            None,
            numbers,
        )
    ]
    tags = {
        suffix: [[tag == "BAD" for tag in line.split()] for line in lines(suffix)] for suffix in ("tags", "source_tags")
    }
    for suffix, parts in PARTS.items():
        rows = [tags[suffix][i] for i in chosen]
        classes = np.array([tag for row in rows for tag in row], dtype=np.int64)
        places = np.concatenate([np.arange(len(row)) for row in rows])
        segments = np.repeat(np.arange(n), [len(row) for row in rows])
        predicted = {
            name: 1 / (1 + np.exp(2.2 - (4 - 1.5 * i) * classes + generator.normal(0, 1, len(classes))))
            for i, name in enumerate(systems)
        }
        for output, remainders in parts.items():
            there = np.isin(places % 2, remainders)
            offsets = np.concatenate(([0], np.cumsum(np.bincount(segments[there], minlength=n))))
            of_part = {name: bad[there] for name, bad in predicted.items()}
            outputs.append(Aligned(output, classes[there], of_part, offsets, numbers))
    return Evaluated(report_of(outputs), outputs, texts)

"""Measures the error spans and scores of systems on annotated errors, beside those of a constant.

    python benchmarks/spans.py OUT.md SYSTEM [SYSTEM ...] --tables 2022_en-de_dev.tsv.gz 2022_en-ru_dev.tsv.gz ...

A table has a row for each rater, with the columns lp, system, doc, seg, source, target, starts, ends and severities, as
the annotations of WMT have. Half of its documents choose the thresholds of the other half, with ``kiwi thresholds``, so
that no segment is measured by thresholds that it has chosen. ``table:SHARE`` takes only the last documents, such as
2021_zh-en.tsv.gz:0.12, for a table that systems have learned from otherwise.

Systems are checkpoints that differ in their seed: the figures are their means, with the lowest and the highest.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import math
import subprocess
import sys
import tempfile
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

import kiwi
from kiwi.metrics import functions
from kiwi.metrics.mt_systems import TieCalibration, score_matrix
from kiwi.metrics.spans import SpanCounts, count_characters, count_spans

Row = dict[str, str]
Span = tuple[int, int, str]
NAMES = ("starts", "ends", "severities")
SOURCE = ("lp", "doc", "seg", "source")
KEY = (*SOURCE, "system", "target")
PENALTIES = {"minor": 1.0, "major": 5.0, "critical": 10.0}
WORST_PENALTY = 25.0


@dataclass
class Segment:
    """An annotated translation."""

    key: Row
    raters: list[Row]

    @property
    def fold(self) -> int:
        """Which half its document is in."""
        return hashlib.sha256(self.key["doc"].encode()).digest()[0] % 2

    def annotated(self) -> list[list[Span]]:
        """Return the spans of each rater."""
        length = len(self.key["target"])
        return [
            [
                (int(start), min(int(end), length), severity)
                for start, end, severity in zip(*(row[name].split() for name in NAMES), strict=True)
                if severity in PENALTIES and 0 <= int(start) <= int(end)
            ]
            for row in self.raters
        ]

    def penalty(self) -> float:
        """Return the penalty of MQM, the mean of the raters."""
        return fmean(min(sum(PENALTIES[own] for *_, own in spans), WORST_PENALTY) for spans in self.annotated())


def read_segments(path: Path, share: float, n_segments: int) -> list[Segment]:
    """Read the segments of the last documents of a table.

    Where there are more than wanted, all translations of every second source (third, and so on) are taken.
    """
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    documents = list(dict.fromkeys(row["doc"] for row in rows))
    last = set(documents[-int(len(documents) * share) :])
    segments: dict[tuple[str, ...], Segment] = {}
    for row in rows:
        if row["doc"] in last:
            key = {name: row[name] for name in KEY}
            segments.setdefault(tuple(key.values()), Segment(key, [])).raters.append(row)
    by_source: dict[tuple[str, ...], list[Segment]] = {}
    for segment in segments.values():
        by_source.setdefault(tuple(segment.key[name] for name in SOURCE), []).append(segment)
    every = -(-len(segments) // n_segments)
    return [segment for own in list(by_source.values())[::every] for segment in own]


def with_thresholds(system: str, segments: Sequence[Segment], directory: Path) -> kiwi.Runner:
    """Load a system with thresholds that these segments choose."""
    table, chosen = directory / "table.tsv", directory / "chosen"
    with table.open("w", encoding="utf-8", newline="\n") as file:
        file.write("\t".join(("lp", "seg", "rater", "source", "target", *NAMES)) + "\n")
        for number, segment in enumerate(segments):
            length = len(segment.key["target"])
            for rater, row in enumerate(segment.raters):
                ends = " ".join(str(min(int(end), length)) for end in row["ends"].split())
                cells = (segment.key["source"], segment.key["target"], row["starts"], ends, row["severities"])
                file.write("\t".join((segment.key["lp"], str(number), str(rater), *cells)) + "\n")
    own = ["-s", table, "-t", table, "--lp", table, "--error-spans", table, "--overwrite", "--quiet"]
    subprocess.run([sys.executable, "-m", "kiwi", "thresholds", system, chosen, *map(str, own)], check=True)
    return kiwi.load_system(chosen)


def measure(system: str, segments: Sequence[Segment]) -> dict[str, float]:
    """Return the figures of a system on a table."""
    names = ("WMT23", "WMT25", "WMT23 constant", "WMT25 constant")
    counts = {name: SpanCounts() for name in names}
    words: list[tuple[bool, bool]] = []
    scores: dict[int, float] = {}
    combined: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as directory:
        for fold in (0, 1):
            others = [segment for segment in segments if segment.fold != fold]
            runner = with_thresholds(system, others, Path(directory))
            places = [place for place, segment in enumerate(segments) if segment.fold == fold]
            sources, targets, pairs = ([segments[p].key[name] for p in places] for name in ("source", "target", "lp"))
            predictions = runner.predict(sources, targets, language_pairs=pairs)
            assert predictions.sentence_scores is not None
            assert predictions.error_spans is not None
            if predictions.combined_score is not None:
                combined |= zip(places, predictions.combined_score, strict=True)
            meaning = runner.about.data.score
            is_penalty = meaning is not None and not meaning.higher_is_better
            for place, score, spans in zip(places, predictions.sentence_scores, predictions.error_spans, strict=True):
                target = segments[place].key["target"]
                found = [(span.start, span.end, str(span.severity)) for span in spans]
                everything = [(0, len(target), "major")]
                scores[place] = -score if is_penalty else score
                for gold in segments[place].annotated():
                    for marked, suffix in ((found, ""), (everything, " constant")):
                        counts[f"WMT23{suffix}"] += count_spans(target, gold, marked)
                        counts[f"WMT25{suffix}"] += count_characters(target, gold, marked)
                    words += zip(marked_words(target, gold), marked_words(target, found), strict=True)
    gold_scores = np.array([-segment.penalty() for segment in segments])
    predicted, both = ([own.get(place, math.nan) for place in range(len(segments))] for own in (scores, combined))
    expected, actual = (np.array(tags, dtype=int) for tags in zip(*words, strict=True))
    return {
        "Spearman": functions.spearman(gold_scores, np.array(predicted)),
        "Spearman, combined": functions.spearman(gold_scores, np.array(both)) if combined else math.nan,
        "Pearson": functions.pearson(gold_scores, np.array(predicted)),
        "acc*eq": tie_accuracy(segments, gold_scores, np.array(predicted)),
        "word MCC": functions.matthews(functions.confusion(expected, actual)),
        **{f"F1 {name}": own.metrics["F1"] for name, own in counts.items()},
    }


def tie_accuracy(segments: Sequence[Segment], gold: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """Return acc*eq, how well scores order the translations of each source segment; the mean of the language pairs."""
    accuracies = []
    for lp in dict.fromkeys(segment.key["lp"] for segment in segments):
        places = [place for place, segment in enumerate(segments) if segment.key["lp"] == lp]
        systems = _numbered([segments[place].key["system"] for place in places])
        sources = _numbered([tuple(segments[place].key[name] for name in SOURCE) for place in places])
        shape = max(systems) + 1, max(sources) + 1
        matrices = (score_matrix(scores[places], systems, sources, shape) for scores in (gold, predicted))
        if len(places) > shape[1]:  # some source has several translations
            accuracies.append(TieCalibration(*matrices).best()[0])
    return fmean(accuracies) if accuracies else math.nan


def _numbered(names: Sequence[Hashable]) -> list[int]:
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return [numbers[name] for name in names]


def marked_words(target: str, spans: Sequence[Span]) -> list[bool]:
    """Return for each word between spaces whether an error covers a part of it."""
    found, place = [], 0
    for word in target.split(" "):
        end = place + len(word)
        if word:
            found.append(any(start < end and stop > place for start, stop, _ in spans))
        place = end + 1
    return found


def table(figures: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Return the means over systems as a table of Markdown, with the lowest and the highest."""
    names = list(next(iter(figures.values()))[0])
    lines = [f"| | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
    for part, systems in figures.items():
        cells = []
        for name in names:
            values = [own[name] for own in systems]
            between = f" ({min(values):.3f}–{max(values):.3f})" if max(values) > min(values) else ""
            if math.isnan(values[0]):
                cells.append("")
                continue
            cells.append(f"{fmean(values):.3f}{between}")
        lines.append(f"| {part} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure systems."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the table to write, as Markdown")
    parser.add_argument("systems", nargs="+", help="checkpoints")
    parser.add_argument("--tables", nargs="+", required=True, help="tables of annotated errors, gzip")
    parser.add_argument("--segments", type=int, default=1000, help="the largest number of segments of each table")
    args = parser.parse_args()
    figures: dict[str, list[dict[str, float]]] = {}
    for name in args.tables:
        path, _, share = name.partition(":")
        segments = read_segments(Path(path), float(share or 1), args.segments)
        part = f"{Path(path).name.removesuffix('.tsv.gz')}, {len(segments):,} segments"
        for system in args.systems:
            figures.setdefault(part, []).append(measure(system, segments))
            print(part, system, {key: round(value, 3) for key, value in figures[part][-1].items()}, flush=True)
    args.out.write_text(table(figures), encoding="utf-8")


if __name__ == "__main__":
    main()

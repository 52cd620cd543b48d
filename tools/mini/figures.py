"""Measure a system for the card of kiwi-mini, and write the tables as Markdown.

    python tools/mini/figures.py SYSTEM MLQE-PE MQM OUT.md [--part dev|test20] [--segments 1000] [--wrong 300]

The assessments and tags are those of one part of MLQE-PE. Development chooses; ``test20`` is measured once, at the end,
and alone. The annotated errors are those of the development sets of MQM. ``OUT.md`` gets the tables, ``OUT.json`` the
numbers.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prepare import CALIBRATED, CHOOSING
from segments import GOOD_SCORE, PAIRS, PENALTIES, WORST_PENALTY, Segment, read, word_tags

import kiwi
from kiwi.lib.corpus.corruption.kinds import CORRUPTIONS, Material
from kiwi.lib.corpus.corruption.negations import NEGATIONS
from kiwi.lib.corpus.corruption.segments import splitter_for
from kiwi.lib.corpus.corruption.units import Mark, render, split_units
from kiwi.metrics import functions
from kiwi.metrics.confidence import bootstrap, interval
from kiwi.metrics.conformal import interval_figures
from kiwi.metrics.spans import SpanCounts, count_characters, count_spans

Figures = dict[str, Any]

SINGLE_ERRORS = ("confuse", "name", "number", "drop-negation", "drop", "swap", "add", "leave")
"""The kinds of errors of ``kiwi corpus corrupt`` of which a translation gets one."""

FEWEST_ERRORS = 20
"""The smallest number of translations with an error of a kind for which there is a figure."""

PARAGRAPHS = (3, 5)
"""The numbers of segments in paragraphs."""

PARAGRAPHS_OF_PAIR = 20
"""The number of paragraphs of each size and language pair."""


def with_interval(
    metric: Callable[..., float], gold: Sequence[float], found: Sequence[float] | None
) -> dict[str, float]:
    """Return a metric with its 95 % interval over segments."""
    one, other = np.array(gold), np.array(found)

    def of_sample(indices: NDArray[np.int64]) -> Mapping[str, float]:
        return {"metric": metric(one[indices], other[indices])}

    low, high = interval(bootstrap(of_sample, len(one))["metric"])
    return {"value": metric(one, other), "low": low, "high": high}


def matthews(gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]] | None) -> float:
    """Return the MCC of the tags of segments; segments without gold tags are left out."""
    pairs = [(one, other) for one, other in zip(gold, found or (), strict=True) if one]
    expected, actual = (
        np.array([tag == "BAD" for line in lines for tag in line]) for lines in zip(*pairs, strict=True)
    )
    return functions.matthews(functions.confusion(expected.astype(int), actual.astype(int)))


def of_assessments(system: kiwi.Runner, directory: Path, part: str, n_segments: int) -> Figures:
    """Measure scores on raw texts, and tags on raw texts and on tokenized ones, as they were annotated."""
    figures: Figures = {}
    for lp in PAIRS:

        def own(suffix: str, lp: str = lp) -> list[str]:
            return read(directory / lp / f"{part}.{suffix}")[:n_segments]

        pairs = [lp] * len(own("raw.src"))
        raw = system.predict(own("raw.src"), own("raw.mt"), language_pairs=pairs)
        gold = list(map(float, own("da")))
        found: Figures = {"Pearson": with_interval(functions.pearson, gold, raw.sentence_scores)}
        segments = map(Segment, own("raw.src"), own("raw.mt"), pairs)
        chose = [part == "dev" and segment.share < CALIBRATED for segment in segments]
        if raw.sentence_intervals is not None:
            low, high = raw.sentence_intervals.T
            unseen = chose if part == "dev" else slice(None)  # those that chose thresholds calibrated nothing
            found["interval, ±"] = float(np.mean(high - low)) / 2
            found["within it"] = interval_figures(np.array(gold)[unseen], low[unseen], high[unseen])["coverage"]
        if raw.target_tags_labels is not None:
            tokenized = system.predict(own("src"), own("mt"), language_pairs=pairs)
            # Segments that chose thresholds count as without tags.
            tags = [[] if seen else line.split() for line, seen in zip(own("tags"), chose, strict=True)]
            tokens, words, gaps = own("mt"), [line[1::2] for line in tags], [line[0::2] for line in tags]
            if lp != "en-zh":  # Chinese has no spaces between words
                texts = zip(own("raw.mt"), tokens, words, gaps, strict=True)
                carried = [
                    word_tags(text, line.split(), *labels).split() if labels[0] else [] for text, line, *labels in texts
                ]
                found["target MCC"] = matthews([line[1::2] for line in carried], raw.target_tags_labels)
                found["gap MCC"] = matthews([line[0::2] for line in carried], raw.gap_tags_labels)
            found["target MCC, tokenized"] = matthews(words, tokenized.target_tags_labels)
            found["gap MCC, tokenized"] = matthews(gaps, tokenized.gap_tags_labels)
            source_tags = [[] if seen else line.split() for line, seen in zip(own("source_tags"), chose, strict=True)]
            found["source MCC, tokenized"] = matthews(source_tags, tokenized.source_tags_labels)
        figures[lp] = found
    return figures


def of_annotations(system: kiwi.Runner, directory: Path, name: str, n_segments: int) -> Figures:
    """Measure scores and spans on annotated errors, beside the constant that marks all of every text as an error.

    Spans are measured on the segments that have not chosen their thresholds.
    """
    with gzip.open(directory / f"{name}.tsv.gz", "rt", encoding="utf-8", newline="\n") as file:
        head, *rows = (line.rstrip("\n").split("\t") for line in file)
    segments: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for cells in rows:
        row = dict(zip(head, cells, strict=True))
        key = tuple(row[column] for column in ("system", "doc", "seg", "source", "target"))
        segments.setdefault(key, []).append(row)
    chosen = list(segments.values())
    # Segments of all documents and systems, where not all are wanted.
    chosen = [chosen[place] for place in np.linspace(0, len(chosen) - 1, min(n_segments, len(chosen))).astype(int)]
    sources, targets, pairs = ([raters[0][column] for raters in chosen] for column in ("source", "target", "lp"))
    predictions = system.predict(sources, targets, language_pairs=pairs)
    assert predictions.sentence_scores is not None
    counts = {name: SpanCounts() for name in ("WMT23", "WMT25", "WMT23 constant", "WMT25 constant")}
    gold: list[float] = []
    for raters, spans in zip(chosen, predictions.error_spans or [[]] * len(chosen), strict=True):
        target = raters[0]["target"]
        is_new = Segment(raters[0]["source"], target, raters[0]["lp"]).share >= CHOOSING[name]
        points = []
        for rater in raters:
            annotated = _spans(rater, len(target))
            points.append(-min(sum(PENALTIES[severity] for _, _, severity in annotated), WORST_PENALTY))
            found = [(span.start, span.end, span.severity) for span in spans]
            constant = [(0, len(target), "major")]
            for marked, suffix in ((found, ""), (constant, " constant")) if is_new else ():
                counts[f"WMT23{suffix}"] += count_spans(target, annotated, marked)
                counts[f"WMT25{suffix}"] += count_characters(target, annotated, marked)
        gold.append(fmean(points))
    figures: Figures = {"Spearman": with_interval(functions.spearman, gold, predictions.sentence_scores)}
    if predictions.combined_score is not None:
        figures["Spearman, combined"] = with_interval(functions.spearman, gold, predictions.combined_score)
    figures["Pearson"] = functions.pearson(gold, predictions.sentence_scores)
    if predictions.error_spans is not None:
        figures |= {f"F1 {name}": own.metrics["F1"] for name, own in counts.items()}
    return figures | {"segments": len(chosen)}


def _spans(row: Mapping[str, str], length: int) -> list[tuple[int, int, str]]:
    cells = (row["starts"].split(), row["ends"].split(), row["severities"].split())
    spans = [(int(start), min(int(end), length), severity) for start, end, severity in zip(*cells, strict=True)]
    return [(start, end, severity) for start, end, severity in spans if severity in PENALTIES and 0 <= start <= end]


def of_wrong_targets(system: kiwi.Runner, directory: Path, n_segments: int) -> Figures:
    """Return for each kind of obviously wrong target the share that scores below the translation."""
    texts = {lp: tuple(read(directory / lp / f"dev.raw.{side}")[:n_segments] for side in ("src", "mt")) for lp in PAIRS}
    figures: Figures = {}
    for lp, (sources, targets) in texts.items():
        other = texts["en-zh" if lp != "en-zh" else "en-de"][1]
        wrong = {
            "source copied": sources,
            "another sentence": targets[1:] + targets[:1],
            "half missing": [_half(target) for target in targets],
            "said twice": [f"{target} {target}" for target in targets],
            "another language": [other[place % len(other)] for place in range(len(targets))],
        }
        right = system.predict(sources, targets).sentence_scores or []
        figures[lp] = {}
        for kind, made in wrong.items():
            scores = system.predict(sources, made).sentence_scores or []
            pairs = zip(made, targets, scores, right, strict=True)
            figures[lp][kind] = fmean(one < other for text, target, one, other in pairs if text != target)
    return figures


def of_paragraphs(system: kiwi.Runner, directory: Path, n_paragraphs: int) -> Figures:
    """Return the shares of paragraphs of all language pairs that score lower when a part of the translation is lost."""
    figures: Figures = {}
    for size in PARAGRAPHS:
        rows: list[tuple[str, str]] = []
        kinds: list[str] = []
        for lp in PAIRS:
            segments = list(zip(*(read(directory / lp / f"dev.raw.{side}") for side in ("src", "mt")), strict=True))
            spaces = ["" if language == "zh" else " " for language in lp.split("-")]
            for start in range(0, n_paragraphs * size, size):
                sources, targets = zip(*segments[start : start + size], strict=True)
                half = size // 2
                versions = {
                    "": targets,
                    "first missing": targets[1:],
                    "last missing": targets[:-1],
                    "second half missing": targets[: size - half],
                    "second half untranslated": targets[: size - half] + sources[size - half :],
                }
                kinds += versions
                rows += [(spaces[0].join(sources), spaces[1].join(each)) for each in versions.values()]
        sources, targets = zip(*rows, strict=True)
        scores = system.predict(sources, targets).sentence_scores or []
        found: dict[str, list[bool]] = {}
        right = 0.0
        for kind, score in zip(kinds, scores, strict=True):
            if not kind:
                right = score
            else:
                found.setdefault(kind, []).append(score < right)
        figures[f"{size} segments"] = {kind: fmean(own) for kind, own in found.items()}
    return figures


def of_single_errors(system: kiwi.Runner, directory: Path, n_segments: int) -> Figures:
    """Return for each kind of error the share of good translations that score lower with one error of the kind."""
    figures: Figures = {}
    for lp in PAIRS:
        sources, targets, scores = (read(directory / lp / f"dev.{name}") for name in ("raw.src", "raw.mt", "da"))
        rows = zip(sources, targets, map(float, scores), strict=True)
        good = [(source, target) for source, target, score in rows if score > GOOD_SCORE][:n_segments]
        language = lp.partition("-")[2]
        split = splitter_for(language)
        units = [split_units(target, split) for _, target in good]
        figures[lp] = {}
        for kind in SINGLE_ERRORS:
            texts: list[tuple[str, str, str]] = []
            for place, (source, target) in enumerate(good):
                others = units[:place] + units[place + 1 :]
                given = Material(split_units(source), others, (), NEGATIONS[language], " " if split is None else "")
                mark = Mark(kind, "major")
                made = CORRUPTIONS[kind].corrupt(units[place], given, Random(f"{lp} {kind} {place}"), mark)
                if made is not None:
                    texts.append((source, target, render(made[0])[0]))
            if len(texts) >= FEWEST_ERRORS:
                froms, rights, wrongs = (list(column) for column in zip(*texts, strict=True))
                right, wrong = (system.predict(froms, each).sentence_scores or [] for each in (rights, wrongs))
                figures[lp][kind] = fmean(one < other for one, other in zip(wrong, right, strict=True))
    return figures


def _half(target: str) -> str:
    """Return the first half of the words, or of the characters where there are no spaces between words."""
    words = target.split()
    return " ".join(words[: (len(words) + 1) // 2]) if len(words) > 3 else target[: (len(target) + 1) // 2]


def table(title: str, figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Return figures as a table of Markdown: a row for each set of segments, a column for each figure."""
    names = list(dict.fromkeys(chain.from_iterable(figures.values())))
    lines = [f"| {title} | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
    for row, cells in figures.items():
        lines.append(f"| {row} | " + " | ".join(_cell(cells.get(name)) for name in names) + " |")
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"


def main() -> None:
    """Measure a system."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("system", help="a checkpoint, an export, or the name of an installed model")
    parser.add_argument("assessments", type=Path, help="MLQE-PE, with a directory for each language pair")
    parser.add_argument("annotations", type=Path, help="tables of annotated errors")
    parser.add_argument("out", type=Path, help="the Markdown file to write; its numbers are written beside it")
    parser.add_argument("--part", choices=("dev", "test20"), default="dev", help="the part of MLQE-PE")
    parser.add_argument("--segments", type=int, default=100_000, help="the largest number of segments of each set")
    parser.add_argument("--wrong", type=int, help="that of the segments whose translations are made wrong in five ways")
    args = parser.parse_args()

    system = kiwi.load_system(args.system)
    figures: dict[str, Figures] = {}
    tables: list[str] = []

    def add(title: str, found: Figures) -> None:
        figures[title] = found
        tables.append(table(title, found))
        print(tables[-1], flush=True)

    assessed = of_assessments(system, args.assessments, args.part, args.segments)
    mean: Figures = {}
    for name in assessed[PAIRS[0]]:
        known = [own[name] for own in assessed.values() if name in own]
        mean[name] = fmean(each["value"] if isinstance(each, Mapping) else each for each in known)
    add(f"MLQE-PE, {args.part}", assessed | {"mean": mean})
    if args.part == "dev":
        annotated = {name: of_annotations(system, args.annotations, name, args.segments) for name in CHOOSING}
        add("MQM", annotated)
        add("scores below the translation", of_wrong_targets(system, args.assessments, args.wrong or args.segments))
        add("paragraphs below the translation", of_paragraphs(system, args.assessments, PARAGRAPHS_OF_PAIR))
        add(
            "with one error below without",
            of_single_errors(system, args.assessments, (args.wrong or args.segments) // 2),
        )
    args.out.write_text("\n".join(tables), encoding="utf-8")
    args.out.with_suffix(".json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""The text of predictions: the files that ``kiwi predict`` writes, with one line for each segment."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kiwi import constants as const
from kiwi.data.labels.error_spans import parse_spans_line, spans_line
from kiwi.data.labels.tags import to_labels
from kiwi.outputs import OUTPUTS, SPAN_SCORES, names as output_names

if TYPE_CHECKING:
    from kiwi.runner.predictions import Predictions


def prediction_files(outputs: Collection[str] | None = None, *, use_distribution: bool = True) -> list[str]:
    """Return the names of the files of predictions.

    Args:
        outputs: the outputs of a system; by default, all outputs.
        use_distribution: whether scores come with standard deviations.
    """
    specs = [OUTPUTS[name] for name in output_names(outputs)]
    files = [file for spec in specs if spec.kind == "tags" for file in spec.files]
    if {const.TARGET_TAGS, const.GAP_TAGS} <= {spec.name for spec in specs}:
        files += [const.TARGETGAPS_TAGS, f"{const.TARGETGAPS_TAGS}_labels"]
    files += [file for spec in specs if spec.kind in ("verdict", "spans") for file in spec.files]
    for spec in (spec for spec in specs if spec.kind == "score"):
        files += spec.files if use_distribution else [file for file in spec.files if file != spec.extras]
    return files


def lines_of(predictions: Predictions) -> dict[str, list[str]]:
    """Return the lines of each file, one per segment.

    Args:
        predictions: the predictions.
    """
    content: dict[str, list[str]] = {}
    for spec in OUTPUTS.values():
        values = predictions.get(spec.attributes[0])
        if values is None:
            continue
        if spec.kind == "spans":
            content[spec.name] = list(map(spans_line, values))
            for name in SPAN_SCORES:
                if (scores := predictions.get(name)) is not None:
                    content[name] = [f"{score:.6f}" for score in scores]
            continue
        if spec.kind != "score":
            content |= _lines_of_probabilities(spec.name, values if spec.is_word_level else [[p] for p in values])
            continue
        content[spec.name] = [f"{score:.6f}" for score in values]
        if spec.has_distribution and (deviations := predictions.get(spec.attributes[1])) is not None:
            pairs = zip(values, deviations, strict=True)
            content[spec.extras] = [f"{mean:.6f}\t{deviation:.6f}" for mean, deviation in pairs]
        if spec.has_distribution and (low := predictions.get(spec.attributes[2])) is not None:
            ends = zip(low, predictions.get(spec.attributes[3]) or [], strict=True)
            content[spec.intervals] = [f"{lower:.6f}\t{upper:.6f}" for lower, upper in ends]
    if predictions.targetgaps_tags_BAD_probabilities is not None:
        content |= _lines_of_probabilities(const.TARGETGAPS_TAGS, predictions.targetgaps_tags_BAD_probabilities)
    return {name: content[name] for name in prediction_files() if name in content}


def values_of(content: Mapping[str, Sequence[str]]) -> dict[str, list[Any]]:
    """Return the values that the lines of files stand for, by attribute of predictions.

    Args:
        content: the lines of each file.

    Raises:
        ValueError, IndexError, KeyError: when they are damaged.
    """
    found: dict[str, list[Any]] = {}
    for spec in (spec for spec in OUTPUTS.values() if spec.name in content):
        first, *others = spec.attributes
        if spec.kind == "score":
            found[first] = [float(line) for line in content[spec.name]]
            if spec.extras in content:
                found[others[0]] = [float(line.split("\t")[1]) for line in content[spec.extras]]
            if spec.intervals in content:
                ends = [line.split("\t") for line in content[spec.intervals]]
                found[others[1]], found[others[2]] = ([float(pair[side]) for pair in ends] for side in (0, 1))
            continue
        if spec.kind == "spans":
            found[first] = list(map(parse_spans_line, content[spec.name]))
            for name in (name for name in others if name in content):
                found[name] = [float(line) for line in content[name]]
            continue
        rows = [[float(value) for value in line.split()] for line in content[spec.name]]
        labels = [line.split() for line in content[f"{spec.name}_labels"]]
        found[first] = rows if spec.is_word_level else [row[0] for row in rows]
        found[others[0]] = labels if spec.is_word_level else [" ".join(row) for row in labels]
    return found


def _lines_of_probabilities(name: str, rows: Sequence[Sequence[float]]) -> dict[str, list[str]]:
    """Return the lines of the two files of an output with probabilities of BAD."""
    return {
        name: [" ".join(f"{value:.6f}" for value in row) for row in rows],
        f"{name}_labels": ["" if any(map(math.isnan, row)) else " ".join(to_labels(row)) for row in rows],
    }

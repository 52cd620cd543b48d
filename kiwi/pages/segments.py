"""The segments that a system is most wrong about, with their words coloured by its predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kiwi import constants as const
from kiwi.metrics.aligned import Aligned
from kiwi.pages import counts
from kiwi.pages.marks import MarkedTexts, disagreement, mark
from kiwi.pages.words import Line, Piece, Tags, make_line

TRACK_START, TRACK_LENGTH = 8, 104
"""Where the axis of a score begins in its picture, and its length."""


@dataclass(frozen=True)
class Score:
    """The score of a segment."""

    gold: float
    predicted: float

    gold_place: float
    """The position of the gold score in the picture, from the left."""

    predicted_place: float


@dataclass(frozen=True)
class Card:
    """A segment."""

    number: int
    """Its line number, from 1."""

    loss: str
    """The error or loss of the system on it."""

    score: Score | None
    lines: list[Line]

    summaries: list[str]
    """The numbers of BAD tags that were found and of false alarms."""

    errors: list[Piece] = field(default_factory=list)
    """The translation with its error spans; none if spans are not compared."""


def worst_segments(
    outputs: Sequence[Aligned],
    system: str,
    texts: Mapping[str, Sequence[str]],
    most: int,
    marked: MarkedTexts | None = None,
) -> tuple[str, list[Card]]:
    """Return the segments that a system is most wrong about, the worst first.

    Args:
        outputs: the outputs; those without predictions of ``system`` are ignored.
        system: the name of the system.
        texts: the lines of all segments, by field.
        most: the maximum number of segments.
        marked: the error spans of the segments, if they are compared.

    Returns:
        How the segments were ranked, and the segments; none if nothing can be ranked.
    """
    by_name = {each.output: each for each in outputs if system in each.predicted and len(each.numbers)}
    how, ranked = _ranked(by_name, system, most)
    spans = None if marked is None or system not in marked.predicted else marked
    if spans is not None and not ranked:
        how, ranked = _ranked_by_spans(spans, system, most)
    rows = {} if spans is None else {number: row for row, number in enumerate(spans.numbers)}
    scores = by_name.get(const.SENTENCE_SCORES)
    values = None if scores is None else np.concatenate((scores.gold, scores.predicted[system]))
    bounds = (0.0, 0.0) if values is None else (float(values.min()), float(values.max()))
    places = {name: _places(each, [number for number, _ in ranked]) for name, each in by_name.items()}
    cards = []
    for number, loss in ranked:
        here = {name: found[number] for name, found in places.items() if number in found}
        tags = {
            name: _tags(by_name[name], system, place)
            for name, place in here.items()
            if by_name[name].offsets is not None
        }
        score = None
        if scores is not None and const.SENTENCE_SCORES in here:
            score = _score(scores, system, here[const.SENTENCE_SCORES], bounds)
        errors: list[Piece] = []
        if spans is not None and (row := rows.get(number)) is not None:
            errors = mark(spans.targets[row], spans.gold[row], spans.predicted[system][row])
        cards.append(Card(number, loss, score, *_lines(tags, number, texts), errors))
    return how, cards


def _ranked(by_name: Mapping[str, Aligned], system: str, most: int) -> tuple[str, list[tuple[int, str]]]:
    if scores := by_name.get(const.SENTENCE_SCORES):
        errors = scores.predicted[system] - scores.gold
        how, values, numbers = "absolute error of the score", np.abs(errors), scores.numbers
        said = "error {:+.3f}"
    else:
        order = (const.WMT19, const.TARGET_TAGS, const.GAP_TAGS, const.SOURCE_TAGS)
        name = next((name for name in order if name in by_name and by_name[name].offsets is not None), None)
        if name is None:
            return "", []
        tags = by_name[name]
        assert tags.offsets is not None
        losses = counts.log_losses(tags.gold.astype(np.int64), tags.predicted[system])
        errors = values = counts.means_of_segments(losses, tags.offsets)
        how, numbers, said = f"mean log-loss of the tags ({name})", tags.numbers, "log-loss {:.3f}"
    chosen = np.argsort(-values, kind="stable")[:most]
    return how, [(int(numbers[place]), said.format(errors[place])) for place in chosen]


def _ranked_by_spans(marked: MarkedTexts, system: str, most: int) -> tuple[str, list[tuple[int, str]]]:
    rows = zip(marked.targets, marked.gold, marked.predicted[system], strict=True)
    values = np.array([disagreement(*row) for row in rows], dtype=np.int64)
    chosen = np.argsort(-values, kind="stable")[:most].tolist()
    how = "number of characters that only one of gold and system marks"
    return how, [(marked.numbers[row], f"{values[row]} characters apart") for row in chosen]


def _places(aligned: Aligned, numbers: Sequence[int]) -> dict[int, int]:
    """Return the index of each segment that an output has, by line number."""
    found = np.flatnonzero(np.isin(aligned.numbers, numbers))
    return dict(zip(aligned.numbers[found].tolist(), found.tolist(), strict=True))


def _tags(aligned: Aligned, system: str, place: int) -> Tags:
    assert aligned.offsets is not None
    part = slice(*aligned.offsets[place : place + 2].tolist())
    return Tags(aligned.gold[part].astype(np.int64), aligned.predicted[system][part], aligned.threshold)


def _score(aligned: Aligned, system: str, place: int, bounds: tuple[float, float]) -> Score:
    low, high = bounds
    gold, predicted = float(aligned.gold[place]), float(aligned.predicted[system][place])
    places = [TRACK_START + TRACK_LENGTH * (value - low) / ((high - low) or 1.0) for value in (gold, predicted)]
    return Score(gold, predicted, *places)


def _lines(tags: Mapping[str, Tags], number: int, texts: Mapping[str, Sequence[str]]) -> tuple[list[Line], list[str]]:
    both = tags.get(const.WMT19)
    target = tags.get(const.TARGET_TAGS, both[1::2] if both else None)
    gaps = tags.get(const.GAP_TAGS, both[0::2] if both else None)
    source = tags.get(const.SOURCE_TAGS)
    lines = [
        make_line("Source", _text(texts, const.SOURCE, number), source, None),
        make_line("Target", _text(texts, const.TARGET, number), target, gaps),
    ]
    parts = (("words", target), ("gaps", gaps), ("source words", source))
    summaries = [part.summary(name) for name, part in parts if part is not None and len(part.gold)]
    return [line for line in lines if line is not None], summaries


def _text(texts: Mapping[str, Sequence[str]], field: str, number: int) -> str | None:
    lines = texts.get(field, ())
    return lines[number - 1] if number <= len(lines) else None

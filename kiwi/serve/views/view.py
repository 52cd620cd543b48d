"""What the page shows of the estimates for a segment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from kiwi.data.labels.spans.options import PENALTY
from kiwi.lib.score.scale import Scale

LIKELY, POSSIBLE = 0.5, 0.3
"""The probabilities above which a word is marked, and marked faintly."""

CARET = "\u2038"
"""What stands for something that is missing."""

WIDE = 10
"""The width of a scale from which on one digit after the point is enough, and three below it."""

N_TONES = 5
"""The number of colours of scores."""


@dataclass(frozen=True)
class Part:
    """A stretch of a text, marked if it has a title."""

    text: str
    kind: str = ""
    title: str = ""


class Mark(NamedTuple):
    """The place of a mark, and what it says."""

    start: int
    end: int
    kind: str
    title: str


@dataclass(frozen=True)
class Meter:
    """A score on its scale; all are positions from 0 (the lowest score) to 100."""

    at: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class View:
    """What is shown of a translation."""

    parts: list[Part]
    score: str
    meter: Meter | None
    interval: str
    tone: str
    """The class of the colour of the score."""

    segment: Mapping[str, Any]


@dataclass(frozen=True)
class ViewedSegment:
    """What is shown of a segment: its source, and one translation or two."""

    number: int
    source: list[Part]
    views: list[View]
    better: int | None = None
    """The place of the better translation; None if none is."""

    by: str = ""
    """By how much it is better."""

    may_be_chance: bool = False
    """Whether the intervals of the two scores overlap."""


def compare(index: int, source: str, views: list[View], scale: Mapping[str, Any]) -> ViewedSegment:
    """Return what is shown of a segment with one translation, or with two to compare.

    Args:
        index: its number.
        source: its source text.
        views: its translations.
        scale: what their scores mean.
    """
    if len(views) == 1:
        return ViewedSegment(index, mark_source(source, views[0].segment), views)
    one, other = views
    plain = [Part(source)]  # the marks would be those of one translation
    by = difference(one, other, scale)
    if by is None or not float(shown := number(abs(by), scale)):  # nobody would see it
        return ViewedSegment(index, plain, views)
    return ViewedSegment(index, plain, views, int(by < 0), shown, overlap(one, other))


def mark(target: str, segment: Mapping[str, Any]) -> list[Part]:
    """Return a translation in parts: its error spans, and words and gaps that may be wrong, are marked.

    Args:
        target: the translation.
        segment: its estimates, as ``POST /v1/score`` answers them.
    """
    spans = [
        Mark(span["start"], span["end"], span["severity"], f"{span['severity']}, confidence {span['confidence']:.0%}")
        for span in segment.get("spans") or ()
    ]
    words = segment.get("words") or {}
    marks = [*_word_marks(words.get("target"), "wrong"), *_word_marks(words.get("gaps"), "missing here", LIKELY)]
    return _cut(target, [*spans, *(each for each in marks if not any(_overlap(each, span) for span in spans))])


def mark_source(source: str, segment: Mapping[str, Any]) -> list[Part]:
    """Return a source text in parts: the words that may be mistranslated are marked.

    Args:
        source: the source text.
        segment: its estimates, as ``POST /v1/score`` answers them.
    """
    return _cut(source, _word_marks((segment.get("words") or {}).get("source"), "mistranslated"))


def _overlap(one: Mark, other: Mark) -> bool:
    return other.start < one.end and one.start < other.end


def _word_marks(units: Iterable[Mapping[str, Any]] | None, problem: str, above: float = POSSIBLE) -> list[Mark]:
    marks = []
    for unit in units or ():
        if (probability := unit["probability"]) > above:
            how = "probably" if probability > LIKELY else "possibly"
            kind = f"word p{min(9, int(probability * 10))}"
            marks.append(Mark(unit["start"], unit["end"], kind, f"{how} {problem}: {probability:.0%}"))
    return marks


def _cut(text: str, marks: list[Mark]) -> list[Part]:
    parts, place = [], 0
    for start, end, kind, title in sorted(marks):
        if start < place:  # it overlaps the one before
            continue
        parts += [Part(text[place:start]), Part(text[start:end] or CARET, kind, title)]
        place = end
    return [part for part in [*parts, Part(text[place:])] if part.text]


def shown_scores(answer: Mapping[str, Any]) -> tuple[list[dict[str, Any]], Mapping[str, Any]]:
    """Return the segments of an answer and their scale; the penalties of error spans stand in for scores.

    Args:
        answer: the answer of ``POST /v1/score``.
    """
    segments = answer["segments"]
    if all(segment["score"] is None for segment in segments) and any(segment.get("mqm_score") for segment in segments):
        return [segment | {"score": segment["mqm_score"]} for segment in segments], Scale(PENALTY).describe()
    return segments, answer["scale"]


def view(target: str, segment: Mapping[str, Any], scale: Mapping[str, Any]) -> View:
    """Return what is shown of a translation.

    Args:
        target: the translation.
        segment: its estimates.
        scale: what the scores mean.
    """
    score, meter, interval, tone = segment.get("score"), None, "", ""
    if score is not None and scale["range"] is not None:
        low, high = _interval(segment)
        ends = [None if value is None else _position(value, scale) for value in (low, high)]
        meter = Meter(_position(score, scale), *ends)
        quality = meter.at if scale["higher_is_better"] else 100 - meter.at
        tone = f"tone{min(N_TONES - 1, int(quality * N_TONES / 100))}"
    if score is not None:
        if segment.get("interval") is not None:
            interval = " to ".join(number(end, scale) for end in segment["interval"])
        elif segment.get("deviation") is not None:
            interval = f"± {number(segment['deviation'], scale)}"
    shown = "no score" if score is None else number(score, scale)
    return View(mark(target, segment), shown, meter, interval, tone, segment)


def number(value: float, scale: Mapping[str, Any]) -> str:
    """Return a score with as many digits as others on its scale, so that they can be compared at a glance.

    Args:
        value: the score, or a difference of scores.
        scale: what it means; its range tells how many digits there are.
    """
    if scale["range"] is None:
        return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
    low, high = scale["range"]
    return f"{value:.{1 if high - low >= WIDE else 3}f}"


def _interval(segment: Mapping[str, Any]) -> tuple[float | None, float | None]:
    if (interval := segment.get("interval")) is not None:
        return interval[0], interval[1]
    if (deviation := segment.get("deviation")) is not None:
        return segment["score"] - deviation, segment["score"] + deviation
    return None, None


def _position(value: float, scale: Mapping[str, Any]) -> float:
    low, high = scale["range"]
    share: float = (value - low) / (high - low)
    return round(100 * min(1.0, max(0.0, share)), 2)


def difference(one: View, other: View, scale: Mapping[str, Any]) -> float | None:
    """Return by how much the score of one translation is better than that of another; None if it is not known.

    Args:
        one: a translation.
        other: another translation of the same source.
        scale: what their scores mean.
    """
    scores = one.segment.get("score"), other.segment.get("score")
    if scores[0] is None or scores[1] is None or scale["higher_is_better"] is None:
        return None
    return float(scores[0] - scores[1]) * (1 if scale["higher_is_better"] else -1)


def overlap(one: View, other: View) -> bool:
    """Return whether the intervals of two translations have scores in common."""
    low, high = _interval(one.segment)
    other_low, other_high = _interval(other.segment)
    if low is None or high is None or other_low is None or other_high is None:
        return False
    return low <= other_high and other_low <= high

"""What is asked of a server, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

Number = float | None
"""A number that may be missing."""


@dataclass(frozen=True)
class Segment:
    """A segment to score."""

    source: str
    target: str
    id: str | int | None = None
    alignments: str | None = None
    source_pos: str | None = None
    target_pos: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Unit:
    """A word, or a gap between words, whose start is its end; positions are counted in code points."""

    start: int
    end: int
    probability: float
    label: str


@dataclass(frozen=True)
class Span:
    """An error in a translation; an omission if its start is its end."""

    start: int
    end: int
    severity: str
    confidence: float
    text: str | None = None


@dataclass(frozen=True)
class ScoredSegment:
    """The estimates for a segment; None for those that were not asked for, or that the model does not make."""

    id: str | int
    score: Number
    deviation: Number = None
    interval: tuple[float, float] | None = None
    mqm_score: Number = None
    combined_score: Number = None
    verdict: Mapping[str, Any] | None = None
    words: Mapping[str, list[Unit]] | None = None
    spans: list[Span] | None = None
    flags: list[str] | None = None
    decision: str | None = None
    decision_reason: str | None = None


@dataclass(frozen=True)
class Answer:
    """The estimates for all segments, in their order."""

    model: str
    sha256: str
    scale: Mapping[str, Any]
    segments: list[ScoredSegment] = field(default_factory=list)


def parse_answer(content: Mapping[str, Any]) -> Answer:
    """Return an answer from its JSON."""
    return Answer(**_known(Answer, content) | {"segments": [_scored(each) for each in content["segments"]]})


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def _known(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a class has fields for; later servers may answer more."""
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def _scored(values: Mapping[str, Any]) -> ScoredSegment:
    found = _known(ScoredSegment, values)
    if (interval := values.get("interval")) is not None:
        found["interval"] = tuple(interval)
    if (words := values.get("words")) is not None:
        found["words"] = {side: [Unit(**_known(Unit, unit)) for unit in units] for side, units in words.items()}
    if (spans := values.get("spans")) is not None:
        found["spans"] = [Span(**_known(Span, span)) for span in spans]
    return ScoredSegment(**found)

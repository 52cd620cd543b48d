"""What is known of the data that a system was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.systems.manifest.intervals import ScoreIntervals
from kiwi.systems.manifest.thresholds import PairThresholds


@dataclass(frozen=True)
class DataInfo:
    """The training data of a system, as far as it is known."""

    source_language: tuple[str, ...] = ()
    """The BCP 47 tags of the source."""

    target_language: tuple[str, ...] = ()
    """The BCP 47 tags of the target."""

    train_segments: int | None = None
    """The number of training segments."""

    valid_segments: int | None = None
    """The number of validation segments."""

    source_marks_alone: float | None = None
    """The share of the commas and full stops of the source that stand alone as words, in [0, 1], since it tells how the
    text is tokenized."""

    target_marks_alone: float | None = None
    """The same share of the target."""

    language_pairs: tuple[str, ...] = ()
    """The language pairs of the training data, such as ``en-de``, where each segment has one."""

    score: ScoreMeaning | None = None
    """What the sentence scores mean, where it is known."""

    labels_from: str | None = None
    """What the labels were made from: ``post-edits``, ``references`` or ``both``."""

    intervals: ScoreIntervals | None = None
    """The intervals of the sentence scores, where ``kiwi calibrate`` has made some."""

    thresholds: PairThresholds | None = None
    """The decision thresholds of language pairs, where ``kiwi thresholds`` has chosen some."""

    @property
    def languages(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The languages of source and target."""
        return self.source_language, self.target_language

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for YAML and JSON."""
        plain = {name: list(v) if isinstance(v, tuple) else v for name, v in vars(self).items()}
        plain["score"] = None if self.score is None else self.score.to_dict()
        del plain["intervals"], plain["thresholds"]
        if self.intervals is not None:
            plain["intervals"] = self.intervals.to_dict()
        if self.thresholds is not None:
            plain["thresholds"] = self.thresholds.to_dict()
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DataInfo:
        """Invert :meth:`to_dict`; raises various errors for invalid content."""
        return cls(
            source_language=_texts(data.get("source_language")),
            target_language=_texts(data.get("target_language")),
            train_segments=_count(data.get("train_segments")),
            valid_segments=_count(data.get("valid_segments")),
            source_marks_alone=_share(data.get("source_marks_alone")),
            target_marks_alone=_share(data.get("target_marks_alone")),
            language_pairs=_texts(data.get("language_pairs")),
            score=None if data.get("score") is None else ScoreMeaning.from_dict(data["score"]),
            labels_from=text_or_none(data.get("labels_from")),
            intervals=None if data.get("intervals") is None else ScoreIntervals.from_dict(data["intervals"]),
            thresholds=None if data.get("thresholds") is None else PairThresholds.from_dict(data["thresholds"]),
        )


def text_or_none(value: Any) -> str | None:
    """Return a value as text, if there is one."""
    return None if value is None else str(value)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | None):
        raise TypeError(f"found {value!r}; expected a list of languages")
    return tuple(map(str, value or ()))


def _count(value: Any) -> int | None:
    return None if value is None else int(value)


def _share(value: Any) -> float | None:
    return None if value is None else min(1.0, max(0.0, float(value)))

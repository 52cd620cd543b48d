"""Counts of a corpus, for ``corpus.json``, its report and the training configuration, in memory of a fixed size."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from kiwi import constants as const
from kiwi.data.labels.edits import SUBSTITUTED, edits_of
from kiwi.data.text.words import words
from kiwi.lib.corpus.labelling import Row
from kiwi.pages.corpus import BINS, Annotator, EditedSegment, PartFigures

MOST_PAIRS = 200_000
"""The number of different substitutions at which the rare ones are forgotten."""

MOST_SEGMENTS = 30
"""The number of segments with the highest HTER that are shown."""


MOST_ANNOTATORS = 50
"""The number of annotators that are shown, those with the most segments."""


@dataclass
class Part:
    """The counts of a part of the corpus."""

    n_segments: int = 0
    n_unedited: int = 0
    sum_of_hter: float = 0.0
    n_words: Counter[str] = field(default_factory=Counter)
    """The number of words of each text."""

    n_tags: Counter[str] = field(default_factory=Counter)
    n_bad: Counter[str] = field(default_factory=Counter)
    """The numbers of tags and of BAD tags of each output."""

    def add(self, row: Row, tags: dict[str, Sequence[str]]) -> None:
        """Add a segment.

        Args:
            row: the segment.
            tags: its tags by output.
        """
        self.n_segments += 1
        self.n_unedited += row.hter == 0
        self.sum_of_hter += row.hter
        for name, text in row.texts.items():
            self.n_words[name] += len(words(text))
        for output, values in tags.items():
            self.n_tags[output] += len(values)
            self.n_bad[output] += values.count(const.BAD)

    @classmethod
    def total(cls, parts: Sequence[Part]) -> Part | None:
        """Return the sums of the counts of several parts; None without any."""
        if not parts:
            return None
        sums = [
            sum((getattr(part, each.name) for part in parts[1:]), getattr(parts[0], each.name)) for each in fields(cls)
        ]
        return cls(*sums)

    def figures(self, name: str) -> PartFigures:
        """Return the figures that are shown."""
        bad = {output: self.n_bad[output] / n for output, n in self.n_tags.items() if n}
        hter = self.sum_of_hter / max(self.n_segments, 1)
        unedited = self.n_unedited / max(self.n_segments, 1)
        return PartFigures(name, self.n_segments, dict(self.n_words), hter, unedited, bad)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as plain values."""
        figures = self.figures("")
        return {
            "segments": self.n_segments,
            "unedited": self.n_unedited,
            "mean_hter": round(figures.hter, 6),
            "words": dict(self.n_words),
            "bad": {output: {"tags": n, "bad": self.n_bad[output]} for output, n in self.n_tags.items()},
        }


@dataclass
class Edits:
    """The most frequent substitutions, and the segments with the highest HTER."""

    substitutions: Counter[tuple[str, str]] = field(default_factory=Counter)
    _n_segments: int = 0
    _worst: list[tuple[float, int, int, str, Row]] = field(default_factory=list)

    def add(self, row: Row, place: str) -> None:
        """Add a segment with its edits.

        Args:
            row: the segment.
            place: its place, for people.
        """
        self._n_segments += 1
        target, post_edit = words(row.texts[const.TARGET]), words(row.texts[const.POST_EDIT])
        edits = edits_of(row.path, target, post_edit)
        self.substitutions.update((before, after) for step, before, after in edits if step == SUBSTITUTED)
        if len(self.substitutions) > MOST_PAIRS:
            self.substitutions = Counter(dict(self.substitutions.most_common(MOST_PAIRS // 2)))
        # Of segments with the same HTER, long ones are more telling.
        heapq.heappush(self._worst, (row.hter, len(post_edit), -self._n_segments, place, row))
        if len(self._worst) > MOST_SEGMENTS:
            heapq.heappop(self._worst)

    def worst(self) -> list[EditedSegment]:
        """Return the segments with the highest HTER, the highest first."""
        return [
            EditedSegment(
                place,
                hter,
                row.texts[const.SOURCE],
                edits_of(row.path, words(row.texts[const.TARGET]), words(row.texts[const.POST_EDIT])),
            )
            for hter, _, _, place, row in sorted(self._worst, reverse=True)
        ]


@dataclass
class Summary:
    """The counts of a corpus."""

    parts: dict[str, Part] = field(default_factory=dict)
    n_read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """The number of segments that each rule left out."""

    origins: Counter[str] = field(default_factory=Counter)
    """The number of machine translations by their origin, for files of translators."""

    hter: list[int] = field(default_factory=lambda: [0] * BINS)
    """The number of segments by HTER."""

    lengths: Counter[int] = field(default_factory=Counter)
    """The number of segments by number of words of the translation."""

    edits: Edits = field(default_factory=Edits)
    annotators: dict[str, list[float]] = field(default_factory=dict)
    """The number of segments of each annotator, the sum of their HTER, and that of its squares."""

    def drop(self, rule: str) -> None:
        """Count a segment that is left out."""
        self.n_read += 1
        self.dropped[rule] += 1

    def add(self, part: str, row: Row, tags: dict[str, Sequence[str]], annotator: str | None) -> None:
        """Count a segment.

        Args:
            part: the part that it belongs to.
            row: the segment.
            tags: its tags by output.
            annotator: the name of the person who edited it, if known.
        """
        self.n_read += 1
        self.parts.setdefault(part, Part()).add(row, tags)
        self.hter[min(int(row.hter * BINS), BINS - 1)] += 1
        self.lengths[len(tags[const.TARGET_TAGS])] += 1
        if row.hter:
            self.edits.add(row, f"line {row.number}")
        if annotator is not None:
            sums = self.annotators.setdefault(annotator, [0, 0.0, 0.0])
            for position, value in enumerate((1, row.hter, row.hter**2)):
                sums[position] += value

    def annotator_figures(self) -> list[Annotator]:
        """Return the figures of each annotator, those with the most segments first."""
        found = sorted(self.annotators.items(), key=lambda item: -item[1][0])
        total, everything, squares = (
            (sum(column) for column in zip(*self.annotators.values(), strict=True)) if found else (0, 0.0, 0.0)
        )
        figures = []
        for name, (n, hter, own_squares) in found:
            others = total - n
            mean = hter / n
            difference, is_far = 0.0, False
            if others:
                other_mean = (everything - hter) / others
                difference = mean - other_mean
                variance = max(own_squares / n - mean**2, 0.0) / n
                variance += max((squares - own_squares) / others - other_mean**2, 0.0) / others
                is_far = abs(difference) > max(0.1, 3 * variance**0.5)
            figures.append(Annotator(name, int(n), mean, difference, is_far))
        return figures[:MOST_ANNOTATORS]

    def to_dict(self, rules: Iterable[str]) -> dict[str, Any]:
        """Return the counts as plain values.

        Args:
            rules: the cleaning rules that were applied.
        """
        return {
            "read": self.n_read,
            "dropped": {rule: self.dropped[rule] for rule in rules},
            "parts": {name: part.to_dict() for name, part in self.parts.items()},
        }

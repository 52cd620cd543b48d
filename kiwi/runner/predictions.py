"""What a system says of each segment."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from kiwi import constants as const
from kiwi.data.files.lines import read_lines
from kiwi.data.labels.tags import interleave, to_labels
from kiwi.utils.io import write_lines

DIGITS = 6
"""After the point, as all files of predictions have."""

ORIGIN_FILE = "predictions.json"
"""Name of the file, in a directory of predictions, that records which system made them."""

FILES = (
    *(name + suffix for name in (*const.WORD_LEVEL, const.TARGETGAPS_TAGS, const.BINARY) for suffix in ("", "_labels")),
    const.SENTENCE_SCORES,
    const.SENTENCE_SCORES_EXTRAS,
)
"""Names of all files that there can be."""


@dataclass(frozen=True)
class Predictions:
    """What a system says of each segment; None where it has no such output.

    Probabilities are of BAD; a label is BAD where the probability is above 0.5. A segment whose source and target
    are both empty has the score NaN and no tags.
    """

    sentences_hter: list[float] | None = None
    """Scores, on the scale of the training data."""

    sentences_hter_deviation: list[float] | None = None
    """Standard deviation of each score; there with ``use_distribution``."""

    sentences_binary_BAD_probabilities: list[float] | None = None
    """Probability that a segment needs any edit."""

    sentences_binary_labels: list[str] | None = None
    """OK where no edit is expected; empty for a segment whose source and target are."""

    target_tags_BAD_probabilities: list[list[float]] | None = None
    """One a target word."""

    target_tags_labels: list[list[str]] | None = None
    """One a target word."""

    gap_tags_BAD_probabilities: list[list[float]] | None = None
    """One a gap, n+1 for n target words."""

    gap_tags_labels: list[list[str]] | None = None
    """One a gap, n+1 for n target words."""

    source_tags_BAD_probabilities: list[list[float]] | None = None
    """One a source word."""

    source_tags_labels: list[list[str]] | None = None
    """One a source word."""

    def __len__(self) -> int:
        return next((len(value) for f in fields(self) if (value := getattr(self, f.name)) is not None), 0)

    @property
    def targetgaps_tags_BAD_probabilities(self) -> list[list[Any]] | None:
        """Gap, word, gap, ..., gap: 2n+1 a segment, where both are there."""
        gaps, target = self.gap_tags_BAD_probabilities, self.target_tags_BAD_probabilities
        if gaps is None or target is None:
            return None
        return [interleave(*pair) for pair in zip(gaps, target, strict=True)]

    def columns(self, digits: int = DIGITS) -> dict[str, list[Any]]:
        """All outputs that are there as columns of a table, by the names of their files.

        Args:
            digits: after the point.
        """
        outputs: Mapping[str, list[Any] | None] = {
            const.SENTENCE_SCORES: self.sentences_hter,
            f"{const.SENTENCE_SCORES}_deviation": self.sentences_hter_deviation,
            const.BINARY: self.sentences_binary_BAD_probabilities,
            f"{const.BINARY}_labels": self.sentences_binary_labels,
            const.TARGET_TAGS: self.target_tags_BAD_probabilities,
            f"{const.TARGET_TAGS}_labels": self.target_tags_labels,
            const.GAP_TAGS: self.gap_tags_BAD_probabilities,
            f"{const.GAP_TAGS}_labels": self.gap_tags_labels,
            const.SOURCE_TAGS: self.source_tags_BAD_probabilities,
            f"{const.SOURCE_TAGS}_labels": self.source_tags_labels,
        }
        return {
            name: [_rounded(cell, digits) for cell in cells] for name, cells in outputs.items() if cells is not None
        }

    def lines(self) -> dict[str, list[str]]:
        """Content of each file that there is to write, one line a segment; see the reference for their names."""
        binary = self.sentences_binary_BAD_probabilities
        probabilities: dict[str, list[list[Any]] | None] = {
            const.TARGET_TAGS: self.target_tags_BAD_probabilities,
            const.GAP_TAGS: self.gap_tags_BAD_probabilities,
            const.SOURCE_TAGS: self.source_tags_BAD_probabilities,
            const.TARGETGAPS_TAGS: self.targetgaps_tags_BAD_probabilities,
            const.BINARY: None if binary is None else [[p] for p in binary],
        }
        content: dict[str, list[str]] = {}
        for name, rows in probabilities.items():
            if rows is not None:
                content[name] = [" ".join(f"{value:.6f}" for value in row) for row in rows]
                content[f"{name}_labels"] = [
                    "" if any(map(math.isnan, row)) else " ".join(to_labels(row)) for row in rows
                ]
        if self.sentences_hter is not None:
            content[const.SENTENCE_SCORES] = [f"{score:.6f}" for score in self.sentences_hter]
            if self.sentences_hter_deviation is not None:
                pairs = zip(self.sentences_hter, self.sentences_hter_deviation, strict=True)
                content[const.SENTENCE_SCORES_EXTRAS] = [f"{mean:.6f}\t{deviation:.6f}" for mean, deviation in pairs]
        return content

    def save(self, directory: Path) -> list[Path]:
        """Write a file for each output that is there, one line a segment; see the reference for their names.

        Returns:
            The files.
        """
        content = self.lines()
        for stale in FILES:
            if stale not in content:
                (directory / stale).unlink(missing_ok=True)  # of a former prediction, with other outputs
        for name, lines in content.items():
            write_lines(directory / name, lines)
        return [directory / name for name in content]

    @staticmethod
    def file_names(outputs: Collection[str], use_distribution: bool) -> list[str]:
        """Names of the files that :meth:`lines` has for a system with these outputs."""
        tags = [name for name in const.WORD_LEVEL if name in outputs]
        if const.TARGET_TAGS in outputs and const.GAP_TAGS in outputs:
            tags.append(const.TARGETGAPS_TAGS)
        tags += [const.BINARY] if const.BINARY in outputs else []
        names = [name + suffix for name in tags for suffix in ("", "_labels")]
        if const.SENTENCE_SCORES in outputs:
            names.append(const.SENTENCE_SCORES)
            names += [const.SENTENCE_SCORES_EXTRAS] if use_distribution else []
        return names

    @classmethod
    def read(cls, directory: Path) -> Predictions:
        """What :meth:`save` has written, with the digits that it writes."""
        return cls.of_lines({name: read_lines(directory / name) for name in FILES if (directory / name).is_file()})

    @classmethod
    def of_lines(cls, content: Mapping[str, Sequence[str]]) -> Predictions:
        """From the lines of the files that :meth:`lines` makes."""
        found: dict[str, list[Any]] = {}
        for name in (*const.WORD_LEVEL, const.BINARY):
            if name in content:
                key = name if name in const.WORD_LEVEL else "sentences_binary"
                rows = [[float(value) for value in line.split()] for line in content[name]]
                labels = [line.split() for line in content[f"{name}_labels"]]
                single = name == const.BINARY
                found[f"{key}_BAD_probabilities"] = [row[0] for row in rows] if single else rows
                found[f"{key}_labels"] = [" ".join(row) for row in labels] if single else labels
        if const.SENTENCE_SCORES in content:
            found["sentences_hter"] = [float(line) for line in content[const.SENTENCE_SCORES]]
        if const.SENTENCE_SCORES_EXTRAS in content:
            extras = content[const.SENTENCE_SCORES_EXTRAS]
            found["sentences_hter_deviation"] = [float(line.split("\t")[1]) for line in extras]
        return cls(**found)

    @classmethod
    def of_values(
        cls, values: Mapping[str, Sequence[Any]], n_segments: int, outputs: Collection[str], *, use_distribution: bool
    ) -> Predictions:
        """From what an engine says, None for each segment without a word.

        Args:
            values: by output, what it says of each segment; an output may be missing where no segment has a word.
            n_segments: how many there are.
            outputs: that the system has.
            use_distribution: whether it gives deviations too.
        """
        nothing: list[Any] = [None] * n_segments
        found: dict[str, list[Any]] = {}
        for name in const.WORD_LEVEL:
            if name in outputs:
                rows = [row or [] for row in values.get(name, nothing)]
                found[f"{name}_BAD_probabilities"] = rows
                found[f"{name}_labels"] = [to_labels(row) for row in rows]
        if const.SENTENCE_SCORES in outputs:
            scores = values.get(const.SENTENCE_SCORES, nothing)
            found["sentences_hter"] = [math.nan if score is None else score for score in scores]
            if use_distribution:
                pairs = values.get(const.SENTENCE_SCORES_EXTRAS, nothing)
                found["sentences_hter_deviation"] = [math.nan if pair is None else pair[1] for pair in pairs]
        if const.BINARY in outputs:
            binary = [math.nan if p is None else p for p in values.get(const.BINARY, nothing)]
            found["sentences_binary_BAD_probabilities"] = binary
            found["sentences_binary_labels"] = ["" if math.isnan(p) else to_labels([p])[0] for p in binary]
        return cls(**found)


def _rounded(cell: Any, digits: int) -> Any:
    if isinstance(cell, list):
        return [_rounded(item, digits) for item in cell]
    return round(cell, digits) if isinstance(cell, float) else cell

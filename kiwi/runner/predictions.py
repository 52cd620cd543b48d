"""The predictions of a system for each segment."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.files.lines import different_lengths, read_lines
from kiwi.data.labels.error_spans import ErrorSpan, spans_cell
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.data.labels.spans.options import SpanLevelConfig
from kiwi.data.labels.tags import interleave, to_labels
from kiwi.exceptions import DataError
from kiwi.outputs import COMBINED_SCORE, MQM_SCORE, OUTPUTS, in_order_of_columns, names as output_names
from kiwi.runner.prediction_files import lines_of, prediction_files, values_of
from kiwi.utils.guard import Guard, record_written
from kiwi.utils.io import write_lines
from kiwi.utils.written import user_path

DIGITS = 6
"""The number of digits after the decimal point in files of predictions."""

EXPECTED_PENALTY = "expected penalty"
"""The name of the expected penalty among the values of segments; no output has a name with a space."""


@dataclass(frozen=True)
class Predictions:
    """The predictions of a system for each segment; None for outputs that the system does not have.

    Probabilities are of BAD; a label is BAD where the probability is above 0.5. A segment whose source and target
    are both empty has the score NaN and no tags.
    """

    sentences_hter: list[float] | None = None
    """The score of each segment, on the scale of the training data."""

    sentences_hter_deviation: list[float] | None = None
    """The standard deviation of each score; only with ``use_distribution``."""

    sentences_hter_low: list[float] | None = None
    """The lower end of the interval of each score; only if the system is calibrated (``kiwi calibrate``)."""

    sentences_hter_high: list[float] | None = None
    """The upper end of the interval of each score."""

    sentences_binary_BAD_probabilities: list[float] | None = None
    """The probability that each segment is BAD: that it needs any edit or, if the system has learned from verdicts,
    what these say."""

    sentences_binary_labels: list[str] | None = None
    """OK where no edit is expected, BAD elsewhere; empty for a segment whose source and target are both empty."""

    target_tags_BAD_probabilities: list[list[float]] | None = None
    """A probability for each target word."""

    target_tags_labels: list[list[str]] | None = None
    """A label for each target word."""

    gap_tags_BAD_probabilities: list[list[float]] | None = None
    """A probability for each gap, n+1 for n target words."""

    gap_tags_labels: list[list[str]] | None = None
    """A label for each gap, n+1 for n target words."""

    source_tags_BAD_probabilities: list[list[float]] | None = None
    """A probability for each source word."""

    source_tags_labels: list[list[str]] | None = None
    """A label for each source word."""

    error_spans: list[list[ErrorSpan]] | None = None
    """The errors of each translation, in the order of their positions, counted in characters of the text as given."""

    mqm_score: list[float] | None = None
    """The penalty of the errors of each translation, where lower is better."""

    combined_score: list[float] | None = None
    """The weighted mean of the regressed score and the penalty on the common scale from 0 (worst) to 100 (best); only
    if the system has both, and the meaning of its scores is known."""

    added: Mapping[str, list[Any]] = field(default_factory=dict)
    """The values of outputs that were added to :data:`kiwi.outputs.OUTPUTS`, by attribute."""

    @property
    def sentence_scores(self) -> list[float] | None:
        """The score of each segment, which OpenKiwi named ``sentences_hter`` whatever its kind."""
        return self.sentences_hter

    @property
    def sentence_intervals(self) -> NDArray[np.float64] | None:
        """The lower and the upper end of the interval of each score, (segments, 2); None if it is not calibrated."""
        if self.sentences_hter_low is None or self.sentences_hter_high is None:
            return None
        return np.array([self.sentences_hter_low, self.sentences_hter_high], dtype=np.float64).T

    def __len__(self) -> int:
        return next((len(value) for name in self.attributes() if (value := self.get(name)) is not None), 0)

    @staticmethod
    def attributes() -> list[str]:
        """Return the names of all attributes that hold a value for each segment."""
        return [name for spec in OUTPUTS.values() for name in spec.attributes]

    def get(self, attribute: str) -> list[Any] | None:
        """Return the values of an attribute, one per segment; None if the system has no such output."""
        value: list[Any] | None = getattr(self, attribute, None)
        return self.added.get(attribute) if value is None else value

    @classmethod
    def from_attributes(cls, values: Mapping[str, list[Any]]) -> Predictions:
        """Make predictions from values by attribute, including those of added outputs."""
        own = {each.name for each in fields(cls)}
        added = {name: value for name, value in values.items() if name not in own}
        return cls(**{name: value for name, value in values.items() if name in own}, added=added)

    def select(self, rows: Sequence[int]) -> Predictions:
        """Return the predictions of these segments, in this order."""
        found = {name: value for name in self.attributes() if (value := self.get(name)) is not None}
        return self.from_attributes({name: [value[row] for row in rows] for name, value in found.items()})

    @property
    def targetgaps_tags_BAD_probabilities(self) -> list[list[Any]] | None:
        """The probabilities of gap, word, gap, ..., gap: 2n+1 for n target words; None unless both are predicted."""
        gaps, target = self.gap_tags_BAD_probabilities, self.target_tags_BAD_probabilities
        if gaps is None or target is None:
            return None
        return [interleave(*pair) for pair in zip(gaps, target, strict=True)]

    def columns(
        self, digits: int = DIGITS, targets: Sequence[str] | None = None, *, words: bool = True
    ) -> dict[str, list[Any]]:
        """Return all outputs as columns of a table: sentence-level outputs first, then word-level outputs.

        Args:
            digits: the number of digits after the decimal point.
            targets: the translations, from which error spans get their text.
            words: whether to return the probabilities and labels of words and gaps.
        """
        found: dict[str, list[Any]] = {}
        for spec in in_order_of_columns():
            if spec.kind == "tags" and not words:
                continue
            for column, attribute in zip(spec.columns, spec.attributes, strict=True):
                if (cells := self.get(attribute)) is None:
                    continue
                if column == const.ERROR_SPANS:
                    texts = [None] * len(cells) if targets is None else targets
                    found[column] = [spans_cell(*each, digits) for each in zip(cells, texts, strict=True)]
                    continue
                found[column] = [_rounded(cell, digits) for cell in cells]
        return found

    def lines(self) -> dict[str, list[str]]:
        """Return the lines of each file, one per segment; see the reference for the names of the files."""
        return lines_of(self)

    def save(self, directory: str | Path, *, overwrite: bool = False) -> list[Path]:
        """Write a file for each output, with one line per segment; see the reference for the names of the files.

        Files of earlier predictions with other outputs are removed.

        Args:
            directory: the directory of the files.
            overwrite: whether to replace or remove files with these names that kiwi has not written.

        Returns:
            The paths of the files.

        Raises:
            ConfigError: when there are such files, unless ``overwrite`` is set.
        """
        directory, content = user_path(directory), self.lines()
        Guard((), overwrite, "overwrite=True").check(directory / name for name in prediction_files())
        for stale in prediction_files():
            if stale not in content:
                (directory / stale).unlink(missing_ok=True)
        for name, lines in content.items():
            write_lines(directory / name, lines)
        written = [directory / name for name in content]
        record_written(*written)
        return written

    @classmethod
    def read(cls, directory: str | Path) -> Predictions:
        """Read the files that :meth:`save` has written, with the precision of these files.

        Raises:
            DataError: when there are none, they are damaged, or their lengths differ.
        """
        directory = user_path(directory)
        paths = {name: directory / name for name in prediction_files()}
        files = {name: read_lines(path) for name, path in paths.items() if path.is_file()}
        if not files:
            other = "a file" if directory.exists() else "no directory"
            raise DataError.at(
                directory,
                None,
                found="no file of predictions" if directory.is_dir() else other,
                expected="a directory with the files that kiwi predict and Predictions.save write",
                advice="Give that directory.",
            )
        if len(set(map(len, files.values()))) > 1:
            raise different_lengths({paths[name]: len(lines) for name, lines in files.items()})
        try:
            return cls.from_lines(files)
        except (ValueError, IndexError, KeyError) as error:
            raise DataError.at(
                directory,
                None,
                found=f"damaged predictions ({type(error).__name__}: {error})",
                expected="the files that kiwi predict writes",
                advice="Predict again.",
            ) from error

    @classmethod
    def from_lines(cls, content: Mapping[str, Sequence[str]]) -> Predictions:
        """Parse the lines of the files that :meth:`lines` makes."""
        return cls.from_attributes(values_of(content))

    @classmethod
    def from_values(
        cls,
        values: Mapping[str, Sequence[Any]],
        n_segments: int,
        outputs: Collection[str],
        *,
        use_distribution: bool,
        span_level: SpanLevelConfig | None = None,
        meaning: ScoreMeaning | None = None,
    ) -> Predictions:
        """Make predictions from the values of an engine, which are None for each segment without a word.

        Args:
            values: the values of each segment, by output; an output may be missing where no segment has a word.
            n_segments: the number of segments.
            outputs: the outputs of the system.
            use_distribution: whether scores come with standard deviations.
            span_level: the options of error spans, if the system predicts them.
            meaning: what the regressed scores mean, if it is known.
        """
        nothing: list[Any] = [None] * n_segments
        found: dict[str, list[Any]] = {}
        for spec in (OUTPUTS[name] for name in output_names(outputs)):
            own = values.get(spec.name, nothing)
            first, *others = spec.attributes
            if spec.kind == "spans":
                assert span_level is not None
                found[first] = [spans or [] for spans in own]
                found[MQM_SCORE] = [math.nan if spans is None else span_level.penalty(spans) for spans in own]
                scores = found.get(OUTPUTS[const.SENTENCE_SCORES].attribute)
                if scores is not None and meaning is not None:
                    penalties = values.get(EXPECTED_PENALTY, found[MQM_SCORE])
                    found[COMBINED_SCORE] = span_level.combine(_numbers(penalties), scores, meaning)
                continue
            if spec.kind == "tags":
                found[first] = [row or [] for row in own]
                found[others[0]] = [to_labels(row) for row in found[first]]
            else:
                found[first] = _numbers(own)
            if spec.kind == "verdict":
                found[others[0]] = ["" if math.isnan(p) else to_labels([p])[0] for p in found[first]]
            if spec.kind == "score" and spec.has_distribution and use_distribution:
                pairs = values.get(spec.extras, nothing)
                found[others[0]] = [math.nan if pair is None else pair[1] for pair in pairs]
        return cls.from_attributes(found)


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in values]


def _rounded(cell: Any, digits: int) -> Any:
    if isinstance(cell, list):
        return [_rounded(item, digits) for item in cell]
    return round(cell, digits) if isinstance(cell, float) else cell

"""The files of a part of the data: its texts, and its labels."""

from __future__ import annotations

from pathlib import Path

from pydantic import model_validator

from kiwi import constants as const
from kiwi.utils.inputs import InputFile
from kiwi.utils.io import BaseConfig, mistakes


class InputConfig(BaseConfig):
    """Files that a system reads, with one segment per line and words separated by spaces."""

    source: InputFile
    """File of source segments."""

    target: InputFile
    """File of their machine translations."""

    alignments: InputFile | None = None
    """File of word alignments as ``i-j`` pairs, source index first, counted from 0."""

    post_edit: InputFile | None = None
    """File of post-edited translations."""

    source_pos: InputFile | None = None
    """File of part-of-speech tags of the source, one per word."""

    target_pos: InputFile | None = None
    """File of part-of-speech tags of the target, one per word."""

    lp: InputFile | None = None
    """File of language pairs such as ``en-de``, one per segment, for data of several pairs. Metrics are then computed
    for each pair, and the mean of the pairs decides which model is best."""


class OutputConfig(BaseConfig):
    """Files of labels that a system learns to predict, with one segment per line."""

    target_tags: InputFile | None = None
    """File of OK/BAD tags of the target, either one per word (n tags) or interleaved with gap tags (2n+1 tags)."""

    source_tags: InputFile | None = None
    """File of OK/BAD tags of the source, one per word."""

    sentence_scores: InputFile | None = None
    """File of sentence scores, one number per segment, such as HTER."""

    rater_scores: InputFile | None = None
    """File of the scores of several raters, numbers separated by spaces, such as raw direct assessments. It takes the
    place of ``sentence_scores``: the score of a segment is their mean, and a system with ``use_distribution`` learns
    their standard deviation too."""

    binary: InputFile | None = None
    """File of verdicts, OK or BAD (or 0 or 1) per segment, such as whether it has a critical error."""

    error_spans: InputFile | None = None
    """File of error spans, TSV or JSON Lines: positions of the first character and after the last one, and severities.
    If it has columns ``source`` and ``target``, it may be the file of ``input.source``, ``input.target`` and
    ``input.lp`` too."""


class Part(BaseConfig):
    """A part of the data."""

    input: InputConfig
    """Files that the system reads."""

    output: OutputConfig = OutputConfig()
    """Files of labels."""

    @property
    def span_table(self) -> Path | None:
        """The table of texts and error spans that the part consists of; None if its files have a segment per line."""
        return self.output.error_spans if self.input.source == self.output.error_spans else None

    @model_validator(mode="after")
    def check_raters(self) -> Part:
        """Check that sentence scores come from one file."""
        if self.output.rater_scores is not None and self.output.sentence_scores is not None:
            raise mistakes(
                type(self).__name__,
                {
                    "output.sentence_scores": "given, but the mean of output.rater_scores is the sentence score; "
                    "remove one of the two"
                },
            )
        return self

    @model_validator(mode="after")
    def check_table(self) -> Part:
        """Check that a table of texts and error spans is not mixed with other files."""
        spans = self.output.error_spans
        if spans is None or spans not in (self.input.source, self.input.target):
            return self
        wrong: dict[str, str] = {}
        for place, files in (("input", self.input), ("output", self.output)):
            for name, path in files:
                needed = name in (const.SOURCE, const.TARGET)
                allowed = needed or name in (const.LANGUAGE_PAIR, const.ERROR_SPANS)
                if path != spans and (needed or path is not None):
                    reason = f"expected {spans}, the table of texts and error spans"
                    wrong[f"{place}.{name}"] = (
                        reason if allowed else f"remove it; {spans} has texts and error spans only"
                    )
        if wrong:
            raise mistakes(type(self).__name__, wrong)
        return self


class TrainingConfig(Part):
    """A labelled part of the data."""

    input: InputConfig
    """Files that the system reads."""

    output: OutputConfig = OutputConfig()
    """Files of labels that the system learns to predict."""


class TestConfig(Part):
    """A part of the data to predict on."""

    __test__ = False  # keep pytest from collecting it

    input: InputConfig
    """Files that the system reads."""

    output: OutputConfig = OutputConfig()
    """Files of gold labels to compare predictions with; optional for prediction."""

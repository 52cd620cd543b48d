"""Options of ``kiwi evaluate``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import DirectoryPath, Field, FilePath, NonNegativeInt, field_validator, model_validator

from kiwi import constants as const
from kiwi.lib.evaluate.sources import gold_of
from kiwi.utils.io import BaseConfig, did_you_mean, mistakes


class Table(BaseConfig):
    """A table of named columns, one segment a row: TSV, JSON Lines or Parquet, by its suffix."""

    path: FilePath
    """The file."""

    columns: dict[str, str]
    """Column of each field that is read, such as ``sentence_scores: hter``."""


class GoldFiles(BaseConfig):
    """What is right, one segment a line."""

    target_tags: FilePath | None = None
    """OK/BAD tags: one a target word (n), or interleaved with gaps (2n+1)."""

    source_tags: FilePath | None = None
    """OK/BAD tags, one a source word."""

    sentence_scores: FilePath | None = None
    """A number a segment."""

    binary: FilePath | None = None
    """OK or BAD a segment, such as whether it has a critical error."""

    spans: FilePath | None = None
    """Errors, in the form of a submission of spans (WMT 2023)."""

    table: Table | None = None
    """Columns of a table in the place of files of ``target_tags``, ``source_tags``, ``sentence_scores``, ``binary``."""


class PredictedFiles(BaseConfig):
    """What a system says, one segment a line; tags as probabilities of BAD, or as OK/BAD."""

    target_tags: FilePath | None = None
    """One a target word."""

    source_tags: FilePath | None = None
    """One a source word."""

    gap_tags: FilePath | None = None
    """One a gap, n+1 for n target words."""

    targetgaps_tags: FilePath | None = None
    """Gap, word, gap, ..., gap: 2n+1 for n target words."""

    sentence_scores: FilePath | None = None
    """A number a segment."""

    sentence_scores_extras: FilePath | None = None
    """Mean and standard deviation of the score, tab-separated, for its calibration."""

    binary: FilePath | None = None
    """A probability of BAD a segment."""

    sentence_submission: FilePath | None = None
    """Scores, as submitted to a shared task: ``LP METHOD SEG SCORE``."""

    word_submission: FilePath | None = None
    """Tags, as submitted to a shared task: ``LP METHOD TYPE SEG INDEX WORD TAG``."""

    span_submission: FilePath | None = None
    """Errors, as submitted to a shared task: ``LP METHOD SEG TARGET STARTS ENDS TYPES``."""

    table: Table | None = None
    """Columns in the place of files; a table may hold gold and predictions."""


class Texts(BaseConfig):
    """The texts, for a page that shows segments."""

    source: FilePath
    """One segment a line."""

    target: FilePath
    """Its translation."""


class Output(BaseConfig):
    """Files that the figures are written to, besides the terminal."""

    report: Path | None = None
    """A page of HTML: figures, charts, the worst segments."""

    figures: Path | None = None
    """Everything as JSON, for programs."""

    markdown: Path | None = None
    """A table for each output."""

    latex: Path | None = None
    """The same, for the package booktabs."""


SUBMISSIONS = {
    "sentence_submission": {const.SENTENCE_SCORES},
    "word_submission": {const.TARGET_TAGS, const.SOURCE_TAGS},
    "span_submission": {"spans"},
}
"""What of gold each of them may be compared with."""


def named(files: GoldFiles | PredictedFiles) -> list[str]:
    """Fields that there is a file or a column for."""
    given = [name for name, path in files if path is not None and name != "table"]
    return given + (list(files.table.columns) if files.table is not None else [])


class Files(BaseConfig):
    """What is compared, of one language pair."""

    gold_files: GoldFiles = GoldFiles()
    """What is right."""

    predicted_dir: list[DirectoryPath] | None = None
    """Directories that ``kiwi predict`` wrote, one a system."""

    predicted_files: list[PredictedFiles] | None = None
    """Files of each system."""

    texts: Texts | None = None
    """Source and target, for :attr:`Output.report`."""

    language_pair: str | None = None
    """Such as ``en-de``, that submissions must be of."""

    @field_validator("predicted_dir", "predicted_files", mode="before")
    @classmethod
    def take_one_as_a_list(cls, value: Any) -> Any:
        """One system may stand without the list."""
        return value if value is None or isinstance(value, list | tuple) else [value]

    @property
    def mistakes(self) -> dict[str, str]:
        """Predictions come from one place, and each has its gold."""
        gold = set(named(self.gold_files))
        wrong = {} if gold else {"gold_files": "at least one file is required"}
        if (self.predicted_dir is None) == (self.predicted_files is None):
            wrong["predicted_dir"] = "exactly one of predicted_dir and predicted_files is required"
        gold_fields = gold_of()
        fields: dict[str, tuple[GoldFiles | PredictedFiles, list[str]]] = {
            "gold_files": (self.gold_files, sorted({*gold_fields.values()}))
        }
        for index, files in enumerate(self.predicted_files or []):
            fields[f"predicted_files.{index}"] = (files, list(gold_fields))
            for name in named(files):
                needed = {gold_fields[name]} if name in gold_fields else SUBMISSIONS.get(name, gold)
                if not needed & gold:
                    wrong[f"predicted_files.{index}.{name}"] = f"given, but gold_files.{min(needed)} is not"
        for place, (given, known) in fields.items():
            for name in given.table.columns if given.table is not None else ():
                if name not in known:
                    wrong[f"{place}.table.columns.{name}"] = f"not a field; {did_you_mean(name, known)}"
        return wrong


class Configuration(Files):
    """Options of ``kiwi evaluate``."""

    language_pairs: dict[str, Files] | None = None
    """Instead of ``gold_files`` and predictions: those of several language pairs, by names such as ``en-de``. Systems
    are in the same order in each; figures are those of each pair, and their means, which no pair weighs more in."""

    output: Output = Output()
    """Files to write."""

    bootstrap: NonNegativeInt = 1000
    """Samples of the 95 % intervals, and of the tests between systems; 0 makes neither."""

    seed: NonNegativeInt = 42
    """Of the samples."""

    threshold: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    """Probabilities of BAD above this count as BAD."""

    best_threshold: bool = False
    """Say which threshold would have the highest MCC; figures stay those of ``threshold``."""

    explanations: bool = False
    """Measure the probabilities of target words as explanations of the score, too."""

    verbose: bool = False
    """Show debug messages."""

    quiet: bool = False
    """Show warnings and errors only; has precedence over ``verbose``."""

    @property
    def pairs(self) -> Mapping[str, Files]:
        """What is compared, by language pair; without them, under an empty name."""
        return self.language_pairs or {"": self}

    @model_validator(mode="after")
    def check_there_is_something_to_compare(self) -> Configuration:
        """Each language pair has predictions and gold, and they have as many systems."""
        wrong: dict[str, str] = {}
        if self.language_pairs is not None:
            own = {name: Files.model_fields[name].default for name in Files.model_fields}
            wrong |= {
                name: "given, but language_pairs has files of its own"
                for name, empty in own.items()
                if getattr(self, name) != empty
            }
            if not self.language_pairs:
                wrong["language_pairs"] = "expected at least one"
            counts = {len(files.predicted_dir or files.predicted_files or ()) for files in self.language_pairs.values()}
            if len(counts) > 1:
                wrong["language_pairs"] = (
                    f"found {' and '.join(map(str, sorted(counts)))} systems; expected as many in each"
                )
        for pair, files in self.pairs.items():
            prefix = f"language_pairs.{pair}." if pair else ""
            wrong |= {f"{prefix}{path}": why for path, why in files.mistakes.items()}
        if wrong:
            raise mistakes("Configuration", wrong)
        return self

"""Options of ``kiwi evaluate``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import DirectoryPath, Field, FilePath, NonNegativeInt, field_validator, model_validator

from kiwi.lib.predictions import GOLD_OF
from kiwi.utils.io import BaseConfig, mistakes


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

    @field_validator("predicted_dir", "predicted_files", mode="before")
    @classmethod
    def take_one_as_a_list(cls, value: Any) -> Any:
        """One system may stand without the list."""
        return value if value is None or isinstance(value, list | tuple) else [value]

    @property
    def mistakes(self) -> dict[str, str]:
        """Predictions come from one place, and each has its gold."""
        gold = {name for name, path in self.gold_files if path is not None}
        wrong = {} if gold else {"gold_files": "at least one file is required"}
        if (self.predicted_dir is None) == (self.predicted_files is None):
            wrong["predicted_dir"] = "exactly one of predicted_dir and predicted_files is required"
        for index, files in enumerate(self.predicted_files or []):
            for name, path in files:
                if path is not None and name in GOLD_OF and GOLD_OF[name] not in gold:
                    wrong[f"predicted_files.{index}.{name}"] = f"given, but gold_files.{GOLD_OF[name]} is not"
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
            own = {"gold_files": GoldFiles(), "predicted_dir": None, "predicted_files": None, "texts": None}
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

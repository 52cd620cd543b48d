"""The options of ``kiwi evaluate``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import DirectoryPath, Field, NonNegativeInt, field_validator, model_validator

from kiwi import constants as const
from kiwi.lib.evaluate.files import GoldFiles, PredictedFiles, Texts
from kiwi.lib.evaluate.sources import given_fields, gold_by_prediction
from kiwi.lib.evaluate.translations import KEYS, wrong_keys
from kiwi.metrics.spans import SPANS
from kiwi.utils.inputs import InputFile
from kiwi.utils.io import BaseConfig, did_you_mean, mistakes

WORD = r"[A-Za-z][A-Za-z-]*"
"""A word in the place of a gold label or score."""

Word = Annotated[str, Field(pattern=f"^{WORD}$")]


class Output(BaseConfig):
    """The files that results are written to, in addition to the terminal."""

    report: Path | None = None
    """An HTML page with metrics, charts and the worst segments."""

    figures: Path | None = None
    """A JSON file with all results."""

    markdown: Path | None = None
    """A Markdown file with a table for each output."""

    latex: Path | None = None
    """A LaTeX file with a table for each output, for the package ``booktabs``."""

    overwrite: bool = False
    """Whether to replace files that kiwi has not written. Files that are read are never overwritten."""


SUBMISSIONS = {
    "sentence_submission": {const.SENTENCE_SCORES, const.BINARY},
    "word_submission": {const.TARGET_TAGS, const.SOURCE_TAGS},
    "span_submission": {"spans"},
}
"""The gold fields that each kind of submission is compared with."""


class Files(BaseConfig):
    """The files to compare, of one language pair."""

    gold_files: GoldFiles = GoldFiles()
    """The gold labels and scores."""

    predicted_dir: list[DirectoryPath] | None = None
    """The directories that ``kiwi predict`` wrote, one per system; these or ``predicted_files`` are required."""

    predicted_files: list[PredictedFiles] | None = None
    """The files of each system; with ``predicted_dir``, of further systems."""

    texts: Texts | None = None
    """The source and target texts, for :attr:`Output.report`, and to check that only segments with an empty side have
    no prediction; they have as many words as there are tags."""

    language_pair: str | None = None
    """The language pair to read from submissions, such as ``en-de``; required for submissions of several pairs. Where
    the pair of each segment is known (``gold_files.lp``), the segments to compare."""

    exclude: list[NonNegativeInt | Word] | InputFile | None = None
    """The segments to leave out of every metric: their numbers, counted from 0 as in submissions; or a word that stands
    in the place of their gold labels or scores, such as ``hallucination`` or ``None``, which also stands for ``nan``,
    null and blank scores; or a file with one number per line, or with a language pair and a number, such as
    ``hallucinations_idx.tsv`` of WMT 2023."""

    @field_validator("predicted_dir", "predicted_files", mode="before")
    @classmethod
    def convert_to_list(cls, value: Any) -> Any:
        """Convert a single system, and OpenKiwi's lists of files by output, to a list of systems."""
        if isinstance(value, Mapping) and any(isinstance(files, list | tuple) for files in value.values()):
            by_output = {name: [files] if isinstance(files, str | Path) else files for name, files in value.items()}
            lists = {name: files for name, files in by_output.items() if files is not None}
            if not all(isinstance(files, list | tuple) for files in lists.values()):
                return [value]
            n_systems = {len(files) for files in lists.values()}
            if len(n_systems) > 1:
                raise ValueError(
                    f"found {' and '.join(map(str, sorted(n_systems)))} files; expected one of each per system"
                )
            return [dict(zip(lists, files, strict=True)) for files in zip(*lists.values(), strict=True)]
        return value if value is None or isinstance(value, list | tuple) else [value]

    @field_validator("exclude", mode="before")
    @classmethod
    def convert_single_to_list(cls, value: Any) -> Any:
        """Convert a single segment, or a single word that is not the name of a file, to a list."""
        is_word = isinstance(value, str) and re.fullmatch(WORD, value) and not Path(value).exists()
        return [value] if is_word or (isinstance(value, int) and not isinstance(value, bool)) else value

    @property
    def n_systems(self) -> int:
        """Return the number of systems."""
        return len(self.predicted_dir or ()) + len(self.predicted_files or ())

    @property
    def mistakes(self) -> dict[str, str]:
        """Return the mistakes by option, such as predictions without gold labels."""
        gold = set(given_fields(self.gold_files))
        wrong = {} if gold else {"gold_files": "at least one file is required"}
        if not self.n_systems:
            wrong["predicted_dir"] = "at least one of predicted_dir and predicted_files is required"
        gold_by_field = gold_by_prediction()
        fields: dict[str, tuple[GoldFiles | PredictedFiles, list[str]]] = {
            "gold_files": (self.gold_files, sorted({*gold_by_field.values(), const.LANGUAGE_PAIR, *KEYS} - {SPANS}))
        }
        known = [name for name in gold_by_field if name != const.ERROR_SPANS]  # which are objects, not texts
        for index, files in enumerate(self.predicted_files or []):
            fields[f"predicted_files.{index}"] = (files, [*known, const.LANGUAGE_PAIR, *KEYS])
            for name in given_fields(files):
                needed = {gold_by_field[name]} if name in gold_by_field else SUBMISSIONS.get(name, gold)
                needed = needed | {"error_free"} if needed & {const.SENTENCE_SCORES, "spans"} else needed
                if not needed & gold:
                    wrong[f"predicted_files.{index}.{name}"] = (
                        f"given, but gold_files.{min(needed - {'error_free'})} is not"
                    )
        in_table = self.gold_files.table is not None and const.LANGUAGE_PAIR in self.gold_files.table.columns
        if self.gold_files.lp is not None and in_table:
            wrong["gold_files.lp"] = "given, but gold_files.table has a column of it; remove one of them"
        for place, (given, known) in fields.items():
            for name in given.table.columns if given.table is not None else ():
                if name not in known:
                    wrong[f"{place}.table.columns.{name}"] = f"not a field; {did_you_mean(name, known)}"
            wrong |= wrong_keys(place, given.table, self.gold_files.table)
        return wrong


class Configuration(Files):
    """Options of ``kiwi evaluate``."""

    language_pairs: dict[str, Files] | None = None
    """The files of several language pairs, by names such as ``en-de``, instead of ``gold_files`` and predictions.
    Systems must be in the same order in each. Results are given for each pair, and as unweighted means."""

    output: Output = Output()
    """The files to write."""

    bootstrap: Annotated[int, Field(ge=0, le=1_000_000)] = 1000
    """The number of bootstrap samples for 95 % intervals and tests between systems; 0 omits both."""

    seed: NonNegativeInt = 42
    """The seed of the bootstrap samples."""

    threshold: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    """The threshold above which a probability counts as BAD, in [0, 1]."""

    best_threshold: bool = False
    """Whether to find the threshold with the highest MCC; the metrics remain those of ``threshold``."""

    explanations: bool = False
    """Whether to evaluate the predictions of target words as explanations of the score too; they may be of any scale,
    and where they are not probabilities, the metrics of tags are left out."""

    error_free: bool = False
    """Whether to evaluate the detection of error-free segments (WMT 2026): those with a gold score of at least
    ``error_free_score`` and without gold spans."""

    error_free_score: Annotated[float, Field(allow_inf_nan=False)] = 85.0
    """The score from which on a segment without spans is free of errors, on the scale of the gold scores."""

    low_is_bad: bool = False
    """Whether low values of what is compared with ``gold_files.binary`` mean BAD, rather than high ones, as with scores
    of quality (the constrained setting of WMT 2022)."""

    verbose: bool = False
    """Whether to show debug messages."""

    quiet: bool = False
    """Whether to show warnings and errors only; takes precedence over ``verbose``."""

    @property
    def pairs(self) -> Mapping[str, Files]:
        """Return the files by language pair; without language pairs, under an empty name."""
        return self.language_pairs or {"": self}

    @model_validator(mode="after")
    def check_files(self) -> Configuration:
        """Check that each language pair has predictions, gold labels, and the same number of systems."""
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
            counts = {files.n_systems for files in self.language_pairs.values()}
            if len(counts) > 1:
                wrong["language_pairs"] = (
                    f"found {' and '.join(map(str, sorted(counts)))} systems; expected the same number in each"
                )
        is_asked = self.error_free or any(files.gold_files.error_free is not None for files in self.pairs.values())
        if "error_free_score" in self.model_fields_set and not is_asked:
            wrong["error_free_score"] = "has no effect without error_free: true; add it, or remove error_free_score"
        for pair, files in self.pairs.items():
            prefix = f"language_pairs.{pair}." if pair else ""
            if pair and files.gold_files.lp is not None:
                wrong[f"{prefix}gold_files.lp"] = f"given, but these are files of {pair}; remove it, or language_pairs"
            wrong |= {f"{prefix}{path}": why for path, why in files.mistakes.items()}
        if wrong:
            raise mistakes("Configuration", wrong)
        return self

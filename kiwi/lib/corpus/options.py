"""The options of ``kiwi corpus``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from kiwi import constants as const
from kiwi.data.datasets.split import LANGUAGE
from kiwi.data.labels.edits import SourceRule
from kiwi.exceptions import ConfigError
from kiwi.lib.corpus.cleaning import RULES, Bounds
from kiwi.utils.io import did_you_mean

POST_EDIT_ALIGNMENTS, SCORES, IDS, GROUP, ANNOTATOR = "post_edit_alignments", "scores", "ids", "group", "annotator"

TEXTS = (const.SOURCE, const.TARGET, const.POST_EDIT)
"""The fields that a corpus is made from."""

FIELDS = (*TEXTS, const.ALIGNMENTS, POST_EDIT_ALIGNMENTS, SCORES, IDS, GROUP, ANNOTATOR)

Part = Literal["train", "dev", "test"]

PARTS: tuple[Part, ...] = ("train", "dev", "test")


@dataclass(frozen=True)
class Input:
    """The input of segments: files of one segment per line, or a table."""

    files: Mapping[str, Path] = field(default_factory=dict)
    """The file of each field."""

    table: Path | None = None
    """A TSV, CSV, JSON Lines or Parquet file."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """The column of each field in a table; by default, the text columns have the names of their fields."""

    def check(self) -> None:
        """Check that there is one kind of input, and that all fields are known.

        Raises:
            ConfigError: when options are missing, unknown or incompatible.
        """
        for name in self.columns:
            if name not in FIELDS:
                raise ConfigError(f"--columns: '{name}' is not a field; {did_you_mean(name, FIELDS)}")
        if self.table is not None and self.files:
            options = ", ".join(_option(name) for name in self.files)
            raise ConfigError(f"{options}: found files beside the table {self.table}. Give a table or files.")
        if self.table is None and self.columns:
            raise ConfigError("--columns names columns of a table, but there is no table. Remove it, or give a table.")
        missing = [name for name in TEXTS if name not in self.files]
        if self.table is None and missing:
            options = ", ".join(_option(name) for name in missing)
            raise ConfigError(f"{options}: not given; expected source, translation and post-edit, or a table.")
        if len(set(self.columns.values())) < len(self.columns):
            raise ConfigError("--columns: found the same column for several fields. Name one for each.")

    @property
    def fields(self) -> list[str]:
        """Return the fields that are read, in a fixed order."""
        given = self.files if self.table is None else {**dict.fromkeys(TEXTS), **self.columns}
        return [name for name in FIELDS if name in given]

    def place(self, name: str) -> Path:
        """Return the file of a field, for errors."""
        return self.table if self.table is not None else self.files[name]


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


@dataclass(frozen=True)
class CorpusOptions:
    """How a corpus is made from its segments."""

    source_language: str | None = None
    """The BCP 47 tag of the source's language."""

    target_language: str | None = None
    """The BCP 47 tag of the translations' language."""

    tokenizer: tuple[str, str] = ("auto", "auto")
    """The tokenizers of source and target: ``auto``, ``none``, ``moses``, ``zh`` or ``ja``."""

    tag_form: Literal["interleaved", "target"] = "interleaved"
    """Whether target tags include those of the gaps."""

    source_tags: SourceRule = "normal"
    """The rule of the source tags."""

    references: bool = False
    """Whether the post-edits are independent references."""

    empty_is_unedited: bool = False
    """Whether an empty post-edit stands for a translation that was accepted as it is."""

    dev: float | None = None
    """The number of segments of the part ``dev``, or a share below 1; None is 1000, or a tenth of a small corpus."""

    test: float | None = None
    """The number of segments of the part ``test``, in the same form."""

    keep_order: bool = False
    """Whether ``dev`` and ``test`` are the last segments instead of random ones."""

    seed: int = 1
    """The seed of the split."""

    keep: frozenset[str] = frozenset()
    """The cleaning rules that are switched off."""

    bounds: Bounds = field(default_factory=Bounds)
    """The bounds of the cleaning rules."""

    align: bool = True
    """Whether to align words that no file aligns."""

    encoder: str | None = None
    """The pretrained encoder that aligns words; None is the packaged one."""

    processes: int | None = None
    """The number of processes; None is one per core."""

    def check(self, fields: list[str]) -> None:
        """Check the options against each other and against the fields of the input.

        Raises:
            ConfigError: when options are unknown or incompatible.
        """
        for side, language in (("source", self.source_language), ("target", self.target_language)):
            if language is not None and not LANGUAGE.fullmatch(language):
                raise ConfigError(f"--{side}-language: found '{language}'; expected a BCP 47 tag, such as en or pt-BR.")
        for rule in self.keep:
            if rule not in RULES:
                raise ConfigError(f"--keep: '{rule}' is not a cleaning rule; {did_you_mean(rule, RULES)}")
        for name, size in (("dev", self.dev), ("test", self.test)):
            if size is not None and not (0 <= size < 1 or (size > 0 and float(size).is_integer())):
                raise ConfigError(f"--{name}: found {size:g}; expected a number of segments, or a share below 1.")
        given = [name for name in (const.ALIGNMENTS, POST_EDIT_ALIGNMENTS) if name in fields]
        if given and self.tokenizer != ("none", "none"):
            raise ConfigError(
                f"{', '.join(map(_option, given))}: found alignments, which count the words of the files as they are; "
                "expected no tokenizer. Give --tokenizer none, or leave the alignments out."
            )
        if not self.align and self.source_tags != "none" and POST_EDIT_ALIGNMENTS not in fields:
            raise ConfigError(
                "--no-align: source tags need alignments of source and post-edit. Add --post-edit-alignments, or "
                "--source-tags none."
            )

    def settings(self) -> dict[str, Any]:
        """Return the options as plain values."""
        return asdict(self) | {"keep": sorted(self.keep), "tokenizer": list(self.tokenizer)}

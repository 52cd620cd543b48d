"""The options of ``kiwi corpus``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from kiwi import constants as const
from kiwi.data.datasets.split import LANGUAGE
from kiwi.data.documents.formats import Format, require_format
from kiwi.data.labels.edits import SourceRule
from kiwi.data.post_edits.units import COLUMNS, SWITCHABLE
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
    """The input of segments: files of one segment per line, a table, or a file of translators."""

    files: Mapping[str, Path] = field(default_factory=dict)
    """The file of each field; beside a file of translators, only the machine translations."""

    table: Path | None = None
    """A table (CSV, TSV, XLSX, JSON Lines, JSON or Parquet) or a file of translators (XLIFF, TMX or PO)."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """The column of each field in a table, which by default has the name of the field; or what a unit of a file of
    translators says of itself, as in :data:`kiwi.data.post_edits.units.COLUMNS`."""

    has_header: bool = True
    """Whether the first row of a table has the names of its columns."""

    languages: Sequence[str] = ()
    """The languages of the units that are read from a file of translators."""

    machine: str | None = None
    """A part of the name of the origin or tool of the machine translations in a file of translators."""

    def check(self) -> None:
        """Check that there is one kind of input, and that all fields are known.

        Raises:
            ConfigError: when options are missing, unknown or incompatible.
        """
        for name in self.columns:
            if name not in FIELDS:
                raise ConfigError(f"--columns: '{name}' is not a field; {did_you_mean(name, FIELDS)}")
        if self.table is None:
            self._check_files()
        else:
            self._check_table(self.table, require_format(self.table))
        if len(set(self.columns.values())) < len(self.columns):
            raise ConfigError("--columns: found the same column for several fields. Name one for each.")

    def _check_files(self) -> None:
        if self.columns:
            raise ConfigError("--columns names columns of a table, but there is no table. Remove it, or give a table.")
        given = {"--languages": self.languages, "--mt-origin": self.machine, "--no-header": not self.has_header}
        if found := [name for name, value in given.items() if value]:
            raise ConfigError(f"{', '.join(found)}: for a file with all texts, such as XLIFF or CSV. Give FILE.")
        if missing := [name for name in TEXTS if name not in self.files]:
            options = ", ".join(_option(name) for name in missing)
            raise ConfigError(f"{options}: not given; expected source, translation and post-edit, or a table.")

    def _check_table(self, path: Path, form: Format) -> None:
        if form.is_table:
            if self.files:
                options = ", ".join(_option(name) for name in self.files)
                raise ConfigError(f"{options}: found files beside the table {path}. Give a table or files.")
            if not self.has_header and not form.has_header:
                raise ConfigError(f"--no-header: {path} is {form.name}, which has no line of column names. Remove it.")
            if self.languages or self.machine:
                option = "--languages" if self.languages else "--mt-origin"
                raise ConfigError(f"{option}: for files of translators; {path} is {form.name}. Remove it.")
            return
        if others := [_option(name) for name in self.files if name != const.TARGET]:
            raise ConfigError(
                f"{', '.join(others)}: {path} is {form.name}, which has these texts itself. Remove it; only --target "
                "may name a file, with the machine translation of each unit."
            )
        if others := [name for name in self.columns if name in (*TEXTS, const.ALIGNMENTS, POST_EDIT_ALIGNMENTS)]:
            raise ConfigError(f"--columns names columns of a table, but {path} is {form.name}. Remove {others[0]}.")
        for name, value in self.columns.items():
            if value not in COLUMNS:
                raise ConfigError(
                    f"{_option(name)}: {path} is {form.name}; found '{value}'; expected {', '.join(COLUMNS)}."
                )
        if not self.has_header:
            raise ConfigError(f"--no-header: {path} is {form.name}, which has no line of column names. Remove it.")
        if self.machine is not None and const.TARGET in self.files:
            raise ConfigError("--mt-origin chooses from those in FILE, but --target names others. Remove one.")
        if self.languages and form.name == "PO":
            raise ConfigError(f"--languages: {path} is PO, which has one language. Remove it.")
        if self.languages and len(self.languages) != 2:
            raise ConfigError(
                f"--languages: found {len(self.languages)}; expected the languages of source and target, such as "
                "--languages en,de."
            )

    @property
    def has_units(self) -> bool:
        """Whether it is a file of translators."""
        return self.table is not None and not require_format(self.table).is_table

    @property
    def are_references(self) -> bool:
        """Whether translations seem to have been made without the machine translations, as in translation memories."""
        return self.has_units and const.TARGET in self.files and not is_xliff(self.table)

    @property
    def fields(self) -> list[str]:
        """Return the fields that are read, in a fixed order."""
        given = self.files if self.table is None else {**dict.fromkeys(TEXTS), **self.columns}
        return [name for name in FIELDS if name in given]

    def place(self, name: str) -> Path:
        """Return the file of a field, for errors."""
        return self.files[name] if self.table is None or name in self.files else self.table


def is_xliff(path: Path | None) -> bool:
    """Return whether a file is XLIFF, by its suffix."""
    return path is not None and require_format(path).name == "XLIFF"


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

    references: bool | None = None
    """Whether the post-edits are independent references; None takes those of a translation memory for references, if
    the machine translations are in another file."""

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

    def check(self, fields: list[str], *, has_units: bool = False) -> None:
        """Check the options against each other and against the fields of the input.

        Args:
            fields: the fields of the input.
            has_units: whether it is a file of translators.

        Raises:
            ConfigError: when options are unknown or incompatible.
        """
        for side, language in (("source", self.source_language), ("target", self.target_language)):
            if language is not None and not LANGUAGE.fullmatch(language):
                raise ConfigError(f"--{side}-language: found '{language}'; expected a BCP 47 tag, such as en or pt-BR.")
        known = [*RULES, *(SWITCHABLE if has_units else ())]
        for rule in self.keep:
            if rule not in known:
                raise ConfigError(f"--keep: '{rule}' is not a cleaning rule; {did_you_mean(rule, known)}")
        for name, size in (("dev", self.dev), ("test", self.test)):
            if size is not None and not (0 <= size < 1 or (size > 0 and float(size).is_integer())):
                raise ConfigError(f"--{name}: found {size:g}; expected a number of segments, or a share below 1.")
        if self.seed < 0:
            raise ConfigError(f"--seed: found {self.seed}; expected 0 or more.")
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
        if self.source_tags == "none" and POST_EDIT_ALIGNMENTS in fields:
            raise ConfigError(
                "--post-edit-alignments: for source tags, which --source-tags none leaves out. Remove one of the two."
            )
        if self.encoder is not None and not self.fields_to_align(fields):
            reason = "the alignments are given" if self.align else "of --no-align"
            raise ConfigError(f"--encoder: found {self.encoder}; it would align no words, because {reason}. Remove it.")

    def fields_to_align(self, fields: Sequence[str]) -> list[str]:
        """Return the kinds of alignments that are needed, and that the input does not have.

        Args:
            fields: the fields of the input.
        """
        needed = [const.ALIGNMENTS, *([] if self.source_tags == "none" else [POST_EDIT_ALIGNMENTS])]
        return [name for name in needed if name not in fields] if self.align else []

    def settings(self) -> dict[str, Any]:
        """Return the options as plain values."""
        return asdict(self) | {"keep": sorted(self.keep), "tokenizer": list(self.tokenizer)}

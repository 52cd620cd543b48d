"""The data of a calibration: segments, their gold scores, and their labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kiwi import constants as const
from kiwi.data.files.lines import Columns
from kiwi.data.labels.spans.checks import SpanDataConfig
from kiwi.data.labels.spans.files import SpanReader
from kiwi.data.readers import check_columns, read_columns, read_labelled
from kiwi.exceptions import ConfigError
from kiwi.lib.utils.text_options import refuse_unread_texts
from kiwi.runner.engine import AboutSystem
from kiwi.utils.written import user_path

OPTIONS = {
    const.SENTENCE_SCORES: "--gold",
    const.TARGET_TAGS: "--target-tags",
    const.GAP_TAGS: "--target-tags",
    const.SOURCE_TAGS: "--source-tags",
    const.BINARY: "--binary",
    const.ERROR_SPANS: "--error-spans",
}
"""The option of the gold data of each output."""


@dataclass(frozen=True)
class CalibrationFiles:
    """The files of a calibration, with one segment per line."""

    texts: Mapping[str, Path]
    """The files that the system reads, by field, and ``lp``, the language pairs."""

    labels: Mapping[str, Path] = field(default_factory=dict)
    """The gold scores and labels, by field of ``data.*.output``."""

    def __post_init__(self) -> None:
        for name in ("texts", "labels"):
            found = {field: user_path(path) for field, path in getattr(self, name).items()}
            object.__setattr__(self, name, found)

    @property
    def paths(self) -> list[Path]:
        """All files."""
        return [*self.texts.values(), *self.labels.values()]

    @property
    def has_labels(self) -> bool:
        """Whether there are labels of probabilities, which temperatures are fitted to."""
        return any(name != const.SENTENCE_SCORES for name in self.labels)


def check_outputs(about: AboutSystem, files: CalibrationFiles, place: object) -> None:
    """Check that a system predicts what the gold data is about, and that what it reads is given, and nothing else.

    Args:
        about: the system.
        files: the files.
        place: the system's name, for errors.

    Raises:
        ConfigError: when it does not.
    """
    if not files.labels:
        expected = ", ".join(dict.fromkeys(OPTIONS.values()))
        raise ConfigError(f"kiwi calibrate: found no gold data. Add {expected.replace(', --error', ' or --error')}.")
    predicts = ", ".join(about.outputs)
    for name in files.labels:
        about_it = [output for output, option in OPTIONS.items() if option == OPTIONS[name]]
        if not any(output in about.outputs for output in about_it):
            raise ConfigError(
                f"{OPTIONS[name]}: {place} predicts {predicts}, and not {' or '.join(about_it)}. Remove the option."
            )
    uses_pairs = const.SENTENCE_SCORES in files.labels or bool(moved_outputs(about, files))
    if const.LANGUAGE_PAIR in files.texts and not uses_pairs:
        raise ConfigError(
            f"--lp: given without --gold, but {place} has no thresholds of language pairs for {_options(files)}, so "
            "that these probabilities do not depend on the pair. Remove it, or choose such thresholds first: "
            "kiwi thresholds --lp."
        )
    needed = [name for name in about.input_fields if name not in (const.ALIGNMENTS, *files.texts)]
    if needed:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in needed)
        raise ConfigError(f"{place} reads {', '.join(needed)}, which is not given. Add {options}.")
    refuse_unread_texts(files.texts, about.input_fields, place)


def moved_outputs(about: AboutSystem, files: CalibrationFiles) -> list[str]:
    """Return the outputs with labels whose probabilities depend on the language pair, because of its thresholds."""
    thresholds = about.data.thresholds
    given = {OPTIONS[name] for name in files.labels}
    return [] if thresholds is None else [name for name in thresholds.by_output if OPTIONS[name] in given]


def _options(files: CalibrationFiles) -> str:
    return " and ".join(dict.fromkeys(OPTIONS[name] for name in files.labels))


def read_data(files: CalibrationFiles) -> Columns:
    """Read and check all files; a segment without a label has a blank line, or the score ``nan``.

    Raises:
        DataError: when a file cannot be read, or they have different numbers of lines; or at the first invalid line.
    """
    one_a_line = {name: path for name, path in files.labels.items() if name != const.ERROR_SPANS}
    known = {**files.texts, **one_a_line}
    columns = read_columns(known)
    checked = check_columns({name: columns[name] for name in files.texts}, files.texts)
    found = read_labelled(columns | checked, known, partial=True)
    if const.ERROR_SPANS in files.labels:
        found |= SpanReader(SpanDataConfig()).read(files.labels[const.ERROR_SPANS], columns, known, partial=True)
    return found

"""The files that ``kiwi predict`` writes on request: submissions to shared tasks, and a table of all outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from kiwi import constants as const
from kiwi.data.files.lines import Columns, stream_lines
from kiwi.data.files.table_writers import Kind, write_table
from kiwi.data.text.words import words
from kiwi.data.wmt.sentence_level import (
    Header,
    SentenceSubmission,
    SpanSubmission,
    for_official_scorer,
    write_sentence_submission,
    write_span_submission,
)
from kiwi.data.wmt.span_tables import write_span_table
from kiwi.data.wmt.word_level import WordSubmission, target_with_eos, write_word_submission
from kiwi.exceptions import ConfigError
from kiwi.outputs import OUTPUTS, SubmissionLevel, column_kinds
from kiwi.runner import Predictions
from kiwi.runner.prediction_files import prediction_files
from kiwi.runner.predictions import DIGITS
from kiwi.utils.inputs import InputFile
from kiwi.utils.io import BaseConfig, mistakes

SUBMISSION_FILES: dict[SubmissionLevel, str] = {
    "sentence": "sentence_submission.tsv",
    "word": "word_submission.tsv",
    "span": "span_submission.tsv",
}
"""The file of each level of submissions."""

SubmissionFormat = Literal["wmt20", "wmt21", "wmt22", "wmt23", "wmt24", "wmt25"]

LEVELS: dict[SubmissionFormat, tuple[SubmissionLevel, ...]] = {
    "wmt20": ("sentence", "word"),
    "wmt21": ("sentence", "word"),
    "wmt22": ("sentence", "word"),
    "wmt23": ("sentence", "word", "span"),
    "wmt24": ("sentence", "span"),
    "wmt25": ("span",),
}
"""The levels of each format."""

WITHOUT_HEADER = ("wmt20", "wmt25")

TABLE_FILE = "predictions"
"""The name of the table, without the suffix of its format."""

ON_DEMAND = (*SUBMISSION_FILES.values(), *(f"{TABLE_FILE}.{suffix}" for suffix in ("tsv", "jsonl", "parquet")))
"""The names of all files that are written on request."""

WITH_EOS = ("wmt22", "wmt23")
"""The formats in which gaps are folded into target words."""

WITH_ENSEMBLES = (*WITH_EOS, "wmt24")
"""The formats whose headers say how many models are ensembled."""


class SubmissionConfig(BaseConfig):
    """A submission to the quality estimation task of WMT, written beside the predictions."""

    format: SubmissionFormat
    """The format, named after the year of the task. ``wmt25`` is that of its task 2, error spans."""

    language_pair: Annotated[str, Field(pattern=r"^\S+$")] | None = None
    """The language pair as the task writes it, such as ``en-de``. Required, unless ``lp`` of the data has the pair of
    each segment; segments are then counted from 0 within each pair. Not for WMT25."""

    method: Annotated[str, Field(pattern=r"^[^\t\r\n]*[^\s][^\t\r\n]*$")] | None = None
    """The name of the system in the ranking. Required, except for WMT25."""

    release: InputFile | None = None
    """The table that WMT25 releases, to which columns of errors are added. Its rows are the segments of the data."""

    levels: Annotated[list[SubmissionLevel], Field(min_length=1)] | None = None
    """The submissions to write: ``sentence``, ``word`` (up to WMT23) or ``span`` (from WMT23 on); if unset, all that
    the system has outputs for."""

    ensembled: PositiveInt | None = None
    """The number of models in the ensemble, for WMT22 to WMT24; 1 if unset."""

    @model_validator(mode="after")
    def check_format(self) -> SubmissionConfig:
        """Check that the format has a place for what is given, and what it needs."""
        wrong: dict[str, str] = {}
        if self.ensembled is not None and self.format not in WITH_ENSEMBLES:
            wrong["ensembled"] = f"given, but the header of {self.format} does not include it; remove it"
        if others := [level for level in self.levels or () if level not in LEVELS[self.format]]:
            known = " and ".join(LEVELS[self.format])
            wrong["levels"] = f"found {', '.join(others)}; expected {known}, the levels of {self.format}"
        for name in ("language_pair", "method", "release"):
            value = getattr(self, name)
            is_for_it = (name == "release") == (self.format == "wmt25")
            if value is None and is_for_it and name != "language_pair":
                wrong[name] = f"required for {self.format}"
            elif value is not None and not is_for_it:
                wrong[name] = f"given, but {self.format} has no place for it; remove it"
        if wrong:
            raise mistakes("SubmissionConfig", wrong)
        return self

    def levels_for(self, outputs: Sequence[str], place: object) -> list[SubmissionLevel]:
        """Return the levels of the submissions to write.

        Args:
            outputs: the outputs of the system.
            place: the path or name of the system, for errors.

        Raises:
            ConfigError: when the system has no outputs for a requested level, or for any level.
        """
        needed: dict[SubmissionLevel, list[str]] = {
            level: [spec.name for spec in OUTPUTS.values() if spec.submission == level] for level in LEVELS[self.format]
        }
        if self.format in WITH_EOS:  # gaps are part of the rows of target words
            needed["word"] = [const.TARGET_TAGS]
        possible = [level for level, names in needed.items() if set(names) & set(outputs)]
        lacking = [level for level in self.levels or needed if level not in possible]
        if lacking and (self.levels or not possible):
            missing = "; ".join(f"the {level} level needs {' or '.join(needed[level])}" for level in lacking)
            raise ConfigError(f"submission: {missing} ({self.format}), but {place} predicts {', '.join(outputs)}.")
        return [level for level in possible if level in (self.levels or needed)]

    def header(self, checkpoint: Path, parameters: int) -> Header:
        """Return the header of the submissions, which describes the model.

        Args:
            checkpoint: the directory of the checkpoint.
            parameters: the number of parameters.
        """
        if self.format in WITHOUT_HEADER:
            return Header()
        disk_bytes = sum(file.stat().st_size for file in checkpoint.rglob("*") if file.is_file())
        return Header(disk_bytes, parameters, (self.ensembled or 1) if self.format in WITH_ENSEMBLES else None)


def write_submissions(
    directory: Path,
    config: SubmissionConfig,
    levels: Sequence[SubmissionLevel],
    header: Header,
    predictions: Predictions,
    columns: Columns,
) -> list[Path]:
    """Write ``sentence_submission.tsv``, ``word_submission.tsv`` and ``span_submission.tsv``.

    Args:
        directory: the directory of the predictions.
        config: the options of the submissions.
        levels: the levels to write.
        header: the header of the submissions.
        predictions: the predictions of all segments, none of which is empty.
        columns: the source and target columns, with those of language pairs unless the options name one.

    Returns:
        The paths of the files.
    """
    files: list[Path] = []
    for level, name in SUBMISSION_FILES.items():
        if level not in levels:
            (directory / name).unlink(missing_ok=True)  # left by an earlier prediction with other outputs
    if config.release is not None:
        files.append(directory / SUBMISSION_FILES["span"])
        write_span_table(files[-1], config.release, columns[const.TARGET], predictions.error_spans or ())
        return files
    assert config.method is not None, "checked by the configuration"
    by_pair = _by_pair(config, predictions, columns)
    if "sentence" in levels:
        files.append(directory / SUBMISSION_FILES["sentence"])
        of_pairs = [
            SentenceSubmission(
                header, pair, config.method, [round(score, DIGITS) for score in own.sentences_hter or ()]
            )
            for pair, (own, _) in by_pair.items()
        ]
        write_sentence_submission(files[-1], *of_pairs)
    if "word" in levels:
        files.append(directory / SUBMISSION_FILES["word"])
        write_word_submission(
            files[-1], *(_word_submission(config, pair, header, *own) for pair, own in by_pair.items())
        )
    if "span" in levels:
        files.append(directory / SUBMISSION_FILES["span"])
        write_span_submission(
            files[-1], *(_span_submission(config, pair, header, *own) for pair, own in by_pair.items())
        )
    return files


def _span_submission(
    config: SubmissionConfig, language_pair: str, header: Header, predictions: Predictions, columns: Columns
) -> SpanSubmission:
    assert predictions.error_spans is not None, "the levels are those of the system"
    pairs = zip(columns[const.TARGET], predictions.error_spans, strict=True)
    rows = [for_official_scorer(*pair) for pair in pairs]
    return SpanSubmission(
        header, language_pair, config.method or "", [target for target, _ in rows], [spans for _, spans in rows]
    )


def _by_pair(
    config: SubmissionConfig, predictions: Predictions, columns: Columns
) -> dict[str, tuple[Predictions, Columns]]:
    """Return the predictions and the texts of each language pair, in the order in which the pairs first occur."""
    if config.language_pair is not None:
        return {config.language_pair: (predictions, columns)}
    rows: dict[str, list[int]] = {}
    for row, pair in enumerate(columns[const.LANGUAGE_PAIR]):
        rows.setdefault(pair, []).append(row)
    return {
        pair: (predictions.select(own), {name: [column[row] for row in own] for name, column in columns.items()})
        for pair, own in rows.items()
    }


def _word_submission(
    config: SubmissionConfig, language_pair: str, header: Header, predictions: Predictions, columns: Columns
) -> WordSubmission:
    target = [words(line) for line in columns[const.TARGET]]
    if config.format not in WITH_EOS:
        return WordSubmission(
            header,
            language_pair,
            config.method or "",
            predictions.target_tags_labels,
            predictions.gap_tags_labels,
            predictions.source_tags_labels,
            target,
            [words(line) for line in columns[const.SOURCE]],
        )
    assert predictions.target_tags_labels is not None, "the levels are those of the system"
    gaps: Sequence[list[str] | None] = predictions.gap_tags_labels or [None] * len(target)
    rows = [target_with_eos(*parts) for parts in zip(target, predictions.target_tags_labels, gaps, strict=True)]
    return WordSubmission(
        header,
        language_pair,
        config.method or "",
        target_tags=[tags for _, tags in rows],
        target_words=[texts for texts, _ in rows],
    )


def write_predictions_table(directory: Path, suffix: str, texts: Iterable[Columns]) -> Path:
    """Write ``predictions.tsv``, ``.jsonl`` or ``.parquet``, a table with the texts and all outputs.

    Args:
        directory: the directory of the predictions, whose files are read again.
        suffix: the suffix of the format, without the dot.
        texts: the columns of the data, chunk by chunk: source, target and, if they are known, language pairs.

    Returns:
        The path of the table.
    """
    path = directory / f"{TABLE_FILE}.{suffix}"
    names = [name for name in prediction_files() if (directory / name).is_file()]
    columns = Predictions.from_lines({name: [] for name in names}).columns()
    has_pairs = (directory / const.LANGUAGE_PAIR).is_file()
    fields = (const.SOURCE, const.TARGET, *([const.LANGUAGE_PAIR] if has_pairs else []))
    kinds: dict[str, Kind] = dict.fromkeys(fields, "text")
    kinds |= {name: kind for name, kind in column_kinds().items() if name in columns}
    with ExitStack() as stack:
        lines = {name: stack.enter_context(closing(stream_lines(directory / name))) for name in names}

        def chunks() -> Iterator[Mapping[str, Sequence[Any]]]:
            for chunk in texts:
                own = {field: chunk[field] for field in fields}
                n_rows = len(own[const.TARGET])
                outputs = {name: list(islice(stream, n_rows)) for name, stream in lines.items()}
                yield own | Predictions.from_lines(outputs).columns(targets=own[const.TARGET])

        write_table(path, chunks(), kinds)
    return path

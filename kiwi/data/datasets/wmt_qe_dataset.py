"""Quality estimation data in the format of the WMT shared tasks: parallel files with one segment per line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from kiwi import constants as const
from kiwi.data.collate import Row
from kiwi.data.datasets.parts import OutputConfig, Part, TestConfig, TrainingConfig
from kiwi.data.datasets.split import SplitConfig, draw_split
from kiwi.data.files.lines import Columns
from kiwi.data.labels.score_options import ScoreConfig
from kiwi.data.labels.spans.checks import SpanDataConfig
from kiwi.data.labels.spans.files import SpanReader
from kiwi.data.readers import (
    check_alignments,
    check_any_label,
    check_language_pairs,
    check_segments,
    check_word_counts,
    read_columns,
    read_labelled,
)
from kiwi.exceptions import ConfigError
from kiwi.utils.io import BaseConfig, mistakes

SCORE_FILES = (const.SENTENCE_SCORES, const.RATER_SCORES)
"""The files of labels that have the scores of segments."""

LabelOrigin = Literal["post-edits", "references", "both"]


class WMTQEDataset:
    """Rows of validated text, in which ``dataset[i]`` has the fields of a segment by name.

    Args:
        columns: one string per segment for each field, validated by :mod:`kiwi.data.readers`.
    """

    class Config(SplitConfig):
        """The files of a quality estimation corpus, and how to split and batch them."""

        train: TrainingConfig | None = None
        """Training data."""

        valid: TrainingConfig | None = None
        """Validation data, on which the best model is chosen."""

        test: TestConfig | None = None
        """Test data to predict on."""

        score: ScoreConfig = ScoreConfig()
        """What the sentence scores mean."""

        spans: SpanDataConfig = SpanDataConfig()
        """How error spans are read."""

        partial_labels: bool = False
        """Whether segments may lack labels: a blank line in a file of labels, or no row in a file of error spans that
        numbers its segments. A segment trains the outputs that it has labels for, so that data of different kinds (such
        as direct assessments and error spans) can be concatenated. Each segment needs a label of some kind. With
        ``system.load``, outputs that are trained already need no files of labels, and are kept as they are."""

        labels_from: LabelOrigin | None = None
        """What the labels were made from: ``post-edits``, independent ``references``, or ``both``. It is stored in the
        trained system, whose model card says it."""

        pair_temperature: Annotated[float, Field(ge=1.0, allow_inf_nan=False)] = 1.0
        """Temperature T by which the language pairs of ``train.input.lp`` are sampled: in each epoch, a pair with n
        segments has a share in proportion to n^(1/T) (Arivazhagan et al. 2019, arXiv 1907.05019). At 1, each segment is
        read once per epoch. Larger values repeat segments of small pairs and leave out some of large ones, other ones
        in each epoch. An epoch always has as many segments as the training data."""

        @model_validator(mode="after")
        def check_scores(self) -> WMTQEDataset.Config:
            """Check that scores come from one place: error spans, or their own file."""
            wrong: dict[str, str] = {}
            for name in ("train", "valid", "test") if self.spans.as_scores else ():
                part: Part | None = getattr(self, name)
                if part is None:
                    continue
                given = [field for field in SCORE_FILES if getattr(part.output, field) is not None]
                if given:
                    wrong[f"{name}.output.{given[0]}"] = "given, but spans.as_scores is true; remove one of the two"
                elif part.output.error_spans is None and (name != "test" or part.output != OutputConfig()):
                    wrong[f"{name}.output.error_spans"] = "required, because spans.as_scores is true"
            if wrong:
                raise mistakes("Config", wrong)
            return self

        def has_labels(self, part: Part, field: str) -> bool:
            """Return whether a part has the labels of a field below ``output``, from any file that gives them."""
            if getattr(part.output, field) is not None:
                return True
            has_raters = part.output.rater_scores is not None
            return field == const.SENTENCE_SCORES and (self.spans.as_scores or has_raters)

        @property
        def is_numbered(self) -> bool:
            """Whether segments have the numbers of the lines that their scores are in.

            Those of a split do not, and scores that are made from error spans have no line of their own.
            """
            return self.valid is not None and not self.spans.as_scores

        def score_file(self, part: Part) -> Path | None:
            """Return the file that the sentence scores of a part come from."""
            if self.spans.as_scores:
                return part.output.error_spans
            return part.output.sentence_scores or part.output.rater_scores

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[const.SOURCE])

    def __getitem__(self, index: int) -> Row:
        return {field: column[index] for field, column in self.columns.items()}

    @classmethod
    def read(
        cls, part: TrainingConfig | TestConfig, spans: SpanDataConfig | None = None, *, partial: bool = False
    ) -> WMTQEDataset:
        """Read and validate all files of a part; without labels, both sides of a segment may be empty.

        Args:
            part: the files.
            spans: how error spans are read.
            partial: whether segments may lack labels.

        Raises:
            DataError: at the first invalid line.
        """
        reader = SpanReader(spans or SpanDataConfig())
        files: dict[str, Path] = {field: path for field, path in part.input if path is not None}
        if part.span_table is not None:
            return cls(reader.read_table(part.span_table, files))
        files |= {field: path for field, path in part.output if path is not None}
        spans_file = files.pop(const.ERROR_SPANS, None)
        columns = read_columns(files)
        check_segments(columns, files, allow_empty=part.output == OutputConfig())
        check_word_counts(columns, files)
        if const.LANGUAGE_PAIR in columns:
            columns[const.LANGUAGE_PAIR] = check_language_pairs(columns, files)
        if const.ALIGNMENTS in columns:
            check_alignments(columns, files)
        labelled = read_labelled(columns, files, partial=partial)
        if spans_file is not None:
            labelled |= reader.read(spans_file, columns, files, partial=partial)
        if partial:
            check_any_label(labelled, dict(part.output))
        return cls(labelled)

    @classmethod
    def train_and_valid(cls, config: Config, seed: int) -> tuple[WMTQEDataset, WMTQEDataset]:
        """Read the training and validation data; with ``split``, both are drawn from ``train``.

        Raises:
            DataError: as in :meth:`read`, or when the split leaves a part empty.
        """
        assert config.train is not None, "the training configuration requires it"
        train = cls.read(config.train, config.spans, partial=config.partial_labels)
        if config.valid is not None:
            return train, cls.read(config.valid, config.spans, partial=config.partial_labels)
        assert config.split is not None, "the training configuration requires one of valid and split"
        parts = draw_split(len(train), config.split, seed, config.train.input.source)
        for_training, for_validation = (train.select(indices.tolist()) for indices in parts)
        if config.partial_labels:
            check_any_label(for_training.columns, dict(config.train.output))
        return for_training, for_validation

    @staticmethod
    def build(
        config: WMTQEDataset.Config,
        directory: str | Path | None = None,
        train: bool = False,
        valid: bool = False,
        test: bool = False,
        split: float = 0,
    ) -> WMTQEDataset | tuple[WMTQEDataset, ...]:
        """Read parts of the data, under the name and with the arguments of OpenKiwi 2.1.

        Args:
            config: the files of the parts.
            directory: the directory that relative paths are relative to.
            train: whether to read the training data.
            valid: whether to read the validation data.
            test: whether to read the test data.
            split: the share of the training data to train on, in (0, 1), if there is no validation data; with it,
                ``train`` and ``valid`` are both drawn from the training data, with the seed 42.

        Returns:
            The dataset, or a tuple of datasets in the order of the arguments if not exactly one is asked for.

        Raises:
            ConfigError: when a part is asked for and not configured.
            DataError: when the data cannot be used; the message names file and line.
        """
        drawn: dict[str, WMTQEDataset] = {}
        if split:
            if config.train is None or not 0 < split < 1:
                raise ConfigError(f"split: found {split}; expected a share in (0, 1), and data.train.")
            whole = config.model_copy(
                update={"train": _anchored(config.train, directory), "valid": None, "split": split}
            )
            drawn["train"], drawn["valid"] = WMTQEDataset.train_and_valid(whole, seed=42)
        datasets: list[WMTQEDataset] = []
        for name in (name for name, asked in (("train", train), ("valid", valid), ("test", test)) if asked):
            part: TrainingConfig | TestConfig | None = getattr(config, name)
            if name not in drawn and part is None:
                raise ConfigError(f"data.{name}: required, because the {name} data is asked for.")
            datasets.append(
                drawn[name]
                if name in drawn
                else WMTQEDataset.read(
                    _anchored(part, directory), config.spans, partial=config.partial_labels and name != "test"
                )
            )
        return datasets[0] if len(datasets) == 1 else tuple(datasets)

    def select(self, indices: Sequence[int]) -> WMTQEDataset:
        """Return a dataset of these segments, in this order."""
        return WMTQEDataset({field: [column[i] for i in indices] for field, column in self.columns.items()})


def _anchored(part: Any, directory: str | Path | None) -> Any:
    """Return a part of the data whose relative paths are relative to a directory."""
    if directory is None:
        return part

    def anchor(files: BaseConfig) -> BaseConfig:
        return files.model_copy(update={name: Path(directory, path) for name, path in files if path is not None})

    return part.model_copy(update={"input": anchor(part.input), "output": anchor(part.output)})

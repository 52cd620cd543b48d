"""Quality estimation data in the format of the WMT shared tasks: parallel files with one segment per line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import FilePath

from kiwi import constants as const
from kiwi.data.collate import Row
from kiwi.data.datasets.split import SplitConfig, draw_split
from kiwi.data.files.lines import Columns
from kiwi.data.readers import check_alignments, check_segments, check_word_counts, read_columns, read_labelled
from kiwi.utils.io import BaseConfig


class InputConfig(BaseConfig):
    """Files that a system reads, with one segment per line and words separated by spaces."""

    source: FilePath
    """File of source segments."""

    target: FilePath
    """File of their machine translations."""

    alignments: FilePath | None = None
    """File of word alignments as ``i-j`` pairs, source index first, counted from 0."""

    post_edit: FilePath | None = None
    """File of post-edited translations."""

    source_pos: FilePath | None = None
    """File of part-of-speech tags of the source, one per word."""

    target_pos: FilePath | None = None
    """File of part-of-speech tags of the target, one per word."""


class OutputConfig(BaseConfig):
    """Files of labels that a system learns to predict, with one segment per line."""

    target_tags: FilePath | None = None
    """File of OK/BAD tags of the target, either one per word (n tags) or interleaved with gap tags (2n+1 tags)."""

    source_tags: FilePath | None = None
    """File of OK/BAD tags of the source, one per word."""

    sentence_scores: FilePath | None = None
    """File of sentence scores, one number per segment, such as HTER."""

    binary: FilePath | None = None
    """File of verdicts, OK or BAD (or 0 or 1) per segment, such as whether it has a critical error."""


class TrainingConfig(BaseConfig):
    """A labelled part of the data."""

    input: InputConfig
    """Files that the system reads."""

    output: OutputConfig = OutputConfig()
    """Files of labels that the system learns to predict."""


class TestConfig(BaseConfig):
    """A part of the data to predict on."""

    __test__ = False  # keep pytest from collecting it

    input: InputConfig
    """Files that the system reads."""

    output: OutputConfig = OutputConfig()
    """Files of gold labels to compare predictions with; optional for prediction."""


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

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[const.SOURCE])

    def __getitem__(self, index: int) -> Row:
        return {field: column[index] for field, column in self.columns.items()}

    @classmethod
    def read(cls, part: TrainingConfig | TestConfig) -> WMTQEDataset:
        """Read and validate all files of a part; without labels, both sides of a segment may be empty.

        Raises:
            DataError: at the first invalid line.
        """
        files: dict[str, Path] = {field: path for field, path in part.input if path is not None}
        files |= {field: path for field, path in part.output if path is not None}
        columns = read_columns(files)
        check_segments(columns, files, allow_empty=part.output == OutputConfig())
        check_word_counts(columns, files)
        if const.ALIGNMENTS in columns:
            check_alignments(columns, files)
        return cls(read_labelled(columns, files))

    @classmethod
    def train_and_valid(cls, config: Config, seed: int) -> tuple[WMTQEDataset, WMTQEDataset]:
        """Read the training and validation data; with ``split``, both are drawn from ``train``.

        Raises:
            DataError: as in :meth:`read`, or when the split leaves a part empty.
        """
        assert config.train is not None, "the training configuration requires it"
        train = cls.read(config.train)
        if config.valid is not None:
            return train, cls.read(config.valid)
        assert config.split is not None, "the training configuration requires one of valid and split"
        parts = draw_split(len(train), config.split, seed, config.train.input.source)
        for_training, for_validation = (train.select(indices.tolist()) for indices in parts)
        return for_training, for_validation

    def select(self, indices: Sequence[int]) -> WMTQEDataset:
        """Return a dataset of these segments, in this order."""
        return WMTQEDataset({field: [column[i] for i in indices] for field, column in self.columns.items()})

"""Quality estimation data as the WMT shared tasks publish it: parallel files, one segment a line."""

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
    """Files that a system reads, one segment a line, words separated by spaces."""

    source: FilePath
    """Source segments."""

    target: FilePath
    """Their machine translations."""

    alignments: FilePath | None = None
    """Word alignments: ``i-j`` pairs, source index first, from zero."""

    post_edit: FilePath | None = None
    """Post-edited translations."""

    source_pos: FilePath | None = None
    """Part-of-speech tags of the source, one a word."""

    target_pos: FilePath | None = None
    """Part-of-speech tags of the target, one a word."""


class OutputConfig(BaseConfig):
    """Files that a system learns to predict, one segment a line."""

    target_tags: FilePath | None = None
    """OK/BAD tags: one a target word (n), or interleaved with gaps (2n+1)."""

    source_tags: FilePath | None = None
    """OK/BAD tags, one a source word."""

    sentence_scores: FilePath | None = None
    """A number a segment, such as HTER."""


class TrainingConfig(BaseConfig):
    """A part of the data that has labels."""

    input: InputConfig
    """What the system reads."""

    output: OutputConfig = OutputConfig()
    """What it learns."""


class TestConfig(BaseConfig):
    """A part of the data to predict on."""

    __test__ = False  # not for pytest to collect

    input: InputConfig
    """What the system reads."""

    output: OutputConfig = OutputConfig()
    """What is right, to compare predictions with; prediction does not need it."""


class WMTQEDataset:
    """Rows of checked text: ``dataset[i]`` is the segment's fields by name.

    Args:
        columns: field name to one string a segment, as :mod:`kiwi.data.readers` checks them.
    """

    class Config(SplitConfig):
        """Where the data is."""

        train: TrainingConfig | None = None
        """To train on."""

        valid: TrainingConfig | None = None
        """To choose the best model on."""

        test: TestConfig | None = None
        """To predict on."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[const.SOURCE])

    def __getitem__(self, index: int) -> Row:
        return {field: column[index] for field, column in self.columns.items()}

    @classmethod
    def read(cls, part: TrainingConfig | TestConfig) -> WMTQEDataset:
        """Read and check all files of a part. Without labels, segments with both sides empty may stand.

        Raises:
            DataError: naming file, line, what was found and what was expected.
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
        """The two parts that training needs; ``split`` draws them from one.

        Raises:
            DataError: as :meth:`read`, or when the split leaves a part empty.
        """
        assert config.train is not None, "the training configuration asks for it"
        train = cls.read(config.train)
        if config.valid is not None:
            return train, cls.read(config.valid)
        assert config.split is not None, "the training configuration asks for one of valid and split"
        parts = draw_split(len(train), config.split, seed, config.train.input.source)
        for_training, for_validation = (train.select(indices.tolist()) for indices in parts)
        return for_training, for_validation

    def select(self, indices: Sequence[int]) -> WMTQEDataset:
        """These segments, in this order."""
        return WMTQEDataset({field: [column[i] for i in indices] for field, column in self.columns.items()})

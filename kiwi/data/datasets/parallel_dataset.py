"""Parallel text, to pretrain on: as many lines as there are, none of them held in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import FilePath
from typing_extensions import override

from kiwi import constants as const
from kiwi.data.collate import Row
from kiwi.data.datasets.split import SplitConfig, draw_split
from kiwi.data.files.mapped_lines import LazyLines, MappedLines
from kiwi.exceptions import DataError
from kiwi.utils.io import BaseConfig


class InputConfig(BaseConfig):
    """Files that are translations of each other, one segment a line, words separated by spaces."""

    source: FilePath
    """Source segments."""

    target: FilePath
    """Their translations, by people or post-edited."""


class PartConfig(BaseConfig):
    """A part of the data."""

    input: InputConfig
    """Its files."""


class SomeLines(LazyLines):
    """Some lines of a file, in an order of their own.

    Args:
        lines: of the whole file.
        indices: which of them, int64 (lines,).
    """

    def __init__(self, lines: LazyLines, indices: NDArray[np.int64]) -> None:
        self._lines = lines
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    @override
    def line(self, index: int) -> str:
        return self._lines.line(int(self._indices[index]))

    @override
    def sizes(self, indices: Any) -> NDArray[np.int64]:
        return self._lines.sizes(self._indices[np.asarray(indices)])


class LengthsInBytes:
    """Bytes of source plus target by segment, which say which segments are of like length, looked up when asked for.

    Args:
        columns: the lines of each side.
    """

    def __init__(self, columns: Sequence[LazyLines]) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns[0])

    def __getitem__(self, indices: Any) -> NDArray[np.int64]:
        total: NDArray[np.int64] = np.sum([column.sizes(indices) for column in self._columns], axis=0)
        return total


class ParallelDataset:
    """Rows of source and target: ``dataset[i]`` is read from the files when it is asked for.

    Args:
        columns: ``source`` and ``target``, of the same length.
    """

    class Config(SplitConfig):
        """Where the data is."""

        train: PartConfig | None = None
        """To train on."""

        valid: PartConfig | None = None
        """To choose the best model on."""

        test: PartConfig | None = None
        """Accepted, as configurations of OpenKiwi have it; pretraining reads no test data."""

    def __init__(self, columns: dict[str, LazyLines]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[const.SOURCE])

    def __getitem__(self, index: int) -> Row:
        return {field: column[index] for field, column in self.columns.items()}

    def __iter__(self) -> Iterator[Row]:
        return (self[index] for index in range(len(self)))

    @property
    def lengths(self) -> LengthsInBytes:
        """Of each segment, in bytes."""
        return LengthsInBytes(list(self.columns.values()))

    @classmethod
    def read(cls, part: PartConfig) -> ParallelDataset:
        """Index the files of a part.

        Raises:
            DataError: naming file and line: not UTF-8, a line without a word; files of different length.
        """
        files: dict[str, Path] = dict(part.input)
        columns: dict[str, LazyLines] = {field: MappedLines(path) for field, path in files.items()}
        if len({len(column) for column in columns.values()}) > 1:
            listing = ", ".join(f"{files[field]} has {len(column)}" for field, column in columns.items())
            raise DataError(f"Files of different length: {listing} lines; expected one line a segment in each of them.")
        return cls(columns)

    @classmethod
    def train_and_valid(cls, config: Config, seed: int) -> tuple[ParallelDataset, ParallelDataset]:
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
        for_training, for_validation = map(train.select, parts)
        return for_training, for_validation

    def select(self, indices: NDArray[np.int64]) -> ParallelDataset:
        """These segments, in this order."""
        return ParallelDataset({field: SomeLines(column, indices) for field, column in self.columns.items()})

"""Parallel text for pretraining, which is read from disk on access and may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator
from typing_extensions import override

from kiwi import constants as const
from kiwi.data.collate import Row
from kiwi.data.datasets.split import SplitConfig, draw_split
from kiwi.data.files.lines import different_lengths
from kiwi.data.files.mapped_lines import LazyLines, MappedLines
from kiwi.utils.inputs import InputFile
from kiwi.utils.io import BaseConfig

UNREAD = {
    "input": ("alignments", "post_edit", "source_pos", "target_pos", "lp"),
    "output": ("target_tags", "source_tags", "sentence_scores"),
}
"""The files of quality estimation data that pretraining does not read."""


class InputConfig(BaseConfig):
    """Parallel text files with one segment per line and words separated by spaces."""

    source: InputFile
    """File of source segments."""

    target: InputFile
    """File of their translations, by human translators or post-edited."""


class PartConfig(BaseConfig):
    """One part of the data."""

    input: InputConfig
    """Files of the part."""

    @model_validator(mode="before")
    @classmethod
    def leave_out_unread(cls, data: Any) -> Any:
        """Leave out the files of quality estimation data that pretraining does not read, as OpenKiwi does."""
        return leave_out_unread(data) if isinstance(data, Mapping) else data


def leave_out_unread(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a part without the files that pretraining does not read."""
    kept = dict(part)
    for group, fields in UNREAD.items():
        if isinstance(options := kept.get(group), Mapping):
            kept[group] = {name: value for name, value in options.items() if name not in fields}
    if not kept.get("output", True):
        del kept["output"]
    return kept


class SelectedLines(LazyLines):
    """A selection of the lines of a file, in any order.

    Args:
        lines: all lines of the file.
        indices: the indices of the selected lines, int64 (lines,).
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
    """The length of each segment in bytes of source plus target, computed on access.

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
    """Rows of source and target, in which ``dataset[i]`` is read from the files on access.

    Args:
        columns: the columns ``source`` and ``target``, of the same length.
    """

    class Config(SplitConfig):
        """The files of parallel text, and how to split and batch them."""

        train: PartConfig | None = None
        """Training data."""

        valid: PartConfig | None = None
        """Validation data, on which the best model is chosen."""

        test: PartConfig | None = None
        """Test data, which pretraining ignores; accepted for compatibility with OpenKiwi configurations."""

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
        """The length of each segment in bytes."""
        return LengthsInBytes(list(self.columns.values()))

    @classmethod
    def read(cls, part: PartConfig) -> ParallelDataset:
        """Index and validate the files of a part.

        Raises:
            DataError: when a line is not UTF-8 or has no word, or the files have different lengths.
        """
        files: dict[str, Path] = dict(part.input)
        columns: dict[str, LazyLines] = {field: MappedLines(path) for field, path in files.items()}
        if len({len(column) for column in columns.values()}) > 1:
            raise different_lengths({files[field]: len(column) for field, column in columns.items()})
        return cls(columns)

    @classmethod
    def train_and_valid(cls, config: Config, seed: int) -> tuple[ParallelDataset, ParallelDataset]:
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
        for_training, for_validation = map(train.select, parts)
        return for_training, for_validation

    def select(self, indices: NDArray[np.int64]) -> ParallelDataset:
        """Return a dataset of these segments, in this order."""
        return ParallelDataset({field: SelectedLines(column, indices) for field, column in self.columns.items()})

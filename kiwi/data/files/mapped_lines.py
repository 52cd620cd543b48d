"""Random access to the lines of files that are larger than memory."""

from __future__ import annotations

import tempfile
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from kiwi.data.files.lines import no_line
from kiwi.data.text.words import words
from kiwi.exceptions import DataError
from kiwi.utils.inputs import plain_file
from kiwi.utils.text import BOM, MARK, MARKS_AT_STARTS, TextDecoder, line_blocks

CHUNK = 2**22
"""The number of bytes that are read at once when a file is indexed; more for longer lines."""

MAY_BE_BLANK = np.isin(np.arange(256), [*b" \t\r\n", BOM[0]])
"""Whether a line may have no word, by its first byte."""


class LazyLines(Sequence[str], ABC):
    """Lines that are read on access."""

    @abstractmethod
    def line(self, index: int) -> str:
        """Read one line, counted from 0."""

    @abstractmethod
    def sizes(self, indices: Any) -> NDArray[np.int64]:
        """Return the sizes of some lines in bytes, including their line ends, without reading them."""

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self.line(i) for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self.line(index % len(self))


class MappedLines(LazyLines):
    """The lines of a memory-mapped UTF-8 file, which are those of :func:`kiwi.data.files.lines.read_lines`.

    The index, which has 8 bytes per line, is memory-mapped too, in an unnamed temporary file. So is the text of a file
    that is compressed or a pipe.

    Args:
        path: the file.
        allow_blank: whether lines without a word are allowed.

    Raises:
        DataError: when the file cannot be read, is empty, is not text, or has a line without a word.
    """

    def __init__(self, path: Path, *, allow_blank: bool = False) -> None:
        self.path = Path(path)
        self._plain, copy = plain_file(self.path)
        if copy is not None:
            weakref.finalize(self, copy.close)
        try:
            if not self._plain.stat().st_size:
                raise no_line(path)
            self._text: NDArray[np.uint8] = np.memmap(self._plain, dtype=np.uint8, mode="r")
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
        with tempfile.TemporaryFile() as file:
            end = 0
            for starts, first_bytes, end_of_block in self._starts():
                end = end_of_block
                if not allow_blank:
                    self._check_words(starts, first_bytes, n_before=file.tell() // 8)
                starts.tofile(file)
            if not end:
                raise no_line(path)
            np.array([end + (self._text[end - 1] != ord("\n"))], dtype=np.int64).tofile(file)
            file.flush()
            # The file has no name, so that it disappears with the process, however that ends.
            self._index: NDArray[np.int64] = np.memmap(file, dtype=np.int64, mode="r")

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs in order to map the text itself."""
        return {"path": self.path, "plain": self._plain, "index": np.array(self._index)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.path, self._plain, self._index = state["path"], state["plain"], state["index"]
        self._text = np.memmap(self._plain, dtype=np.uint8, mode="r")

    def _starts(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8], int]]:
        """Yield where lines start, their first bytes, and where the last one ends, and check that all of it is text."""
        decoder, begin = TextDecoder(self.path), 0
        with self._plain.open("rb") as file:
            for block in line_blocks(file, self.path, CHUNK):
                if decoder.check(block):
                    content = np.frombuffer(block, dtype=np.uint8)
                    starts = np.flatnonzero(content == ord("\n")) + 1
                    starts = np.concatenate([[0], starts[:-1] if block.endswith(b"\n") else starts])
                    decoder.n_lines += len(starts)
                    yield starts + begin, content[starts], begin + len(block)
                begin += len(block)

    def _check_words(self, starts: NDArray[np.int64], first_bytes: NDArray[np.uint8], n_before: int) -> None:
        """Check that lines have words; only lines that begin with white space or a mark can have none."""
        for index in np.flatnonzero(MAY_BE_BLANK[first_bytes]):
            start = int(starts[index])
            line = self._text[start : start + 2**16].tobytes().partition(b"\n")[0]
            if not words(_without_ends(line.decode("utf-8", errors="replace"))):
                raise DataError.at(
                    self.path,
                    n_before + int(index) + 1,
                    found="an empty line",
                    expected="at least one word",
                    advice="Remove the segment from all files.",
                )

    def __len__(self) -> int:
        return len(self._index) - 1

    @override
    def line(self, index: int) -> str:
        start, end = int(self._index[index]), int(self._index[index + 1]) - 1
        return _without_ends(self._text[start:end].tobytes().decode("utf-8"))

    @override
    def sizes(self, indices: Any) -> NDArray[np.int64]:
        chosen = np.asarray(indices)
        difference: NDArray[np.int64] = self._index[chosen + 1] - self._index[chosen]
        return difference


def _without_ends(line: str) -> str:
    """Remove what :class:`~kiwi.utils.text.TextDecoder` removes from a line."""
    return MARKS_AT_STARTS.sub("", line.rstrip("\r")) if MARK in line else line.rstrip("\r")

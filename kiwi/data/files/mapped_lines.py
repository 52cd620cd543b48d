"""Random access to the lines of files that are larger than memory."""

from __future__ import annotations

import codecs
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from kiwi.data.files.lines import BOM, not_utf8
from kiwi.data.text.words import words
from kiwi.exceptions import DataError

CHUNK = 2**24
"""The number of bytes that are read at once when a file is indexed."""


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
    """The lines of a memory-mapped UTF-8 file.

    The index, which has 8 bytes per line, is memory-mapped too, in an unnamed temporary file. Lines end as in
    :func:`kiwi.data.files.lines.read_lines`.

    Args:
        path: the file.
        allow_blank: whether lines without a word are allowed.

    Raises:
        DataError: when the file cannot be read, is empty, is not UTF-8, or has a line without a word.
    """

    def __init__(self, path: Path, *, allow_blank: bool = False) -> None:
        self.path = Path(path)
        try:
            size = self.path.stat().st_size
            if size <= len(BOM) and not self.path.read_bytes().removeprefix(BOM):
                raise DataError.at(path, None, found="no line", expected="one segment per line")
            self._text: NDArray[np.uint8] = np.memmap(self.path, dtype=np.uint8, mode="r")
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
        with tempfile.TemporaryFile() as file:
            for starts in self._starts():
                self._check_words(starts, file.tell() // 8, allow_blank=allow_blank)
                starts.tofile(file)
            np.array([size + (self._text[-1] != ord("\n"))], dtype=np.int64).tofile(file)
            file.flush()
            # The file has no name, so that it disappears with the process, however that ends.
            self._index: NDArray[np.int64] = np.memmap(file, dtype=np.int64, mode="r")

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs in order to map the text itself."""
        return {"path": self.path, "index": np.array(self._index)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.path, self._index = state["path"], state["index"]
        self._text = np.memmap(self.path, dtype=np.uint8, mode="r")

    def _starts(self) -> Iterator[NDArray[np.int64]]:
        """Yield the positions at which lines start, chunk by chunk, and check that every chunk is UTF-8."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        size = len(self._text)
        begin = len(BOM) if bytes(self._text[: len(BOM)]) == BOM else 0
        yield np.array([begin], dtype=np.int64)
        for start in range(begin, size, CHUNK):
            chunk = self._text[start : start + CHUNK]
            try:
                decoder.decode(chunk.tobytes(), final=start + CHUNK >= size)
            except UnicodeDecodeError:
                raise not_utf8(self.path) from None
            starts = np.flatnonzero(chunk == ord("\n")) + start + 1
            yield starts[starts < size]

    def _check_words(self, starts: NDArray[np.int64], n_before: int, *, allow_blank: bool) -> None:
        """Check that lines have words; only lines that begin with white space can have none."""
        if allow_blank:
            return
        for index in np.flatnonzero(np.isin(self._text[starts], [ord(c) for c in " \t\r\n"])):
            start = int(starts[index])
            line = self._text[start : start + 2**16].tobytes().partition(b"\n")[0]
            if not words(line.decode("utf-8", errors="replace").removesuffix("\r")):
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
        return self._text[start:end].tobytes().decode("utf-8").removesuffix("\r")

    @override
    def sizes(self, indices: Any) -> NDArray[np.int64]:
        chosen = np.asarray(indices)
        difference: NDArray[np.int64] = self._index[chosen + 1] - self._index[chosen]
        return difference

"""Count the segments of a document, before it is scored."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, cast

from typing_extensions import override

from kiwi.data.documents.formats import Format, HowToRead
from kiwi.data.documents.parts import Row, Segment
from kiwi.lib.score.stream import CHUNK_SIZE

OnCounted = Callable[[int, bool], None]
"""A function that is told how many segments of a document were found so far, and whether these are all."""


def count_segments(form: Format, path: Path, how: HowToRead, on_counted: OnCounted) -> None:
    """Count the segments of a document, which takes a small part of the time of scoring them.

    Args:
        form: the format of the document.
        path: the document.
        how: how to read it.
        on_counted: what is told how many there are.

    Raises:
        DataError: when the document is not what its format says.
    """
    n_segments = 0
    nothing: Row = {}

    def count(segments: Sequence[Segment]) -> Sequence[Row]:
        nonlocal n_segments
        n_segments += len(segments)
        on_counted(n_segments, False)
        return [nothing] * len(segments)

    form.copy(path, cast(IO[bytes], _Nowhere()), how, count, CHUNK_SIZE)
    on_counted(n_segments, True)


class _Nowhere(io.RawIOBase):
    """A file to write to that keeps nothing."""

    def __init__(self) -> None:
        self._n_bytes = 0

    @override
    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        """Count some bytes."""
        self._n_bytes += len(content)
        return len(content)

    @override
    def tell(self) -> int:
        return self._n_bytes

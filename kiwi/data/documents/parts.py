"""Documents as a sequence of parts, which are scored and copied in one pass and in bounded memory.

A document reads its file through a :class:`Tape` and yields a :class:`Part` as soon as it is complete. The bytes of the
file are copied unchanged, except for the edits of the parts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from kiwi import constants as const
from kiwi.data.labels.error_spans import ErrorSpan
from kiwi.exceptions import DataError

BLOCK = 2**16
"""The number of bytes that are read at once."""

LONGEST_PART = 2**24
"""The maximum number of bytes of a part, such as a translation unit."""

LONGEST_WAIT = 2**25
"""The number of bytes of a document that are held until their segments are scored."""

SPACES = re.compile(r"[ \t\r\n]+")

Row = Mapping[str, Any]
"""The predictions for a segment by column; empty if it has none."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of a document."""

    texts: Mapping[str, str]
    """The text of each field, such as ``source`` and ``target``, on one line."""

    line: int
    """The number of the line, for errors."""

    error: DataError | None = None
    """Why the segment cannot be used, for errors of its form."""

    content: Any = None
    """What the document says in its place, if it cannot be used."""

    given: str | None = None
    """The translation as the document has it, with its line ends and spaces; None if it has none of them."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of the bytes of a document."""

    start: int
    """The offset of the first byte that is replaced, or before which something is inserted."""

    end: int
    """The offset behind the last byte that is replaced."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a document that is complete."""

    end: int
    """The offset behind its last byte."""

    segments: Sequence[Segment] = ()

    edits: Callable[[Sequence[Row]], Iterable[Edit]] = lambda rows: ()
    """A function that returns the changes, in order, given the predictions for each segment."""


class Tape:
    """The content of a document, which is read ahead of what is copied.

    Args:
        file: the document.
        place: its path, for errors.
    """

    def __init__(self, file: IO[bytes], place: Path) -> None:
        self._file = file
        self.place = place
        self._held = bytearray()
        self._start = 0
        self._peeked: bytes | None = None

    @property
    def end(self) -> int:
        """The offset behind the last byte that was read."""
        return self._start + len(self._held)

    @property
    def n_held(self) -> int:
        """The number of bytes that were read and not yet copied."""
        return len(self._held)

    def peek(self) -> bytes:
        """Return the first block, which :meth:`read` will return again."""
        if self._peeked is None:
            self._peeked = self.read()
        return self._peeked

    def read(self) -> bytes:
        """Read the next block; empty at the end of the document."""
        if self._peeked is not None:
            block, self._peeked = self._peeked, None
            return block
        block = self._file.read(BLOCK)
        self._held += block
        return block

    def look(self, start: int, end: int) -> bytes:
        """Return the bytes between two offsets, as far as they were read and not yet copied."""
        return bytes(self._held[max(start - self._start, 0) : end - self._start])

    def copy(self, output: IO[bytes], end: int) -> None:
        """Copy all bytes before an offset."""
        output.write(self._held[: end - self._start])
        self.drop(end)

    def drop(self, end: int) -> None:
        """Forget all bytes before an offset, without copying them."""
        del self._held[: end - self._start]
        self._start = max(self._start, end)


class Document(Protocol):
    """A document that is read once."""

    n_without_target: int
    """The number of units without a translation, which are left as they are."""

    def parts(self, tape: Tape) -> Iterator[Part]:
        """Yield the parts of the document, which cover all of it.

        Args:
            tape: the content of the document.

        Raises:
            DataError: when it is not what its format says.
        """


Score = Callable[[Sequence[Segment]], Sequence[Row]]
"""A function that returns the predictions for each of some segments."""


def copy_scored(document: Document, tape: Tape, score: Score, output: IO[bytes], size: int) -> int:
    """Copy a document with the scores of its segments.

    Args:
        document: the document.
        tape: its content.
        score: the function that scores segments.
        output: the file to write to.
        size: the number of segments that are scored together.

    Returns:
        The number of segments.

    Raises:
        DataError: when the document is not what its format says, or has no segment.
    """
    waiting: list[Part] = []
    n_segments = n_waiting = 0

    def write() -> None:
        rows = score([segment for part in waiting for segment in part.segments]) if n_waiting else []
        done = 0
        for part in waiting:
            own = rows[done : done + len(part.segments)]
            done += len(own)
            # All edits are known before anything of the part is copied, because they may look at all of it.
            for edit in list(part.edits(own)):
                tape.copy(output, edit.start)
                tape.drop(edit.end)
                output.write(edit.content)
            tape.copy(output, part.end)
        waiting.clear()

    for part in document.parts(tape):
        waiting.append(part)
        n_waiting += len(part.segments)
        if n_waiting >= size or tape.n_held > LONGEST_WAIT or not n_waiting:
            write()
            n_segments, n_waiting = n_segments + n_waiting, 0
    write()
    return n_segments + n_waiting


def one_line(text: str) -> str:
    """Return a text without line ends and tabs, and without spaces at its ends."""
    return SPACES.sub(" ", text).strip(" ")


def pair(source: str, target: str, line: int) -> Segment:
    """Return the segment of a source and its translation, which may have several lines."""
    return Segment({const.SOURCE: one_line(source), const.TARGET: one_line(target)}, line, given=target)


def as_given(cells: Mapping[str, Any]) -> str | None:
    """Return the translation of a row of a table, if it is text."""
    target = cells.get(const.TARGET)
    return target if isinstance(target, str) else None


def place_spans(spans: Sequence[ErrorSpan], given: str) -> list[ErrorSpan]:
    """Return error spans of a text on one line with their positions in the text as it was given.

    Args:
        spans: the spans, in the text that :func:`one_line` returns.
        given: the text as it was given.
    """
    if not spans:
        return []
    places = _places_of_one_line(given)
    moved = []
    for span in spans:
        start = places[span.start]
        end = start if span.start == span.end else places[span.end - 1] + 1
        moved.append(span._replace(start=start, end=end))
    return moved


def _places_of_one_line(given: str) -> list[int]:
    """Return the position in a text of each character of the same text on one line, and of its end."""
    first, last = len(given) - len(given.lstrip(" \t\r\n")), len(given.rstrip(" \t\r\n"))
    places = [at for at in range(first, last) if given[at] not in " \t\r\n" or given[at - 1] not in " \t\r\n"]
    return [*places, max(first, last)]

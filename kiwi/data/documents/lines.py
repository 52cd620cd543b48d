"""The lines of a document, with their numbers and offsets."""

from __future__ import annotations

from collections.abc import Iterator

from kiwi.data.documents.parts import LONGEST_PART, Tape
from kiwi.exceptions import DataError
from kiwi.utils.text import BOM, check_start


def tape_lines(tape: Tape) -> Iterator[tuple[int, int, bytes]]:
    """Yield the number, the offset and the content of each line, with its line end and without a byte order mark.

    Args:
        tape: the content of the document.

    Raises:
        DataError: when the document is in UTF-16, or of another format, or a line is too long.
    """
    number, offset, rest = 0, 0, b""
    block = tape.read()
    check_start(block, tape.place)
    if block.startswith(BOM):
        offset, block = len(BOM), block[len(BOM) :]
    while block:
        lines = _split(rest + block)
        rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
        for line in lines:
            number += 1
            yield number, offset, line
            offset += len(line)
        if len(rest) > LONGEST_PART:
            raise DataError.at(
                tape.place, number + 1, found=f"a line of more than {LONGEST_PART} bytes", expected="text"
            )
        block = tape.read()
    if rest:
        yield number + 1, offset, rest


def _split(content: bytes) -> list[bytes]:
    """Return lines that end with LF."""
    lines = content.split(b"\n")
    last = lines.pop()
    return [line + b"\n" for line in lines] + ([last] if last else [])

"""The encoding of documents in XML: that which they declare, and that which they have."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kiwi.data.documents.markup import MarkupDocument

HIGH = re.compile(rb"[\x80-\xff]+")


class EncodingCheck:
    """Tells documents in UTF-8 that declare an encoding of one byte a character.

    Args:
        document: the document.
    """

    def __init__(self, document: MarkupDocument) -> None:
        self._document = document
        self._is_done = False
        self._n_lines = 0

    def check(self, block: bytes) -> None:
        """Check the next block, until there is one with characters beyond ASCII.

        Raises:
            DataError: when all of these are UTF-8, but another encoding is declared.
        """
        if self._is_done:
            return
        declared = self._document.declared
        self._is_done = declared is None or codecs.lookup(declared).name in ("utf-8", "utf-16")
        runs = [] if self._is_done else list(HIGH.finditer(block))
        if runs:
            self._is_done = True
            if all(_is_utf_8(run[0], run.end() == len(block)) for run in runs):
                raise self._document.error(
                    f"text in UTF-8 (byte 0x{runs[0][0][:1].hex()})",
                    f"{declared}, as declared",
                    'Correct the declaration: <?xml version="1.0" encoding="UTF-8"?>.',
                    self._n_lines + block.count(b"\n", 0, runs[0].start()) + 1,
                )
        self._n_lines += block.count(b"\n")


def _is_utf_8(content: bytes, may_end_early: bool) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content, final=not may_end_early)
    except UnicodeDecodeError:
        return False
    return True


def utf_16_of(start: bytes) -> str | None:
    """Return the name of the encoding of a document in UTF-16; None for others."""
    if start.startswith((codecs.BOM_UTF16_LE, b"<\0")):
        return "utf-16-le"
    if start.startswith((codecs.BOM_UTF16_BE, b"\0<")):
        return "utf-16-be"
    return None

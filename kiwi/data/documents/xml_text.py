"""XML as it is written: its start tags, whose attributes are changed in their place, and its encoding."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from kiwi.data.documents.parts import Edit, Tape

if TYPE_CHECKING:
    from kiwi.data.documents.markup import MarkupDocument

NAME, SPACE = r"[^ \t\r\n=/>]+", r"[ \t\r\n]"
VALUE = r"""(?:"([^"]*)"|'([^']*)')"""
START_TAG = re.compile(rf"<({NAME})((?:{SPACE}+{NAME}{SPACE}*={SPACE}*{VALUE})*){SPACE}*/?>")
HIGH = re.compile(rb"[\x80-\xff]+")
ATTRIBUTE = re.compile(rf"({NAME}){SPACE}*={SPACE}*{VALUE}")


class Tag:
    """A start tag as it is written.

    Args:
        tape: the content of the document.
        start: the offset of the tag.
        codec: the encoding of the document.
    """

    def __init__(self, tape: Tape, start: int, codec: str) -> None:
        size, found = 1024, None
        while found is None:
            content = tape.look(start, start + size)
            text = content.decode(codec) if codec == "latin-1" else _whole(content).decode(codec, "surrogatepass")
            found = START_TAG.match(text)
            size *= 4
        self._start, self._codec, self._text = start, codec, text
        self.end = self._offset(found.end())
        """The offset behind the tag."""
        self.is_empty = found[0].endswith("/>")
        """Whether the element has no end tag."""
        self.name = found[1]
        """The name of the element, with its prefix."""
        self.prefix = f"{prefix}:" if (prefix := self.name.rpartition(":")[0]) else ""
        """The prefix of the name, with its colon; empty if there is none."""
        self._behind = self._offset(found.end(2))
        self._attributes = {each[1]: each for each in ATTRIBUTE.finditer(text, found.end(1), found.end(2))}

    def edits(self, values: Mapping[str, str | None]) -> list[Edit]:
        """Return the changes that set and remove attributes, in order.

        Args:
            values: the values of the attributes, by their names with prefixes; None removes an attribute.
        """
        found, added = [], ""
        for name, value in values.items():
            former = self._attributes.get(name)
            if value is None:
                if former is not None:
                    start = len(self._text[: former.start()].rstrip(" \t\r\n"))
                    found.append(Edit(self._offset(start), self._offset(former.end()), b""))
                continue
            text = escape(value, {'"': "&quot;", "'": "&apos;", "\n": "&#10;", "\t": "&#9;"})
            if former is None:
                added += f' {name}="{text}"'
            else:
                start, end = former.span(2 if former[2] is not None else 3)
                found.append(Edit(self._offset(start), self._offset(end), text.encode(self._codec)))
        if added:
            found.append(Edit(self._behind, self._behind, added.encode(self._codec)))
        return sorted(found, key=lambda edit: edit.start)

    def _offset(self, position: int) -> int:
        return self._start + len(self._text[:position].encode(self._codec, "surrogatepass"))


def _whole(content: bytes) -> bytes:
    """Return text in UTF-16 without half a character at its end."""
    return content[: len(content) // 2 * 2]


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

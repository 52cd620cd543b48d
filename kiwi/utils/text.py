"""The decision what text is: UTF-8 without NUL, in lines that end with LF.

Any number of carriage returns before a line feed are removed, and so is a byte order mark at the start of a line. Other
Unicode line and paragraph separators (U+2028, U+2029, U+0085) are part of a line.
"""

from __future__ import annotations

import codecs
import io
import logging
import re
from collections.abc import Callable, Iterator
from typing import IO

from kiwi.exceptions import DataError
from kiwi.utils.compression import format_of

logger = logging.getLogger(__name__)

BOM = codecs.BOM_UTF8

HIGH_BYTES = re.compile(rb"[\x80-\xff]+")

MOST_HIGH_BYTES = 0.25
"""The largest share of bytes beyond ASCII in a line of Latin letters."""

MARK = "\ufeff"
"""The byte order mark as a character."""

BLOCK = 2**18
"""The number of bytes that are read at once."""

LONGEST_LINE = 2**26
"""The maximum length of a line in bytes."""

START = 4096
"""The number of bytes that tell what a file is."""

MARKS_AT_STARTS = re.compile(f"(?m)(?:^|(?<=\t)){MARK}+")
"""Byte order marks at the start of a line, or of a column, where files were put together side by side."""

INNER_RETURN = re.compile(rb"\r(?![\r\n]|\Z)")
"""A carriage return that is not before the end of a line."""

OTHER_FORMATS = {
    b"PK\x03\x04": "a zip archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a rar archive",
    b"\x04\x22\x4d\x18": "lz4 data",
    b"\x1f\x9d": "data of compress (.Z)",
    b"\x5d\x00\x00": "lzma data",
    b"PAR1": "a Parquet table",
    b"%PDF-": "a PDF file",
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04\x95": "a pickle",
}
"""The start of other formats that take the place of text."""

UTF_16_AND_32 = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
"""The byte order marks of encodings that kiwi does not read; those of UTF-32 begin with those of UTF-16."""


MARKS_AS_LATIN_1 = tuple(mark.decode("latin-1").encode() for mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
"""The byte order marks of UTF-16 after a conversion from Latin-1 to UTF-8."""


class TextDecoder:
    """Decodes the lines of one file, and checks that they are text.

    Args:
        place: the file, for errors and warnings.
        warn: whether to warn about marks and carriage returns, each kind once.
        advise: whether errors about a line say how to convert the file.
    """

    def __init__(self, place: object, *, warn: bool = True, advise: bool = True) -> None:
        self.place = place
        self._advise = advise
        self.n_lines = 0
        """The number of lines before the next block."""

        self._is_at_start = True
        self._kinds_to_warn_of = {"mark", "inner mark", "return"} if warn else set()

    def lines(self, block: bytes) -> list[str]:
        """Decode the next lines of the file.

        Args:
            block: whole lines with their line ends; only the last line of a file may have none.

        Raises:
            DataError: when a line is not text.
        """
        text = self._decode(block)
        if not text:
            return []
        lines = text.removesuffix("\n").split("\n")
        if "\r" in text:
            lines = [line.rstrip("\r") for line in lines]
        self.n_lines += len(lines)
        return lines

    def noted_lines(self, block: bytes, note: Callable[[int, DataError, str], None]) -> list[str]:
        """Decode the next lines of the file like :meth:`lines`; those that are not text become blank.

        Args:
            block: whole lines with their line ends.
            note: a function to call with number, error and content of each line that is not text.

        Raises:
            DataError: when the file as a whole is not text.
        """
        if self._is_at_start:  # which the block tells better than its first line does
            self._begin(block)
            block = block.removeprefix(BOM)
        try:
            return self.lines(block)
        except DataError as error:
            if error.line is None:
                raise
        lines = []
        for line in io.BytesIO(block):
            try:
                lines += self.lines(line)
            except DataError as error:
                self.n_lines += 1
                note(self.n_lines, error, line.rstrip(b"\r\n").decode("utf-8", "backslashreplace"))
                lines.append("")
        return lines

    def check(self, block: bytes) -> bool:
        """Check the next lines like :meth:`lines`, without splitting them; their number is added by the caller.

        Returns:
            Whether there is a line, rather than nothing but byte order marks.
        """
        return bool(self._decode(block))

    def _begin(self, block: bytes) -> None:
        self._is_at_start = False
        check_start(block, self.place)

    def _decode(self, block: bytes) -> str:
        if self._is_at_start:
            self._begin(block)
            block = block.removeprefix(BOM)
        if b"\0" in block:
            raise self._not_text(block, block.index(b"\0"), "a NUL byte", "Remove it, for example with: tr -d '\\0'.")
        if b"\r" in block and not self._has_inner_return(block) and block.endswith(b"\n"):
            block = block.replace(b"\r", b"")  # much faster than line by line
        try:
            text = block.decode("utf-8")
        except UnicodeDecodeError as error:
            found = f"byte 0x{block[error.start]:02x}"
            raise self._not_text(block, error.start, found, how_to_convert(_line_at(block, error.start))) from error
        return self._without_marks(text) if MARK in text else text

    def _not_text(self, block: bytes, index: int, what: str, advice: str) -> DataError:
        start = block.rfind(b"\n", 0, index) + 1
        number = self.n_lines + block.count(b"\n", 0, start) + 1
        found = f"{what} at position {index - start + 1}"
        return DataError.at(self.place, number, found=found, expected="UTF-8", advice=advice if self._advise else "")

    def _has_inner_return(self, block: bytes) -> bool:
        if (found := INNER_RETURN.search(block)) is None:
            return False
        if not self.n_lines and b"\n" not in block:
            raise DataError.at(
                self.place,
                None,
                found="carriage returns and no line feed",
                expected="lines that end with a line feed",
                advice="Convert the file, for example with: tr '\\r' '\\n'.",
            )
        what = "a carriage return inside the line, which is part of its word"
        self._warn("return", block.count(b"\n", 0, found.start()), what)
        return True

    def _without_marks(self, text: str) -> str:
        if (found := MARKS_AT_STARTS.search(text)) is not None:
            what = "dropped a byte order mark, as files have that were put together"
            self._warn("mark", text.count("\n", 0, found.start()), what)
            text = MARKS_AT_STARTS.sub("", text)
        if (index := text.find(MARK)) >= 0:
            what = (
                "a byte order mark inside the line, which is part of its word. If files were put together, the first "
                "one did not end with a line feed"
            )
            self._warn("inner mark", text.count("\n", 0, index), what)
        return text

    def _warn(self, kind: str, n_before: int, what: str) -> None:
        if kind in self._kinds_to_warn_of:
            self._kinds_to_warn_of.remove(kind)
            logger.warning("%s, line %d: %s.", self.place, self.n_lines + n_before + 1, what)


def line_blocks(file: IO[bytes], place: object, size: int = BLOCK) -> Iterator[bytes]:
    """Yield the content of a file in blocks of whole lines.

    Args:
        file: the file, which may be a pipe.
        place: the file, for errors.
        size: the number of bytes that are read at once.

    Raises:
        DataError: when a line has more than :data:`LONGEST_LINE` bytes, as a compressed file of any content can have.
    """
    read = getattr(file, "read1", file.read)  # does not wait until a pipe has as many bytes
    rest: list[bytes] = []
    while content := read(size):
        end = content.rfind(b"\n") + 1
        if not end:
            rest.append(content)
            if sum(map(len, rest)) > LONGEST_LINE:
                raise DataError.at(place, None, found=f"a line of more than {LONGEST_LINE} bytes", expected="text")
            continue
        rest.append(content[:end])
        yield b"".join(rest)
        rest = [content[end:]] if end < len(content) else []
    if rest:
        yield b"".join(rest)


def check_start(content: bytes, place: object) -> None:
    """Check that a file does not begin as one of another encoding or format.

    Args:
        content: the content of the file, or its first part.
        place: the file, for errors.

    Raises:
        DataError: when it does; the message says how to convert the file.
    """
    start = content[:START]
    if start.startswith(MARKS_AS_LATIN_1) and b"\0" in start:
        raise DataError.at(
            place,
            None,
            found="UTF-16 that was converted to UTF-8 as if it were Latin-1",
            expected="UTF-8",
            advice="Convert the original file, with iconv -f UTF-16 -t UTF-8.",
        )
    encoding = next((name for mark, name in UTF_16_AND_32.items() if start.startswith(mark)), None)
    if encoding is None:
        _check_format(content, start, place)
        encoding = _utf_16_or_32(start)
    if encoding is not None:
        why = "its byte order mark" if encoding in UTF_16_AND_32.values() else "its NUL bytes"
        advice = f"Convert the file, for example with: iconv -f {encoding} -t UTF-8."
        raise DataError.at(place, None, found=f"{encoding} (by {why})", expected="UTF-8", advice=advice)


def _check_format(content: bytes, start: bytes, place: object) -> None:
    found = next((name for magic, name in OTHER_FORMATS.items() if start.startswith(magic)), None)
    if (compression := format_of(start)) is not None:
        found = f"{compression} data inside compressed data"
    elif content[257:262] == b"ustar":
        found = "a tar archive"
    if found is not None:
        raise DataError.at(place, None, found=found, expected="text in UTF-8", advice="Give the file that it holds.")


def _utf_16_or_32(start: bytes) -> str | None:
    """Return the name of the encoding of text that is UTF-16 or UTF-32 without a mark; None for other content."""
    if b"\0" not in start:
        return None
    best, most = None, 0
    for encoding in ("UTF-32LE", "UTF-32BE", "UTF-16LE", "UTF-16BE"):
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(start)
        except UnicodeDecodeError:
            continue
        # Read in another byte order, ASCII is something else, and so are the spaces and line ends of any text.
        n_ascii = sum("\t" <= character <= "~" for character in text)
        if "\0" not in text and n_ascii > most and (n_ascii > len(text) / 2 or not _looks_like_utf_8(start)):
            best, most = encoding, n_ascii
    return best


def _looks_like_utf_8(start: bytes) -> bool:
    """Return whether content is UTF-8, apart from a few bytes that are damaged or control characters."""
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(start)
    n_odd = sum(character == "\ufffd" or (character < " " and character not in "\t\n\r\f") for character in text)
    return n_odd <= max(2, len(text) // 20)


def _line_at(block: bytes, index: int) -> bytes:
    end = block.find(b"\n", index)
    return block[block.rfind(b"\n", 0, index) + 1 : end if end >= 0 else None]


def how_to_convert(line: bytes) -> str:
    """Return the next step for a line that is not UTF-8; few bytes beyond ASCII are letters of Western Europe."""
    if sum(map(len, HIGH_BYTES.findall(line))) <= MOST_HIGH_BYTES * len(line):
        return "Convert the file, for example with: iconv -f LATIN1 -t UTF-8."
    return (
        "Convert the file with iconv -f ENCODING -t UTF-8, where ENCODING is its encoding, such as WINDOWS-1251 "
        "(Cyrillic), SHIFT_JIS (Japanese), GB18030 or BIG5 (Chinese), or EUC-KR (Korean)."
    )

"""JSON Lines, and a JSON array of objects.

Fields with scores are added behind the others of each object, or take the place of those of an earlier run.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from kiwi import constants as const
from kiwi.data.documents.lines import tape_lines
from kiwi.data.documents.parts import LONGEST_PART, Edit, Part, Row, Segment, SkippedRow, Tape, as_given, one_line
from kiwi.data.documents.tables.former import FormerColumns, may_have_former
from kiwi.data.documents.tables.separated import present
from kiwi.data.files.cells import check_names, check_object, field_text, parse_object
from kiwi.data.files.table_writers import json_line
from kiwi.exceptions import DataError, MissingColumnError
from kiwi.utils.text import BOM, check_start

BETWEEN = re.compile(r"[ \t\r\n]*")


class ObjectTable:
    """A table of JSON objects.

    Args:
        columns: the key of each field.
        optional: the fields that are read only if the first valid object has them.
        nullable: the fields in which null stands for an empty text.
    """

    def __init__(
        self, columns: Mapping[str, str], optional: Collection[str] = (), nullable: Collection[str] = ()
    ) -> None:
        self.n_without_target = 0
        """Zero: an object without a translation is a bad segment."""
        self._columns = columns
        self._optional = optional
        self._nullable = nullable
        self._is_first = True

    def parts(self, tape: Tape) -> Iterator[Part]:
        """Yield the parts of the document; see :class:`kiwi.data.documents.parts.Document`."""
        self._place = tape.place
        self._former = FormerColumns(tape.place)
        for number, start, content in self._objects(tape):
            if not content.strip():
                yield Part(start + len(content))
                continue
            segment, keys = self._read(content, number)
            yield Part(start + len(content), [segment], self._edits(content, start, number, keys))
        yield Part(tape.end)

    def _objects(self, tape: Tape) -> Iterator[tuple[int, int, bytes]]:
        """Yield the number of the first line, the offset and the content of each object."""
        yield from tape_lines(tape)

    def _read(self, content: bytes, number: int) -> tuple[Segment, Sequence[str] | None]:
        """Return the segment of an object, and its keys if it is one.

        Raises:
            MissingColumnError: when the first valid object lacks a column, as tables with a line of names do.
        """
        row: dict[str, Any] | None = None
        try:
            try:
                text = content.decode("utf-8").strip()
            except UnicodeDecodeError as error:
                found = f"byte 0x{content[error.start]:02x} at position {error.start + 1}"
                raise DataError.at(self._place, number, found=found, expected="UTF-8") from error
            row = parse_object(text, self._place, number)
            check_object(row, text, self._place, number)
        except DataError as error:
            shown = content.decode("utf-8", "backslashreplace").rstrip("\r\n")
            return Segment(dict.fromkeys(self._columns, ""), number, error, shown), None if row is None else list(row)
        is_first, self._is_first = self._is_first, False
        self._columns, self._optional = present(self._columns, self._optional, row), ()
        try:
            check_names(self._place, number, self._columns.values(), list(row))
            cells = {name: row[key] for name, key in self._columns.items()}
            cells |= {name: "" for name in self._nullable if cells.get(name, "") is None}
            texts = {name: self._text(name, cell, number) for name, cell in cells.items()}
        except DataError as error:
            if is_first and isinstance(error, MissingColumnError):
                raise error.of_table() from None
            return Segment(dict.fromkeys(self._columns, ""), number, error, row), list(row)
        given = as_given({name: row[key] for name, key in self._columns.items()})
        return Segment(texts, number, given=given), list(row)

    def _text(self, field: str, cell: object, number: int) -> str:
        text = one_line(cell) if isinstance(cell, str) else cell
        return field_text(field, text, self._place, number, self._columns[field])

    def _edits(
        self, content: bytes, start: int, number: int, keys: Sequence[str] | None
    ) -> Callable[[Sequence[Row]], list[Edit]]:
        whole = Edit(start, start + len(content), b"")
        if keys is None:
            return lambda rows: [whole] if isinstance(rows[0], SkippedRow) else []
        # JSON is ASCII around its strings.
        inside = content[: content.rindex(b"}")]
        place = start + len(inside.rstrip())
        begin = content.index(b"{") + 1
        space = content[begin : begin + len(inside[begin:]) - len(inside[begin:].lstrip())]
        between = "," + space.decode() if b"\n" in space and keys else ", "

        def edits(rows: Sequence[Row]) -> list[Edit]:
            (row,) = rows
            if isinstance(row, SkippedRow):
                return [whole]
            added = between.join([json_line({name: value})[1:-1] for name, value in row.items()])
            members: Sequence[tuple[str, int, int]] = ()
            former: Sequence[range] = ()
            if may_have_former(keys):
                members = _members(content)
                read = [at for at, (name, _, _) in enumerate(members) if name in self._columns.values()]
                scores = json.loads(content).get(const.SENTENCE_SCORES)
                is_score = scores is None or isinstance(scores, int | float)
                names = [name for name, _, _ in members]
                former = self._former.find(names, row, read, number, lambda at: is_score)
            else:
                self._former.check_free(keys, row, number)
            if not former:
                return [Edit(place, place, ((between if keys else "") + added).encode())] if added else []
            found = []
            for run in former:
                is_first = run.start == 0
                first = members[0][1] if is_first else members[run.start - 1][2]
                separator = between if added and not is_first else ""
                found.append(Edit(start + first, start + members[run.stop - 1][2], (separator + added).encode()))
                added = ""
            return found

        return edits


class ArrayTable(ObjectTable):
    """A JSON array of objects."""

    def _objects(self, tape: Tape) -> Iterator[tuple[int, int, bytes]]:
        text = _Text(tape)
        text.skip_space()
        if not text.take("["):
            raise text.error("no '['", "an array of objects, [{...}, {...}]")
        text.skip_space()
        while not text.take("]"):
            yield text.take_object()
            text.skip_space()
            if text.take(","):
                text.skip_space()
                if text.starts_with("]"):
                    raise text.error("a comma before ']'", "another object")
            elif not text.starts_with("]"):
                raise text.error("neither ',' nor ']' after an object", "an array of objects, [{...}, {...}]")
        text.skip_space()
        if not text.is_at_end():
            raise text.error("text after the array", "one array of objects", "JSON Lines has the suffix .jsonl.")


def _members(content: bytes) -> list[tuple[str, int, int]]:
    """Return the key of each member of an object, and the offsets of its key and behind its value.

    Args:
        content: the object, which is valid.
    """
    text = content.decode()
    decoder = json.JSONDecoder()
    found = []
    end = offset = 0
    at = _behind_space(text, text.index("{") + 1)
    while text[at] != "}":
        first = offset + at - end  # JSON is ASCII between its strings
        key, colon = decoder.raw_decode(text, at)
        _, end = decoder.raw_decode(text, _behind_space(text, _behind_space(text, colon) + 1))
        offset = first + len(text[at:end].encode())
        found.append((key, first, offset))
        at = _behind_space(text, end)
        if text[at] == ",":
            at = _behind_space(text, at + 1)
    return found


def _behind_space(text: str, at: int) -> int:
    """Return the position behind the spaces and line ends at a position."""
    return BETWEEN.match(text, at).end()  # type: ignore[union-attr]


class _Text:
    """The text of a JSON document, which is read as it is needed."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder()
        self._text = ""
        self._at = 0
        self._line, self._offset = 1, 0
        block = tape.peek()
        check_start(block, tape.place)
        self._n_to_drop = len(BOM) if block.startswith(BOM) else 0
        self._offset = self._n_to_drop

    def take(self, character: str) -> bool:
        """Move behind a character if it is the next one."""
        if self.starts_with(character):
            self._move(self._at + 1)
            return True
        return False

    def starts_with(self, character: str) -> bool:
        """Return whether a character is the next one."""
        return (self._at < len(self._text) or self._read()) and self._text[self._at] == character

    def is_at_end(self) -> bool:
        """Return whether there is no more text."""
        return self._at >= len(self._text) and not self._read()

    def skip_space(self) -> None:
        """Move behind spaces and line ends."""
        while True:
            self._move(_behind_space(self._text, self._at))
            if self._at < len(self._text) or not self._read():
                return

    def take_object(self) -> tuple[int, int, bytes]:
        """Move behind an object, and return the number of its line, its offset and its content."""
        if not self.starts_with("{"):
            raise self.error("no '{'", "an object")
        is_last = False
        while True:
            try:
                _, end = self._json.raw_decode(self._text, self._at)
                break
            except (ValueError, RecursionError) as error:
                n_read = len(self._text) - self._at
                if is_last or n_read > LONGEST_PART:
                    message = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
                    n_lines = self._text.count("\n", self._at, getattr(error, "pos", self._at))
                    raise self.error(f"invalid JSON ({message})", "an object", line=self._line + n_lines) from error
            while (
                len(self._text) - self._at < 2 * n_read and not is_last
            ):  # an object that is longer than what was read
                is_last = not self._read()
        found = self._line, self._offset, self._text[self._at : end].encode()
        self._move(end)
        return found

    def error(self, found: str, expected: str, advice: str = "", line: int | None = None) -> DataError:
        """Return an error at the current line."""
        return DataError.at(self._tape.place, line or self._line, found=found, expected=expected, advice=advice)

    def _move(self, end: int) -> None:
        passed = self._text[self._at : end]
        self._line += passed.count("\n")
        self._offset += len(passed.encode())
        self._at = end

    def _read(self) -> bool:
        """Read more text; return whether there is some."""
        block = self._tape.read()
        try:
            text = self._decoder.decode(block[self._n_to_drop :], final=not block)
        except UnicodeDecodeError as error:
            line = self._line + self._text.count("\n", self._at) + error.object.count(b"\n", 0, error.start)
            raise self.error(f"byte 0x{error.object[error.start]:02x}", "UTF-8", line=line) from error
        self._n_to_drop = 0
        self._text, self._at = self._text[self._at :] + text, 0
        return bool(text) or (bool(block) and self._read())

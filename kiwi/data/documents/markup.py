"""Documents in XML, read in one pass by expat, which tells the offset of each tag.

Neither entities nor anything outside of the document is read. The size of a tag and the depth of elements have bounds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from xml.parsers import expat

from kiwi.data.documents.inline import Node, read_nodes
from kiwi.data.documents.parts import LONGEST_PART, Edit, Marks, Part, Tape
from kiwi.data.documents.rating import Rating
from kiwi.data.documents.xml_text import EncodingCheck, Tag, utf_16_of
from kiwi.exceptions import DataError

LONGEST_TOKEN = 2**22
"""The maximum number of bytes of a tag or a comment."""

DEEPEST = 256
"""The maximum depth of elements."""

XML = "http://www.w3.org/XML/1998/namespace"

EXPECTED = "well-formed XML"
AGAIN = "Export the file again, or repair it there."


class MarkupDocument(ABC):
    """A document in XML.

    Args:
        rating: the form of scores.
    """

    def __init__(self, rating: Rating) -> None:
        self.rating = rating
        self.n_without_target = 0
        """The number of units without a translation, which are left as they are."""
        self.codec = "latin-1"
        """The encoding; Latin-1 for all in which each byte below 128 is its character of ASCII."""
        self.marks: list[Marks] = []
        """What adds to the units of the document, besides scores."""
        self.is_inside = False
        """Whether the document is read to the middle of a unit."""
        self._names: list[str] = []
        self._has_root = False
        self._ready: list[Part] = []
        self._namespaces: dict[str, str] = {}
        self._parser = self._make_parser()

    # What each format defines.

    @abstractmethod
    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Take a start tag.

        Args:
            name: the namespace, a space and the name of the element; only the name if it has no namespace.
            attributes: the attributes by name, in the same form.
        """

    @abstractmethod
    def end(self, name: str) -> None:
        """Take an end tag."""

    @abstractmethod
    def text(self, text: str) -> None:
        """Take the next piece of text."""

    # What they use.

    @property
    def at(self) -> int:
        """The offset of the current tag; of an empty element's end, the offset behind it."""
        return int(self._parser.CurrentByteIndex)

    @property
    def line(self) -> int:
        """The number of the current line."""
        return int(self._parser.CurrentLineNumber)

    @property
    def depth(self) -> int:
        """The number of open elements."""
        return len(self._names)

    @property
    def parent(self) -> str:
        """The name of the innermost open element; in :meth:`start`, of the parent of the new one."""
        return self._names[-1] if self._names else ""

    @property
    def namespaces(self) -> Mapping[str, str]:
        """The namespaces that the root element declares, by prefix."""
        return self._namespaces

    def add(self, part: Part) -> None:
        """Add a part that is complete."""
        for each in self.marks:
            part = each.complete(part)
        self._ready.append(part)

    def behind_end_tag(self, at: int) -> int:
        """Return the offset behind an end tag; that of an empty element's end is there already."""
        text = self._text_at(at, at + 1024)
        return at + len(text[: text.index(">") + 1].encode(self.codec)) if text.startswith("</") else at

    def space_before(self, end: int) -> str:
        """Return the line end and the indentation before an offset, for one more element like that behind it."""
        text = self._text_at(max(end - 256, 0), end)
        return text[len(text.rstrip(" \t\r\n")) :]

    def removal(self, start: int, end: int) -> Edit:
        """Return the change that removes an element, with the line end and the indentation before it."""
        return Edit(start - len(self.space_before(start).encode(self.codec)), end, b"")

    def text_between(self, start: int, end: int | None = None) -> str:
        """Return what is written from an offset to another one, by default that of the current tag."""
        return self._text_at(start, self.at if end is None else end)

    def _text_at(self, start: int, end: int) -> str:
        content = self.tape.look(start, end)
        return content.decode(self.codec, "replace")

    def tag(self, start: int) -> Tag:
        """Return the start tag at an offset, which must not have been copied."""
        return Tag(self.tape, start, self.codec)

    def encoded(self, start: int, text: str) -> Edit:
        """Return the change that inserts markup at an offset."""
        return Edit(start, start, text.encode(self.codec))

    def nodes(self, start: int, end: int, text: str, codes: Collection[str], **how: Any) -> Node:
        """Read the text of an element again, with the place of each character.

        Args:
            start: the offset behind its start tag.
            end: the offset of its end tag.
            text: the text that it must have.
            codes: the elements that are code.
            how: the other arguments of :func:`kiwi.data.documents.inline.read_nodes`.
        """
        encoding = self.codec if self.codec != "latin-1" else self.declared or "utf-8"
        root, found = read_nodes(self.tape.look(start, end), start, encoding, codes, **how)
        if found != text:
            advice = "Predict scores alone with --scores-only."
            raise self.error(f"the text {found!r:.60} in the markup of {text!r:.60}", "the same text", advice)
        return root

    def error(self, found: str, expected: str, advice: str = "", line: int | None = None) -> DataError:
        """Return an error at a line, by default the current one."""
        return DataError.at(self.tape.place, line or self.line, found=found, expected=expected, advice=advice)

    def parts(self, tape: Tape) -> Iterator[Part]:
        """Yield the parts of the document; see :class:`kiwi.data.documents.parts.Document`."""
        self.tape = tape
        encoding = EncodingCheck(self)
        block = tape.read()
        self.codec = utf_16_of(block) or self.codec
        copied = 0
        while True:
            self._parse(block, is_last=not block)
            for part in self._ready:
                copied = part.end
                yield part
            self._ready.clear()
            if not block:
                break
            encoding.check(block)
            if tape.end - self.at > LONGEST_TOKEN:
                raise self.error(f"a tag or comment of more than {LONGEST_TOKEN} bytes", "shorter ones", AGAIN)
            if not self.is_inside and self.at > copied:
                copied = self.at
                yield Part(copied)
            elif self.is_inside and tape.end - copied > LONGEST_PART:
                raise self.error(f"a unit of more than {LONGEST_PART} bytes", "units of text", AGAIN)
            block = tape.read()
        yield Part(tape.end)

    def _make_parser(self) -> Any:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self.text
        parser.StartNamespaceDeclHandler = self._declare
        parser.XmlDeclHandler = self._take_declaration
        parser.StartDoctypeDeclHandler = self._check_doctype
        parser.EntityDeclHandler = self._refuse_entity
        parser.SkippedEntityHandler = self._refuse_skipped
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self.declared: str | None = None
        """The encoding that the document declares."""
        return parser

    def _parse(self, block: bytes, *, is_last: bool) -> None:
        try:
            self._parser.Parse(block, is_last)
        except expat.ExpatError as error:
            raise self._not_well_formed(error) from error
        except (LookupError, ValueError) as error:
            if self._has_root:
                raise
            # Python does not know the encoding, or its characters have several bytes.
            raise self.error(
                f"the encoding '{self.declared}', which cannot be read ({error})",
                "UTF-8, UTF-16 or an encoding of one byte a character",
                f"Convert the file, for example with: iconv -f {self.declared} -t UTF-8, and its declaration.",
            ) from error

    def _not_well_formed(self, error: expat.ExpatError) -> DataError:
        index = self._parser.ErrorByteIndex
        byte = self.tape.look(index, index + 1)
        place = f"at column {error.offset + 1}"
        codes = expat.errors.codes
        if error.code == codes[expat.errors.XML_ERROR_INCORRECT_ENCODING] or (
            error.code == codes[expat.errors.XML_ERROR_INVALID_TOKEN] and byte >= b"\x80" and self.codec == "latin-1"
        ):
            found = f"byte 0x{byte.hex()}" if byte >= b"\x80" else "an encoding that is not the declared one"
            return self.error(
                f"{found} {place}",
                f"{self.declared or 'UTF-8'}, {'as declared' if self.declared else 'since none is declared'}",
                'Correct the declaration, such as <?xml version="1.0" encoding="windows-1252"?>, or convert the file.',
                error.lineno,
            )
        is_entity = error.code == codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]
        advice = "Write the character, or its number: &#160; for &nbsp;." if is_entity else AGAIN
        return self.error(f"{expat.errors.messages[error.code]} {place}", EXPECTED, advice, error.lineno)

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if len(self._names) >= DEEPEST:
            raise self.error(f"elements that are nested more than {DEEPEST} levels deep", "fewer", AGAIN)
        self._has_root = True
        self.start(name, attributes)
        if self.marks:
            local, parent = name.rpartition(" ")[2], self.parent.rpartition(" ")[2]
            for each in self.marks:
                each.start(local, parent, attributes)
        self._names.append(name)

    def _end(self, name: str) -> None:
        self._names.pop()
        if self.marks:
            local, parent = name.rpartition(" ")[2], self.parent.rpartition(" ")[2]
            for each in self.marks:
                each.end(local, parent)
        self.end(name)

    def _declare(self, prefix: str | None, uri: str) -> None:
        if not self._names:
            self._namespaces[prefix or ""] = uri

    def _take_declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        self.declared = encoding

    def _check_doctype(self, name: str, system: str | None, public: str | None, has_subset: int) -> None:
        if has_subset:
            raise self.error("a document type with declarations of its own", "none", "Remove <!DOCTYPE ...>.")

    def _refuse_entity(self, name: str, *others: Any) -> None:
        raise self.error(f"a declaration of the entity '{name}'", "none", "Remove <!DOCTYPE ...>.")

    def _refuse_skipped(self, name: str, is_parameter: int) -> None:
        if not is_parameter:
            raise self.error(f"the entity '&{name};', which is not declared", "characters", "Replace it.")

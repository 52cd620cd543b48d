"""The text of a source or a translation in XML, without the code of its markup."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kiwi.data.labels.error_spans import ErrorSpan

KINDS: dict[str, tuple[str, ...]] = {
    "g": ("open", "close"),
    "pc": ("open", "close"),
    "bpt": ("open",),
    "bx": ("open",),
    "sc": ("open",),
    "ept": ("close",),
    "ex": ("close",),
    "ec": ("close",),
    "x": ("single",),
    "ph": ("single",),
    "ut": ("single",),
    "it": ("isolated",),
}
"""The kinds of code that elements are; the same code may be written in several ways."""

IDENTIFIERS = ("rid", "startRef", "copyOf", "id", "x")
"""The attributes that tell codes apart, the first ones before the others; TMX has ``x``."""


class InlineText:
    """Collects the text of one element; some elements in it are code, whose content is left out.

    Args:
        codes: the names of the elements that are code.
    """

    def __init__(self, codes: Collection[str]) -> None:
        self._codes = codes
        self._pieces: list[str] = []
        self._n_codes = 0
        self.found: list[str] = []
        """The codes so far, by kind and id, which a translation must have too."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Take the start of an element."""
        if not self._n_codes and name in KINDS:
            identifier = next((attributes[key] for key in IDENTIFIERS if key in attributes), "")
            self.found += [f"{kind} {identifier}" for kind in KINDS[name]]
        if self._n_codes or name in self._codes or attributes.get("mtype") == DELETED:
            self._n_codes += 1
            if attributes.get("ctype") == "lb" or attributes.get("subType") == "xlf:lb":
                self._pieces.append("\n")  # the code of a line break

    def end(self, name: str) -> None:
        """Take the end of an element."""
        if self._n_codes:
            self._n_codes -= 1

    def add(self, text: str) -> None:
        """Take the next text."""
        if not self._n_codes:
            self._pieces.append(text)

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._pieces)


DELETED = "x-sdl-deleted"
"""The type of a ``mrk`` around text that was deleted while changes were tracked."""

TOKEN = re.compile(
    r"""<!--.*?-->|<!\[CDATA\[(?P<cdata>.*?)\]\]>|<\?.*?\?>
    |<(?P<close>/?)(?P<name>[^\s/>]+)(?P<attributes>(?:[^>"']|"[^"]*"|'[^']*')*?)(?P<empty>/?)>
    |(?P<text>&[^;]+;|\r\n?|.)""",
    re.DOTALL | re.VERBOSE,
)
"""A comment, a section of CDATA, an instruction, a tag, a reference, or a character."""

ATTRIBUTE = re.compile(r"""([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")


CHARACTERS = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'"}


@dataclass
class Node:
    """A character, a section of CDATA, or an element of a text as it is written in a document."""

    start: int
    """The offset of its first byte."""

    end: int
    """The offset behind its last byte."""

    first: int
    """The position of its first character in the text."""

    after: int
    """The position after its last character; the same as ``first`` for an element without text."""

    children: list[Node] = field(default_factory=list)


def read_nodes(
    content: bytes,
    start: int,
    encoding: str,
    codes: Collection[str],
    character_of: Callable[[str, Mapping[str, str]], str] = lambda name, attributes: "",
    prefix: str | None = None,
    removed: Collection[int] = (),
) -> tuple[Node, str]:
    """Read the text of an element again, with the place of each character.

    Args:
        content: what is between the tags of the element.
        start: its offset in the document.
        encoding: the encoding of the document.
        codes: the elements that are code.
        character_of: a function that returns the character that an element stands for, by name and attributes.
        prefix: the prefix of the elements that may be code, with its colon; None means any.
        removed: the offsets of tags that are read as if they were not there.

    Returns:
        The root of characters and elements, and the text, as :class:`InlineText` collects it.
    """
    text, size = InlineText(codes), 0
    root = Node(start, start + len(content), 0, 0)
    stack, offset = [root], start

    def grown() -> int:
        nonlocal size
        before, size = size, len(text.text)
        return size - before

    for token in TOKEN.finditer(content.decode(encoding, "surrogatepass")):
        end = offset + len(token[0].encode(encoding, "surrogatepass"))
        if offset in removed:
            pass
        elif token["name"] is not None:
            name = token["name"].rpartition(":")[2] if prefix is None else token["name"].removeprefix(prefix)
            if token["close"]:
                text.end(name)
                node = stack.pop()
                node.end, node.after = end, size
            else:
                attributes = {each[1]: each[2] or each[3] or "" for each in ATTRIBUTE.finditer(token["attributes"])}
                text.add(character_of(name, attributes))
                text.start(name, attributes)
                node = Node(offset, end, size, size)
                grown()  # the element itself stands for a character
                stack[-1].children.append(node)
                if token["empty"]:
                    text.end(name)
                    node.after = size
                else:
                    stack.append(node)
        elif token["cdata"] is not None or token["text"] is not None:
            shown = _unescaped(token["text"]) if token["cdata"] is None else re.sub(r"\r\n?", "\n", token["cdata"])
            text.add(shown)
            if count := grown():
                stack[-1].children.append(Node(offset, end, size - count, size))
        offset = end
    root.after = size
    return root, text.text


def _unescaped(text: str) -> str:
    """Return the character that a reference stands for, or a character as it is; a line end is a line feed."""
    if text[0] == "\r":
        return "\n"
    if not text.startswith("&#"):
        return CHARACTERS.get(text, text)
    code = text[2:-1]
    return chr(int(code[1:], 16) if code.startswith("x") else int(code))


def whole_nodes(node: Node, first: int, after: int) -> tuple[int, int]:
    """Return the part of a text that has all of the sections of CDATA of which another part has some characters."""
    for child in node.children:
        if not child.children and child.after - child.first > 1:
            if child.first < first < child.after:
                first = child.first
            if child.first < after < child.after:
                after = child.after
        first, after = whole_nodes(child, first, after)
    return first, after


def wrapped(node: Node, first: int, after: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of bytes that elements can enclose for a part of a text, as few and as large as possible.

    Args:
        node: the root of the text.
        first: the position of the first character.
        after: the position after the last character.
    """
    start: int | None = None
    end = 0
    for child in node.children:
        if child.first < child.after and first <= child.first and child.after <= after:
            start, end = child.start if start is None else start, max(end, child.end)
            continue
        if child.first == child.after and first < child.first < after:
            continue  # an element without text does not end a range
        if start is not None:
            yield start, end
            start = None
        if child.first < after and first < child.after:
            yield from wrapped(child, first, after)
    if start is not None:
        yield start, end


def place_of(node: Node, position: int) -> int:
    """Return the offset of the character at a position, or behind the last one before it."""
    for child in node.children:
        if child.first == position and child.after > position:
            return child.start
        if child.first < position < child.after:
            return place_of(child, position) if child.children else child.start
    return max((child.end for child in node.children if child.first < child.after <= position), default=node.start)


def nested(root: Node, spans: Sequence[ErrorSpan]) -> dict[tuple[int, int], list[ErrorSpan]]:
    """Return spans by their first character and the one after the last, none of which cross.

    A span that begins inside of another one and ends behind it becomes two, of which the second begins where the other
    one ends.

    Args:
        root: the text, whose sections of CDATA are marked as a whole.
        spans: the spans.
    """
    found: dict[tuple[int, int], list[ErrorSpan]] = {}
    waiting = [
        (*(whole_nodes(root, span.start, span.end) if span.start < span.end else span[:2]), span) for span in spans
    ]
    while waiting:
        waiting.sort(key=lambda each: (each[0], -each[1]))
        start, end, span = waiting.pop(0)
        cuts = [after for first, after in found if first < start < after < end]
        if cuts:
            waiting += [(start, min(cuts), span), (min(cuts), end, span)]
        else:
            found.setdefault((start, end), []).append(span)
    return found

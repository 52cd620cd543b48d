"""What documents in XML may not be."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import pytest
from typing_extensions import override

from kiwi.data.documents.markup import DEEPEST, LONGEST_TOKEN
from kiwi.data.documents.parts import LONGEST_PART, Tape, copy_scored
from kiwi.data.documents.rating import Rating
from kiwi.data.documents.xliff_1 import XLIFF1
from kiwi.data.documents.xml_text import Tag
from kiwi.exceptions import DataError
from tests.documents import copied

START = '<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2"><file><body>'
UNIT = '<trans-unit id="{}"><source>one</source><target>eins</target></trans-unit>'
END = "</body></file></xliff>"

BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))

BAD = {
    "a bomb": (f'<!DOCTYPE x [<!ENTITY e0 "ha">{BOMB}]>\n{START}&e9;{END}', "line 1: found a document type with decl"),
    "an external entity": (
        f'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>\n{START}<source>&e;</source>{END}',
        "line 1: found a document type with declarations of its own; expected none. Remove",
    ),
    "an entity of a type elsewhere": (
        f'<!DOCTYPE xliff SYSTEM "http://127.0.0.1:9/xliff.dtd">\n{START}\n<a>&nbsp;</a>{END}',
        "line 3: found the entity '&nbsp;', which is not declared; expected characters",
    ),
    "an unknown entity": (f"{START}\n<a>&nbsp;</a>{END}", "line 2: found undefined entity at column 4"),
    "depth": (f"{START}{'<g>' * 300}", f"found elements that are nested more than {DEEPEST} levels deep"),
    "tags that do not match": (f"{START}\n  <trans-unit id='1'></g>", "line 2: found mismatched tag at column 24"),
    "an end that is missing": (f"{START}\n", "line 2: found no element found at column 1; expected well-formed XML"),
    "the same attribute twice": (f"{START}\n<a b='1' b='2'/>", "line 2: found duplicate attribute at column 10"),
    "a prefix of nothing": (f"{START}\n<a:b/>", "line 2: found unbound prefix at column 1"),
    "another encoding": (
        f"<?xml version='1.0' encoding='UTF-8'?>\n{START}\n<a>gr\xfc\xdfe</a>".encode("latin-1"),
        "line 3: found byte 0xfc at column 6; expected UTF-8, as declared. Correct the declaration",
    ),
    "no encoding": (
        f"{START}\n<a>gr\xfc\xdfe</a>".encode("latin-1"),
        "line 2: found byte 0xfc at column 6; expected UTF-8, since none is declared",
    ),
    "UTF-8 as another encoding": (
        f"<?xml version='1.0' encoding='windows-1252'?>\n{START}\n<a>grüße</a>",
        "line 3: found text in UTF-8 (byte 0xc3); expected windows-1252, as declared. Correct the declaration",
    ),
    "UTF-16 that is none": (
        f"<?xml version='1.0' encoding='UTF-16'?>\n{START}",
        "line 1: found an encoding that is not the declared one at column",
    ),
    "an encoding of two bytes": (
        f"<?xml version='1.0' encoding='Shift_JIS'?>{START}",
        "line 1: found the encoding 'Shift_JIS', which cannot be read",
    ),
    "an encoding of nobody": (
        f"<?xml version='1.0' encoding='X-Y'?>{START}",
        "line 1: found the encoding 'X-Y', which cannot be read (unknown encoding: X-Y)",
    ),
    "a number twice": (
        f"{START}\n{UNIT.format(7)}\n{UNIT.format(7)}{END}",
        "line 3: found a second trans-unit with the id '7'; expected each id once in a <file>. Give it another id",
    ),
    "another document": ("<html version='5'/>", "found the root element <html>, version '5'; expected <xliff> of"),
    "no document": ("hello", "found no element of XML; expected <xliff> of version"),
    "nothing": ("", "found no element of XML; expected <xliff> of version"),
    "a character that XML does not have": (f"{START}\n<a>\x01</a>", "line 2: found not well-formed (invalid token)"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_what_is_refused(case: tuple[str | bytes, str]) -> None:
    content, message = case
    with pytest.raises(DataError) as error:
        copied(content)
    assert "a.xlf" in str(error.value)
    assert message in str(error.value)


def test_values_of_attributes_are_escaped() -> None:
    tape = Tape(io.BytesIO(b"<a b = 'c' />"), Path("a.xlf"))
    tape.read()
    first, second = Tag(tape, 0, "latin-1").edits({"d": "<\"'&", "b": "e"})
    assert (first.start, first.end, first.content) == (8, 9, b"e")
    assert (second.start, second.end, second.content) == (10, 10, b' d="&lt;&quot;&apos;&amp;"')


class Endless(io.RawIOBase):
    """A document of a gigabyte that nobody writes to a disk."""

    def __init__(self, start: str, filling: str, n_bytes: int = 2**30) -> None:
        self.start, self.block, self.left = start.encode(), filling.encode() * (2**16 // len(filling)), n_bytes

    @override
    def read(self, size: int = -1) -> bytes:
        if self.start:
            start, self.start = self.start, b""
            return start
        self.left -= len(self.block)
        return self.block if self.left > 0 else b""


@pytest.mark.parametrize(
    ("start", "filling", "message"),
    [
        (f'{START}<trans-unit id="', "a", f"a tag or comment of more than {LONGEST_TOKEN} bytes"),
        (f"{START}<!-- ", "a", f"a tag or comment of more than {LONGEST_TOKEN} bytes"),
        (f'{START}<trans-unit id="1"><source>', "a ", f"a unit of more than {LONGEST_PART} bytes"),
        (START, "<g>", "nested more than"),
    ],
)
def test_a_gigabyte(start: str, filling: str, message: str) -> None:
    file = Endless(start, filling)
    tape = Tape(file, Path("a.xlf"))
    with pytest.raises(DataError, match=message):
        copy_scored(XLIFF1(Rating()), tape, lambda segments: [{} for _ in segments], io.BytesIO(), 100)
    assert file.left > 2**30 - 2 * LONGEST_PART


class Nowhere(io.RawIOBase):
    def __init__(self) -> None:
        self.n_bytes = 0

    @override
    def write(self, content: bytes) -> int:  # type: ignore[override]
        self.n_bytes += len(content)
        return len(content)


def test_memory_does_not_grow_with_a_document() -> None:
    peaks = []
    for n_bytes in (2**21, 2**24):
        tape = Tape(Endless(f"{START}<header>", "text of the header ", n_bytes), Path("a.xlf"))
        output = Nowhere()
        tracemalloc.start()
        with pytest.raises(DataError, match="no element found"):
            copy_scored(XLIFF1(Rating()), tape, lambda segments: [{} for _ in segments], output, 100)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert output.n_bytes > n_bytes - 2**18
    assert peaks[1] < 2 * peaks[0]

from __future__ import annotations

import io
import logging

import pytest

from kiwi.exceptions import DataError
from kiwi.utils import text as text_module
from kiwi.utils.text import TextDecoder, line_blocks


def lines_of(content: bytes, size: int = 2**18) -> list[str]:
    decoder = TextDecoder("file")
    return [line for block in line_blocks(io.BytesIO(content), "file", size) for line in decoder.lines(block)]


SIZES = pytest.mark.parametrize("size", [2**18, 3, 1])


@SIZES
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a b\r\r\nc\r\n\r\r\nd\r\r", ["a b", "c", "", "d"]),
        ("\ufeffa\nb\n", ["a", "b"]),
        ("a\n\ufeffb\r\n\ufeff\ufeffc", ["a", "b", "c"]),
        ("a\tb\nc\t\ufeffd\n", ["a\tb", "c\td"]),
        ("a\n\ufeff", ["a"]),
        ("\ufeff", []),
        ("", []),
        ("a\rb\nc\ufeffd\n", ["a\rb", "c\ufeffd"]),
        ("größe\n你好", ["größe", "你好"]),
    ],
)
def test_lines(content: str, expected: list[str], size: int) -> None:
    assert lines_of(content.encode(), size) == expected


@SIZES
@pytest.mark.parametrize(
    ("content", "warning"),
    [
        ("a\n\nb\n\ufeffc\n\ufeffd\n", "file, line 4: dropped a byte order mark"),
        ("a\nb\tc\n1\t\ufeff2\n", "file, line 3: dropped a byte order mark"),
        ("a\nb\ufeffc\nd\ufeffe\n", "file, line 2: a byte order mark inside the line"),
        ("a\nb\n\nc\rd\r\n", "file, line 4: a carriage return inside the line"),
        ("\ufeffa\r\nb\r\r\n", ""),
    ],
)
def test_one_warning_names_the_first_line(
    content: str, warning: str, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="kiwi"):
        lines_of(content.encode(), size)
    assert len(caplog.messages) == bool(warning)
    assert "".join(caplog.messages).startswith(warning)


TEXT = "the house is big\ndas Haus ist groß, sagt sie\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\nb c\0d\n", "file, line 2: found a NUL byte at position 4; expected UTF-8."),
        (
            b"a\r\n\xef\xbb\xbfb\nc\xfcd\n",
            "file, line 3: found byte 0xfc at position 2; expected UTF-8. Convert",
        ),
        ("Größe aus München\n".encode("latin-1"), "Convert the file, for example with: iconv -f LATIN1 -t UTF-8."),
        (b"plain text\n" * 9 + "два слова\n".encode("cp1251"), "iconv -f ENCODING -t UTF-8, where ENCODING is"),
        ("これは文です\n".encode("euc-jp"), "iconv -f ENCODING -t UTF-8, where ENCODING is"),
        (b"a\rb\rc\r", "file: found carriage returns and no line feed; expected lines that end with a line feed."),
        (TEXT.encode("utf-16"), "iconv -f UTF-16 -t UTF-8"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "iconv -f UTF-16 -t UTF-8"),
        (TEXT.encode("utf-16-le"), "iconv -f UTF-16LE -t UTF-8"),
        (TEXT.encode("utf-16-be"), "iconv -f UTF-16BE -t UTF-8"),
        ("一个 词\n这是一个句子\n".encode("utf-16-le"), "iconv -f UTF-16LE -t UTF-8"),
        ("два слова\nда\n".encode("utf-16-be"), "iconv -f UTF-16BE -t UTF-8"),
        (b"two words\n" * 9 + b"a\0 \xff b\n", "tr -d"),  # UTF-8 with a NUL and a damaged byte
        ("这是一个句子\n".encode() * 9 + b"\0\xff\n", "tr -d"),
        (
            TEXT.encode("utf-16").decode("latin-1").encode(),
            "found UTF-16 that was converted to UTF-8 as if it were Latin-1",
        ),
        (TEXT.encode("utf-32"), "iconv -f UTF-32 -t UTF-8"),
        (TEXT.encode("utf-32-le"), "iconv -f UTF-32LE -t UTF-8"),
        (TEXT.encode("utf-32-be"), "iconv -f UTF-32BE -t UTF-8"),
        (b"PK\x03\x04\x14\0", "file: found a zip archive; expected text in UTF-8."),
        (b"PAR1\x15\x04", "file: found a Parquet table; expected text in UTF-8."),
        (b"a.txt" + bytes(252) + b"ustar\x0000", "file: found a tar archive"),
        (b"\x1f\x8b\x08\0", "file: found gzip data inside compressed data"),
    ],
)
def test_what_is_not_text_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(DataError) as caught:
        lines_of(content)
    assert message in str(caught.value)


@pytest.mark.parametrize("size", [2**18, 4])
def test_the_line_of_a_fault_in_any_block(size: int) -> None:
    with pytest.raises(DataError, match="line 4: found a NUL byte at position 3"):
        lines_of(b"some words\n\nmore of them\nab\0\n", size)


def test_a_line_has_a_maximum_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "LONGEST_LINE", 10)
    assert lines_of(b"x" * 10, 4) == ["x" * 10]
    with pytest.raises(DataError, match="found a line of more than 10 bytes"):
        lines_of(b"a\n" + b"x" * 20, 4)

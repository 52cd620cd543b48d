import gzip
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from kiwi.data.files import mapped_lines
from kiwi.data.files.lines import read_lines
from kiwi.data.files.mapped_lines import MappedLines
from kiwi.exceptions import DataError


@pytest.fixture(params=[2**24, 3, 7], autouse=True)
def _chunk(request, monkeypatch):
    """Files are indexed at once, and in chunks that cut lines and characters."""
    monkeypatch.setattr(mapped_lines, "CHUNK", request.param)


@pytest.mark.parametrize(
    "content",
    [
        b"a b\nc\n",
        b"a b\nc",
        b"\xef\xbb\xbfa\r\nb c\r\n",
        "ä\u2028ö 你好\nx\u0085y\n".encode(),
        b"one",
        b" a\n\tb\n",
        b"x" * 50 + b"\n" + b"y" * 20,
        b"a\r\r\nb\r\n\xef\xbb\xbfc\nd\r",
        b"a\nb\n\xef\xbb\xbf",
        gzip.compress(b"a b\nc\n", mtime=0),
    ],
)
def test_lines_are_those_of_read_lines(content, tmp_path):
    (tmp_path / "text").write_bytes(content)
    lines = MappedLines(tmp_path / "text")
    expected = read_lines(tmp_path / "text")
    assert list(lines) == expected
    assert len(lines) == len(expected)
    assert [lines[i] for i in reversed(range(len(expected)))] == expected[::-1]
    assert lines[-1] == expected[-1]
    assert lines[0:2] == expected[:2]
    with pytest.raises(IndexError):
        lines[len(expected)]


def test_sizes_are_in_bytes_with_line_ends(tmp_path):
    (tmp_path / "text").write_bytes("ab\nä\nxyz".encode())
    lines = MappedLines(tmp_path / "text")
    assert lines.sizes([2, 0, 1]).tolist() == [4, 3, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "found no line"),
        (b"\xef\xbb\xbf", "found no line"),
        (b"a\nb\n\xff c\n", r"line 3: found byte 0xff .*expected UTF-8"),
        (b"a\n\xef\xbb\xbf\r\r\nb\n", "line 2: found an empty line"),
        (b"a\nb\nc\0\n", "line 3: found a NUL byte at position 2"),
        ("a b\nc\n".encode("utf-16"), "iconv -f UTF-16"),
        (gzip.compress(b"a\n" * 99, mtime=0)[:-9], "damaged or incomplete"),
        (b"aaaa\nbb\xe4bb\nc\n", r"line 2: found byte 0xe4 .*expected UTF-8"),
        (b"a\n\nb\n", "line 2: found an empty line; expected at least one word"),
        (b"a\nb\n \t \r\nc", "line 3: found an empty line"),
        (b"a\nb\n\n", "line 3: found an empty line"),
        (b"\na\n", "line 1: found an empty line"),
    ],
)
def test_what_is_not_text_is_refused(content, message, tmp_path):
    (tmp_path / "text").write_bytes(content)
    with pytest.raises(DataError, match=message):
        MappedLines(tmp_path / "text")


def test_blank_lines_are_accepted_if_allowed(tmp_path):
    (tmp_path / "text").write_bytes(b"a\n\nb\n")
    assert list(MappedLines(tmp_path / "text", allow_blank=True)) == ["a", "", "b"]


def test_no_file(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        MappedLines(tmp_path / "nothing")


def test_memory_holds_no_lines(tmp_path):
    """Fields of an object are arrays that are mapped, and nothing beside."""
    (tmp_path / "text").write_bytes(b"some words here\n" * 1000)
    lines = MappedLines(tmp_path / "text")
    arrays = [value for value in vars(lines).values() if not isinstance(value, Path)]
    assert all(isinstance(array, np.memmap) for array in arrays)
    assert len(arrays) == 2
    maps = Path(f"/proc/{os.getpid()}/maps").read_text(encoding="utf-8")
    assert str(tmp_path / "text") in maps


def test_another_process_maps_the_text_for_itself(tmp_path):
    (tmp_path / "text").write_bytes(b"some words here\n" * 1000)
    lines = MappedLines(tmp_path / "text")
    sent = pickle.dumps(lines)
    assert len(sent) < 12_000  # the index, and none of the text
    assert list(pickle.loads(sent)) == list(lines)


def test_another_process_maps_the_copy_of_a_compressed_file(tmp_path):
    (tmp_path / "text").write_bytes(gzip.compress(b"some words here\n" * 1000))
    lines = MappedLines(tmp_path / "text")
    assert list(pickle.loads(pickle.dumps(lines))) == list(lines) == ["some words here"] * 1000

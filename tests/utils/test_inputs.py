from __future__ import annotations

import bz2
import gzip
import lzma
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from backports import zstd

from kiwi.exceptions import ConfigError, DataError
from kiwi.utils import inputs
from kiwi.utils.compression import decompressed
from kiwi.utils.inputs import InputFile, pipes_as_files, plain_file, reading, refuse_pipes
from kiwi.utils.io import BaseConfig

CONTENT = "größe\nhouse\n".encode() * 3
FORMATS = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "zstd": zstd.compress}
COMPRESS = pytest.mark.parametrize("compress", FORMATS.values(), ids=FORMATS)


@COMPRESS
def test_content_says_that_a_file_is_compressed(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "name-without-suffix"
    path.write_bytes(compress(CONTENT) + compress(b"more\n"))  # parts that were put together
    with reading(path) as file:
        assert file.read() == CONTENT + b"more\n"
    plain, copy = plain_file(path)
    assert copy is not None
    with copy:
        assert plain != path
        assert plain.read_bytes() == CONTENT + b"more\n"


@COMPRESS
def test_damage(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    whole = compress(os.urandom(4000))
    for content in (whole[:-20], whole[:2000] + b"damage" + whole[2010:]):
        path.write_bytes(content)
        message = r"a\.gz: found compressed data that is damaged or incomplete"
        with pytest.raises(DataError, match=message), reading(path) as file:
            file.read()
        with pytest.raises(DataError, match="damaged or incomplete"):
            plain_file(path)


def test_a_plain_file_is_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"  # in spite of its name
    path.write_bytes(CONTENT)
    with reading(path) as file:
        assert file.read() == CONTENT
    assert plain_file(path) == (path, None)


@contextmanager
def writing(path: Path, *parts: bytes) -> Iterator[None]:
    """Write to a pipe while the block runs."""
    os.mkfifo(path)

    def write() -> None:
        with path.open("wb", buffering=0) as file:
            for part in parts:
                file.write(part)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@pytest.mark.parametrize("compress", [bytes, *FORMATS.values()], ids=["plain", *FORMATS])
def test_pipes_are_read_once_or_as_files(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    content = compress(CONTENT)
    with writing(tmp_path / "once", content[:1], content[1:]), reading(tmp_path / "once") as file:
        assert file.read() == CONTENT
    with writing(tmp_path / "pipe", content), pipes_as_files():
        for _ in range(2):
            with reading(tmp_path / "pipe") as file:
                assert file.read() == CONTENT
            plain, copy = plain_file(tmp_path / "pipe")
            assert plain.read_bytes() == CONTENT
            assert (copy is None) == (content == CONTENT)  # a copy of the copy only where it is compressed
            if copy is not None:
                copy.close()


def test_the_other_end_of_a_shells_pipe(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.write(write, CONTENT)
    os.close(write)
    with reading(Path(f"/dev/fd/{read}")) as file:
        assert file.read() == CONTENT
    os.close(read)


def test_a_pipe_without_a_writer_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "LONGEST_WAIT", 0.05)
    os.mkfifo(tmp_path / "pipe")
    message = r"found a pipe that no program has opened for writing in 0\.05 seconds"
    with pytest.raises(DataError, match=message), reading(tmp_path / "pipe") as file:
        file.read()


def test_a_slow_writer_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(inputs, "LONGEST_WAIT", 0.05)
    os.mkfifo(tmp_path / "pipe")
    descriptor = os.open(tmp_path / "pipe", os.O_RDWR)
    timer = threading.Timer(0.2, lambda: (os.write(descriptor, b"late\n"), os.close(descriptor)))
    timer.start()
    with reading(tmp_path / "pipe") as file:
        assert file.read() == b"late\n"
    assert "still waiting for the program that writes to this pipe" in caplog.text


def test_devices_are_refused() -> None:
    message = "/dev/zero: found a device or terminal; expected a file"
    with pytest.raises(DataError, match=message), reading(Path("/dev/zero")):
        pass


class Config(BaseConfig):
    file: InputFile
    """A file."""


def test_options_that_name_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert Config(file=tmp_path / "pipe").file == tmp_path / "pipe"
    for path, message in [
        (tmp_path / "nothing", "Path does not point to a file"),
        (tmp_path, "Path does not point to a file, but to a directory"),
        (Path("/dev/zero"), "Path does not point to a file, but to a device or terminal"),
        (Path("a\0b"), "Path does not point to a file"),
    ]:
        with pytest.raises(ConfigError, match=message):
            Config.from_dict({"file": path})
    with pytest.raises(ConfigError, match=r"part\.file: found the pipe .*/pipe, but files are read twice\. Write its"):
        refuse_pipes(Config(file=tmp_path / "pipe"), "part", "files are read twice")


def test_a_pipe_is_not_read_further_than_it_must_be() -> None:
    """The first line of a pipe arrives before the second is written."""
    read, write = os.pipe()
    os.write(write, b"B\n")
    with os.fdopen(read, "rb") as pipe:
        file = decompressed(pipe)
        assert file.readline() == b"B\n"
        os.close(write)
        assert file.readline() == b""

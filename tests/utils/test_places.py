from __future__ import annotations

import functools
import gzip
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiwi.exceptions import ConfigError, DataError
from kiwi.utils.places import Place, find, finding, plain_suffix

SUFFIXES = {".tsv", ".jsonl"}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in ("b.tsv", "a.jsonl.gz", "x/c.tsv", "x/_d.tsv", "_e/f.tsv", ".g.tsv", "h.md", "_SUCCESS"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["a.jsonl.gz", "b.tsv", "x/c.tsv"]),
        ("/", ["a.jsonl.gz", "b.tsv", "x/c.tsv"]),
        ("/*.tsv", ["b.tsv"]),
        ("/**/*.tsv", ["b.tsv", "x/c.tsv"]),
        ("/h.m?", ["h.md"]),
        ("/x/c.tsv", ["c.tsv"]),
    ],
)
@pytest.mark.parametrize("scheme", ["", "file://", "local://"])
def test_files_are_found(files: Path, scheme: str, text: str, expected: list[str]) -> None:
    found = find(f"{scheme}{files}{text}", SUFFIXES)
    assert [each.name for each in found] == expected
    assert all(each.place.local is not None and each.place.local.is_file() for each in found)


@pytest.mark.parametrize("text", ["", "/", "/*.tsv", "/**/*.tsv", "/h.m?", "/x", "/x*/*"])
@pytest.mark.parametrize("scheme", ["", "file://", "memory:/"])
def test_what_would_be_found(files: Path, scheme: str, text: str) -> None:
    names = [path.relative_to(files).as_posix() for path in files.rglob("*") if path.is_file()]
    places = {name: Place.of(f"{scheme}{files}") / name for name in names}
    if scheme == "memory:/":
        for place in places.values():
            with place.writing() as file:
                file.write(b"x")
    takes = finding(f"{scheme}{files}{text}", SUFFIXES)
    found = {each.place for each in find(f"{scheme}{files}{text}", SUFFIXES)}
    assert {place for place in places.values() if takes(place)} == found
    assert not takes(Place.of(f"{scheme}{files}-other/b.tsv"))


@pytest.mark.parametrize("text", ["/nowhere", "/*.parquet", "/_e"])
def test_nothing_is_found(files: Path, text: str) -> None:
    (files / "_e" / "f.tsv").unlink()
    with pytest.raises(DataError, match=r"found no such files; expected .* files that end in \.jsonl, \.tsv"):
        find(f"{files}{text}", SUFFIXES)


def test_relative_paths(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    assert Place.of("b.tsv").url == str(files / "b.tsv")
    assert [each.place.url for each in find("x", SUFFIXES)] == [str(files / "x" / "c.tsv")]


def test_names_with_colons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with (Place.of("in::1") / "tok::en.tsv").writing() as file:
        file.write(b"x")
    assert (tmp_path / "in::1" / "tok::en.tsv").read_bytes() == b"x"
    for text in ("in::1", "in::1/*.tsv", "in::1/tok::en.tsv", f"{tmp_path}/in::1"):
        (found,) = find(text, SUFFIXES)
        assert (found.name, found.place.local) == ("tok::en.tsv", tmp_path / "in::1" / "tok::en.tsv")
        assert finding(text, SUFFIXES)(found.place) == (not text.endswith("en.tsv"))  # of directories and globs
        with found.place.reading() as read:
            assert read.read() == b"x"
    assert Place.of("in::1").files() == {"tok::en.tsv"}


@pytest.mark.parametrize(("name", "suffix"), [("a.b.TSV", ".tsv"), ("a.jsonl.zst", ".jsonl"), ("a.gz", ""), ("a", "")])
def test_suffixes(name: str, suffix: str) -> None:
    assert plain_suffix(name) == suffix


@pytest.mark.parametrize("root", ["memory://compressed", "{tmp_path}"])
@pytest.mark.parametrize(("name", "is_compressed"), [("a.tsv.gz", True), ("a.tsv", True), ("b.tsv.gz", False)])
def test_the_content_says_whether_a_file_is_compressed(
    root: str, name: str, is_compressed: bool, tmp_path: Path
) -> None:
    place = Place.of(root.format(tmp_path=tmp_path)) / name
    with place.writing() as file:
        file.write(gzip.compress(b"text") if is_compressed else b"text")
    with place.reading() as file:
        assert file.read() == b"text"


def test_a_url_that_no_file_system_knows() -> None:
    with pytest.raises(ConfigError, match="nosuch://x: found no file system for this URL"):
        Place.of("nosuch://x")


@pytest.mark.parametrize("root", ["memory://places", "{tmp_path}/places"])
def test_writes_are_atomic(root: str, tmp_path: Path) -> None:
    directory = Place.of(root.format(tmp_path=tmp_path))
    assert directory.files() == set()
    with (directory / "x/a").writing() as file:
        file.write(b"one")
        assert "x/a" not in directory.files()
    with pytest.raises(RuntimeError), (directory / "x/a").writing() as file:  # noqa: PT012
        file.write(b"two")
        raise RuntimeError
    with (directory / "x/a").reading() as file:
        assert file.read() == b"one"
    assert directory.files() == {"x/a"}
    (directory / "x/a").remove()
    (directory / "x/a").remove()
    assert directory.files() == set()


def test_leftovers_behind_a_url() -> None:
    directory = Place.of("memory://leftovers")
    for name in ("a", ".a.0123abcd.kiwi-part"):
        with (directory / name).writing() as file:
            file.write(b"x")
    directory.clear_leftovers()
    assert directory.files() == {"a"}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def web(files: Path) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(files))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_over_http(web: str) -> None:
    assert [each.name for each in find(f"{web}/b.tsv", SUFFIXES)] == ["b.tsv"]
    found = find(f"{web}/", SUFFIXES)
    assert [each.name for each in found] == ["a.jsonl.gz", "b.tsv", "x/c.tsv"]
    with found[1].place.reading() as file:
        assert file.read() == b"b.tsv"
    with pytest.raises(DataError, match="nowhere"):
        find(f"{web}/nowhere.tsv", SUFFIXES)

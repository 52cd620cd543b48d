from __future__ import annotations

import errno
import fcntl
import re
from pathlib import Path
from typing import Any

import pytest

from kiwi.exceptions import DataError, KiwiError, WriteError
from kiwi.utils.guard import is_written
from kiwi.utils.resumable import DIRECTORY, GrowingFiles

ORIGIN = {"system": "x"}


def growing(directory: Path, names: tuple[str, ...] = ("a", "b"), origin: dict[str, Any] = ORIGIN) -> GrowingFiles:
    return GrowingFiles(directory, names, origin)


def begin(directory: Path) -> None:
    """Two additions, as a process leaves them that is killed after them."""
    files = growing(directory)
    with files.opened():
        files.add({"a": ["1", "2"], "b": ["x", "ä"]}, "first")
        files.add({"a": ["3"], "b": ["z"]}, "second")


def test_nothing_appears_before_all_is_there(tmp_path: Path) -> None:
    begin(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [DIRECTORY]


def test_going_on(tmp_path: Path) -> None:
    begin(tmp_path)
    with (tmp_path / DIRECTORY / "b").open("ab") as file:
        file.write(b"half a li")  # a kill came before the state was written
    files = growing(tmp_path)
    with files.opened():
        assert (files.n_lines, files.digest) == (3, "second")
        files.add({"a": ["4"], "b": ["w"]}, "third")
        assert files.finish() == [tmp_path / "a", tmp_path / "b"]
        files.forget()
    assert (tmp_path / "a").read_text() == "1\n2\n3\n4\n"
    assert (tmp_path / "b").read_text() == "x\nä\nz\nw\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.parametrize("place", [Path(DIRECTORY), Path()], ids=["unfinished", "in its place"])
def test_a_file_that_has_lost_lines_is_refused(tmp_path: Path, place: Path) -> None:
    begin(tmp_path)
    if not place.name:
        (tmp_path / DIRECTORY / "b").replace(tmp_path / "b")
    (tmp_path / place / "b").write_bytes(b"x\n")
    with pytest.raises(DataError, match=r"b: found 2 bytes; expected at least 7, which state\.json counts"):
        growing(tmp_path).opened().__enter__()
    assert (tmp_path / DIRECTORY / "a").read_text() == "1\n2\n3\n"
    assert (tmp_path / DIRECTORY / "b").read_bytes() == b"x\n"


def test_own_files_are_known_while_they_are_put_in_their_places(tmp_path: Path) -> None:
    begin(tmp_path)
    files = growing(tmp_path)
    with files.opened():
        files.finish(stale=["c"])
    (tmp_path / "c").write_text("of the run before, not yet removed")
    assert [is_written(tmp_path / name) for name in "abc"] == [True, True, True]
    files.forget()
    assert not is_written(tmp_path / "a")


def test_rows_without_lines_count(tmp_path: Path) -> None:
    begin(tmp_path)
    files = growing(tmp_path)
    with files.opened():
        files.n_skipped += 2
        files.add({"a": ["4"], "b": ["w"]}, "third")
    files = growing(tmp_path)
    with files.opened():
        assert (files.n_lines, files.n_rows) == (4, 6)


def test_a_kill_while_they_are_put_in_their_places(tmp_path: Path) -> None:
    begin(tmp_path)
    (tmp_path / DIRECTORY / "a").replace(tmp_path / "a")
    files = growing(tmp_path)
    with files.opened():
        assert files.n_lines == 3
        files.finish()
    assert (tmp_path / "a").read_text() == "1\n2\n3\n"


@pytest.mark.parametrize("changed", [{"origin": {"system": "y"}}, {"names": ("a", "c")}, {"names": ("a",)}])
def test_of_another_origin_they_are_begun_anew(tmp_path: Path, changed: dict[str, Any]) -> None:
    begin(tmp_path)
    files = growing(tmp_path, **changed)
    with files.opened():
        assert (files.n_lines, files.digest) == (0, "")
        files.add({name: ["0"] for name in files.names}, "")
        files.finish()
    assert [(tmp_path / name).read_text() for name in files.names] == ["0\n"] * len(files.names)


def test_beginning_anew_in_between(tmp_path: Path) -> None:
    begin(tmp_path)
    files = growing(tmp_path)
    with files.opened():
        files.restart()
        files.add({"a": ["0"], "b": ["0"]}, "")
        files.finish()
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text() == "0\n"


def test_stale_files_go(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("old")
    (tmp_path / "other").write_text("not of these")
    files = growing(tmp_path)
    with files.opened():
        files.add({"a": [], "b": []}, "")
        files.finish(stale=["a", "c"])
        files.forget()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "other"]


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with growing(tmp_path).opened(), pytest.raises(KiwiError, match="another process"), growing(tmp_path).opened():
        pass


def test_a_state_that_is_no_state(tmp_path: Path) -> None:
    begin(tmp_path)
    (tmp_path / DIRECTORY / "state.json").write_text("[1]")
    files = growing(tmp_path)
    with files.opened():
        assert files.n_lines == 0


def test_a_kill_while_the_state_is_written(tmp_path: Path) -> None:
    begin(tmp_path)
    staging = tmp_path / DIRECTORY / ".state.json.1a2b3c4d.kiwi-part"
    staging.mkdir()
    (staging / "state.json").write_text("{")
    files = growing(tmp_path, origin={"system": "another"})
    with files.opened():
        assert files.n_lines == 0
        files.add({"a": ["0"], "b": ["0"]}, "")
        files.finish()
        files.forget()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_complete_files_are_found_until_they_are_forgotten(tmp_path: Path) -> None:
    begin(tmp_path)
    for _ in range(2):
        files = growing(tmp_path)
        with files.opened():
            assert files.n_lines == 3
            files.finish()
    (tmp_path / "a").unlink()  # somebody took it away
    files = growing(tmp_path)
    with files.opened():
        assert files.n_lines == 0


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_here(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", none_here)
    begin(tmp_path)
    files = growing(tmp_path)
    with files.opened():
        assert files.n_lines == 3
        files.finish()


def test_a_full_disk_says_where(tmp_path: Path) -> None:
    begin(tmp_path)

    def fill() -> None:
        files = growing(tmp_path)
        with files.opened():
            files._files["b"].close()
            files._files["b"] = Path("/dev/full").open("ab")  # noqa: SIM115
            files.add({"a": ["4"], "b": ["w"]}, "third")

    with pytest.raises(WriteError, match=re.escape(str(tmp_path))):
        fill()
    files = growing(tmp_path)
    with files.opened():
        assert files.n_lines == 3

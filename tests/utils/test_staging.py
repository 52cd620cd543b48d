"""Files that appear whole or not at all: kills, full disks, places that cannot be written, leftovers."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kiwi.exceptions import KiwiError, WriteError
from kiwi.utils import staging
from kiwi.utils.io import write_text
from kiwi.utils.staging import SUFFIX, staged

DEAD = f".model.0123abcd{SUFFIX}"


def fill(path: Path, text: str) -> None:
    path.mkdir(parents=True)
    for name in ("a", "b"):
        (path / name).write_text(text, encoding="utf-8")


def names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


# Kills.

REWRITE = """
import sys
from pathlib import Path
from kiwi.utils import staging
if sys.argv[2] == "two steps":
    staging._exchange = lambda one, other: False
for count in range(10**9):
    with staging.staged(Path(sys.argv[1])) as stage:
        stage.mkdir()
        for name in "ab":
            (stage / name).write_text(str(count) * 1000)
    print(count, flush=True)
"""


def run_python(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("way", ["one step", "two steps"])
def test_a_kill_at_any_moment_leaves_a_complete_directory(tmp_path: Path, way: str) -> None:
    path = tmp_path / "model"
    for kill in range(12):
        with run_python(REWRITE, path, way) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(0.005 * kill / 3)
            writer.kill()
            assert writer.wait() == -signal.SIGKILL
        if way == "two steps":  # the next write puts back what a kill between the two has left aside
            write_text(tmp_path / "other", "")
        contents = {(path / name).read_text() for name in "ab"}
        assert len(contents) == 1
        assert set(contents.pop()) <= set("0123456789")
        leftovers = [name for name in names(tmp_path) if name.endswith(SUFFIX)]
        assert len(leftovers) <= (way == "one step")
    write_text(tmp_path / "other", "")
    assert names(tmp_path) == ["model", "other"]


# Leftovers.


def test_leftovers_of_the_dead_are_cleared_and_those_of_the_living_stay(tmp_path: Path) -> None:
    fill(tmp_path / DEAD / "model", "dead")
    code = (
        "import sys\nfrom pathlib import Path\nfrom kiwi.utils.staging import staged\n"
        "with staged(Path(sys.argv[1])) as stage:\n"
        "    stage.write_text('new')\n    print(stage.parent.name, flush=True)\n    sys.stdin.readline()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "living")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        living = writer.stdout.readline().strip()
        write_text(tmp_path / "mine", "x")
        assert names(tmp_path) == sorted([living, "mine"])
        writer.communicate("go on\n")
    assert names(tmp_path) == ["living", "mine"]


def test_what_was_set_aside_comes_back(tmp_path: Path) -> None:
    fill(tmp_path / DEAD / "former", "former")
    fill(tmp_path / DEAD / "model", "new")
    write_text(tmp_path / "other", "x")
    assert names(tmp_path) == ["model", "other"]
    assert (tmp_path / "model" / "a").read_text() == "former"


def test_what_only_looks_like_a_leftover_stays(tmp_path: Path) -> None:
    for name in (f"model.0123abcd{SUFFIX}", f".model{SUFFIX}", ".model.0123abcd.part"):
        (tmp_path / name).mkdir()
    (tmp_path / DEAD).symlink_to(tmp_path / f".model{SUFFIX}")
    before = names(tmp_path)
    write_text(tmp_path / "other", "x")
    assert names(tmp_path) == sorted([*before, "other"])


def test_two_threads_of_one_process_do_not_clear_each_other(tmp_path: Path) -> None:
    with staged(tmp_path / "model") as one:
        one.write_text("one")
        with staged(tmp_path / "model") as other:
            other.write_text("other")
        assert (tmp_path / "model").read_text() == "other"
    assert (tmp_path / "model").read_text() == "one"
    assert names(tmp_path) == ["model"]


# Places that cannot be written.

LIMITED = """
import resource, signal, sys
from pathlib import Path
from kiwi.exceptions import WriteError
from kiwi.utils.staging import staged
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with staged(Path(sys.argv[1])) as stage:
        {write}
except WriteError as error:
    print(error.errno, error)
"""


@pytest.mark.parametrize(
    "write",
    [
        "stage.write_bytes(bytes(2000))",
        "import numpy, safetensors.numpy as s; s.save_file({'a': numpy.zeros(1000)}, stage)",
    ],
)
def test_no_room(tmp_path: Path, write: str) -> None:
    path = tmp_path / "model"
    path.write_text("former")
    with run_python(LIMITED.format(write=write), path) as writer:
        out, err = writer.communicate()
    assert out.startswith(f"{errno.EFBIG} {path}: cannot be written: File too large. Raise the limit"), err
    assert path.read_text() == "former"
    assert names(tmp_path) == ["model"]


def test_a_full_device(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_text("former")
    with pytest.raises(WriteError, match="No space left on device") as error, staged(path):
        Path("/dev/full").write_text("x")
    assert error.value.errno == errno.ENOSPC
    assert path.read_text() == "former"
    assert names(tmp_path) == ["model"]


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from kiwi.exceptions import WriteError
from kiwi.utils.io import write_text
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    write_text(Path(sys.argv[1]), "new")
except WriteError as error:
    print(error)
"""


def test_a_directory_that_may_not_be_written(tmp_path: Path) -> None:
    place = tmp_path / "place"
    fill(place, "former")
    place.chmod(0o555)
    for parent in tmp_path.parents:  # pytest makes its own for the owner alone
        if parent.name.startswith("pytest-"):
            parent.chmod(0o755)
    tmp_path.chmod(0o755)
    with run_python(UNPRIVILEGED, place / "a") as writer:
        out, err = writer.communicate()
    assert out.startswith(f"{place / 'a'}: cannot be written: Permission denied. Choose a directory that you may"), err
    assert (place / "a").read_text() == "former"
    assert names(place) == ["a", "b"]
    place.chmod(0o755)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("file/model", "Choose another path, or move the existing file or directory"),
        ("x" * 250, "File name too long. Choose a shorter path"),
        ("directory", "a directory already exists. Choose another path"),
    ],
)
def test_an_impossible_path(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").write_text("former")
    fill(tmp_path / "directory", "former")
    with pytest.raises(WriteError) as error:
        write_text(tmp_path / name, "new")
    assert str(error.value).startswith(f"{tmp_path / name}: cannot be written: ")
    assert reason in str(error.value)
    assert isinstance(error.value, KiwiError)
    assert isinstance(error.value, OSError)
    assert names(tmp_path) == ["directory", "file"]
    assert names(tmp_path / "directory") == ["a", "b"]


def test_a_directory_does_not_take_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("former")
    with pytest.raises(WriteError, match="a file already exists"), staged(tmp_path / "model") as stage:
        fill(stage, "new")
    assert (tmp_path / "model").read_text() == "former"


def test_errors_of_what_a_block_reads_are_its_own(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "file"
    elsewhere.parent.mkdir()
    elsewhere.write_text("x")
    with pytest.raises(NotADirectoryError), staged(tmp_path / "place" / "model"):
        (elsewhere / "inner").read_text()


def test_a_path_whose_name_is_that_of_what_is_set_aside(tmp_path: Path) -> None:
    for text in ("one", "two"):
        with staged(tmp_path / "former") as stage:
            fill(stage, text)
    assert (tmp_path / "former" / "a").read_text() == "two"


def test_parts_are_swapped_in_with_their_directory(tmp_path: Path) -> None:
    with staged(tmp_path / "model") as stage:
        stage.mkdir()
        write_text(stage / "part", "x")
        assert names(stage) == ["part"]
    assert names(tmp_path) == ["model"]


def test_the_two_steps_without_an_atomic_exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging.sys, "platform", "another")
    for text in ("one", "two"):
        with staged(tmp_path / "model") as stage:
            fill(stage, text)
    assert (tmp_path / "model" / "b").read_text() == "two"
    assert names(tmp_path) == ["model"]

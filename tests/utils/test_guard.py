from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kiwi.exceptions import ConfigError
from kiwi.utils.guard import RECORD_FILE, Guard, is_written, record_written, require_new_directory
from kiwi.utils.sealed import seal


def guard(*reads: Path, overwrite: bool = False) -> Guard:
    return Guard(reads, overwrite, "--overwrite")


def file(path: Path, text: str = "mine") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_new_files_are_fine(tmp_path: Path) -> None:
    guard(file(tmp_path / "in")).check([tmp_path / "out", tmp_path / "more" / "out"])


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "link",
    [lambda one, other: other.hardlink_to(one), lambda one, other: other.symlink_to(one)],
    ids=["hard", "symbolic"],
)
def test_what_is_read_is_never_written_over(
    tmp_path: Path, overwrite: bool, link: Callable[[Path, Path], None]
) -> None:
    read = file(tmp_path / "gold.hter")
    link(read, tmp_path / "link")
    record_written(read, tmp_path / "link")
    for output in (read, tmp_path / "link", tmp_path / "x" / ".." / "gold.hter"):
        (tmp_path / "x").mkdir(exist_ok=True)
        with pytest.raises(ConfigError, match="would be written over, but this command reads it"):
            guard(read, overwrite=overwrite).check([output])


def test_files_of_a_directory_are_read_too(tmp_path: Path) -> None:
    file(tmp_path / "system" / "config.yaml")
    with pytest.raises(ConfigError, match="this command reads it"):
        guard(tmp_path / "system", overwrite=True).check([tmp_path / "system" / "config.yaml"])


def test_files_of_others_are_replaced_only_if_that_is_allowed(tmp_path: Path) -> None:
    other = file(tmp_path / "report.html")
    with pytest.raises(ConfigError, match=r"report\.html: would be replaced or removed.*--overwrite"):
        guard().check([other])
    guard(overwrite=True).check([other])
    guard().check([other], is_own=True)


def test_own_files_are_known_until_somebody_changes_them(tmp_path: Path) -> None:
    own = file(tmp_path / "report.html", "one")
    record_written(own)
    guard().check([own])
    record_written(file(tmp_path / "another"))
    assert set(json.loads((tmp_path / RECORD_FILE).read_text())["files"]) == {"report.html", "another"}
    own.write_text("two")
    assert not is_written(own)
    with pytest.raises(ConfigError, match="changed since"):
        guard().check([own])


@pytest.mark.parametrize("record", ["", "[1]", '{"files": 1}', '{"files": {"report.html": 1}}', "\0"])
def test_a_damaged_record_knows_nothing(tmp_path: Path, record: str) -> None:
    own = file(tmp_path / "report.html")
    (tmp_path / RECORD_FILE).write_text(record)
    assert not is_written(own)
    record_written(own)
    assert is_written(own)


def test_two_outputs_in_one_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="written twice"):
        guard().check([tmp_path / "a", tmp_path / "b" / ".." / "a"])


def test_a_device_is_not_replaced() -> None:
    with pytest.raises(ConfigError, match="found a device or pipe"):
        guard(overwrite=True).check([Path(os.devnull)])


def test_redirected_to_what_is_read(tmp_path: Path) -> None:
    read = file(tmp_path / "a.tsv")
    with read.open("a") as output, pytest.raises(ConfigError, match="redirected to this file"):
        guard(read).check_stream(output)
    with (tmp_path / "b").open("w") as output:
        guard(read).check_stream(output)
    guard(read).check_stream(io.StringIO())


def test_directories(tmp_path: Path) -> None:
    sealed = file(tmp_path / "sealed" / "weights").parent
    seal(sealed)
    require_new_directory(tmp_path / "new")
    with pytest.raises(ConfigError, match="already exists"):
        require_new_directory(sealed)
    require_new_directory(sealed, overwrite=True, reads=[tmp_path / "other"])
    with pytest.raises(ConfigError, match="this command reads"):
        require_new_directory(sealed, overwrite=True, reads=[sealed / "weights"])
    file(sealed / "thesis.tex")
    for directory in (sealed, file(tmp_path / "mine" / "a").parent, tmp_path / "mine" / "a"):
        with pytest.raises(ConfigError, match="expected only files of a checkpoint"):
            require_new_directory(directory, overwrite=True)


def test_a_damaged_record_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "scores").write_text("1")
    (tmp_path / RECORD_FILE).write_text('{"files": {"scores": ["x"]}}')
    assert not is_written(tmp_path / "scores")

"""What is not a trained system of kiwi is named, and nothing is unpickled."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kiwi.cli import app
from kiwi.exceptions import CheckpointError
from kiwi.lib.inspect import inspect_checkpoint
from kiwi.runner import load_system
from kiwi.systems.manifest.checkpoint import read_checkpoint_info


class Bomb:
    """Unpickling it fails the test."""

    def __reduce__(self) -> Any:
        return (pytest.fail, ("unpickled",))


OPENKIWI = {"config": {"class_name": "NuQE"}, "vocabs": "kiwi.data.vocabulary", "bomb": Bomb()}
COMET = {"pytorch-lightning_version": "2", "hyper_parameters": {"encoder_model": "XLM-RoBERTa"}, "bomb": Bomb()}


def write_archive(file: Path, content: object) -> Path:
    """Write the file that ``torch.save`` writes, as far as it is read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{file.stem}/data.pkl", pickle.dumps(content, protocol=2))
        archive.writestr(f"{file.stem}/version", "3\n")
    return file


def write_pickle(file: Path, content: object) -> Path:
    """Write a file as ``torch.save`` of PyTorch before 1.6 did."""
    file.write_bytes(pickle.dumps(content, protocol=2))
    return file


@pytest.mark.parametrize(
    ("name", "content", "program"),
    [
        ("best_model.torch", OPENKIWI, "a checkpoint of OpenKiwi 2.1"),
        ("model.torch", {}, "a checkpoint of OpenKiwi 2.1"),
        ("model.ckpt", COMET, "a pickled PyTorch checkpoint of COMET"),
        ("model.pt", {"a": 1}, "a pickled PyTorch checkpoint of another program"),
    ],
)
@pytest.mark.parametrize("write", [write_archive, write_pickle])
def test_checkpoints_of_other_programs(name: str, content: object, program: str, write: Any, tmp_path: Path) -> None:
    file = write(tmp_path / name, content)
    (tmp_path / "hparams.yaml").write_text("class_identifier: regression_metric\n", encoding="utf-8")
    for place in (file, tmp_path):
        with pytest.raises(CheckpointError, match=rf"found {name}, {program}.* kiwi train"):
            read_checkpoint_info(place)
        with pytest.raises(CheckpointError, match=program):
            load_system(place)


def test_a_run_of_openkiwi_with_its_configuration(tmp_path: Path) -> None:
    write_archive(tmp_path / "checkpoints" / "best.ckpt", OPENKIWI)
    (tmp_path / "config.yaml").write_text("run: {seed: 1}\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["inspect", str(tmp_path)])
    assert isinstance(done.exception, CheckpointError | SystemExit)
    with pytest.raises(CheckpointError, match=r"best\.ckpt, a checkpoint of OpenKiwi 2\.1"):
        inspect_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"PK\x03\x04" + bytes(100), b"\x80", b"x" * 40])
def test_other_files_are_not_taken_for_them(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "model.ckpt"
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match="found a file; expected a checkpoint directory, or that of a run"):
        read_checkpoint_info(file)


def test_a_link_without_its_checkpoint(trained: Any, tmp_path: Path) -> None:
    """As ``cp -r`` leaves it when it copies the link alone, or a run without its checkpoints."""
    shutil.copytree(trained.output_dir, tmp_path / "run", symlinks=True)
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    (tmp_path / "system").symlink_to(Path("checkpoints", "gone"))
    for path, link in ((tmp_path / "system", "system"), (tmp_path / "run", r"run/best_model")):
        expected = rf"{link}: a link to checkpoints/.*, which is not here\..* cp -rL, or with kiwi publish"
        for command in (inspect_checkpoint, load_system, read_checkpoint_info):
            with pytest.raises(CheckpointError, match=expected):
                command(path)

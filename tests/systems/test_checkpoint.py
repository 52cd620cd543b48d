from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import kiwi
from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.runner import load_system
from kiwi.runner.torch_engine import runner_of
from kiwi.systems.checkpoint import read_checkpoint_info, skip_init
from kiwi.systems.qe_system import QESystem
from kiwi.utils.sealed import seal

FILES = {"SHA256SUMS", "config.yaml", "labels.json", "model.safetensors", "vocab.json"}


@pytest.fixture
def checkpoint(trained: Any, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(trained.path, tmp_path / "checkpoint"))


def refusal(path: Path) -> str:
    """What loading says; every way to load refuses alike."""
    with pytest.raises(CheckpointError) as error:
        QESystem.load(path)
    with pytest.raises(CheckpointError) as again:
        load_system(path)
    assert str(error.value) == str(again.value)
    assert str(path) in str(error.value)
    return str(error.value)


def test_what_a_checkpoint_holds(trained: Any) -> None:
    assert {file.name for file in trained.path.iterdir()} == FILES
    content = yaml.safe_load((trained.path / "config.yaml").read_text(encoding="utf-8"))
    assert content["format_version"] == 2
    assert content["kiwi_version"] == kiwi.__version__
    assert content["system"]["class_name"] == "NuQE"
    assert content["system"]["model"] == trained.info.model.model_config.model_dump(mode="json")
    assert content["metrics"] == trained.info.best_metrics
    labels = json.loads((trained.path / "labels.json").read_text(encoding="utf-8"))
    for name in ("target_tags", "gap_tags", "source_tags"):
        assert labels[name] == ["OK", "BAD"]


def test_information_is_read_without_the_weights(checkpoint: Path, trained: Any) -> None:
    (checkpoint / "model.safetensors").unlink()
    info = read_checkpoint_info(checkpoint)
    assert info.class_name == "NuQE"
    assert info.metrics == trained.info.best_metrics


def test_a_round_trip_predicts_the_same(pos_system: QESystem, corpus: Any, tmp_path: Path) -> None:
    pos_system.save(tmp_path / "saved", {"val_x": 0.5})
    names = ("source", "target", "alignments", "source_pos", "target_pos")
    data = {name: corpus.lines("test", name) for name in names}
    loaded = load_system(tmp_path / "saved")
    assert asdict(loaded.predict(**data, batch_size=4)) == asdict(runner_of(pos_system).predict(**data, batch_size=4))
    assert loaded.engine.system.model_config == pos_system.model_config
    assert loaded.engine.system.vocabularies == pos_system.vocabularies
    assert read_checkpoint_info(tmp_path / "saved").metrics == {"val_x": 0.5}
    assert [file.name for file in tmp_path.iterdir()] == ["saved"]


def test_saving_again_swaps_the_whole_directory(pos_system: QESystem, tmp_path: Path) -> None:
    pos_system.save(tmp_path / "saved")
    (tmp_path / "saved" / "stray").write_text("x")
    pos_system.save(tmp_path / "saved")
    assert {file.name for file in (tmp_path / "saved").iterdir()} == FILES
    assert [file.name for file in tmp_path.iterdir()] == ["saved"]


def test_a_directory_of_something_else_is_not_swapped_out(pos_system: QESystem, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ConfigError, match="already exists and is not a checkpoint"):
        pos_system.save(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_repository_is_not_swapped_out(pos_system: QESystem, tmp_path: Path) -> None:
    pos_system.save(tmp_path / "saved")
    (tmp_path / "saved" / ".git").mkdir()
    with pytest.raises(ConfigError, match="is a git repository"):
        pos_system.save(tmp_path / "saved")
    assert (tmp_path / "saved" / ".git").is_dir()


def test_an_empty_directory_is_swapped_out(pos_system: QESystem, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    pos_system.save(tmp_path / "saved")
    assert {file.name for file in (tmp_path / "saved").iterdir()} == FILES


# Damage.


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file(checkpoint: Path, name: str) -> None:
    (checkpoint / name).unlink()
    refusal(checkpoint)


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("share", [0.0, 0.4])
def test_a_truncated_file(checkpoint: Path, name: str, share: float) -> None:
    file = checkpoint / name
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    refusal(checkpoint)


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("position", [0, 7, 20])
def test_a_flipped_byte(checkpoint: Path, name: str, position: int) -> None:
    # In a header, or in the syntax: what is flipped among the weights themselves looks like other weights.
    file = checkpoint / name
    content = bytearray(file.read_bytes())
    content[position] ^= 0xFF
    file.write_bytes(bytes(content))
    refusal(checkpoint)


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", b"[1, 2, 3]\n", b"null\n", b"just a line\n", b'{"a": 1}\n']
)
def test_a_foreign_file(checkpoint: Path, name: str, content: bytes) -> None:
    (checkpoint / name).write_bytes(content)
    refusal(checkpoint)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_directory_in_the_place_of_a_file(checkpoint: Path, name: str) -> None:
    (checkpoint / name).unlink()
    (checkpoint / name).mkdir()
    refusal(checkpoint)


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("with_torch", [False, True])
def test_a_pickle_runs_no_code(checkpoint: Path, tmp_path: Path, name: str, with_torch: bool) -> None:
    sprung = tmp_path / "sprung"
    if with_torch:
        torch.save({"weights": Trap(sprung)}, checkpoint / name)
    else:
        (checkpoint / name).write_bytes(pickle.dumps(Trap(sprung)))
    refusal(checkpoint)
    assert not sprung.exists()


def test_the_tags_of_python_objects_in_yaml_run_no_code(checkpoint: Path, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    file = checkpoint / "config.yaml"
    trap = f"trap: !!python/object/apply:pathlib.Path.touch [{sprung}]\n"
    file.write_text(file.read_text(encoding="utf-8") + trap, encoding="utf-8")
    refusal(checkpoint)
    assert not sprung.exists()


# What does not fit.


def reseal(checkpoint: Path) -> None:
    """Damage that somebody has taken the trouble to give a sum to."""
    (checkpoint / "SHA256SUMS").unlink()
    seal(checkpoint)


def edit_config(checkpoint: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    file = checkpoint / "config.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    edit(content)
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    reseal(checkpoint)


@pytest.mark.parametrize("version", [0, 3, "1", True, None])
def test_an_unknown_format(checkpoint: Path, version: Any) -> None:
    edit_config(checkpoint, lambda content: content.update(format_version=version))
    message = refusal(checkpoint)
    assert f"found format version {version}" in message
    assert "reads version 1 and 2" in message
    assert kiwi.__version__ in message
    assert ("pip install --upgrade kiwi-qe" in message) == (version == 3)


def test_a_version_from_the_future_says_who_wrote_it(checkpoint: Path) -> None:
    # No sum is looked at: what a future version has in the place of them is not known.
    (checkpoint / "config.yaml").write_text("format_version: 12\nkiwi_version: 7.1.0\n", encoding="utf-8")
    assert "written by kiwi 7.1.0. Upgrade with: pip install --upgrade kiwi-qe" in refusal(checkpoint)


@pytest.mark.parametrize(
    "edit",
    [
        lambda content: content.pop("format_version"),
        lambda content: content.pop("system"),
        lambda content: content.pop("metrics"),
        lambda content: content.pop("data"),
        lambda content: content.pop("pretrained"),
        lambda content: content["system"].pop("model"),
        lambda content: content["system"]["model"].pop("encoder"),
        lambda content: content["system"]["model"].update(surplus=1),
        lambda content: content["system"].update(model="x"),
        lambda content: content["system"].update(model=[1]),
        lambda content: content.update(system=None),
        lambda content: content.update(metrics={"a": "b"}),
    ],
)
def test_a_configuration_that_is_not_whole(checkpoint: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    edit_config(checkpoint, edit)
    refusal(checkpoint)


@pytest.mark.parametrize("labels", [["BAD", "OK"], ["OK"], ["OK", "BAD", "UGLY"]])
def test_other_labels(checkpoint: Path, labels: list[str]) -> None:
    (checkpoint / "labels.json").write_text(json.dumps({"target_tags": labels}))
    reseal(checkpoint)
    assert "expected labels ['OK', 'BAD']" in refusal(checkpoint)


def replace_weights(checkpoint: Path, weights: dict[str, Any]) -> None:
    file = checkpoint / "model.safetensors"
    save_file(weights, file)
    reseal(checkpoint)


def test_a_flipped_byte_among_the_weights(checkpoint: Path) -> None:
    file = checkpoint / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    assert "SHA-256" in refusal(checkpoint)


NAME = "decoder.target.block_1.1.weight"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda weights: weights.pop(NAME), f"'{NAME}' is missing"),
        (lambda weights: weights.update(surplus=torch.zeros(2)), "'surplus' is unexpected"),
        (lambda weights: weights.update({NAME: torch.zeros(3, 4)}), f"'{NAME}' has shape (3, 4), expected (12, 48)"),
        (lambda weights: weights.update({NAME: weights[NAME].T.contiguous()}), "has shape (48, 12), expected (12, 48)"),
        (lambda weights: weights.clear(), "is missing; and 73 more."),
    ],
)
def test_weights_that_do_not_fit(checkpoint: Path, edit: Callable[[dict[str, Any]], Any], message: str) -> None:
    file = checkpoint / "model.safetensors"
    weights = load_file(file)
    edit(weights)
    replace_weights(checkpoint, weights)
    assert message in refusal(checkpoint)


def test_several_problems_are_listed_together(checkpoint: Path) -> None:
    file = checkpoint / "model.safetensors"
    weights = load_file(file)
    del weights[NAME]
    weights["surplus"] = torch.zeros(2)
    replace_weights(checkpoint, weights)
    message = refusal(checkpoint)
    assert f"'{NAME}' is missing" in message
    assert "'surplus' is unexpected" in message


def test_the_vocabulary_of_another_system(checkpoint: Path) -> None:
    file = checkpoint / "vocab.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    entries = content["fields"]["source"]["model"]["vocab"]
    entries["zzz"] = len(entries)
    file.write_text(json.dumps(content), encoding="utf-8")
    reseal(checkpoint)
    assert "'encoder.embeddings.source.tokens.weight' has shape" in refusal(checkpoint)


# Nothing there.


def test_nothing_there(tmp_path: Path) -> None:
    assert "found nothing there" in refusal(tmp_path / "nothing")


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "model.ckpt").write_bytes(b"x")
    assert "found a file" in refusal(tmp_path / "model.ckpt")


@pytest.mark.parametrize("path", ["x" * 300, "a" * 300 + "/b"])
def test_a_path_that_cannot_be(path: str) -> None:
    assert "File name too long" in refusal(Path(path))


def test_an_empty_directory(tmp_path: Path) -> None:
    assert "no config.yaml in it" in refusal(tmp_path)


def test_the_directory_of_a_run_is_told_from_its_best_model(trained: Any) -> None:
    with pytest.raises(CheckpointError) as error:
        QESystem.load(trained.output_dir)
    assert str(trained.output_dir / "best_model") in str(error.value)


def test_large_weights_are_not_drawn_when_they_are_loaded() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    with skip_init():
        large = torch.nn.Embedding(2**15, 2**6)
    assert torch.equal(torch.get_rng_state(), before)
    assert large.weight.shape == (2**15, 2**6)
    with skip_init():
        small = torch.nn.Embedding(100, 100)
    assert not torch.equal(torch.get_rng_state(), before)
    assert 0.9 < small.weight.std() < 1.1

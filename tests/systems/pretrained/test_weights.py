"""Weights that a folder lacks, has in other shapes, or does not need since the model computes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.runner.torch_engine import runner_of
from kiwi.systems.pretrained.model import Pretrained
from kiwi.systems.qe_system import QESystem
from kiwi.utils.tensor_header import read_tensor_header
from tests.pretrained import change_config, write_any_model, write_model
from tests.systems.test_encoder_checks import SOURCE, TARGET, build, check_independent


def remove_weights(folder: Path, *parts: str) -> None:
    """Remove the weights whose names have any of these parts."""
    file = folder / "model.safetensors"
    weights = {name: each.clone() for name, each in load_file(file).items() if not any(part in name for part in parts)}
    save_file(weights, file, {"format": "pt"})


@pytest.mark.parametrize(
    ("family", "model_class"),
    [("marian", transformers.MarianMTModel), ("pegasus", transformers.PegasusForConditionalGeneration)],
)
def test_positions_that_a_model_computes_are_not_missing(family: str, model_class: Any, tmp_path: Path) -> None:
    """Transformers leaves the sinusoids of Marian out, and those of Pegasus before version 5."""
    folder = write_any_model(family, tmp_path / family, model_class=model_class)
    whole = write_any_model(family, tmp_path / "whole", model_class=transformers.AutoModel)
    remove_weights(folder, "embed_positions")
    found = Pretrained.from_model(str(folder)).build_model().embed_positions.weight
    expected = Pretrained.from_model(str(whole)).build_model().embed_positions.weight
    assert torch.equal(found, expected)
    assert len(set(found[:, 0].tolist())) == len(found)
    system = build(folder)
    check_independent(system)
    system.save(tmp_path / "saved")
    loaded = QESystem.load(tmp_path / "saved").eval()
    scores = [runner_of(each).predict(SOURCE, TARGET).sentences_hter for each in (loaded, system)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


def test_other_weights_of_such_a_model_are_missing(tmp_path: Path) -> None:
    folder = write_any_model("marian", tmp_path / "marian", model_class=transformers.MarianMTModel)
    remove_weights(folder, "encoder.layers.0.fc1.weight")
    with pytest.raises(ConfigError, match=r"lacks 1 weights of a marian, such as 'encoder\.layers\.0\.fc1\.weight'"):
        build(folder)


def test_learned_positions_are_missing(tmp_path: Path) -> None:
    folder = write_any_model("bart", tmp_path / "bart")
    remove_weights(folder, "embed_positions")
    with pytest.raises(ConfigError, match=r"lacks 1 weights of a bart, such as 'encoder\.embed_positions"):
        build(folder)


def test_the_decoder_of_a_model_alone(tmp_path: Path) -> None:
    folder = write_any_model("bart", tmp_path / "bart", model_class=transformers.BartForCausalLM)
    with pytest.raises(ConfigError, match=r"bart' is a decoder \(is_decoder: true .* Name an encoder"):
        build(folder)


SHAPES = {
    "hidden_size": (32, r"found shape \(91, 16\) of '.*word_embeddings.*' .* expected \(91, 32\), according .* differ"),
    "vocab_size": (60, r"found shape \(91, 16\) of '.*word_embeddings.*' .* expected \(60, 16\), according"),
    "max_position_embeddings": (2, r"found shape \(64, 16\) of '.*position_.*' .* expected \(2, 16\), according"),
}


@pytest.mark.parametrize("option", SHAPES)
@pytest.mark.parametrize("head", [False, True])
def test_weights_of_other_shapes_are_named(option: str, head: bool, tmp_path: Path) -> None:
    folder = write_model("bert", tmp_path / "bert", head=head)
    value, message = SHAPES[option]
    change_config(folder, {option: value})
    with pytest.raises(ConfigError, match=message):
        Pretrained.from_model(str(folder)).build_model(with_head=head)


def test_a_configuration_without_a_padding_piece(tmp_path: Path) -> None:
    folder = write_model("xlm-roberta", tmp_path / "model")
    change_config(folder, {"pad_token_id": None})
    with pytest.raises(ConfigError, match=r"its config\.json has no pad_token_id\. Set it to the index"):
        build(folder)
    change_config(folder, {"pad_token_id": 1})
    build(folder)


def test_a_model_that_needs_a_language(tmp_path: Path) -> None:
    folder = write_any_model("xmod", tmp_path / "xmod", languages=["en_XX", "de_DE"])
    with pytest.raises(ConfigError, match=r"has no default_language\. Set it to one of .* such as en_XX, de_DE\.$"):
        build(folder)
    change_config(folder, {"default_language": "de_DE"})
    check_independent(build(folder))


@pytest.mark.parametrize(
    "name", ["model.safetensors", "tokenizer.json", "sentencepiece.bpe.model", "pytorch_model.bin"]
)
def test_pointers_of_git_lfs(name: str, tmp_path: Path) -> None:
    folder = write_model("xlm-roberta", tmp_path / "model")
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12\n"
    if name.endswith((".model", ".bin")):
        (folder / name).write_bytes(pointer)
        Pretrained.from_model(str(folder))  # the file is for other libraries
        (folder / ("tokenizer.json" if name.endswith(".model") else "model.safetensors")).unlink()
    (folder / name).write_bytes(pointer)
    with pytest.raises(ConfigError, match=rf"{name}: found a pointer of Git LFS .* Run git lfs pull"):
        Pretrained.from_model(str(folder))


def test_a_checkpoint_whose_weights_are_a_pointer(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12\n")
    with pytest.raises(CheckpointError, match=r"found a pointer of Git LFS; .* git lfs pull$"):
        read_tensor_header(file)

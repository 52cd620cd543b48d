"""Damaged checkpoints: each is refused with its path and the reason, and runs no code; kills leave them whole."""

from __future__ import annotations

import json
import os
import pickle
import random
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from kiwi.data.text.vocabulary import load_vocabularies
from kiwi.exceptions import CheckpointError
from kiwi.lib.inspect import inspect_checkpoint
from kiwi.lib.publish import publish
from kiwi.runner import load_system
from kiwi.runner.torch_engine import runner_of
from kiwi.systems.manifest.checkpoint import read_checkpoint_info
from kiwi.systems.pretrained.model import Pretrained
from kiwi.systems.qe_system import QESystem
from kiwi.utils.sealed import SUMS_FILE, seal
from tests.conftest import changed
from tests.pretrained import write_model

SOURCE, TARGET, ALIGNMENTS = ["Close the bank ."], ["Schließen Sie die Bank ."], ["0-0 1-2 2-3 3-4"]

WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> QESystem:
    folder = write_model("xlm-roberta", tmp_path_factory.mktemp("model") / "tiny")
    (folder / "LICENSE").write_text("Do what you like.\n")
    outputs = {"word_level": {"target": True}, "sentence_level": {"hter": True}}
    model = {"encoder": {"model_name": str(folder), "hidden_size": 6}, "outputs": outputs}
    config = QESystem.Config.from_dict({"class_name": "XLMRoberta", "model": model})
    torch.manual_seed(0)
    return QESystem.build(config, {"source": SOURCE, "target": TARGET, "target_tags": [], "sentence_scores": ["0.5"]})


@pytest.fixture(scope="module")
def whole(transformer: QESystem, trained: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Not to be written to."""
    transformer.save(tmp_path_factory.mktemp("saved") / "transformer", {"val_PEARSON": 0.5})
    return {"NuQE": trained.path, "transformer": tmp_path_factory.getbasetemp() / "saved0" / "transformer"}


@pytest.fixture(params=["NuQE", "transformer"])
def checkpoint(request: pytest.FixtureRequest, whole: dict[str, Path], tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(whole[request.param], tmp_path / "checkpoint"))


def predictions(path: Path) -> str:
    return repr(asdict(load_system(path).predict(SOURCE, TARGET, ALIGNMENTS)))


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as error:
        load_system(path)
    assert str(path) in str(error.value)
    return str(error.value)


def reseal(checkpoint: Path) -> None:
    """Damage that somebody has taken the trouble to give a sum to."""
    (checkpoint / SUMS_FILE).unlink(missing_ok=True)
    seal(checkpoint)


def truncate(name: str, size: int) -> Callable[[Path], Any]:
    return lambda path: os.truncate(path / name, size)


def write(name: str, content: bytes) -> Callable[[Path], Any]:
    return lambda path: (path / name).write_bytes(content)


def flip(name: str, position: int) -> Callable[[Path], Any]:
    def damage(path: Path) -> None:
        content = bytearray((path / name).read_bytes())
        content[position] ^= 1
        (path / name).write_bytes(content)

    return damage


def tensors(edit: Callable[[dict[str, Any]], Any]) -> Callable[[Path], Any]:
    def damage(path: Path) -> None:
        weights = load_file(path / WEIGHTS)
        edit(weights)
        save_file(weights, path / WEIGHTS)

    return damage


def header(edit: Callable[[dict[str, Any]], Any], size: int | None = None) -> Callable[[Path], Any]:
    """Weights with another header; ``size`` is what it says of its length."""

    def damage(path: Path) -> None:
        content = (path / WEIGHTS).read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        entries = json.loads(content[8 : 8 + length])
        edit(entries)
        text = json.dumps(entries).encode()
        (path / WEIGHTS).write_bytes(struct.pack("<Q", size or len(text)) + text + content[8 + length :])

    return damage


def of_first(**changes: Any) -> Callable[[Path], Any]:
    return header(lambda entries: next(e for n, e in entries.items() if n != "__metadata__").update(changes))


def append(name: str, text: str) -> Callable[[Path], Any]:
    return lambda path: (path / name).write_text((path / name).read_text(encoding="utf-8") + text, encoding="utf-8")


def replace(name: str, former: str, new: str) -> Callable[[Path], Any]:
    def damage(path: Path) -> None:
        text = (path / name).read_text(encoding="utf-8")
        assert former in text
        (path / name).write_text(text.replace(former, new, 1), encoding="utf-8")

    return damage


LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefghij", "bcdefghijk", strict=True)
)

SUM = "0" * 64

DAMAGES: dict[str, tuple[Callable[[Path], Any], bool, str]] = {
    # name: (damage, whether the sums are written anew, words of the message)
    "weights that are cut off": (truncate(WEIGHTS, 3000), False, "damaged: found"),
    "weights that end in their header": (truncate(WEIGHTS, 100), False, "a file of 100"),
    "no bytes of weights": (truncate(WEIGHTS, 0), False, "found 0 bytes"),
    "a flipped bit of a weight": (flip(WEIGHTS, -3), False, f"{WEIGHTS}: damaged: found SHA-256"),
    "a flipped bit of the configuration": (flip("config.yaml", 40), False, "config.yaml"),
    "a flipped bit of the labels": (flip("labels.json", 3), False, "labels.json: damaged: found SHA-256"),
    "a flipped bit of the vocabulary": (flip("vocab.json", 3), False, "vocab.json: damaged: found SHA-256"),
    "a flipped bit of the sums": (flip(SUMS_FILE, 3), False, "SHA"),
    "no sums": (lambda path: (path / SUMS_FILE).unlink(), False, f"found no {SUMS_FILE}"),
    "a sum that is missing": (write(SUMS_FILE, f"{SUM}  x\n".encode()), False, f"no SHA-256 in {SUMS_FILE}"),
    "a sum of a file elsewhere": (
        append(SUMS_FILE, f"{SUM}  ../../etc/passwd\n"),
        False,
        "name inside the directory",
    ),
    "a sum of a file at the root": (append(SUMS_FILE, f"{SUM}  /etc/passwd\n"), False, "name inside the directory"),
    "two sums of one file": (append(SUMS_FILE, f"{SUM}  config.yaml\n"), False, "a unique name"),
    "a picture": (write(WEIGHTS, b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), True, "expected at most"),
    "a pickle": (write(WEIGHTS, pickle.dumps(Path("x")) + bytes(10)), True, "never loads pickles"),
    "a zip archive": (write(WEIGHTS, b"PK\x03\x04" + bytes(100)), True, "never loads pickles"),
    "weights that are text": (write(WEIGHTS, struct.pack("<Q", 9) + b"[1, 2, 3]"), True, "expected JSON"),
    "a header of 2^60 bytes": (header(lambda _: None, 2**60), True, f"found a header of {2**60} bytes"),
    "a tensor of 2^50 values": (of_first(shape=[2**25, 2**25]), True, "its shape (33554432, 33554432) needs"),
    "a tensor of no size at all": (of_first(shape=[2**63]), True, "an invalid shape or invalid offsets"),
    "a tensor of a hundred dimensions": (of_first(shape=[1] * 100), True, "an invalid shape or invalid offsets"),
    "a negative shape": (of_first(shape=[-1, -4]), True, "an invalid shape or invalid offsets"),
    "a tensor beyond the file": (of_first(data_offsets=[2**40, 2**40 + 4]), True, "damaged: "),
    "tensors that overlap": (of_first(shape=[0], data_offsets=[8, 8]), True, "where the one before it ends"),
    "a tensor of an unknown type": (of_first(dtype="X9"), True, "is of type 'X9'; expected one of"),
    "a tensor without a type": (header(lambda entries: entries.update(x={})), True, "lacks its type, shape"),
    "tensors that are none": (header(lambda entries: entries.update(x=3)), True, "lacks its type, shape"),
    "no tensors": (tensors(lambda weights: weights.clear()), True, "is missing; and"),
    "a tensor too many": (tensors(lambda weights: weights.update(x=torch.zeros(2))), True, "'x' is unexpected"),
    "a tensor too few": (tensors(lambda weights: weights.pop(min(weights))), True, "is missing"),
    "a tensor of another shape": (
        tensors(lambda weights: weights.update({min(weights): torch.zeros(3)})),
        True,
        "has shape (3,), expected",
    ),
    "a tensor of numbers of another kind": (
        tensors(lambda weights: weights.update({min(weights): weights[min(weights)].to(torch.int8)})),
        True,
        "is of type torch.int8, expected torch.float32",
    ),
    "a version from the future": (
        replace("config.yaml", "format_version: 2", "format_version: 99"),
        False,
        "Upgrade with",
    ),
    "a YAML tag that calls a function": (
        append("config.yaml", "x: !!python/object/apply:os.system ['touch sprung']\n"),
        True,
        "found the tag '!!python/object/apply:os.system'; expected none",
    ),
    "YAML that stands for more than memory holds": (append("config.yaml", LAUGHS), True, "anchors and aliases"),
    "YAML that is nested too deeply": (append("config.yaml", f"x: {'[' * 9000}{']' * 9000}\n"), True, "50 levels"),
    "a number of too many digits": (append("config.yaml", f"x: {'9' * 9000}\n"), True, "not valid YAML"),
    "JSON that is nested too deeply": (write("labels.json", b"[" * 90_000), True, "not valid JSON"),
    "a configuration of absurd size": (truncate("config.yaml", 2**40), False, "expected at most 262144"),
    "sums of absurd size": (truncate(SUMS_FILE, 2**40), False, "expected at most 1048576"),
    "labels of absurd size": (truncate("labels.json", 2**40), False, "expected at most 1048576"),
    "a system that is none": (replace("config.yaml", "class_name: ", "class_name: X"), True, "is not a system"),
    "a model that is none": (replace("config.yaml", "  model:", "  modem:"), True, "KeyError('model')"),
    "a system that never ends": (
        replace("config.yaml", "n_layers_output: 3", "n_layers_output: '3000000000'"),
        True,
        "outputs.n_layers_output: Input should be less than or equal to 64 (found '3000000000')",
    ),
    "metrics that are none": (replace("config.yaml", "metrics:", "metrics:\n  x: [1]"), True, "damaged"),
    "outputs that are none": (replace("config.yaml", "hter: true", "hter: [1]"), True, "hter"),
    "a directory": (lambda path: ((path / WEIGHTS).unlink(), (path / WEIGHTS).mkdir()), False, "found a directory"),
    "a link to nothing": (
        lambda path: ((path / "labels.json").unlink(), (path / "labels.json").symlink_to("nothing")),
        False,
        "cannot be read: No such file",
    ),
    "a link to an endless device": (
        lambda path: ((path / "labels.json").unlink(), (path / "labels.json").symlink_to("/dev/zero")),
        False,
        "found a device or pipe",
    ),
    "a pipe": (
        lambda path: ((path / "labels.json").unlink(), os.mkfifo(path / "labels.json")),
        False,
        "device or pipe",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_refused_with_the_reason(checkpoint: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkpoint.parent)
    damage, sealed, words = DAMAGES[name]
    damage(checkpoint)
    if sealed:
        reseal(checkpoint)
    assert words in refusal(checkpoint)
    assert [file.name for file in checkpoint.parent.iterdir()] == ["checkpoint"]  # nothing has run


ENCODER_DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a configuration that is none": (write("encoder.json", b"[]"), "found no model_type"),
    "an unknown model": (replace("encoder.json", '"xlm-roberta"', '"x"'), "its system cannot be built"),
    "a model of another size": (replace("encoder.json", '"hidden_size": 16', '"hidden_size": 32'), "has shape"),
    "a model larger than memory": (
        replace("encoder.json", '"vocab_size": ', '"vocab_size": 99999999999'),
        "expected at most 4194304",
    ),
    "a model that never ends": (
        replace("encoder.json", '"num_hidden_layers": 3', '"num_hidden_layers": 3000000000'),
        "num_hidden_layers: found 3000000000; expected at most 4194304",
    ),
    "a size that is none": (replace("encoder.json", '"hidden_size": 16', '"hidden_size": "x"'), "cannot be built"),
    "no heads": (replace("encoder.json", '"num_attention_heads": 2', '"num_attention_heads": 0'), "cannot be built"),
    "a tokenizer that is none": (write("tokenizer/tokenizer.json", b'{"model": 3}'), "not a tokenizer"),
    "a tokenizer of nothing": (write("tokenizer/tokenizer.json", b""), "not a tokenizer"),
}


@pytest.mark.parametrize("name", ENCODER_DAMAGES)
def test_damage_of_a_pretrained_encoder(whole: dict[str, Path], tmp_path: Path, name: str) -> None:
    checkpoint = Path(shutil.copytree(whole["transformer"], tmp_path / "checkpoint"))
    damage, words = ENCODER_DAMAGES[name]
    damage(checkpoint)
    assert "damaged: found SHA-256" in refusal(checkpoint)
    reseal(checkpoint)
    assert words in refusal(checkpoint)


def test_what_names_code_in_a_configuration_is_not_looked_at(whole: dict[str, Path], tmp_path: Path) -> None:
    checkpoint = Path(shutil.copytree(whole["transformer"], tmp_path / "checkpoint"))
    traps = {"auto_map": {"AutoModel": "evil.Model"}, "attn_implementation": "evil/kernel", "trust_remote_code": True}
    content = json.loads((checkpoint / "encoder.json").read_text(encoding="utf-8"))
    (checkpoint / "encoder.json").write_text(json.dumps(content | traps), encoding="utf-8")
    reseal(checkpoint)
    assert predictions(checkpoint) == predictions(whole["transformer"])


def test_random_damage_is_refused_or_does_no_harm(checkpoint: Path, tmp_path: Path) -> None:
    """Bytes that are flipped, cut off or put in, anywhere in any file, with the sums and without."""
    expected = predictions(checkpoint)
    generator = random.Random(7)
    files = sorted(file for file in checkpoint.rglob("*") if file.is_file())
    refused = 0
    for number in range(4 * len(files)):
        file = files[number % len(files)]
        former = file.read_bytes()
        content = bytearray(former)
        place = generator.randrange(len(content))
        how = generator.choice(["flip", "cut", "insert"])
        if how == "flip":
            content[place] ^= 1 << generator.randrange(8)
        elif how == "cut":
            del content[place:]
        else:
            content[place:place] = generator.randbytes(generator.randrange(1, 9))
        file.write_bytes(content)
        try:
            assert predictions(checkpoint) == expected, (file.name, how, place)
        except CheckpointError:
            refused += 1
        file.write_bytes(former)
    assert refused > 3 * len(files)
    assert predictions(checkpoint) == expected


def test_random_damage_below_the_sums(checkpoint: Path) -> None:
    """What parses the files refuses what it cannot use, whoever has written the sums."""
    generator = random.Random(3)
    small = sorted(file for file in checkpoint.rglob("*") if file.is_file() and file.name != SUMS_FILE)
    refused = 0
    for number in range(4 * len(small)):
        file = small[number % len(small)]
        former = file.read_bytes()
        content = bytearray(former)
        for _ in range(3):
            content[generator.randrange(len(content))] = generator.randrange(256)
        file.write_bytes(content)
        reseal(checkpoint)
        try:
            QESystem.load(checkpoint)
        except CheckpointError:
            refused += 1
        file.write_bytes(former)
    assert refused > 1


def test_files_that_are_not_its_own_do_no_harm(checkpoint: Path) -> None:
    before = predictions(checkpoint)
    for name in ("README.md", ".gitattributes", "notes.txt"):
        (checkpoint / name).write_text("x")
    (checkpoint / ".cache").mkdir()
    assert predictions(checkpoint) == before


def test_every_file_is_listed_and_every_listed_file_is_there(checkpoint: Path, tmp_path: Path) -> None:
    """Whoever removes a line can change its file; a file that is not there cannot be verified."""
    lines = (checkpoint / SUMS_FILE).read_text(encoding="utf-8").splitlines(keepends=True)
    for number, line in enumerate(lines):
        name = line.split("  ")[1].strip()
        (checkpoint / SUMS_FILE).write_text("".join(lines[:number] + lines[number + 1 :]), encoding="utf-8")
        for command in (load_system, inspect_checkpoint, lambda path: publish(path, tmp_path / "published")):
            with pytest.raises(CheckpointError, match=rf"{name}: damaged: has no SHA-256 in SHA256SUMS"):
                command(checkpoint)
        (checkpoint / SUMS_FILE).write_text("".join(lines), encoding="utf-8")
        (checkpoint / name).rename(tmp_path / "moved")
        for command in (load_system, inspect_checkpoint, lambda path: publish(path, tmp_path / "published")):
            with pytest.raises(CheckpointError, match=re.escape(str(checkpoint))):
                command(checkpoint)
        (tmp_path / "moved").rename(checkpoint / name)
    assert not (tmp_path / "published").exists()
    assert inspect_checkpoint(checkpoint).tensors


ODD_METADATA: dict[str, Any] = {
    "system": None,
    "system.class_name": ["NuQE"],
    "system.model": [],
    "system.model.encoder": 3,
    "system.model.outputs": "all",
    "system.model.outputs.word_level": [1],
    "system.model.outputs.sentence_level": "hter",
    "data": 5,
    "data.source_language": "en",
    "data.target_language": 3,
    "data.train_segments": ".inf",
    "pretrained": "bert",
    "metrics": [0.5],
    "metrics.val_PEARSON": "high",
}


@pytest.mark.parametrize("path", ODD_METADATA)
def test_odd_metadata_that_is_sealed_again(checkpoint: Path, path: str) -> None:
    file = checkpoint / "config.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    value = ODD_METADATA[path]
    file.write_text(yaml.safe_dump(changed(content, {path: float("inf") if value == ".inf" else value})), "utf-8")
    reseal(checkpoint)
    for command in (load_system, inspect_checkpoint):
        with pytest.raises(CheckpointError, match=re.escape(str(checkpoint))):
            command(checkpoint)


def test_links_as_the_cache_of_the_hub_has_them(checkpoint: Path, tmp_path: Path) -> None:
    before = predictions(checkpoint)
    (tmp_path / "blobs").mkdir()
    for number, file in enumerate(sorted(file for file in checkpoint.rglob("*") if file.is_file())):
        file.rename(tmp_path / "blobs" / str(number))
        file.symlink_to(tmp_path / "blobs" / str(number))
    assert predictions(checkpoint) == before


def test_a_checkpoint_of_format_1_is_read(whole: dict[str, Path], tmp_path: Path) -> None:
    checkpoint = Path(shutil.copytree(whole["NuQE"], tmp_path / "checkpoint"))
    before = predictions(checkpoint)
    (digest,) = (line[:64] for line in (checkpoint / SUMS_FILE).read_text().splitlines() if line.endswith(WEIGHTS))
    (checkpoint / SUMS_FILE).unlink()
    text = (checkpoint / "config.yaml").read_text(encoding="utf-8").replace("format_version: 2", "format_version: 1")
    data, rest = text.index("\ndata:"), text.index("\nmetrics:")
    (checkpoint / "config.yaml").write_text(f"{text[:data]}{text[rest:]}weights_sha256: {digest}\n", encoding="utf-8")
    assert predictions(checkpoint) == before
    assert read_checkpoint_info(checkpoint).format_version == 1
    flip(WEIGHTS, -3)(checkpoint)
    assert "its SHA-256 differs from the one in config.yaml" in refusal(checkpoint)


def test_parts_are_refused_alone(whole: dict[str, Path], tmp_path: Path) -> None:
    checkpoint = Path(shutil.copytree(whole["transformer"], tmp_path / "checkpoint"))
    flip("tokenizer/tokenizer.json", 30)(checkpoint)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: damaged: found SHA-256"):
        Pretrained.from_checkpoint(checkpoint)
    os.truncate(checkpoint / "vocab.json", 2**40)
    with pytest.raises(CheckpointError, match="expected at most 536870912"):
        load_vocabularies(checkpoint / "vocab.json", ["source"])


def test_licences_go_along(transformer: QESystem, whole: dict[str, Path], tmp_path: Path) -> None:
    loaded = QESystem.load(whole["transformer"])
    loaded.save(tmp_path / "again")
    for path in (whole["transformer"], tmp_path / "again"):
        assert (path / "licences" / "LICENSE").read_text() == "Do what you like.\n"
        info = read_checkpoint_info(path)
        assert info.origin is not None
        assert info.origin.name == "tiny"
    found = runner_of(loaded).predict(SOURCE, TARGET)
    assert runner_of(QESystem.load(tmp_path / "again")).predict(SOURCE, TARGET) == found
    # Mapped weights are not aligned like those in memory, which can change the last bit of a product. Copied to memory,
    # they are, and then everything agrees exactly.
    with torch.no_grad():
        for weight in (*loaded.parameters(), *loaded.buffers()):
            weight.data = weight.data.clone()
    assert runner_of(loaded).predict(SOURCE, TARGET) == runner_of(transformer).predict(SOURCE, TARGET)


KILLS = """
import os, random, signal, sys, time
from pathlib import Path
from kiwi.runner import load_system
from kiwi.systems.qe_system import QESystem

path = Path(sys.argv[1])
system = QESystem.load(path)
for kill in range(20):
    writer = os.fork()
    if writer == 0:
        while True:
            system.save(path)
    time.sleep(0.02 + 0.01 * kill)
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    load_system(path)
print("whole", 20, "times")
"""


def test_a_kill_at_any_moment_leaves_a_checkpoint_that_loads(whole: dict[str, Path], tmp_path: Path) -> None:
    checkpoint = Path(shutil.copytree(whole["NuQE"], tmp_path / "checkpoint"))
    done = subprocess.run(
        [sys.executable, "-c", KILLS, str(checkpoint)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout == "whole 20 times\n", done.stderr
    assert predictions(checkpoint) == predictions(whole["NuQE"])

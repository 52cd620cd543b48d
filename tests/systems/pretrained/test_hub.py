"""Folders of the hub: what is on this machine asks no network, and what is in the cache is found without one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.lib.inspect import inspect_checkpoint
from kiwi.runner import load_system
from kiwi.systems.pretrained.hub import locate, origin_and_licences
from kiwi.systems.qe_system import QESystem
from kiwi.systems.tlm_system import TLMSystem

COMMIT = "0123456789abcdef0123456789abcdef01234567"

OFFLINE = """
import json, sys
import kiwi
from kiwi.exceptions import CheckpointError
from kiwi.systems.qe_system import QESystem

found = {}
for name, revision in json.loads(sys.argv[1]):
    try:
        found[f"{name} {revision}"] = kiwi.load_system(name, revision=revision).engine.system.class_name
    except CheckpointError as error:
        found[f"{name} {revision}"] = str(error)
config = QESystem.resolve(QESystem.Config.from_dict({"load": "org/nuqe@main"}))
found["load"] = str(config.load)
encoder = {"class_name": "NuQE", "model": json.loads(sys.argv[2]), "load_encoder": "org/nuqe"}
found["load_encoder"] = str(QESystem.resolve(QESystem.Config.from_dict(encoder)).load_encoder)
found["from_pretrained"] = QESystem.from_pretrained("org/nuqe", revision="main").class_name
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def published(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("published") / "nuqe"
    QESystem.load(trained.path).save_pretrained(directory, name="org/nuqe", licence="apache-2.0")
    return directory


@pytest.fixture
def cache(published: Path, tmp_path: Path) -> Path:
    """As the library of the hub leaves it: snapshots whose files link to blobs."""
    repository = tmp_path / "hub" / "models--org--nuqe"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    snapshot = repository / "snapshots" / COMMIT
    shutil.copytree(published, snapshot)
    (repository / "blobs").mkdir()
    for number, file in enumerate(sorted(file for file in snapshot.rglob("*") if file.is_file())):
        file.rename(repository / "blobs" / str(number))
        file.symlink_to(repository / "blobs" / str(number))
    return tmp_path / "hub"


def test_names_are_found_in_the_cache_without_a_network(cache: Path, trained: Any, tmp_path: Path) -> None:
    names = [("org/nuqe", None), ("org/nuqe@main", None), ("org/nuqe", COMMIT), ("org/none", None), ("org/nuqe", "v2")]
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, json.dumps(names), json.dumps(trained.options["system"]["model"])],
        env={**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        cwd=tmp_path,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    snapshot = str(cache / "models--org--nuqe" / "snapshots" / COMMIT)
    assert found["load"] == found["load_encoder"] == snapshot
    assert {found["org/nuqe None"], found["org/nuqe@main None"], found[f"org/nuqe {COMMIT}"]} == {"NuQE"}
    assert found["from_pretrained"] == "NuQE"
    for missing in ("org/none None", "org/nuqe v2"):
        assert "Tried a local directory of this name (not found), then the model hub: " in found[missing]
        assert f"hf download {missing.split()[0]}" in found[missing]


@pytest.mark.parametrize("name", ["nothing", "a/b/c", "/a/b", "../a/b", "./a", "a/", "~/a"])
def test_paths_are_no_names_on_the_hub(name: str) -> None:
    assert locate(name) == Path(name)


def test_a_directory_comes_before_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "org" / "nuqe").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert locate("org/nuqe") == Path("org/nuqe")
    with pytest.raises(CheckpointError, match="a directory on this machine has none"):
        locate("org/nuqe", "main")


# What is published.


def test_a_published_folder_is_a_checkpoint_with_a_card(published: Path, trained: Any, corpus: Any) -> None:
    data = {name: corpus.lines("test", name) for name in ("source", "target", "alignments")}
    assert load_system(published).predict(**data) == load_system(trained.path).predict(**data)
    assert inspect_checkpoint(published).info.metrics == trained.info.best_metrics
    _, fields, text = (published / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    card = yaml.safe_load(fields)
    assert (card["library_name"], card["license"], card["pipeline_tag"]) == ("kiwi", "apache-2.0", "translation")
    assert card["tags"] == ["machine-translation", "quality-estimation", "nuqe"]
    (entry,) = card["model-index"]
    assert entry["name"] == "nuqe"
    values = {metric["name"]: metric["value"] for metric in entry["results"][0]["metrics"]}
    assert values["PEARSON"] == pytest.approx(trained.info.best_metrics["val_PEARSON"], abs=1e-4)
    assert {metric["type"] for metric in entry["results"][0]["metrics"]} == set(card["metrics"])
    assert not [name for name in values if "loss" in name]
    for words in (
        'system = kiwi.load_system("org/nuqe")',
        "kiwi predict config/predict.yaml system.load=org/nuqe",
        "data.test.input.alignments=",
        "- trained on 40 segments, validated on 12",
        "- at most 2 epochs; the best model by RMSE was kept",
        "- optimizer adam: learning_rate 0.01",
        "- seed 1",
        "- batches of 8 segments",
        "Licence of this system: apache-2.0.",
    ):
        assert words in text


def test_a_card_names_no_licence_that_is_not_given(pos_system: QESystem, tmp_path: Path) -> None:
    pos_system.save_pretrained(tmp_path / "mine")
    card = (tmp_path / "mine" / "README.md").read_text(encoding="utf-8")
    assert "\nlicense:" not in card
    assert "its authors have not named one here" in card
    assert "No results were saved with this system." in card
    assert "source_pos=[...]" in card


def test_a_language_model_is_published_too(corpus: Any, tmp_path: Path) -> None:
    encoder = {"hidden_size": 4, "rnn_layers": 1, "embeddings": {"source": {"dim": 3}, "target": {"dim": 3}}}
    config = TLMSystem.Config.from_dict({"class_name": "Predictor", "model": {"encoder": encoder}})
    columns = {"source": corpus.lines("train", "source"), "target": corpus.lines("train", "post_edit")}
    TLMSystem.build(config, columns).save_pretrained(tmp_path / "lm", metrics={"val_target_PERP": 30.0})
    card = (tmp_path / "lm" / "README.md").read_text(encoding="utf-8")
    assert "translation-language-model" in card
    assert "system.load_encoder=lm" in card
    assert "| target_PERP | 30.0000 |" in card
    assert TLMSystem.from_pretrained(tmp_path / "lm").class_name == "Predictor"
    assert inspect_checkpoint(tmp_path / "lm").info.outputs == []


def test_a_place_that_is_taken(pos_system: QESystem, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ConfigError, match="already exists and is not a checkpoint"):
        pos_system.save_pretrained(tmp_path)


# Where pretrained models come from.


@pytest.mark.parametrize(
    ("card", "name", "licence"),
    [
        (None, "folder", None),
        ("# A card without fields\n", "folder", None),
        ("---\nlicense: mit\n---\n# x\n", "folder", "mit"),
        ("---\r\nbase_model: org/base\r\nlicense: [a, b]\r\n---\r\n", "org/base", None),
        ("---\nbase_model: [org/one, org/two]\n---\n", "org/one", None),
        ("---\nlicense: !!python/object/apply:os.getcwd []\n---\n", "folder", None),
        ("---\n- a list\n---\n", "folder", None),
    ],
)
def test_the_card_of_a_folder(tmp_path: Path, card: str | None, name: str, licence: str | None) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    if card is not None:
        (folder / "README.md").write_text(card, encoding="utf-8", newline="")
    for notice in ("LICENSE", "license-of-data.txt", "NOTICE.md", "unlicensed.txt"):
        (folder / notice).write_text(notice, encoding="utf-8")
    (folder / "COPYING").write_bytes(bytes(2**20 + 1))
    origin, licences = origin_and_licences(str(folder), local=True)
    assert (origin.name, origin.licence) == (name, licence)
    assert licences == {notice: notice for notice in ("LICENSE", "NOTICE.md", "license-of-data.txt")}


def test_links_out_of_a_folder_are_not_copied(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    private = tmp_path / "private"
    private.mkdir()
    (private / "id_rsa").write_text("a secret\n", encoding="utf-8")
    (private / "card").write_text("---\nlicense: a secret\n---\n", encoding="utf-8")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "terms").write_text("Do what you like.\n", encoding="utf-8")
    (folder / "LICENSE").symlink_to("terms")
    (folder / "NOTICE").symlink_to(private / "id_rsa")
    (folder / "COPYING").symlink_to("COPYING")
    (folder / "README.md").symlink_to(private / "card")
    (folder / "LICENSE.txt").write_bytes(b"x" * (2**20 + 1))
    os.mkfifo(folder / "NOTICE.txt")
    origin, licences = origin_and_licences(str(folder), local=True)
    assert licences == {"LICENSE": "Do what you like.\n"}
    assert origin.licence is None
    assert sum("is not copied into checkpoints" in record.getMessage() for record in caplog.records) == 4


def test_links_of_the_cache_of_the_hub_are_followed(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "models--org--name" / "blobs", tmp_path / "models--org--name" / "snapshots" / COMMIT
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (blobs / "0a").write_text("Do what you like.\n", encoding="utf-8")
    (tmp_path / "models--org--name" / "0b").write_text("a secret\n", encoding="utf-8")
    (snapshot / "LICENSE").symlink_to(Path("..", "..", "blobs", "0a"))
    (snapshot / "NOTICE").symlink_to(Path("..", "..", "0b"))
    assert origin_and_licences(str(snapshot), local=True)[1] == {"LICENSE": "Do what you like.\n"}

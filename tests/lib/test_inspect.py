"""What a checkpoint is, and its way to the hub."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import kiwi
from kiwi.cli import app, run
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.lib.inspect import inspect_checkpoint, set_score_of
from kiwi.lib.publish import publish
from kiwi.lib.train import train_from_configuration
from kiwi.runner import load_system
from kiwi.systems.qe_system import QESystem
from tests.pretrained import write_model


def test_of_a_run(trained: Any) -> None:
    found = inspect_checkpoint(trained.output_dir)
    assert found.path == trained.output_dir / "best_model"
    assert found.info.class_name == "NuQE"
    outputs = ["target_tags", "gap_tags", "source_tags", "sentence_scores", "binary"]
    assert found.info.outputs == outputs
    assert found.info.outputs == trained.info.model.model_config.outputs.names
    assert found.weights == sum(weight.numel() for weight in trained.info.model.parameters())
    assert (found.info.data.train_segments, found.info.data.valid_segments) == (40, 12)
    sums = (trained.path / "SHA256SUMS").read_bytes()
    assert found.info.sha256 == hashlib.sha256(sums).hexdigest()


def test_of_a_pretrained_encoder(tmp_path: Path) -> None:
    folder = write_model("xlm", tmp_path / "tiny")
    (folder / "README.md").write_text("---\nlicense: mit\nbase_model: org/xlm\n---\n")
    (folder / "LICENSE").write_text("Permission is hereby granted\n")
    encoder = {"model_name": str(folder), "source_language": "en", "target_language": "de"}
    model = {"encoder": encoder, "outputs": {"sentence_level": {"hter": True}}}
    config = QESystem.Config.from_dict({"class_name": "XLM", "model": model})
    QESystem.build(config, {"source": ["a"], "target": ["b"], "sentence_scores": ["0.5"]}).save(tmp_path / "saved")
    found = inspect_checkpoint(tmp_path / "saved")
    assert (found.encoder.type, found.encoder.layers, found.encoder.hidden_size) == ("xlm", 3, 16)
    assert (found.encoder.name, found.encoder.licence) == ("org/xlm", "mit")
    assert found.info.languages == (("en",), ("de",))  # what the encoder was told
    assert found.licences == {"LICENSE": "Permission is hereby granted\n"}
    rows = dict(found.rows())
    assert rows["encoder"] == "xlm, 3 layers, hidden size 16, from org/xlm"
    assert rows["licences"] == "encoder: mit; notices: LICENSE"
    assert rows["languages"] == "en → de"
    card = (publish(tmp_path / "saved", tmp_path / "out") / "README.md").read_text(encoding="utf-8")
    assert "base_model: org/xlm\n" in card
    assert "~~~~text\nPermission is hereby granted\n~~~~" in card


def test_languages_are_kept_and_others_are_warned_of(options: Any, tmp_path: Path, corpus: Any, caplog: Any) -> None:
    from kiwi.lib.predict import predict_from_configuration

    changes = {"data.source_language": "en", "data.target_language": ["de", "zh-Hant"], "trainer.epochs": 1}
    path = train_from_configuration(options(changes)).best_model_path
    assert path is not None
    assert inspect_checkpoint(path).info.languages == (("en",), ("de", "zh-Hant"))
    assert load_system(path).engine.system.data_info.source_language == ("en",)
    data = {"source_language": "ro", "target_language": ["zh", "de-AT"], "test": {"input": corpus.inputs("test")}}
    run_options = {"output_dir": str(tmp_path / "out")}
    system = {"load": str(path), "num_data_workers": 0}
    caplog.clear()
    predict_from_configuration({"run": run_options, "data": data, "system": system})
    assert [r.message for r in caplog.records if r.levelname == "WARNING"] == [
        f"data.source_language is ro, but {path} was trained on en: its predictions may be unreliable."
    ]


def test_the_command(trained: Any, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["inspect", str(trained.path)])
    assert done.exit_code == 0
    for words in ("NuQE", "target_tags", "PEARSON", kiwi.__version__, "unchanged since they were saved", "40 segments"):
        assert words in done.output
    done = CliRunner().invoke(app, ["inspect", str(trained.path), "--json"])
    content = json.loads(done.output)
    assert content["system"] == "NuQE"
    assert content["files_are_as_saved"] is True
    assert content["metrics"] == trained.info.best_metrics


@pytest.mark.parametrize("name", ["model.safetensors", "config.yaml", "vocab.json", "labels.json", "SHA256SUMS"])
def test_a_damaged_one(trained: Any, tmp_path: Path, name: str) -> None:
    checkpoint = Path(shutil.copytree(trained.path, tmp_path / "checkpoint"))
    content = bytearray((checkpoint / name).read_bytes())
    digit = max(content.rfind(str(digit).encode()) for digit in range(10))
    content[digit] ^= 1  # another digit, so that the file is still of its format
    (checkpoint / name).write_bytes(content)
    with pytest.raises(CheckpointError, match="SHA"):
        inspect_checkpoint(checkpoint)
    assert run(lambda: inspect_checkpoint(checkpoint)) == 4
    with pytest.raises(CheckpointError):
        publish(checkpoint, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_publishing(trained: Any, tmp_path: Path) -> None:
    arguments = ["publish", str(trained.output_dir), str(tmp_path / "out"), "--name", "org/nuqe", "--license", "mit"]
    done = CliRunner().invoke(app, arguments)
    assert done.output == f"{tmp_path / 'out'}\n"
    names = {file.name for file in trained.path.iterdir()}
    assert {file.name for file in (tmp_path / "out").iterdir()} == names | {"README.md"}
    assert inspect_checkpoint(tmp_path / "out").info.sha256 == inspect_checkpoint(trained.path).info.sha256
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "license: mit\n" in card
    assert "- seed 1" in card
    with pytest.raises(ConfigError, match="already exists"):
        publish(trained.path, tmp_path / "out")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="found nothing there"):
        inspect_checkpoint(tmp_path / "nothing")


def test_what_scores_mean_is_kept_and_shown(trained: Any, tmp_path: Path) -> None:
    found = inspect_checkpoint(trained.path)
    assert found.info.data.score is not None
    assert found.info.data.score.kind == "hter"
    assert dict(found.rows())["scores"] == "HTER, lower is better, 0 to 1"
    assert found.to_dict()["score"]["higher_is_better"] is False
    card = (publish(trained.path, tmp_path / "published") / "README.md").read_text(encoding="utf-8")
    assert "a score for each segment: HTER, lower is better, 0 to 1" in card


def test_what_scores_mean_can_be_set(trained: Any, tmp_path: Path) -> None:
    path = tmp_path / "copy"
    shutil.copytree(trained.path, path)
    before = inspect_checkpoint(path)
    done = CliRunner().invoke(app, ["inspect", str(path), "--set-score", "kind=other,higher_is_better=true,range=1:5"])
    assert done.exit_code == 0, done.output
    after = inspect_checkpoint(path)
    assert dict(after.rows())["scores"] == "score, higher is better, 1 to 5"
    assert after.info.sha256 != before.info.sha256
    assert load_system(path).predict(["a"], ["b"], ["0-0"]) == load_system(trained.path).predict(["a"], ["b"], ["0-0"])
    set_score_of(path, "kind=da,range=standardized")
    assert inspect_checkpoint(path).info.data.score == ScoreMeaning("da", True)
    set_score_of(path, "kind=mqm,higher_is_better=true,range=standardized")
    assert inspect_checkpoint(path).info.data.score == ScoreMeaning("mqm", True)
    set_score_of(path, "kind=hter")
    assert inspect_checkpoint(path).info.data.score == ScoreMeaning("hter", False, (0.0, 1.0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind=mqm", "--set-score kind=mqm: higher_is_better: required"),
        ("knd=da", "did you mean 'kind'"),
        ("higher_is_better=true", "kind: required"),
        ("kind=da", "range: required for da, such as range=0:100, or range=standardized"),
        ("kind=da,range=1", "range: found '1'; expected two numbers"),
        ("kind=other,higher_is_better=true,range=5:1", "range: found 5 and 1"),
        ("kind=da,range=0:inf", "range: found 0 and inf; expected two finite numbers"),
        ("kind=da,range=0:1e400", "range: found 0 and inf; expected two finite numbers"),
        ("kind=hter,range=standardized", "found standardized; an HTER is a share of edits, from 0 to 1. For z-scores"),
        ("kind=hter,kind=da", "kind: given twice"),
    ],
)
def test_a_meaning_that_is_incomplete_changes_nothing(trained: Any, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "copy"
    shutil.copytree(trained.path, path)
    with pytest.raises(ConfigError, match=re.escape(message)):
        set_score_of(path, text)
    assert inspect_checkpoint(path).info == inspect_checkpoint(trained.path).info


def test_a_system_without_scores_has_no_meaning_of_them(options: Any, tmp_path: Path, corpus: Any) -> None:
    with pytest.raises(ConfigError, match=r"data\.score: the data has no sentence scores"):
        train_from_configuration(
            options(
                {
                    "data.train.output": {"target_tags": str(corpus.file("train", "target_tags"))},
                    "data.valid.output": {"target_tags": str(corpus.file("valid", "target_tags"))},
                    "system.model.outputs": {"word_level": {"target": True}},
                    "data.score": {"kind": "hter"},
                }
            )
        )

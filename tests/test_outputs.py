"""The table of outputs: everything reads it, so that a row and a module add an output."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import PositiveFloat
from torch import Tensor
from torch.nn import functional

from kiwi import constants as const, outputs
from kiwi.data.batch import QEBatch
from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.lib.evaluate import evaluate_from_configuration
from kiwi.lib.export import export
from kiwi.lib.inspect import inspect_checkpoint
from kiwi.lib.predict import predict_from_configuration
from kiwi.lib.publish import publish
from kiwi.lib.score import Input, score
from kiwi.lib.train import train_from_configuration
from kiwi.outputs import OUTPUTS, OutputSpec
from kiwi.runner import Predictions, load_system
from kiwi.systems.manifest.checkpoint import CheckpointInfo
from kiwi.systems.outputs.binary import BinaryOutput
from kiwi.systems.outputs.sentence_level import ScoreOutput
from kiwi.systems.outputs.word_level import GapOutput
from kiwi.utils.io import BaseConfig
from tests.conftest import Corpus, Options

LIMIT = 0.25


class HeavyEdit(BinaryOutput):
    """The module of the new output."""

    class Config(BaseConfig):
        bad_weight: PositiveFloat = 1.0
        """The weight of BAD in the loss."""

    @classmethod
    def build(cls, name: str, config: Any, sizes: Any) -> HeavyEdit:
        output = super().build(name, config, sizes)
        output.register_buffer("weights", torch.tensor([1.0, config.custom[name].bad_weight]), persistent=False)
        return output

    def loss(self, logits: Tensor, batch: QEBatch[Tensor]) -> Tensor:
        return functional.cross_entropy(logits, self.gold(batch), weight=self.weights)


ROW = OutputSpec(
    name="heavy_edit",
    kind="verdict",
    unit="segment",
    switch="custom.heavy_edit",
    module=f"{__name__}:HeavyEdit",
    attribute="sentences_heavy_edit",
    label_field=const.SENTENCE_SCORES,
    gold_field=const.SENTENCE_SCORES,
    title="Heavy edits",
    description="whether a segment needs a heavy edit",
    is_bad=lambda scores: scores > LIMIT,
)


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch) -> OutputSpec:
    monkeypatch.setitem(OUTPUTS, ROW.name, ROW)
    return ROW


def test_adding_an_output(row: OutputSpec, options: Options, corpus: Corpus, tmp_path: Path, caplog: Any) -> None:
    caplog.set_level("INFO", "kiwi")
    changes = {"system.model.outputs.custom": {"heavy_edit": {"bad_weight": 3.0}}, "trainer.main_metric": "RMSE"}
    info = train_from_configuration(options(changes))
    assert {"val_heavy_edit_loss", "val_heavy_edit_CORRECT"} <= info.best_metrics.keys()
    assert info.model.outputs.by_name["heavy_edit"].weights.tolist() == [1.0, 3.0]

    # The checkpoint knows it, and so does the card.
    run = tmp_path / "run"
    found = inspect_checkpoint(run)
    assert "heavy_edit" in found.info.outputs
    card = (publish(run, tmp_path / "published") / "README.md").read_text(encoding="utf-8")
    assert "`heavy_edit`: whether a segment needs a heavy edit" in card

    # Predictions, their files and their tables have it.
    test = {"input": corpus.inputs("test"), "output": corpus.labels("test")}
    predictions = predict_from_configuration(
        {
            "run": {"output_dir": str(tmp_path / "out"), "output_format": "jsonl"},
            "data": {"test": test},
            "system": {"load": str(run / "best_model")},
        }
    )
    probabilities = predictions.get("sentences_heavy_edit_BAD_probabilities")
    assert probabilities is not None
    assert len(probabilities) == 10
    labels = ["BAD" if p > 0.5 else "OK" for p in probabilities]
    assert predictions.get("sentences_heavy_edit_labels") == labels
    lines = [f"{p:.6f}" for p in probabilities]
    assert (tmp_path / "out" / "heavy_edit").read_text(encoding="utf-8").splitlines() == lines
    assert (tmp_path / "out" / "heavy_edit_labels").read_text(encoding="utf-8").splitlines() == labels
    table = (tmp_path / "out" / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["heavy_edit"] for line in table] == probabilities
    assert Predictions.read(tmp_path / "out") == predictions

    # It is compared with the labels of the data, and by evaluation, with the same result.
    gold = np.array([float(line) for line in corpus.lines("test", "sentence_scores")]) > LIMIT
    correct = np.mean(gold == (np.array(labels) == "BAD"))
    (message,) = [record.message for record in caplog.records if record.message.startswith("heavy_edit of 10 against")]
    assert f"CORRECT {correct:.4f}" in message
    gold_files = {"sentence_scores": str(corpus.file("test", "sentence_scores"))}
    report = evaluate_from_configuration({"gold_files": gold_files, "predicted_dir": str(tmp_path / "out")})
    (figures,) = report.of("heavy_edit")
    assert (figures.n, figures.metrics["CORRECT"]) == (10, pytest.approx(correct))

    # The shell shows it, with scores alone too.
    files = {field: Path(path) for field, path in corpus.inputs("test").items()}
    output = io.StringIO()
    score(run / "best_model", Input(files=files), output, scores_only=True)
    header, first, *_ = output.getvalue().splitlines()
    assert header.split("\t")[-2:] == ["heavy_edit", "heavy_edit_labels"]
    assert first.split("\t")[-2:] == [str(probabilities[0]), labels[0]]

    # An export has it; it can be switched off, in both.
    exported = export(run, tmp_path / "exported")
    texts = {field: corpus.lines("test", field) for field in files}
    again = load_system(exported.path).predict(**texts).get("sentences_heavy_edit_BAD_probabilities")
    assert again == pytest.approx(probabilities, abs=1e-4)
    for path in (run / "best_model", exported.path):
        without = load_system(path, model={"outputs": {"custom": {"heavy_edit": False}}})
        assert "heavy_edit" not in without.about.outputs
        assert without.predict(**texts).get("sentences_heavy_edit_labels") is None


class Effort(ScoreOutput):
    """The module of a second score: the square root of the first one."""

    def gold(self, batch: QEBatch[Tensor]) -> Tensor:
        return super().gold(batch).sqrt()


class Omissions(GapOutput):
    """The module of a second output for gaps."""


SCORE = replace(
    ROW,
    name="effort",
    kind="score",
    switch="custom.effort",
    module=f"{__name__}:Effort",
    attribute="effort",
    is_bad=None,
)
GAPS = replace(
    ROW,
    name="omissions",
    kind="tags",
    unit="gap",
    switch="custom.omissions",
    module=f"{__name__}:Omissions",
    attribute="omissions",
    label_field=const.TARGET_TAGS,
    gold_field=const.TARGET_TAGS,
    is_bad=None,
)


def test_adding_a_score_and_tags(
    options: Options, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    caplog.set_level("INFO", "kiwi")
    for spec in (SCORE, GAPS):
        monkeypatch.setitem(OUTPUTS, spec.name, spec)
    custom = {"effort": True, "omissions": True}
    info = train_from_configuration(options({"system.model.outputs.custom": custom, "trainer.main_metric": "RMSE"}))
    names = {"val_RMSE", "val_effort_RMSE", "val_effort_PEARSON", "val_omissions_MCC", "val_gap_tags_MCC"}
    assert names <= info.best_metrics.keys()
    assert info.best_metrics["val_RMSE"] != info.best_metrics["val_effort_RMSE"]

    test = {"input": corpus.inputs("test"), "output": corpus.labels("test")}
    predictions = predict_from_configuration(
        {
            "run": {"output_dir": str(tmp_path / "out"), "output_format": "tsv"},
            "data": {"test": test},
            "system": {"load": str(info.best_model_path)},
        }
    )
    effort, omissions = predictions.get("effort"), predictions.get("omissions_BAD_probabilities")
    assert effort is not None
    assert effort != predictions.sentences_hter
    assert omissions is not None
    assert [len(row) for row in omissions] == [len(line.split()) + 1 for line in corpus.lines("test", "target")]
    logged = [record.message.partition(" of ")[0] for record in caplog.records]
    assert {"effort", "omissions"} <= {*logged}

    gold_files = {name: str(corpus.file("test", name)) for name in ("sentence_scores", "target_tags")}
    page = tmp_path / "report.html"
    report = evaluate_from_configuration(
        {"gold_files": gold_files, "predicted_dir": str(tmp_path / "out"), "output": {"report": str(page)}}
    )
    (score_row,), (tag_row,) = report.of("effort"), report.of("omissions")
    assert score_row.n == 10
    gold = [float(line) for line in corpus.lines("test", "sentence_scores")]
    assert score_row.metrics["MAE"] == pytest.approx(np.mean(np.abs(np.round(effort, 6) - gold)))
    assert tag_row.n == sum(map(len, omissions))
    assert "effort" in page.read_text(encoding="utf-8")
    exported = export(info.best_model_path, tmp_path / "exported")
    texts = {field: corpus.lines("test", field) for field in corpus.inputs("test")}
    assert load_system(exported.path).predict(**texts).get("effort") == pytest.approx(effort, abs=1e-4)


def test_a_module_that_is_not_there(row: OutputSpec, options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OUTPUTS, row.name, replace(row, module="tests.test_outputs:HaevyEdit"))
    with pytest.raises(ConfigError, match=r"HaevyEdit' of the output 'heavy_edit' cannot be imported"):
        train_from_configuration(options({"system.model.outputs.custom": {"heavy_edit": True}}))


def test_an_output_without_a_row(options: Options) -> None:
    with pytest.raises(ConfigError, match=r"system\.model\.outputs\.custom.*'heavy_edit' is not an output"):
        train_from_configuration(options({"system.model.outputs.custom": {"heavy_edit": True}}))


def test_options_of_an_added_output_are_validated(row: OutputSpec, options: Options) -> None:
    with pytest.raises(ConfigError, match="bad_weigth"):
        train_from_configuration(options({"system.model.outputs.custom": {"heavy_edit": {"bad_weigth": 2.0}}}))


def test_a_checkpoint_with_an_output_that_has_no_row(
    row: OutputSpec, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = train_from_configuration(options({"system.model.outputs.custom": {"heavy_edit": True}}))
    monkeypatch.delitem(OUTPUTS, row.name)
    assert info.best_model_path is not None
    with pytest.raises(CheckpointError, match="'heavy_edit' is not an output"):
        load_system(info.best_model_path)


def test_the_rows_agree_with_what_is_bound() -> None:
    assert list(OUTPUTS) == ["target_tags", "gap_tags", "source_tags", "sentence_scores", "binary", "error_spans"]
    assert Predictions.attributes() == [
        *(f"{side}_tags_{kind}" for side in ("target", "gap", "source") for kind in ("BAD_probabilities", "labels")),
        "sentences_hter",
        "sentences_hter_deviation",
        "sentences_hter_low",
        "sentences_hter_high",
        "sentences_binary_BAD_probabilities",
        "sentences_binary_labels",
        "error_spans",
        "mqm_score",
        "combined_score",
    ]
    kinds = outputs.column_kinds()
    assert (kinds["gap_tags"], kinds["gap_tags_labels"]) == ("numbers", "texts")
    assert (kinds["sentence_scores_deviation"], kinds["binary_labels"]) == ("number", "text")


@pytest.mark.parametrize("name", OUTPUTS)
def test_each_switch_turns_on_its_own_output(name: str) -> None:
    level, _, switch = OUTPUTS[name].switch.partition(".")
    for value, expected in ((True, [name]), (False, []), (None, [])):
        options = {level: {switch: value} if switch else value}
        assert CheckpointInfo("NuQE", {"outputs": options}).outputs == expected

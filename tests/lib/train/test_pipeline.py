from __future__ import annotations

import csv
import dataclasses
import inspect
import json
import logging
import math
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

import kiwi
from kiwi.exceptions import CheckpointError, ConfigError, DataError, KiwiError
from kiwi.lib import train
from kiwi.lib.export import export
from kiwi.lib.train import (
    Configuration,
    RunConfig,
    TrainRunInfo,
    setup_run,
    train_from_configuration,
    train_from_file,
)
from kiwi.lib.utils import ignore_warnings_of
from kiwi.runner import load_system
from kiwi.systems.qe_system import QESystem

Options = Callable[..., dict[str, Any]]

PLAIN = {
    "system.model.outputs": {"word_level": {"target": True}},
    "system.model.decoder.target.dropout": 0.0,
    "system.optimizer": {"class_name": "sgd", "learning_rate": 0.01},
}
"""One output, no dropout, plain gradient descent."""


def weights(info: TrainRunInfo) -> dict[str, torch.Tensor]:
    return dict(info.model.state_dict())


def equal(one: TrainRunInfo, other: TrainRunInfo, prefix: str = "") -> bool:
    mine, theirs = weights(one), weights(other)
    assert set(mine) == set(theirs)
    return all(torch.equal(mine[name], theirs[name]) for name in mine if name.startswith(prefix))


def validations(output_dir: Path, metric: str = "val_target_tags_MCC") -> list[float]:
    with (output_dir / "metrics.csv").open(encoding="utf-8") as file:
        return [float(row[metric]) for row in csv.DictReader(file) if row[metric]]


def refused(options: dict[str, Any], kind: type[KiwiError] = ConfigError) -> str:
    with pytest.raises(kind) as error:
        train_from_configuration(options)
    return str(error.value)


# Results.


def test_the_result_of_a_run(trained: Any) -> None:
    info = trained.info
    assert isinstance(info, TrainRunInfo)
    assert isinstance(info.model, QESystem)
    assert info.best_model_path == trained.path
    assert info.best_model_path.parent == trained.output_dir / "checkpoints"
    names = {name.removeprefix("val_") for name in info.best_metrics if not name.endswith("loss")}
    assert names == set(info.model.model_config.outputs.metric_names)
    assert all(math.isfinite(value) for value in info.best_metrics.values())


def test_files_of_a_run(trained: Any) -> None:
    assert {file.name for file in trained.output_dir.iterdir()} == {
        ".lock",
        "best_model",
        "checkpoints",
        "config.yaml",
        "learning_curve.svg",
        "metrics.csv",
        "optimizer.safetensors",
        "output.log",
        "run.json",
    }
    log = (trained.output_dir / "output.log").read_text(encoding="utf-8")
    assert "Training on 40 segments, validating on 12" in log
    assert len(validations(trained.output_dir)) == 2
    written = yaml.safe_load((trained.output_dir / "config.yaml").read_text(encoding="utf-8"))
    assert Configuration.from_dict(written) == Configuration.from_dict(trained.options)


def test_the_figures_of_the_best_model_are_those_of_its_predictions(trained: Any, corpus: Any) -> None:
    data = {name: corpus.lines("valid", name) for name in ("source", "target", "alignments")}
    scores = load_system(trained.path).predict(**data, batch_size=5).sentences_hter
    gold = [float(line) for line in corpus.lines("valid", "sentence_scores")]
    rmse = float(np.sqrt(np.mean((np.array(scores) - gold) ** 2)))
    assert trained.info.best_metrics["val_RMSE"] == pytest.approx(rmse, abs=1e-5)


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_from_a_file(options: Options, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"train{suffix}"
    path.write_text(json.dumps(options(PLAIN)) if suffix == ".json" else yaml.safe_dump(options(PLAIN)))
    info = train_from_file(path)
    assert info.best_model_path is not None
    assert info.best_model_path.is_relative_to(tmp_path / "run")


def test_from_a_file_by_the_name_of_openkiwi(options: Options, tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text(yaml.safe_dump(options({**PLAIN, "debug": True})))
    assert isinstance(kiwi.train_from_file(str(path)), TrainRunInfo)


def test_a_file_and_its_mapping_train_alike(options: Options, tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text(yaml.safe_dump(options()))
    assert equal(train_from_file(path), train_from_configuration(options()))


# Directories.


def test_a_run_lies_under_its_id(options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_id = "00ff" * 8
    info = train_from_configuration(options({**PLAIN, "run.output_dir": None, "run.run_id": run_id}))
    assert info.best_model_path is not None
    assert info.best_model_path.is_relative_to(tmp_path / "runs" / "0" / run_id)


def test_an_id_is_drawn(tmp_path: Path) -> None:
    first, tracker = setup_run(RunConfig(), anchor_dir=tmp_path)
    second, _ = setup_run(RunConfig(), anchor_dir=tmp_path)
    assert tracker is None
    assert first.is_dir()
    assert first.parent == second.parent == tmp_path / "runs" / "0"
    assert first != second
    assert re.fullmatch("[0-9a-f]{32}", first.name)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"run_id": "ab" * 16}, "runs/0/" + "ab" * 16),
        ({"output_dir": "here"}, "here"),
        ({"output_dir": "here", "run_id": "ab" * 16}, "here"),
        ({"output_dir": "a/../b"}, "b"),
    ],
)
def test_the_output_directory_is_under_the_anchor(options: dict[str, Any], expected: str, tmp_path: Path) -> None:
    output_dir, _ = setup_run(RunConfig.from_dict(options), anchor_dir=tmp_path)
    assert output_dir == tmp_path / expected
    assert output_dir.is_dir()
    # Reused when it is there.
    assert setup_run(RunConfig.from_dict(options), anchor_dir=tmp_path)[0] == output_dir


def test_an_absolute_directory_needs_no_anchor(tmp_path: Path) -> None:
    config = RunConfig(output_dir=tmp_path / "there")
    assert setup_run(config, anchor_dir=tmp_path / "elsewhere")[0] == tmp_path / "there"


@pytest.mark.parametrize("run_id", ["", "abc", "0" * 31, "0" * 33, "g" * 32, "0" * 32 + "\n", "../" + "0" * 29])
def test_an_id_has_32_hexadecimal_characters(run_id: str, options: Options, tmp_path: Path) -> None:
    assert "run.run_id" in refused(options({"run.run_id": run_id}))
    assert not (tmp_path / "run").exists()


def test_seeds(tmp_path: Path) -> None:
    def draws(seed: int) -> tuple[float, float, float]:
        setup_run(RunConfig(seed=seed, output_dir=tmp_path))
        return random.random(), float(np.random.rand()), torch.rand(()).item()

    assert draws(3) == draws(3)
    assert not set(draws(3)) & set(draws(4))


@pytest.mark.parametrize(
    ("debug", "quiet", "level"),
    [
        (False, False, logging.INFO),
        (True, False, logging.DEBUG),
        (False, True, logging.WARNING),
        (True, True, logging.WARNING),
    ],
)
def test_levels_of_the_log(debug: bool, quiet: bool, level: int, tmp_path: Path) -> None:
    setup_run(RunConfig(output_dir=tmp_path), debug=debug, quiet=quiet)
    assert logging.getLogger("kiwi").getEffectiveLevel() == level
    assert ("output directory" in (tmp_path / "output.log").read_text()) == (not quiet)


# The same run twice.


@pytest.mark.parametrize("changes", [{}, {"data.buffer_size": 20}, {"data.valid": None, "data.split": 0.75}])
def test_the_same_seed_gives_the_same_weights(options: Options, changes: dict[str, Any]) -> None:
    changes = {**changes, "trainer.epochs": 2}
    first = train_from_configuration(options(changes))
    torch.rand(5)
    again = train_from_configuration(options(changes))
    assert equal(first, again)
    assert first.best_metrics == again.best_metrics
    other = train_from_configuration(options({**changes, "run.seed": 2}))
    assert any(not torch.equal(a, b) for a, b in zip(weights(first).values(), weights(other).values(), strict=False))


def test_the_seed_orders_the_data(options: Options, trained: Any) -> None:
    # From the same weights, without dropout, only the order of the data is left to differ.
    changes = {
        **PLAIN,
        "system.class_name": None,
        "system.model": {"decoder": {"target": {"dropout": 0.0}}},
        "system.load": str(trained.path),
    }
    changes["system.model"]["decoder"]["source"] = {"dropout": 0.0}  # type: ignore[index]
    runs = [train_from_configuration(options({**changes, "run.seed": seed})) for seed in (1, 1, 2)]
    assert equal(runs[0], runs[1])
    assert not equal(runs[0], runs[2])


def test_each_epoch_has_its_own_order(options: Options, corpus: Any) -> None:
    from lightning.pytorch import Callback

    from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
    from kiwi.training.config import TrainerConfig
    from kiwi.training.metrics_log import MetricsFile
    from kiwi.training.module import TrainingModule
    from kiwi.training.run_record import RunRecord
    from kiwi.training.trainer import TrainingRun, build_trainer

    class Seen(Callback):
        epochs: list[list[list[int]]]

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            self.epochs = []

        def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            self.epochs.append([])

        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
            self.epochs[-1] += [row[mask].tolist() for row, mask in zip(batch.source, batch.source_mask, strict=True)]

    settings = options(PLAIN)
    config = QESystem.Config.from_dict(settings["system"])
    data, valid = WMTQEDataset.train_and_valid(WMTQEDataset.Config.from_dict(settings["data"]), 1)
    system = QESystem.build(config, data.columns)
    module = TrainingModule(system, config, data, valid, main_metric=["target_tags_MCC"], buffer_size=None, seed=1)
    output_dir = Path(settings["run"]["output_dir"])
    with ignore_warnings_of("lightning"):
        record, loggers = RunRecord(output_dir, settings), [MetricsFile(output_dir / "metrics.csv", 100)]
        trainer, _ = build_trainer(TrainingRun(TrainerConfig(epochs=2), module, record, loggers, quiet=True))
        seen = Seen()
        trainer.callbacks.append(seen)  # type: ignore[attr-defined]
        trainer.fit(module)
    first, second = seen.epochs
    everything = sorted(system.vocabularies["source"].encode(line.split()) for line in corpus.lines("train", "source"))
    assert sorted(first) == sorted(second) == everything
    assert first != second


def test_workers_prepare_the_same_batches(options: Options) -> None:
    one = train_from_configuration(options({**PLAIN, "trainer.epochs": 2}))
    two = train_from_configuration(options({**PLAIN, "trainer.epochs": 2, "system.num_data_workers": 2}))
    assert equal(one, two)


# Options of the trainer.


def test_debug_runs_one_batch(options: Options, tmp_path: Path) -> None:
    info = train_from_configuration(options({"debug": True, "trainer.epochs": 5}))
    assert "val_target_tags_MCC" in info.best_metrics
    state = load_file(tmp_path / "run" / "optimizer.safetensors")
    assert {tensor.item() for name, tensor in state.items() if name.endswith("/step")} == {1.0}


def test_a_split_of_the_training_data(options: Options, tmp_path: Path) -> None:
    info = train_from_configuration(options({**PLAIN, "data.valid": None, "data.split": 0.75}))
    log = (tmp_path / "run" / "output.log").read_text()
    assert "Training on 30 segments, validating on 10" in log
    assert info.best_model_path is not None


def test_the_buffer_changes_what_shares_a_batch(options: Options) -> None:
    one = train_from_configuration(options(PLAIN))
    other = train_from_configuration(options({**PLAIN, "data.buffer_size": 20}))
    assert not equal(one, other)


@pytest.mark.parametrize(
    ("steps", "count"), [(1.0, 2), (0.5, 4), (0.2, 10), (0.001, 10), (1, 10), (2, 5), (5, 2), (7, 1)]
)
def test_how_often_to_validate(options: Options, tmp_path: Path, steps: float, count: int) -> None:
    # Five batches an epoch.
    changes = {**PLAIN, "trainer.epochs": 2, "trainer.checkpoint.validation_steps": steps}
    train_from_configuration(options(changes))
    assert len(validations(tmp_path / "run")) == count


def test_a_run_too_short_for_any_validation(options: Options) -> None:
    # Not: an hour of training, and no model.
    changes = options({**PLAIN, "trainer.checkpoint.validation_steps": 100})
    try:
        best: Any = train_from_configuration(changes).best_model_path
    except ConfigError as error:
        best = str(error)
    assert best is not None


def test_early_stopping(options: Options, tmp_path: Path) -> None:
    changes = {
        **PLAIN,
        "trainer.epochs": 9,
        "system.optimizer.learning_rate": 1e-12,
        "trainer.checkpoint.early_stop_patience": 2,
    }
    train_from_configuration(options(changes))
    assert len(validations(tmp_path / "run")) == 3


def test_no_early_stopping_unless_asked(options: Options, tmp_path: Path) -> None:
    train_from_configuration(options({**PLAIN, "trainer.epochs": 5, "system.optimizer.learning_rate": 1e-12}))
    assert len(validations(tmp_path / "run")) == 5


def test_nothing_is_saved(options: Options, tmp_path: Path) -> None:
    info = train_from_configuration(options({**PLAIN, "trainer.checkpoint.save_top_k": 0}))
    assert info.best_model_path is None
    assert "val_target_tags_MCC" in info.best_metrics
    assert not list((tmp_path / "run").glob("**/model.safetensors"))


def test_accumulated_gradients_are_those_of_a_larger_batch(options: Options) -> None:
    accumulated = {**PLAIN, "system.batch_size": 10, "trainer.gradient_accumulation_steps": 2}
    one = train_from_configuration(options(accumulated))
    two = train_from_configuration(options({**PLAIN, "system.batch_size": 20}))
    for name, tensor in weights(one).items():
        torch.testing.assert_close(tensor, weights(two)[name], atol=1e-6, rtol=1e-4)
    assert one.best_model_path is not None
    assert "step=2" in one.best_model_path.name


def test_gradients_are_clipped(options: Options) -> None:
    def moved(max_norm: float) -> float:
        # A rate of 0.01 and five steps; the norm of the way is at most that of its steps.
        far = train_from_configuration(options({**PLAIN, "trainer.gradient_max_norm": max_norm}))
        near = train_from_configuration(options({**PLAIN, "system.optimizer.learning_rate": 1e-12}))
        pairs = zip(weights(far).values(), weights(near).values(), strict=True)
        return float(torch.stack([(a - b).norm() for a, b in pairs]).norm())

    assert moved(0.0) > 10 * 5 * 0.01 * 0.1
    assert 0.2 * 5 * 0.01 * 0.1 < moved(0.1) < 1.01 * 5 * 0.01 * 0.1


@pytest.mark.parametrize("amp_level", ["O1", "O2", "O3"])
def test_16_bits_on_the_cpu(options: Options, corpus: Any, amp_level: str) -> None:
    info = train_from_configuration(options({"trainer.precision": "bf16", "trainer.amp_level": amp_level}))
    assert all(math.isfinite(value) for value in info.best_metrics.values())
    assert info.best_model_path is not None
    data = {name: corpus.lines("test", name) for name in ("source", "target", "alignments")}
    scores = load_system(info.best_model_path).predict(**data, batch_size=4).sentences_hter
    assert scores is not None
    assert all(math.isfinite(score) for score in scores)


def test_16_bits_are_not_32(options: Options) -> None:
    one = train_from_configuration(options(PLAIN))
    other = train_from_configuration(options({**PLAIN, "trainer.precision": "bf16", "trainer.amp_level": "O1"}))
    assert not equal(one, other)


@pytest.mark.parametrize(("method", "part"), [("losses", "train"), ("validate", "valid")])
def test_batches_that_are_too_large_are_named(
    options: Options, monkeypatch: pytest.MonkeyPatch, method: str, part: str
) -> None:
    plain, calls = getattr(QESystem, method), 0

    def huge(self: QESystem, *args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            torch.empty(2**48)
        return plain(self, *args)

    monkeypatch.setattr(QESystem, method, huge)
    message = refused(options(), KiwiError)
    assert message.startswith(f"Out of memory in batch 2 of the {part} data")
    assert ("(segments " in message) == (part == "train")
    assert f"Lower system.batch_size.{part}" in message


def test_gpus_that_are_not_there(options: Options, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="kiwi"):
        assert train_from_configuration(options({**PLAIN, "trainer.gpus": [0, 1], "debug": True})).best_metrics
    assert "trainer.gpus asks for GPUs" in caplog.text


# The main metric.


def test_several_metrics_are_added_up(options: Options) -> None:
    metric = ["WMT19_MCC", "PEARSON", "binary_CORRECT"]
    found = train_from_configuration(options({"trainer.main_metric": metric})).best_metrics
    assert found["val_WMT19_MCC+PEARSON+binary_CORRECT"] == pytest.approx(
        sum(found[f"val_{name}"] for name in metric), abs=1e-5
    )


@pytest.mark.parametrize("prefix", ["", "val_"])
def test_the_prefix_may_stand(options: Options, prefix: str) -> None:
    changes = {"trainer.main_metric": f"{prefix}RMSE", "debug": True}
    info = train_from_configuration(options(changes))
    assert "val_RMSE" in info.best_metrics
    assert not any(name.startswith("val_val_") for name in info.best_metrics)


@pytest.mark.parametrize(
    ("metric", "messages"),
    [
        ("PEARSONS", ["trainer.main_metric: 'PEARSONS' is not a metric", "did you mean 'PEARSON'?"]),
        ("target_MCC", ["'target_MCC'", "did you mean 'target_tags_MCC'?"]),
        (["WMT19_MCC", "target_PERP"], ["trainer.main_metric"]),
        (["PEARSON", "RMSE"], ["trainer.main_metric: higher is better for PEARSON, lower for RMSE"]),
    ],
)
def test_metrics_that_cannot_be(options: Options, tmp_path: Path, metric: Any, messages: list[str]) -> None:
    found = refused(options({"trainer.main_metric": metric}))
    for message in messages:
        assert message in found
    assert not (tmp_path / "run").exists()


def test_a_metric_of_an_output_that_is_off(options: Options) -> None:
    assert "'gap_tags_MCC' is not a metric of the configured outputs" in refused(
        options({**PLAIN, "trainer.main_metric": "gap_tags_MCC"})
    )


# What is refused before anything is read.


def test_nuqe_without_alignments(options: Options, tmp_path: Path) -> None:
    (tmp_path / "unreadable").write_bytes(b"\xff\xff\n")
    changes = {"data.train.input.alignments": None, "data.train.input.source": str(tmp_path / "unreadable")}
    message = refused(options(changes))
    assert "NuQE" in message
    assert "data.train.input.alignments: required" in message
    assert "which `kiwi align` writes, or `kiwi corpus`" in message
    assert not (tmp_path / "run").exists()


def test_missing_labels_are_named_together(options: Options) -> None:
    changes = {"data.train.output.source_tags": None, "data.valid.output.sentence_scores": None}
    message = refused(options(changes))
    assert "data.train.output.source_tags: required" in message
    assert "data.valid.output.sentence_scores: required" in message


def test_gaps_need_interleaved_tags(options: Options, corpus: Any, tmp_path: Path) -> None:
    words_only = str(corpus.file("train", "word_tags"))
    message = refused(options({"data.train.output.target_tags": words_only}), DataError)
    assert message.startswith(f"{words_only}: found one tag per word; expected tags interleaved with gaps")


def test_tags_of_words_serve_for_words(options: Options, corpus: Any) -> None:
    changes = {f"data.{part}.output.target_tags": str(corpus.file(part, "word_tags")) for part in ("train", "valid")}
    words = train_from_configuration(options({**PLAIN, **changes}))
    assert equal(words, train_from_configuration(options(PLAIN)))


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ({"trainer.resume": True, "run.output_dir": None}, ["run.run_id: required with trainer.resume"]),
        ({"trainer.resume": True, "debug": True}, ["debug: not supported with trainer.resume"]),
        ({"data": None}, ["data: required, but not given"]),
        ({"system": None}, ["system: required, but not given"]),
        ({"data.train": None}, ["data.train: required for training"]),
        ({"data.valid": None}, ["data.valid: exactly one of data.valid and data.split is required"]),
        ({"data.split": 0.9}, ["data.valid: exactly one of data.valid and data.split is required"]),
        ({"data.valid": None, "data.split": 1.0}, ["data.split"]),
        ({"system.optimizer": None}, ["system.optimizer: required for training"]),
        (
            {"data.train": None, "data.valid": None, "system.optimizer": None},
            ["3 mistakes", "data.train: required", "data.valid: exactly one", "system.optimizer: required"],
        ),
        (
            {"trainer.epochs": 0, "run.run_id": "x", "system.model.encoder.window_size": 0, "trainr": {}},
            ["4 mistakes", "trainer.epochs", "run.run_id", "system.model.encoder.window_size", "trainr: unknown key"],
        ),
        ({"data.train.input.target": "/no/such/file"}, ["data.train.input.target", "/no/such/file"]),
        ({"system.class_name": "NuQ"}, ["system.class_name: 'NuQ' is not a system; did you mean 'NuQE'?"]),
    ],
)
def test_configuration_errors(options: Options, tmp_path: Path, changes: dict[str, Any], messages: list[str]) -> None:
    found = refused(options(changes))
    for message in messages:
        assert message in found
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("field", "line", "text", "messages"),
    [
        ("source", 3, "", ["line 3: found an empty source"]),
        ("target_tags", 2, "OK", ["line 2: found 1 tags", "interleaved"]),
        ("source_tags", 5, "OK FINE", ["line 5: found 2 tags"]),
        ("sentence_scores", 7, "high", ["line 7: found 'high'; expected a finite number"]),
        ("sentence_scores", 7, "1.5", ["line 7", "1.5", "from 0 to 1", "use_distribution", "distribution=gaussian"]),
        ("alignments", 4, "0-99", ["line 4: found target index 99 in '0-99'"]),
    ],
)
def test_data_errors(
    options: Options, corpus: Any, tmp_path: Path, field: str, line: int, text: str, messages: list[str]
) -> None:
    lines = corpus.lines("train", field)
    lines[line - 1] = text
    broken = tmp_path / "broken.hter"
    broken.write_text("\n".join(lines) + "\n", encoding="utf-8")
    side = "input" if field in ("source", "alignments") else "output"
    found = refused(options({f"data.train.{side}.{field}": str(broken)}), DataError)
    assert found.startswith(str(broken))
    for message in messages:
        assert message in found


def test_scores_of_several_raters_are_learned_as_a_distribution(options: Options, corpus: Any, tmp_path: Path) -> None:
    changes: dict[str, Any] = {**PLAIN, "data.score": {"kind": "da"}}
    changes["system.model.outputs"] = {"sentence_level": {"hter": True, "use_distribution": True}}
    for part in ("train", "valid"):
        qualities = [round(100 - 100 * float(score)) for score in corpus.lines(part, "sentence_scores")]
        lines = [f"{quality} {quality + 10} {quality - 10}" for quality in qualities]
        (tmp_path / f"{part}.raters").write_text("\n".join(lines) + "\n", encoding="utf-8")
        changes[f"data.{part}.output"] = {"rater_scores": str(tmp_path / f"{part}.raters")}
    info = train_from_configuration(options(changes))
    level = info.model.model_config.outputs.sentence_level
    assert (level.distribution, level.distribution_loss) == ("gaussian", "kl")
    assert info.best_model_path is not None
    texts = [corpus.lines("test", field) for field in ("source", "target", "alignments")]
    found = load_system(info.best_model_path).predict(*texts)
    assert found.sentences_hter is not None
    assert all(50 < score < 120 for score in found.sentences_hter)  # on the scale of the raters
    assert found.sentences_hter_deviation is not None
    assert all(1 < deviation < 50 for deviation in found.sentences_hter_deviation)
    exported = load_system(export(info.best_model_path, tmp_path / "export").path, threads=1).predict(*texts)
    assert exported.sentences_hter == pytest.approx(found.sentences_hter, rel=1e-5)
    assert exported.sentences_hter_deviation == pytest.approx(found.sentences_hter_deviation, rel=1e-5)

    only_one = options(
        {**changes, "data.valid.output": {"sentence_scores": str(corpus.file("valid", "sentence_scores"))}}
    )
    assert "data.valid.output.rater_scores: required: the other part of the data has it" in refused(only_one)
    loaded = {"system.class_name": None, "system.model": {"outputs": {"sentence_level": {"distribution": "truncated"}}}}
    loaded["system.load"] = str(info.best_model_path)
    message = refused(options({**changes, "system.model.outputs": None, "system.model.decoder": None, **loaded}))
    assert "sentence_level.distribution: found 'truncated'" in message


# From trained systems.


def test_training_starts_from_a_trained_system(options: Options, trained: Any) -> None:
    changes = {
        "system.class_name": None,
        "system.model": None,
        "system.load": str(trained.path),
        "system.optimizer": {"class_name": "sgd", "learning_rate": 1e-12},
    }
    info = train_from_configuration(options(changes))
    loaded = QESystem.load(trained.path).state_dict()
    for name, tensor in weights(info).items():
        torch.testing.assert_close(tensor, loaded[name], atol=1e-9, rtol=0)
    assert info.best_metrics["val_RMSE"] == pytest.approx(trained.info.best_metrics["val_RMSE"], abs=1e-6)
    assert info.model.vocabularies == trained.info.model.vocabularies


@pytest.mark.parametrize("name", ["optimizer.safetensors", ""])
def test_the_state_of_the_optimizer_is_loaded(options: Options, trained: Any, tmp_path: Path, name: str) -> None:
    changes = {"system.class_name": None, "system.model": None, "system.load": str(trained.path)}
    state = trained.output_dir / name
    train_from_configuration(options({**changes, "system.optimizer.load": str(state)}))
    steps = {t.item() for n, t in load_file(tmp_path / "run" / "optimizer.safetensors").items() if n.endswith("/step")}
    assert steps == {15.0}


@pytest.mark.parametrize(
    ("name", "found"), [("best_model", "a directory without optimizer.safetensors"), ("nowhere", "no such file")]
)
def test_a_state_of_an_optimizer_that_is_not_there(
    options: Options, trained: Any, tmp_path: Path, name: str, found: str
) -> None:
    path = trained.output_dir / name
    message = refused(options({"system.optimizer.load": str(path)}), CheckpointError)
    expected = "expected the optimizer.safetensors of a run that has finished, or the directory of that run."
    assert message.startswith(f"system.optimizer.load: {path}: found {found}; {expected}")
    assert not (tmp_path / "run").exists()  # it is said before anything is read or written


def test_nothing_to_load(options: Options, tmp_path: Path) -> None:
    message = refused(options({"system.load": str(tmp_path / "nothing")}), CheckpointError)
    assert str(tmp_path / "nothing") in message
    assert not (tmp_path / "run").exists()


# Rates, frozen and sparse weights in a whole run.


def test_the_rate_falls_by_step_not_by_epoch(options: Options) -> None:
    # After the first step it is 0, so that more steps change nothing.
    changes = {**PLAIN, "system.optimizer.training_steps": 1}
    one = train_from_configuration(options({**changes, "debug": True}))
    whole = train_from_configuration(options({**changes, "trainer.epochs": 2}))
    assert equal(one, whole)


def test_frozen_embeddings_stay(options: Options) -> None:
    frozen = {**PLAIN, **{f"system.model.encoder.embeddings.{side}.freeze": True for side in ("source", "target")}}
    one = train_from_configuration(options({**frozen, "trainer.epochs": 1}))
    two = train_from_configuration(options({**frozen, "trainer.epochs": 2}))
    assert equal(one, two, prefix="encoder.embeddings.")
    assert not equal(one, two, prefix="decoder.")


SPARSE = {
    **{f"system.model.encoder.embeddings.{side}.sparse_embeddings": True for side in ("source", "target")},
    "system.optimizer.class_name": "sparse_adam",
}


def test_sparse_embeddings(options: Options) -> None:
    info = train_from_configuration(options(SPARSE))
    assert all(math.isfinite(value) for value in info.best_metrics.values())


def test_clipping_sparse_gradients_works_or_is_refused(options: Options) -> None:
    try:
        said = str(train_from_configuration(options({**SPARSE, "trainer.gradient_max_norm": 1.0})).best_model_path)
    except ConfigError as error:
        said = str(error)
    assert "best_model" in said or "step=" in said or "gradient_max_norm" in said


@pytest.mark.parametrize("name", ["noam", "adamw"])
def test_schedules_of_a_whole_run(options: Options, name: str) -> None:
    changes = {"system.optimizer.class_name": name, "system.optimizer.warmup_steps": 2}
    assert train_from_configuration(options(changes)).best_model_path is not None


def test_a_plateau_in_a_whole_run(options: Options, tmp_path: Path) -> None:
    changes = {
        **PLAIN,
        "trainer.epochs": 3,
        "system.optimizer": {
            "class_name": "sgd",
            "learning_rate": 1e-12,
            "learning_rate_decay": 0.5,
            "learning_rate_decay_start": 0,
        },
    }
    train_from_configuration(options(changes))
    assert len(validations(tmp_path / "run")) == 3


@pytest.mark.parametrize("outputs", [{"word_level": {"target": True}}, {"sentence_level": {"hter": True}}])
def test_training_that_diverges_says_so(options: Options, outputs: dict[str, Any]) -> None:
    optimizer = {"class_name": "sgd", "learning_rate": 1e30}
    message = refused(options({"system.model.outputs": outputs, "system.optimizer": optimizer}), KiwiError)
    assert "Training has diverged" in message
    assert "learning_rate" in message


def test_a_loss_that_is_not_a_number_names_the_segments(
    options: Options, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The message lists the segments of a batch of the second epoch, whose order is shuffled."""
    seen: list[set[float]] = []
    original = QESystem.losses

    def losses(self: QESystem, batch: Any) -> dict[str, torch.Tensor]:
        found = original(self, batch)
        seen.append(set(batch.sentence_scores.tolist()))
        return found if len(seen) < 8 else {**found, "loss": found["loss"] * math.nan}

    monkeypatch.setattr(QESystem, "losses", losses)
    scores = tmp_path / "scores"
    scores.write_text("".join(f"{number / 64}\n" for number in range(1, 41)), encoding="utf-8")
    changes = {"trainer.epochs": 2, "data.train.output.sentence_scores": str(scores)}
    message = refused(options(changes), KiwiError)
    numbers = message.partition("(segments ")[2].partition(" of the training data)")[0]
    assert {int(number) / 64 for number in numbers.split(", ")} == seen[-1]
    assert len(seen[-1]) == 8


# Names that others rely on.

RUN = [
    "seed",
    "experiment_name",
    "output_dir",
    "run_id",
    "use_mlflow",
    "mlflow_tracking_uri",
    "mlflow_always_log_artifacts",
    "use_tensorboard",
    "predict_after_training",
    "overwrite",
]
GPU = ["gpus", "precision", "amp_level"]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("RunConfig", RUN),
        ("CheckpointsConfig", ["validation_steps", "save_top_k", "early_stop_patience"]),
        ("GPUConfig", GPU),
        (
            "TrainerConfig",
            [
                *GPU,
                "num_nodes",
                "strategy",
                "average_weights",
                "resume",
                "epochs",
                "gradient_accumulation_steps",
                "gradient_max_norm",
                "main_metric",
                "log_interval",
                "log_save_interval",
                "checkpoint",
                "deterministic",
            ],
        ),
        ("Configuration", ["run", "trainer", "data", "system", "debug", "verbose", "quiet"]),
    ],
)
def test_options(name: str, options: list[str]) -> None:
    assert list(getattr(train, name).model_fields) == options


def test_defaults_of_a_run() -> None:
    assert RunConfig().model_dump() == {
        "seed": 42,
        "experiment_name": "default",
        "output_dir": None,
        "run_id": None,
        "use_mlflow": False,
        "mlflow_tracking_uri": "mlruns/",
        "mlflow_always_log_artifacts": False,
        "use_tensorboard": False,
        "predict_after_training": False,
        "overwrite": False,
    }


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("train_from_file", ["filename"]),
        ("train_from_configuration", ["configuration_dict"]),
        ("setup_run", ["config", "debug", "quiet", "anchor_dir"]),
        ("run", ["config", "system_type"]),
    ],
)
def test_parameters(name: str, parameters: list[str]) -> None:
    signature = inspect.signature(getattr(train, name))
    assert [each.name for each in signature.parameters.values() if each.kind != each.KEYWORD_ONLY] == parameters
    assert all(each.default is None for each in signature.parameters.values() if each.kind == each.KEYWORD_ONLY)


def test_fields_of_the_result() -> None:
    assert [field.name for field in dataclasses.fields(TrainRunInfo)] == ["model", "best_metrics", "best_model_path"]
    assert train.logger.name == "kiwi.lib.train"
    assert issubclass(train.TrainerConfig, train.GPUConfig)
    assert callable(train.GPUConfig.setup_gpu_ids)
    assert callable(train.GPUConfig.setup_amp_level)

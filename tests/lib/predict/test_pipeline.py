from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from kiwi.data.batch import NumpyBatch
from kiwi.data.datasets.parts import OutputConfig
from kiwi.data.files.tables import read_table
from kiwi.data.wmt.sentence_level import Header, SentenceSubmission, read_sentence_submission
from kiwi.data.wmt.word_level import read_word_submission
from kiwi.exceptions import CheckpointError, ConfigError, DataError, KiwiError
from kiwi.lib.evaluate import evaluate_from_configuration
from kiwi.lib.predict import predict_from_configuration, predict_from_file, predict_to_files
from kiwi.lib.predict.config import Configuration
from kiwi.lib.predict.labels import compare, read_labels
from kiwi.runner import Predictions, load_system
from kiwi.runner.word_aligner import load_word_aligner
from kiwi.utils.process import pace
from kiwi.utils.resumable import GrowingFiles
from tests.systems.test_qe_system import assert_same

Options = Callable[..., dict[str, Any]]


@pytest.fixture
def predicting(trained: Any, corpus: Any, tmp_path: Path, change: Any) -> Options:
    """The configuration of a prediction, with changes by dotted path."""
    base = {
        "run": {"output_dir": str(tmp_path / "out")},
        "data": {
            "train": {"input": corpus.inputs("train"), "output": corpus.labels("train")},
            "valid": {"input": corpus.inputs("valid"), "output": corpus.labels("valid")},
            "test": {"input": corpus.inputs("test")},
        },
        "system": {"load": str(trained.path), "batch_size": 4, "num_data_workers": 0},
    }
    return lambda changes=None: change(base, changes or {})


NAMES = {
    "sentence_scores",
    "sentence_scores_extras",
    *(
        f"{name}{suffix}"
        for suffix in ("", "_labels")
        for name in ("binary", "target_tags", "gap_tags", "source_tags", "targetgaps_tags")
    ),
}


def test_predictions_are_returned_and_written(predicting: Options, trained: Any, corpus: Any, tmp_path: Path) -> None:
    found = predict_from_configuration(predicting())
    assert {file.name for file in (tmp_path / "out").iterdir()} == NAMES | {"predictions.json"}
    data = {name: corpus.lines("test", name) for name in ("source", "target", "alignments")}
    expected = load_system(trained.path).predict(**data, batch_size=4)
    assert_same(found, expected)
    expected.save(tmp_path / "expected")
    found.save(tmp_path / "again")
    for name in NAMES:
        content = (tmp_path / "out" / name).read_bytes()
        assert content == (tmp_path / "expected" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_from_a_file(predicting: Options, tmp_path: Path) -> None:
    (tmp_path / "predict.yaml").write_text(yaml.safe_dump(predicting()))
    assert len(predict_from_file(tmp_path / "predict.yaml")) == 10
    assert (tmp_path / "out" / "sentence_scores").is_file()


@pytest.mark.parametrize(("part", "count"), [("train", 40), ("valid", 12), ("test", 10)])
def test_the_part_of_the_data(predicting: Options, part: str, count: int, tmp_path: Path) -> None:
    assert len(predict_from_configuration(predicting({"run.predict_on_data_partition": part}))) == count
    assert len((tmp_path / "out" / "sentence_scores").read_text().splitlines()) == count


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_predictions_are_compared_with_labels(
    predicting: Options, corpus: Any, part: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels = corpus.labels(part)
    with caplog.at_level(logging.INFO, logger="kiwi"):
        found = predict_from_configuration(
            predicting({"run.predict_on_data_partition": part, f"data.{part}.output": labels})
        )
    report = evaluate_from_configuration({"gold_files": labels, "predicted_dir": [str(tmp_path / "out")]})
    columns = {name: corpus.lines(part, name) for name in ("source", "target")}
    outputs = ["target_tags", "gap_tags", "source_tags", "sentence_scores", "binary"]
    own = compare(found, read_labels(OutputConfig(**labels), outputs, columns, Path("source")), "own")
    assert {row.output for row in own} == {
        "target_tags",
        "gap_tags",
        "source_tags",
        "WMT19",
        "sentence_scores",
        "binary",
    }
    for row in own:
        shared = {name: value for name, value in row.metrics.items() if row.output != "binary"}
        assert shared == pytest.approx({name: report.metric(row.output, name) for name in shared}, abs=1e-5)
        name, value = next(iter(row.metrics.items()))
        assert f"{row.output} of {row.n} against data.{part}.output: {name} {value:.4f}, " in caplog.text


def test_without_labels_nothing_is_compared(predicting: Options, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="kiwi"):
        predict_from_configuration(predicting())
    assert "against" not in caplog.text


def test_labels_beside_empty_segments(
    predicting: Options, corpus: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # The second segment is empty, and so are two at the end, whose labels are blank lines too many.
    rows: dict[str, list[str]] = {name: corpus.lines("test", name) for name in ("source", "target", "alignments")}
    rows |= {name: corpus.lines("test", name) for name in ("target_tags", "source_tags", "sentence_scores")}
    empty = {"target_tags": "OK", "sentence_scores": "0"}
    files = {}
    for name, lines in rows.items():
        lines.insert(1, empty.get(name, ""))
        files[name] = str(tmp_path / name)
        (tmp_path / name).write_text("\n".join(lines) + "\n" + "\n" * name.endswith("scores"), encoding="utf-8")
    inputs = {name: files[name] for name in ("source", "target", "alignments")}
    labels = {name: files[name] for name in ("target_tags", "source_tags", "sentence_scores")}
    with caplog.at_level(logging.WARNING, logger="kiwi"):
        found = predict_from_configuration(predicting({"data.test": {"input": inputs, "output": labels}}))
    assert f"{files['sentence_scores']}: dropped 1 blank line(s) at the end" in caplog.text
    assert len(found) == 11
    outputs = ["target_tags", "gap_tags", "source_tags", "sentence_scores", "binary"]
    own = compare(found, read_labels(OutputConfig(**labels), outputs, rows, Path("source")), "own")
    words = sum(len(line.split()) for line in rows["target"])
    counts = {row.output: row.n for row in own}
    assert counts["sentence_scores"] == counts["binary"] == 10
    assert (counts["target_tags"], counts["gap_tags"], counts["WMT19"]) == (words, words + 10, 2 * words + 10)


@pytest.mark.parametrize("on_bad", ["nan", "skip"])
def test_labels_beside_bad_segments(
    predicting: Options, corpus: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, on_bad: str
) -> None:
    source, target = corpus.lines("test", "source"), corpus.lines("test", "target")
    source[0] = ""  # the first line, by which the form of tags is recognized
    changed = [line.encode() for line in target]
    changed[3] = b"\xff " + changed[3]
    (tmp_path / "source").write_text("\n".join(source) + "\n", encoding="utf-8")
    (tmp_path / "target").write_bytes(b"\n".join(changed) + b"\n")
    changes = {f"data.test.input.{name}": str(tmp_path / name) for name in ("source", "target")}
    labels = {"data.test.output": corpus.labels("test"), "run.on_bad_segment": on_bad}
    with caplog.at_level(logging.INFO, logger="kiwi"):
        found = predict_from_configuration(predicting(changes | labels))
    assert len(found) == {"nan": 10, "skip": 8}[on_bad]
    assert "sentence_scores of 8 against data.test.output" in caplog.text
    n_words = sum(len(line.split()) for number, line in enumerate(target) if number not in (0, 3))
    assert f"target_tags of {n_words} against data.test.output" in caplog.text


@pytest.mark.parametrize(
    ("field", "content", "message"),
    [
        ("target_tags", "NEITHER\n" * 12, ", line 1: found 1 tags"),
        ("source_tags", "OK\n" * 12, ", line 1: found 1 tags"),
        ("sentence_scores", "0.1\n" * 11 + "x\n", ", line 12: found 'x'; expected a finite number"),
        ("sentence_scores", "0.1\n" * 11, ": found 11 lines; expected 12, as "),
        ("sentence_scores", "0.1\n" * 13, ": found 13 lines; expected 12, as "),
    ],
)
def test_labels_that_do_not_fit(predicting: Options, field: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "broken").write_text(content)
    changes = {"run.predict_on_data_partition": "valid", f"data.valid.output.{field}": str(tmp_path / "broken")}
    with pytest.raises(DataError) as error:
        predict_from_configuration(predicting(changes))
    assert str(error.value).startswith(f"{tmp_path / 'broken'}{message}")
    assert not (tmp_path / "out").exists()


def test_labels_of_other_outputs_and_parts_are_not_read(predicting: Options, tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("NEITHER\n")
    changes = {
        "run.predict_on_data_partition": "valid",
        "data.valid.output.source_tags": str(tmp_path / "broken"),
        "data.train.output.target_tags": str(tmp_path / "broken"),
        "system.model.outputs.word_level.source": False,
    }
    assert len(predict_from_configuration(predicting(changes))) == 12


SUBMISSION = {"language_pair": "en-de", "method": "kiwi tiny"}


@pytest.mark.parametrize(("year", "figures"), [("wmt20", 0), ("wmt21", 2), ("wmt22", 3), ("wmt23", 3)])
def test_submissions(predicting: Options, trained: Any, corpus: Any, tmp_path: Path, year: str, figures: int) -> None:
    found = predict_from_configuration(predicting({"submission": SUBMISSION | {"format": year}}))
    out = tmp_path / "out"
    assert {file.name for file in out.iterdir()} == {
        *NAMES,
        "predictions.json",
        "sentence_submission.tsv",
        "word_submission.tsv",
    }
    system = load_system(trained.path).engine.system
    disk_bytes = sum(file.stat().st_size for file in trained.path.iterdir() if file.is_file())
    header = Header(*[disk_bytes, sum(weight.numel() for weight in system.parameters()), 1][:figures])
    scores = read_sentence_submission(out / "sentence_submission.tsv", "en-de", len(found))
    written = [float(line) for line in (out / "sentence_scores").read_text().splitlines()]
    assert scores == SentenceSubmission(header, "en-de", "kiwi tiny", written)
    target, source = ([line.split() for line in corpus.lines("test", side)] for side in ("target", "source"))
    tags = read_word_submission(out / "word_submission.tsv", "en-de", target, source)
    assert tags.header == header
    if figures < 3:
        assert tags.target_tags == found.target_tags_labels
        assert tags.gap_tags == found.gap_tags_labels
        assert tags.source_tags == found.source_tags_labels
        return
    assert tags.target_words == [[*words, "<EOS>"] for words in target]
    assert tags.gap_tags is tags.source_tags is None
    assert found.gap_tags_labels is not None
    assert found.target_tags_labels is not None
    for row, gaps, words in zip(tags.target_tags or [], found.gap_tags_labels, found.target_tags_labels, strict=True):
        assert row == ["BAD" if "BAD" in pair else "OK" for pair in zip(gaps, [*words, "OK"], strict=True)]


def test_one_level_of_a_submission(predicting: Options, tmp_path: Path) -> None:
    every = SUBMISSION | {"format": "wmt23", "ensembled": 4}
    predict_from_configuration(predicting({"submission": every}))
    predict_from_configuration(predicting({"submission": every | {"levels": ["sentence"]}}))
    files = {file.name for file in (tmp_path / "out").iterdir()} - {*NAMES, "predictions.json"}
    assert files == {"sentence_submission.tsv"}
    assert read_sentence_submission(tmp_path / "out" / "sentence_submission.tsv").header.ensembled == 4


def test_a_submission_of_what_there_is(predicting: Options, tmp_path: Path) -> None:
    off = {"hter": False, "use_distribution": False}
    changes = {"system.model.outputs.sentence_level": off, "system.model.outputs.word_level.source": False}
    predict_from_configuration(predicting(changes | {"submission": SUBMISSION | {"format": "wmt20"}}))
    assert not (tmp_path / "out" / "sentence_submission.tsv").exists()
    found = read_word_submission(tmp_path / "out" / "word_submission.tsv")
    assert found.source_tags is None
    assert found.gap_tags is not None


@pytest.mark.parametrize(
    ("submission", "off", "message"),
    [
        (
            {"format": "wmt20", "levels": ["sentence", "word"]},
            {"sentence_level": {"hter": False, "use_distribution": False}},
            "submission: the sentence level needs sentence_scores (wmt20)",
        ),
        (
            {"format": "wmt23", "levels": ["word"]},
            {"word_level": {"target": False}},
            "submission: the word level needs target_tags (wmt23)",
        ),
        (
            {"format": "wmt22"},
            {"word_level": {"target": False}, "sentence_level": {"hter": False, "use_distribution": False}},
            "the sentence level needs sentence_scores; the word level needs target_tags (wmt22)",
        ),
        ({"format": "wmt19"}, {}, "submission.format"),
        ({"format": "wmt21", "ensembled": 2}, {}, "submission.ensembled: given, but the header of wmt21"),
        ({"format": "wmt23", "ensembled": 0}, {}, "submission.ensembled"),
        ({"format": "wmt23", "levels": []}, {}, "submission.levels"),
        ({"format": "wmt23", "language_pair": "en de"}, {}, "submission.language_pair"),
        ({"format": "wmt23", "method": " "}, {}, "submission.method"),
        ({}, {}, "submission.format: required"),
    ],
)
def test_submissions_that_cannot_be(
    predicting: Options, tmp_path: Path, submission: dict[str, Any], off: dict[str, Any], message: str
) -> None:
    changes: dict[str, Any] = {"submission": SUBMISSION | submission}
    if off:
        changes["system.model.outputs"] = off
    with pytest.raises(ConfigError) as error:
        predict_from_configuration(predicting(changes))
    assert message in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_submission_has_no_place_for_empty_segments(predicting: Options, corpus: Any, tmp_path: Path) -> None:
    inputs = {}
    for name in ("source", "target", "alignments"):
        lines = corpus.lines("test", name)
        lines[2] = ""
        inputs[name] = str(tmp_path / name)
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    changes = {"data.test.input": inputs, "submission": SUBMISSION | {"format": "wmt20"}}
    with pytest.raises(DataError, match=", line 3: found an empty source"):
        predict_from_configuration(predicting(changes))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suffix", ["tsv", "jsonl", "parquet"])
def test_one_table(predicting: Options, corpus: Any, tmp_path: Path, suffix: str) -> None:
    predict_from_configuration(predicting({"run.output_format": suffix}))
    assert {file.name for file in (tmp_path / "out").iterdir()} == {*NAMES, "predictions.json"} | {
        f"predictions.{suffix}"
    }
    names = sorted(NAMES - {"sentence_scores_extras"} - {name for name in NAMES if name.startswith("targetgaps")})
    columns = {name: name for name in ("source", "target", "sentence_scores_deviation", *names)}
    found = read_table(tmp_path / "out" / f"predictions.{suffix}", columns)
    assert found["source"] == corpus.lines("test", "source")
    assert found["target"] == corpus.lines("test", "target")
    for name in names:
        lines = (tmp_path / "out" / name).read_text().splitlines()
        if name.endswith("_labels"):
            assert found[name] == lines
        else:
            assert [[float(item) for item in line.split()] for line in found[name]] == [
                [float(item) for item in line.split()] for line in lines
            ]


def test_a_run_id_is_a_place_too(predicting: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_id = "0123456789abcdef" * 2
    predict_from_configuration(predicting({"run.output_dir": None, "run.run_id": run_id}))
    assert (tmp_path / "runs" / "0" / run_id / "sentence_scores").is_file()


@pytest.mark.parametrize(
    ("off", "gone"),
    [
        ("word_level.target", {"target_tags", "targetgaps_tags"}),
        ("word_level.gaps", {"gap_tags", "targetgaps_tags"}),
        ("word_level.source", {"source_tags"}),
        ("sentence_level.binary", {"binary"}),
    ],
)
def test_an_output_is_switched_off(predicting: Options, off: str, gone: set[str], tmp_path: Path) -> None:
    whole = predict_from_configuration(predicting({"run.output_dir": str(tmp_path / "whole")}))
    found = predict_from_configuration(predicting({f"system.model.outputs.{off}": False}))
    left = {name for name in NAMES if name.removesuffix("_labels") not in gone}
    assert {file.name for file in (tmp_path / "out").iterdir()} == left | {"predictions.json"}
    assert found.sentences_hter == pytest.approx(whole.sentences_hter, abs=1e-5)


def test_the_score_is_switched_off(predicting: Options, tmp_path: Path) -> None:
    off = {"hter": False, "use_distribution": False}
    predict_from_configuration(predicting({"system.model.outputs.sentence_level": off}))
    assert not any(file.name.startswith("sentence") for file in (tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("outputs", "missing"),
    [
        ({"word_level": {"gaps": True}}, "word_level.gaps: true"),
        ({"word_level": {"source": True, "target": True}}, "word_level.source: true"),
        ({"sentence_level": {"binary": True, "hter": False}}, "sentence_level.binary: true"),
    ],
)
def test_an_output_that_was_not_trained_is_left_off(
    predicting: Options,
    options: Options,
    tmp_path: Path,
    outputs: dict[str, Any],
    missing: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from kiwi.systems.qe_system import QESystem

    system = options({"system.model.outputs": {"word_level": {"target": True}}})["system"]
    columns = {"source": ["a b"], "target": ["c d"]}
    QESystem.build(QESystem.Config.from_dict(system), columns).save(tmp_path / "small")
    changes = {"system.load": str(tmp_path / "small"), "system.model": {"outputs": outputs}}
    predict_from_configuration(predicting(changes))
    assert f"{tmp_path / 'small'} was not trained for {missing}, which is ignored" in caplog.text
    assert "it predicts target_tags" in caplog.text
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "target_tags",
        "target_tags_labels",
        "predictions.json",
    }


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ({"run.output_dir": None}, ["run: one of run_id and output_dir is required"]),
        ({"run": None}, ["run: required, but not given"]),
        ({"run.run_id": "not-hex"}, ["run.run_id", "'not-hex'"]),
        ({"run.predict_on_data_partition": "dev"}, ["run.predict_on_data_partition", "'dev'"]),
        ({"data.test": None}, ["data.test: required, because run.predict_on_data_partition is 'test'"]),
        (
            {"data.valid": None, "run.predict_on_data_partition": "valid"},
            ["data.valid: required, because run.predict_on_data_partition is 'valid'"],
        ),
        ({"system.load": None}, ["system.class_name: one of class_name and load is required"]),
        ({"gpu_id": -1, "use_gpu": True}, ["gpu_id"]),
        ({"data.test": None, "gpu_id": -1}, ["gpu_id"]),
        ({"data.test.input.source": "/no/such/file"}, ["data.test.input.source", "/no/such/file"]),
        ({"sytem": {}}, ["sytem: unknown key; did you mean 'system'?"]),
        ({"system.model": {"encoder": {"window_size": 5}}}, ["system.model", "encoder", "only 'outputs'"]),
        ({"system.model": {"outputs": {"word_level": {"tags": True}}}}, ["system.model.outputs.word_level.tags"]),
    ],
)
def test_configuration_errors(
    predicting: Options, tmp_path: Path, changes: dict[str, Any], messages: list[str]
) -> None:
    with pytest.raises(ConfigError) as error:
        predict_from_configuration(predicting(changes))
    for message in messages:
        assert message in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_system_to_load_is_required(predicting: Options, model_options: Options) -> None:
    changes = {"system.load": None, "system.class_name": "NuQE", "system.model": model_options()}
    with pytest.raises(ConfigError) as error:
        predict_from_configuration(predicting(changes))
    assert "system.load: required: the trained system to predict with" in str(error.value)


def test_the_class_name_must_agree(predicting: Options) -> None:
    assert len(predict_from_configuration(predicting({"system.class_name": "NuQE"}))) == 10
    with pytest.raises(ConfigError) as error:
        predict_from_configuration(predicting({"system.class_name": "NuQ"}))
    assert "system.class_name: 'NuQ' is not a system; did you mean 'NuQE'?" in str(error.value)


def test_a_damaged_system(predicting: Options, trained: Any, tmp_path: Path) -> None:
    shutil.copytree(trained.path, tmp_path / "damaged")
    (tmp_path / "damaged" / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError) as error:
        predict_from_configuration(predicting({"system.load": str(tmp_path / "damaged")}))
    assert str(tmp_path / "damaged" / "model.safetensors") in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("gpu_id", [None, 0, 3])
def test_without_a_gpu_the_cpu_predicts(
    predicting: Options, gpu_id: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="kiwi"):
        assert len(predict_from_configuration(predicting({"use_gpu": True, "gpu_id": gpu_id}))) == 10
    assert "use_gpu is set, but no GPU is available: predicting on the CPU" in caplog.text


def test_no_warning_otherwise(predicting: Options, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="kiwi"):
        predict_from_configuration(predicting())
    assert caplog.text == ""


def test_files_that_the_system_reads_are_named(predicting: Options, tmp_path: Path) -> None:
    with pytest.raises((ConfigError, DataError)) as error:
        predict_from_configuration(predicting({"data.test.input.alignments": None, "run.align": False}))
    assert "data.test.input.alignments: required, or run.align=true" in str(error.value)
    assert not (tmp_path / "out").exists()


def test_without_alignments_kiwi_aligns(
    predicting: Options, corpus: Any, exported_aligner: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    aligns = {"data.test.input.alignments": None, "run.aligner": str(exported_aligner), "run.chunk_size": 3}
    found = predict_from_configuration(predicting(aligns))
    assert caplog.text.count("kiwi aligns the words by itself, with tiny, layer 2, fp32") == 1
    lines = load_word_aligner(exported_aligner).align(corpus.lines("test", "source"), corpus.lines("test", "target"))
    (tmp_path / "alignments").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    given = {"data.test.input.alignments": str(tmp_path / "alignments"), "run.output_dir": str(tmp_path / "given")}
    assert_same(found, predict_from_configuration(predicting(given)))
    with pytest.raises(ConfigError, match=r"run\.aligner: given, but so is data\.test\.input\.alignments"):
        predict_from_configuration(predicting({"run.aligner": str(exported_aligner)}))
    with pytest.raises(ConfigError, match="align is false"):
        predict_from_configuration(predicting(aligns | {"run.align": False}))


def test_several_processes_align_alike(
    predicting: Options, exported_aligner: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    aligns = {"data.test.input.alignments": None, "run.aligner": str(exported_aligner), "threads": 1}
    found = predict_from_configuration(predicting(aligns | {"processes": 2, "run.chunk_size": 2}))
    assert caplog.text.count("kiwi aligns") == 1
    assert_same(found, predict_from_configuration(predicting(aligns | {"run.output_dir": str(tmp_path / "whole")})))


def test_a_prediction_is_resumed_with_the_same_aligner_only(
    predicting: Options, exported_aligner: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    aligns = {"data.test.input.alignments": None, "run.aligner": str(exported_aligner), "run.chunk_size": 3}
    killed(predicting(aligns), 6, tmp_path)
    state = tmp_path / "out" / ".kiwi-unfinished" / "state.json"
    content = state.read_text(encoding="utf-8")
    with caplog.at_level(logging.INFO, logger="kiwi"):
        predict_to_files(predicting(aligns))
    assert "Resuming after the first 6 segments" in caplog.text
    record = json.loads((tmp_path / "out" / "predictions.json").read_text(encoding="utf-8"))
    assert record["aligner"].startswith("tiny, layer 2, fp32, ")
    state.parent.mkdir()
    for name in NAMES:
        shutil.copyfile(tmp_path / "out" / name, state.with_name(name))
    state.write_text(content.replace("fp32", "int8"), encoding="utf-8")
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="kiwi"):
        predict_to_files(predicting(aligns))
    assert "Resuming" not in caplog.text


def test_data_errors_name_file_and_line(predicting: Options, corpus: Any, tmp_path: Path) -> None:
    lines = corpus.lines("test", "target")
    lines[4] = ""
    (tmp_path / "broken.mt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(DataError) as error:
        predict_from_configuration(
            predicting({"data.test.input.target": str(tmp_path / "broken.mt"), "run.on_bad_segment": "stop"})
        )
    assert str(error.value).startswith(f"{tmp_path / 'broken.mt'}, line 5: found an empty target")
    assert not (tmp_path / "out").exists()


def test_batch_sizes_of_test_apply(predicting: Options) -> None:
    one = predict_from_configuration(predicting({"system.batch_size": {"train": 2, "test": 10}}))
    two = predict_from_configuration(predicting({"system.batch_size": 10}))
    assert asdict(one) == asdict(two)


def test_the_configuration_of_training_serves_for_prediction(predicting: Options, trained: Any) -> None:
    # With everything that training needs beside.
    changes = {"system.optimizer": trained.options["system"]["optimizer"], "data.buffer_size": 10, "data.split": 0.5}
    assert len(predict_from_configuration(predicting(changes))) == 10


def test_a_gpu_that_is_not_to_be_used(predicting: Options, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="kiwi"):
        predict_from_configuration(predicting({"gpu_id": 0}))
    assert "gpu_id is 0, but use_gpu is false" in caplog.text


# Large files.


def assert_same_files(one: Path, other: Path) -> None:
    """Apart from the last digit, which the batches decide."""
    names = [sorted(path.name for path in directory.iterdir()) for directory in (one, other)]
    assert names[0] == names[1]
    assert_same(Predictions.read(one), Predictions.read(other))


@pytest.mark.parametrize("changes", [{"run.chunk_size": 1}, {"run.chunk_size": 3}, {"run.chunk_size": 10}])
@pytest.mark.parametrize("table", ["plain", "jsonl", "parquet"])
def test_chunks_change_nothing(predicting: Options, tmp_path: Path, changes: dict[str, Any], table: str) -> None:
    whole = predict_from_configuration(predicting({"run.output_format": table}))
    parts = predict_from_configuration(
        predicting({"run.output_dir": str(tmp_path / "parts"), "run.output_format": table, **changes})
    )
    assert_same(parts, whole)
    if table != "plain":
        names = {name: name for name in ("source", "target", "sentence_scores", "target_tags_labels")}
        one, two = (read_table(tmp_path / out / f"predictions.{table}", names) for out in ("out", "parts"))
        assert one["source"] == two["source"]
        assert one["target_tags_labels"] == two["target_tags_labels"]


KILLED = """
import os, signal, sys, yaml
from kiwi.lib.predict import predict_to_files
from kiwi.utils.resumable import GrowingFiles

add = GrowingFiles.add

def killed_after(self, lines, digest):
    add(self, lines, digest)
    if self.n_lines >= int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

GrowingFiles.add = killed_after
predict_to_files(yaml.safe_load(open(sys.argv[1])))
"""


def killed(options: dict[str, Any], after: int, tmp_path: Path) -> None:
    """Predict in a process that is killed when so many segments are written."""
    (tmp_path / "options.yaml").write_text(yaml.safe_dump(options))
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "options.yaml"), str(after)], check=False)
    assert done.returncode == -signal.SIGKILL


def test_a_killed_prediction_goes_on(predicting: Options, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    options = predicting({"run.chunk_size": 3})
    killed(options, 6, tmp_path)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".kiwi-unfinished"]
    with caplog.at_level(logging.INFO, logger="kiwi"):
        predict_to_files(predicting({"run.chunk_size": 4}))  # in other parts
    assert "Resuming after the first 6 segments, which are already predicted." in caplog.text
    assert "4 segments in" in caplog.text
    predict_to_files(predicting({"run.output_dir": str(tmp_path / "whole")}))
    assert_same_files(tmp_path / "out", tmp_path / "whole")


def test_segments_that_have_changed_are_predicted_again(
    predicting: Options, corpus: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed(predicting({"run.chunk_size": 3}), 6, tmp_path)
    lines = corpus.lines("test", "target")
    lines[1] = " ".join(reversed(lines[1].split()))
    (tmp_path / "target").write_text("\n".join(lines) + "\n", encoding="utf-8")
    changes = {"data.test.input.target": str(tmp_path / "target"), "run.chunk_size": 3}
    with caplog.at_level(logging.INFO, logger="kiwi"):
        predict_to_files(predicting(changes))
    assert "Some of the 6 predicted segments have changed" in caplog.text
    predict_to_files(predicting({**changes, "run.output_dir": str(tmp_path / "whole")}))
    assert_same_files(tmp_path / "out", tmp_path / "whole")


def test_other_outputs_begin_anew(predicting: Options, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    killed(predicting({"run.chunk_size": 3}), 6, tmp_path)
    with caplog.at_level(logging.INFO, logger="kiwi"):
        predict_to_files(predicting({"system.model.outputs.word_level.source": False}))
    assert "Resuming" not in caplog.text
    assert not (tmp_path / "out" / "source_tags").exists()
    assert len((tmp_path / "out" / "target_tags").read_text().splitlines()) == 10


def test_another_precision_begins_anew(predicting: Options, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    killed(predicting({"run.chunk_size": 3, "precision": "bf16"}), 6, tmp_path)
    with caplog.at_level(logging.INFO, logger="kiwi"):
        predict_to_files(predicting())
    assert "Resuming" not in caplog.text
    predict_to_files(predicting({"run.output_dir": str(tmp_path / "whole")}))
    assert_same_files(tmp_path / "out", tmp_path / "whole")


def test_an_error_far_down_comes_before_any_work(predicting: Options, corpus: Any, tmp_path: Path) -> None:
    lines = corpus.lines("test", "target")
    (tmp_path / "target").write_text("\n".join([*lines[:-1], ""]) + "\n", encoding="utf-8")
    changes = {"run.chunk_size": 2, "run.on_bad_segment": "stop"}
    with pytest.raises(DataError, match="target, line 10: found an empty target"):
        predict_to_files(predicting(changes | {"data.test.input.target": str(tmp_path / "target")}))
    assert not (tmp_path / "out").exists()


def test_more_cores_than_threads_may_be(predicting: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5000")
    assert Configuration.model_validate(predicting({})).options.threads == 1024


def test_several_processes(predicting: Options, tmp_path: Path) -> None:
    found = predict_from_configuration(predicting({"processes": 2, "run.chunk_size": 2, "threads": 1}))
    whole = predict_from_configuration(predicting({"run.output_dir": str(tmp_path / "whole")}))
    assert_same(found, whole)


def test_a_process_that_dies(predicting: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add = GrowingFiles.add

    def kill(self: GrowingFiles, lines: Any, digest: str) -> None:
        add(self, lines, digest)
        for process in multiprocessing.active_children():
            process.kill()

    options = predicting({"processes": 2, "run.chunk_size": 1, "threads": 1})
    with monkeypatch.context() as patch:
        patch.setattr(GrowingFiles, "add", kill)
        with pytest.raises(KiwiError, match=r"has died, .* To resume, run the same command"):
            predict_to_files(options)
    assert (tmp_path / "out" / ".kiwi-unfinished").exists()
    predict_to_files(predicting({"run.chunk_size": 2}))
    predict_to_files(predicting({"run.output_dir": str(tmp_path / "whole")}))
    assert_same_files(tmp_path / "out", tmp_path / "whole")


def test_equal_segments_are_computed_once(trained: Any, corpus: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = load_system(trained.path)
    data = {name: corpus.lines("test", name)[:4] * 3 for name in ("source", "target", "alignments")}
    sizes: list[int] = []
    compute = type(runner.engine).__call__

    def counted(self: Any, batch: NumpyBatch) -> Any:
        sizes.append(len(batch))
        return compute(self, batch)

    monkeypatch.setattr(type(runner.engine), "__call__", counted)
    once = runner.predict(**data)
    assert sum(sizes) == 4
    sizes.clear()
    assert_same(once, runner.predict(**data, deduplicate=False))
    assert sum(sizes) == 12


def test_half_precision_is_close(predicting: Options, tmp_path: Path) -> None:
    found = predict_from_configuration(predicting({"precision": "bf16"}))
    whole = predict_from_configuration(predicting({"run.output_dir": str(tmp_path / "whole")}))
    assert found.target_tags_BAD_probabilities != whole.target_tags_BAD_probabilities
    np.testing.assert_allclose(
        np.concatenate(found.target_tags_BAD_probabilities or []),
        np.concatenate(whole.target_tags_BAD_probabilities or []),
        atol=0.05,
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": 16}, "precision: 16 needs use_gpu"),
        ({"processes": 0}, "processes: "),
        ({"threads": 0}, "threads: "),
        ({"run.batch_tokens": 0}, "run.batch_tokens: "),
        ({"run.chunk_size": 0}, "run.chunk_size: "),
    ],
)
def test_options_that_cannot_be(predicting: Options, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        predict_to_files(predicting(changes))


def test_a_prediction_says_how_far_it_is_within_a_chunk(
    predicting: Options, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pace, "SECONDS_BETWEEN_LINES", 0.0)
    with caplog.at_level(logging.INFO, logger="kiwi"):
        predict_to_files(predicting({"run.chunk_size": 6}))
    lines = [record.getMessage() for record in caplog.records if record.name == "kiwi.lib.console.progress"]
    counts = [int(line.partition(" ")[0]) for line in lines if " of 10, " in line]
    # Chunks of 6 and 4 segments, in batches of 4.
    assert counts == [4, 6, 6, 10, 10]
    assert all(line.endswith(" segments/s.") for line in lines)


def test_float16_falls_back_with_the_gpu(
    predicting: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("kiwi.systems.precision.cpu_flags", frozenset)
    predict_to_files(predicting({"use_gpu": True, "precision": 16}))
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "predicting on the CPU, in 16 bits only where it computes them natively" in warning
    whole = predict_from_configuration(predicting({"run.output_dir": str(tmp_path / "whole"), "precision": "auto"}))
    assert_same(Predictions.read(tmp_path / "out"), whole)


@pytest.mark.parametrize("processes", [1, 2])
def test_why_a_system_cannot_be_loaded_is_said(predicting: Options, tmp_path: Path, processes: int) -> None:
    with pytest.raises(CheckpointError, match="not a trained system"):
        predict_to_files(predicting({"system.load": str(tmp_path / "none"), "processes": processes}))


ORPHANS = """
import multiprocessing, os, signal, sys, yaml
from kiwi.lib.predict import predict_to_files
from kiwi.utils.resumable import GrowingFiles

def killed(self, lines, digest):
    with open(sys.argv[2], "w") as file:
        print(*(process.pid for process in multiprocessing.active_children()), file=file)
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    GrowingFiles.add = killed
    predict_to_files(yaml.safe_load(open(sys.argv[1])))
"""


def test_processes_end_with_who_started_them(predicting: Options, tmp_path: Path) -> None:
    (tmp_path / "options.yaml").write_text(yaml.safe_dump(predicting({"processes": 2, "run.chunk_size": 2})))
    (tmp_path / "orphans.py").write_text(ORPHANS)
    command = [sys.executable, *(str(tmp_path / name) for name in ("orphans.py", "options.yaml", "pids"))]
    done = subprocess.run(command, check=False, stderr=subprocess.DEVNULL)  # a pipe would wait for them
    assert done.returncode == -signal.SIGKILL
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    deadline = time.monotonic() + 20
    while (alive := [pid for pid in pids if _is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
    assert not alive


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_a_tab_is_found_before_any_work(predicting: Options, corpus: Any, tmp_path: Path) -> None:
    lines = corpus.lines("test", "source")
    lines[4] = lines[4].replace(" ", "\t", 1)
    (tmp_path / "source").write_text("\n".join(lines) + "\n", encoding="utf-8")
    changes = {"data.test.input.source": str(tmp_path / "source"), "run.output_format": "tsv"}
    with pytest.raises(DataError, match="source, line 5: found a tab; expected none in a TSV table"):
        predict_to_files(predicting(changes))
    assert not (tmp_path / "out").exists()
    assert predict_to_files(predicting({**changes, "run.output_format": "jsonl"})).n_segments == 10


def test_a_carriage_return_is_found_before_any_work(predicting: Options, corpus: Any, tmp_path: Path) -> None:
    lines = corpus.lines("test", "source")
    lines[4] = lines[4].replace(" ", "\r", 1)
    (tmp_path / "source").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    alignments = corpus.lines("test", "alignments")
    alignments[4] = "0-0"  # the line has one word less
    (tmp_path / "alignments").write_text("\n".join(alignments) + "\n", encoding="utf-8")
    changes = {f"data.test.input.{name}": str(tmp_path / name) for name in ("source", "alignments")}
    with pytest.raises(DataError, match="source, line 5: found a carriage return inside the line"):
        predict_to_files(predicting({**changes, "run.output_format": "tsv"}))
    assert not (tmp_path / "out").exists()


def test_what_fails_behind_the_predictions_costs_none_of_them(
    predicting: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError("no room")

    with monkeypatch.context() as patch:
        patch.setattr("kiwi.lib.predict.pipeline.write_predictions_table", fail)
        with pytest.raises(OSError, match="no room"):
            predict_to_files(predicting({"run.output_format": "jsonl"}))
    with caplog.at_level(logging.INFO, logger="kiwi"):
        predict_to_files(predicting({"run.output_format": "jsonl"}))
    assert "Resuming after the first 10 segments" in caplog.text
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == NAMES | {"predictions.json", "predictions.jsonl"}
    predict_to_files(predicting())
    assert {path.name for path in (tmp_path / "out").iterdir()} == NAMES | {"predictions.json"}


def test_labels_beside_blank_lines_at_the_end(predicting: Options, corpus: Any, tmp_path: Path) -> None:
    files = {}
    for name in ("source", "target", "alignments"):
        text = "\n".join(corpus.lines("valid", name)) + "\n"
        (tmp_path / name).write_text(text + "\n" * (name != "alignments"), encoding="utf-8")
        files[name] = str(tmp_path / name)
    changes = {"data.test": {"input": files, "output": corpus.labels("valid")}}
    assert predict_to_files(predicting(changes)).n_segments == 12


@pytest.mark.parametrize("on_bad", ["nan", "skip"])
def test_language_pairs_are_kept_beside_the_predictions(
    on_bad: str, predicting: Options, corpus: Any, tmp_path: Path
) -> None:
    target, pairs = corpus.lines("test", "target"), corpus.lines("test", "lp")
    target[1], pairs[4], pairs[6] = "", "english", " et-en"
    changes = {"run.on_bad_segment": on_bad, "run.chunk_size": 3}
    for name, lines in (("target", target), ("lp", pairs)):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        changes[f"data.test.input.{name}"] = str(tmp_path / name)
    if on_bad == "nan":
        killed(predicting(changes), 3, tmp_path)
    predict_to_files(predicting(changes))
    expected = [*pairs[:4], "", pairs[5], "et-en", *pairs[7:]]
    expected = [pair for row, pair in enumerate(expected) if on_bad == "nan" or row not in (1, 4)]
    assert (tmp_path / "out" / "lp").read_text(encoding="utf-8").splitlines() == expected
    assert len(Predictions.read(tmp_path / "out")) == len(expected)
    predict_to_files(predicting({"run.on_bad_segment": on_bad}))
    assert not (tmp_path / "out" / "lp").exists()


def test_submissions_name_one_pair_or_the_pair_of_each_segment(predicting: Options, corpus: Any) -> None:
    pairs = {"data.test.input.lp": str(corpus.file("test", "lp"))}
    submission = SUBMISSION | {"format": "wmt21"}
    with pytest.raises(ConfigError, match=r"submission.language_pair: given, but data.test.input.lp has the language"):
        predict_from_configuration(predicting({"submission": submission, **pairs}))
    without = {name: value for name, value in submission.items() if name != "language_pair"}
    with pytest.raises(ConfigError, match=r"submission.language_pair: required, unless lp of the data has"):
        predict_from_configuration(predicting({"submission": without}))

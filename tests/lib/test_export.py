from __future__ import annotations

import contextlib
import copy
import json
import math
import os
import shutil
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest

import kiwi
from kiwi.cli import app, run
from kiwi.constants import ORIGIN_FILE
from kiwi.exceptions import CheckpointError, ConfigError, DataError
from kiwi.lib.export import Export, _refuse, export
from kiwi.lib.inspect import inspect_checkpoint
from kiwi.lib.predict import predict_from_configuration
from kiwi.lib.publish import publish
from kiwi.lib.score.calibration import calibrate
from kiwi.lib.score.calibration.data import CalibrationFiles
from kiwi.runner import Predictions, load_system
from kiwi.runner.onnx_engine import OnnxEngine, open_session
from kiwi.systems.manifest.export import GRAPH_FILE
from kiwi.systems.qe_system import QESystem
from kiwi.utils.sealed import seal
from tests.conftest import Corpus, Trained, made_once
from tests.network import trace_sockets
from tests.pretrained import write_model


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A system on a pretrained encoder that carries a licence; not to be changed."""

    def make(root: Path) -> Path:
        folder = write_model("bert", root / "bert", num_hidden_layers=2)
        (folder / "LICENSE").write_text("Do as you please.\n", encoding="utf-8")
        model = {
            "encoder": {"model_name": str(folder), "hidden_size": 12},
            "decoder": {"hidden_size": 10, "bottleneck_size": 8},
            "outputs": {
                "word_level": {"target": True, "source": True},
                "sentence_level": {"hter": True, "binary": True},
            },
        }
        config = QESystem.Config.from_dict({"class_name": "Bert", "model": model})
        QESystem.build(config, {"sentence_scores": ["10", "70"]}).save(root / "trained")
        return root / "trained"

    return made_once(tmp_path_factory, "checkpoint-bert", make)


@pytest.fixture(scope="module")
def exported_int8(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """A Bert in 8 bits; not to be changed."""
    return made_once(tmp_path_factory, "exported-int8", lambda path: export(checkpoint, path, int8=True))


def test_predictions_are_the_same(exported: Export, trained: Trained, corpus: Corpus) -> None:
    texts = [corpus.lines("test", field) for field in ("source", "target", "alignments")]
    expected = load_system(trained.path).predict(*texts)
    runner = load_system(exported.path, threads=1)
    found = runner.predict(*texts, batch_size=3, num_data_workers=1)
    assert found.target_tags_labels == expected.target_tags_labels
    for name in ("sentences_hter", "sentences_hter_deviation", "sentences_binary_BAD_probabilities"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-5)
    for name in ("target_tags", "gap_tags", "source_tags"):
        rows = [getattr(part, f"{name}_BAD_probabilities") for part in (found, expected)]
        assert [value for row in rows[0] for value in row] == pytest.approx(
            [value for row in rows[1] for value in row], abs=1e-5
        )
    about = runner.about
    assert (about.class_name, about.place) == ("NuQE", exported.path)
    original = load_system(trained.path).about
    for name in ("input_fields", "outputs", "use_distribution", "data", "n_parameters", "sha256"):
        assert getattr(about, name) == getattr(original, name), name
    assert (about.precision, original.precision) == ("32", "32")
    sha256 = inspect_checkpoint(exported.path).to_dict()["export_sha256"]
    assert (about.export_sha256, original.export_sha256) == (sha256, "")


def test_what_is_written(exported_int8: Export, checkpoint: Path) -> None:
    path = exported_int8.path
    names = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
    assert names == {
        "SHA256SUMS",
        "encoder.json",
        "export.json",
        "labels.json",
        "licences/LICENSE",
        "model.onnx",
        "model.onnx.data",
        "tokenizer/tokenizer.json",
    }
    found = json.loads((path / "export.json").read_text(encoding="utf-8"))
    assert found["precision"] == "int8"
    assert found["input_fields"] == ["source", "target"]
    assert found["pieces"] == {"max_pieces": 64, "source_max_pieces": None, "target_max_pieces": None}
    differences = found["differences"]
    assert list(differences) == ["target_tags", "source_tags", "sentence_scores", "binary"]
    assert all(0 < each["mean"] < each["largest"] < 0.25 for each in differences.values())
    assert exported_int8.n_segments == found["n_compared"] == 1 + 60 + 2
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=path, check=True)
    inspection = inspect_checkpoint(path)
    assert inspection.licences == {"LICENSE": "Do as you please.\n"}
    assert inspection.info.sha256 == inspect_checkpoint(checkpoint).info.sha256
    assert inspection.to_dict()["precision"] == "int8"
    assert inspection.encoder.type == "bert"
    rows = dict(inspection.rows())
    assert rows["exported"] == f"for ONNX Runtime, int8, by kiwi {kiwi.__version__}"


def operators(path: Path) -> list[str]:
    return [node.op_type for node in ir.load(path / GRAPH_FILE).graph]


def test_a_graph_in_8_bits_is_stored_as_it_is_computed(
    exported_int8: Export, exported: Export, corpus: Corpus, tmp_path: Path
) -> None:
    stored = operators(exported_int8.path)
    assert "BiasGelu" in stored  # optimized for the CPU
    assert "SkipLayerNormalization" not in stored  # which is slow there
    assert exported_int8.info.is_optimized
    assert not exported.info.is_optimized  # it may be computed on a GPU
    texts = corpus.lines("test", "source"), corpus.lines("test", "target")
    expected = load_system(exported_int8.path, threads=1).predict(*texts)
    shutil.copytree(exported_int8.path, tmp_path / "copy")
    content = json.loads((tmp_path / "copy" / "export.json").read_text(encoding="utf-8"))
    del content["is_optimized"]  # as earlier versions of kiwi read it: ONNX Runtime optimizes it once more
    (tmp_path / "copy" / "export.json").write_text(json.dumps(content), encoding="utf-8")
    (tmp_path / "copy" / "SHA256SUMS").unlink()
    seal(tmp_path / "copy")
    assert load_system(tmp_path / "copy", threads=1).predict(*texts) == expected


def test_attention_reads_heads_side_by_side(exported_int8: Export) -> None:
    nodes = [node for node in ir.load(exported_int8.path / GRAPH_FILE).graph if node.op_type == "Attention"]
    assert len(nodes) == 2
    assert all(node.attributes.get_int("q_num_heads", 0) > 1 for node in nodes)
    assert "Transpose" not in operators(exported_int8.path)


def test_embeddings_in_4_bits(checkpoint: Path, exported_int8: Export, corpus: Corpus, tmp_path: Path) -> None:
    written = export(checkpoint, tmp_path / "out", int8=True, int4_embeddings=True)
    assert written.info.form == "int8, embeddings in 4 bits"
    inspection = inspect_checkpoint(written.path)
    assert inspection.to_dict()["int4_embeddings"]
    assert dict(inspection.rows())["exported"].startswith("for ONNX Runtime, int8, embeddings in 4 bits, by kiwi")
    assert (written.path / "model.onnx.data").stat().st_size < (exported_int8.path / "model.onnx.data").stat().st_size
    texts = [corpus.lines("test", field) for field in ("source", "target")]
    runner = load_system(written.path, threads=1)
    together = runner.predict(*texts)
    alone = [runner.predict(*([line] for line in row)) for row in zip(*texts, strict=True)]
    scores = [score for each in alone for score in each.sentences_hter or []]
    assert scores == pytest.approx(together.sentences_hter, abs=0.01)
    with pytest.raises(ConfigError, match="Export without --int8 or --int4-embeddings, or set another --bound"):
        _refuse(written.info, 1e-6)


def test_only_pretrained_encoders_have_embeddings_in_4_bits(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--int4-embeddings: found no embeddings of pieces"):
        export(trained.path, tmp_path / "out", int4_embeddings=True)
    assert not (tmp_path / "out").exists()


def test_segments_do_not_depend_on_each_other_in_8_bits(exported_int8: Export, corpus: Corpus) -> None:
    source, target = ([*corpus.lines("test", field), "a " * 90] for field in ("source", "target"))
    runner = load_system(exported_int8.path)
    assert runner.about.precision == "int8"
    together = runner.predict(source, target)
    for index in (0, 5, 10):
        alone = runner.predict(source[index : index + 1], target[index : index + 1])
        assert alone.sentences_hter == pytest.approx((together.sentences_hter or [])[index : index + 1], abs=0.01)


@pytest.mark.parametrize("kind", ["NuQE", "Bert in 8 bits"])
def test_the_same_bits_in_every_call_on_any_threads_in_any_order(
    kind: str, exported: Export, exported_int8: Export, corpus: Corpus
) -> None:
    path = (exported if kind == "NuQE" else exported_int8).path
    fields = load_system(path).about.input_fields
    lines = {field: [*corpus.lines("train", field), *corpus.lines("test", field)] for field in fields}
    expected = None
    for threads in (1, 2, 4):
        runner = load_system(path, threads=threads)
        for _ in range(2):
            found = runner.predict(**lines)
            expected = expected or found
            assert found == expected
        backwards = runner.predict(**{field: column[::-1] for field, column in lines.items()})
        assert (backwards.sentences_hter or [])[::-1] == expected.sentences_hter
        assert (backwards.target_tags_BAD_probabilities or [])[::-1] == expected.target_tags_BAD_probabilities


def test_kiwi_predict_takes_it(
    exported: Export, corpus: Corpus, tmp_path: Path, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {
        "run": {"output_dir": str(tmp_path / "out")},
        "data": {"test": {"input": corpus.inputs("test"), "output": corpus.labels("test")}},
        "system": {"load": str(exported.path)},
    }
    predictions = predict_from_configuration(options)
    assert len(predictions) == 10
    origin = json.loads((tmp_path / "out" / ORIGIN_FILE).read_text(encoding="utf-8"))
    assert origin["checkpoint"] == load_system(trained.path).about.sha256


@pytest.mark.parametrize(
    ("outputs", "left"),
    [
        ({"word_level": {"source": False, "gaps": False}}, ["target_tags", "sentence_scores", "binary"]),
        (
            {"sentence_level": {"hter": False, "use_distribution": False}},
            ["target_tags", "gap_tags", "source_tags", "binary"],
        ),
        ({"word_level": {"target": True}, "sentence_level": {"binary": False}, "dropout": 0.0}, None),
    ],
)
def test_outputs_are_switched_off(outputs: Any, left: list[str] | None, exported: Export, corpus: Corpus) -> None:
    runner = load_system(exported.path, model={"outputs": outputs})
    assert list(runner.about.outputs) == (left or ["target_tags", "gap_tags", "source_tags", "sentence_scores"])
    texts = [corpus.lines("test", field)[:2] for field in ("source", "target", "alignments")]
    found = runner.predict(*texts)
    assert (found.sentences_hter is not None) == ("sentence_scores" in runner.about.outputs)
    assert (found.sentences_hter_deviation is not None) == ("sentence_scores" in runner.about.outputs)
    assert (found.source_tags_labels is not None) == ("source_tags" in runner.about.outputs)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"encoder": {}}, "found encoder; only 'outputs' can be changed"),
        ({"outputs": {"word_level": True}}, "system.model.outputs.word_level: only outputs can be switched off"),
        ({"outputs": {"word_level": {"gaps": True}}}, "was not trained for gap_tags; it predicts target_tags, source"),
        ({"outputs": {"dropout": 0.5}}, "outputs.dropout: only outputs can be switched off"),
        ({"outputs": {"nonsense": None}}, "outputs.nonsense: only outputs can be switched off"),
        ({"outputs": {"nonsense": {}}}, "outputs.nonsense: only outputs can be switched off"),
        ({"outputs": {"word_level": {"targets": None}}}, "outputs.word_level.targets: only outputs can be"),
        ({"outputs": {"sentence_level": {"use_distribution": True}}}, "use_distribution: only outputs can be"),
        ({"outputs": {"sentence_level": {"use_distribution": "x", "binary": False}}}, "use_distribution: only outputs"),
        ({"outputs": {"word_level": {"gap": False}}}, "outputs.word_level.gap: only outputs can be switched off"),
        (
            {
                "outputs": {
                    "word_level": {"target": False, "source": False},
                    "sentence_level": {"hter": False, "binary": False},
                }
            },
            "all outputs of .* are switched off",
        ),
        ({"outputs": "none"}, "expected options of outputs"),
    ],
)
def test_what_cannot_be_switched(model: Any, message: str, exported_int8: Export) -> None:
    with pytest.raises(ConfigError, match=message):
        load_system(exported_int8.path, model=model)


@pytest.mark.parametrize("value", [False, "x", None])
def test_deviations_stay_while_scores_do(value: Any, exported: Export, trained: Trained) -> None:
    for path in (exported.path, trained.path):
        with pytest.raises(ConfigError):
            load_system(path, model={"outputs": {"sentence_level": {"use_distribution": value}}})


def test_as_much_at_once_as_of_a_checkpoint(exported: Export, exported_int8: Export, trained: Trained) -> None:
    assert load_system(exported.path).engine.batch_tokens == load_system(trained.path).engine.batch_tokens == 8192
    assert load_system(exported_int8.path).engine.batch_tokens == 1024
    session = SimpleNamespace(get_inputs=list, get_outputs=list, get_providers=lambda: ["CUDAExecutionProvider"])
    engine = load_system(exported.path).engine
    assert OnnxEngine(session, engine.collate, engine.about).batch_tokens == 16384


def test_gpus(exported: Export, exported_int8: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ConfigError, match="pip install onnxruntime-gpu"):
        load_system(exported.path, gpu_id=0)
    with pytest.raises(ConfigError, match=r"in 8 bits, which runs on the CPU only. Export it without --int8"):
        load_system(exported_int8.path, gpu_id=0)
    with pytest.raises(ConfigError, match="threads: found 0"):
        load_system(exported.path, threads=0)


def test_its_model_card_says_what_it_is(exported_int8: Export, exported: Export, tmp_path: Path) -> None:
    card = (publish(exported_int8.path, tmp_path / "int8") / "README.md").read_text(encoding="utf-8")
    assert "- onnx\n- int8\n" in card
    assert "ONNX Runtime (int8: its weights in 8 bits" in card
    for name, found in exported_int8.info.differences.items():
        assert f"| {name} | {found.n} | {found.largest:.2g} | {found.mean:.2g} |\n" in card
    assert "not of the export" in card
    card = (publish(exported.path, tmp_path / "fp32") / "README.md").read_text(encoding="utf-8")
    assert "ONNX Runtime (fp32: in single precision)" in card
    assert "int8" not in card
    assert load_system(tmp_path / "fp32").about.export_sha256 == load_system(exported.path).about.export_sha256


# Refusals; nothing is written then.


def test_what_needs_the_checkpoint(exported: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiwi.runner.torch_engine.load_checkpoint", None)  # it is refused before it is loaded
    message = r"is an exported system\. Name the checkpoint that it was exported from"
    with pytest.raises(CheckpointError, match=message):
        export(exported.path, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_too_far_from_the_original(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"int8\) differs from the original by more than 1e-06 .*\n  target_tags: "
    ) as error:
        export(trained.path, tmp_path / "out", int8=True, bound=1e-6)
    assert "Export without --int8, or set another --bound." in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_what_is_in_the_way_stays(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    for place in (tmp_path, tmp_path / "file"):
        with pytest.raises(ConfigError, match="already exists"):
            export(trained.path, place)
    with pytest.raises(CheckpointError, match="not a trained system"):
        export(tmp_path / "none", tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_files_to_compare_on(
    pos_system: QESystem,
    corpus: Corpus,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pos_system.save(tmp_path / "trained")
    with pytest.raises(
        ConfigError, match=r"also reads source_pos, target_pos, .*: --source-pos FILE; --target-pos FILE"
    ):
        export(tmp_path / "trained", tmp_path / "out")
    empty = tmp_path / "empty"
    empty.write_text("", encoding="utf-8")
    files = {field: Path(place) for field, place in corpus.inputs("test", pos=True).items()}
    with pytest.raises((ConfigError, DataError)):
        export(tmp_path / "trained", tmp_path / "out", files=dict.fromkeys(files, empty))
    (tmp_path / "other").mkdir()
    written = empty.rename(tmp_path / "other" / "empty")
    with pytest.raises(ConfigError, match="would be replaced, but this command reads"):
        export(tmp_path / "trained", written.parent, files=dict.fromkeys(files, str(written)), overwrite=True)
    sessions = []

    def opened(*arguments: Any, **options: Any) -> Any:
        session = open_session(*arguments, **options)
        sessions.append(weakref.ref(session))
        return session

    def sealed(directory: Path) -> None:
        """Nothing maps the weights when they are put in place."""
        assert [session() for session in sessions] == [None]
        seal(directory)

    monkeypatch.setattr("kiwi.runner.onnx_engine.open_session", opened)
    monkeypatch.setattr("kiwi.lib.export.seal", sealed)
    arguments = [f"--{field.replace('_', '-')}={place}" for field, place in files.items()]
    monkeypatch.setattr(sys, "argv", ["kiwi", "export", str(tmp_path / "trained"), str(tmp_path / "out"), *arguments])
    assert run(lambda: app(standalone_mode=False)) == 0
    shown = capsys.readouterr().out
    assert "Differences from the original on 11 segments" in shown
    assert f"{tmp_path / 'out'}: fp32, 0." in shown.replace("\n", "")


# Damage.


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def other_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    "name", ["export.json", "model.onnx", "model.onnx.data", "labels.json", "tokenizer/tokenizer.json"]
)
@pytest.mark.parametrize("damage", [cut, other_byte, Path.unlink])
def test_damage_is_found(name: str, damage: Callable[[Path], None], exported_int8: Export, tmp_path: Path) -> None:
    path = tmp_path / "copy"
    shutil.copytree(exported_int8.path, path)
    damage(path / name)
    for load in (load_system, inspect_checkpoint):
        with pytest.raises(CheckpointError):
            load(path)


def test_an_export_of_version_1_is_read_with_a_warning(
    exported_int8: Export, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "copy"
    shutil.copytree(exported_int8.path, path)
    content = json.loads((path / "export.json").read_text(encoding="utf-8"))
    (path / "export.json").write_text(json.dumps({**content, "format_version": 1}), encoding="utf-8")
    (path / "SHA256SUMS").unlink()
    seal(path)
    assert load_system(path).predict(["a b"], ["c d"]).sentences_hter is not None
    assert f"{path} was exported by an earlier version of kiwi" in caplog.text
    caplog.clear()
    load_system(exported_int8.path)
    assert "earlier version" not in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.onnx", "no graph", r"ONNX Runtime .* cannot load it: .* Restore it from a copy|restore it from a copy"),
        ("export.json", "{}", "found format version None; this kiwi"),
        ("export.json", '{"format_version": 3}', "found format version 3; this kiwi"),
        ("export.json", '{"format_version": 2}', r"export.json: damaged: KeyError\('pieces'\)"),
        ("labels.json", '{"target_tags": ["BAD", "OK"]}', r"expected labels \['OK', 'BAD'\]"),
        ("tokenizer/tokenizer.json", "{}", "tokenizer.json: damaged"),
        ("model.onnx.data", "", "cannot load it"),
    ],
)
def test_what_is_sealed_but_wrong(name: str, content: str, message: str, exported_int8: Export, tmp_path: Path) -> None:
    path = tmp_path / "copy"
    shutil.copytree(exported_int8.path, path)
    (path / name).write_text(content, encoding="utf-8")
    (path / "SHA256SUMS").unlink()
    seal(path)
    with pytest.raises(CheckpointError, match=message):
        load_system(path)


def test_every_file_is_listed(exported_int8: Export, tmp_path: Path) -> None:
    path = Path(shutil.copytree(exported_int8.path, tmp_path / "copy"))
    lines = (path / "SHA256SUMS").read_text(encoding="utf-8").splitlines(keepends=True)
    for number, line in enumerate(lines):
        (path / "SHA256SUMS").write_text("".join(lines[:number] + lines[number + 1 :]), encoding="utf-8")
        for command in (load_system, inspect_checkpoint, lambda path: publish(path, tmp_path / "published")):
            with pytest.raises(CheckpointError, match=rf"{line.split()[1]}: damaged: has no SHA-256"):
                command(path)


def leaves(content: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all values of nested mappings, those of mappings included."""
    if path:
        yield path
    for key in content if isinstance(content, dict) else ():
        yield from leaves(content[key], (*path, key))


ODD_VALUES: tuple[Any, ...] = (None, -1, "x", [3], {"a": []}, True, 1e300, float("nan"), [["source"]])


@pytest.mark.parametrize("name", ["export.json", "encoder.json"])
def test_odd_metadata_that_is_sealed_again(name: str, exported_int8: Export, tmp_path: Path) -> None:
    """Refused, or of no effect; never another error."""
    path = Path(shutil.copytree(exported_int8.path, tmp_path / "copy"))
    content = json.loads((path / name).read_text(encoding="utf-8"))
    random = Random(7)
    places = list(leaves(content))
    for number, place in enumerate(random.sample(places, min(80, len(places)))):
        changed = copy.deepcopy(content)
        *parents, last = place
        inner: Any = changed
        for key in parents:
            inner = inner[key]
        inner[last] = random.choice(ODD_VALUES)
        (path / name).write_text(json.dumps(changed), encoding="utf-8")
        (path / "SHA256SUMS").unlink()
        seal(path)
        with contextlib.suppress(CheckpointError):
            found = inspect_checkpoint(path)
            found.rows()
            found.to_dict()
        if number % 4 == 0:
            with contextlib.suppress(CheckpointError):
                load_system(path).predict(["a b"], ["c d"])


def test_no_sums(exported: Export, tmp_path: Path) -> None:
    shutil.copytree(exported.path, tmp_path / "copy")
    (tmp_path / "copy" / "SHA256SUMS").unlink()
    with pytest.raises(CheckpointError, match="found no SHA256SUMS"):
        load_system(tmp_path / "copy")


# Without torch.

SCRIPT = """
import importlib.abc, json, sys

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "lightning", "safetensors", "onnx", "omegaconf"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
import kiwi
source, target, alignments = json.load(sys.stdin)
found = {}
for name, path in zip(("nuqe", "bert"), sys.argv[1:]):
    runner = kiwi.load_system(path)
    found[name] = runner.predict(source, target, alignments if name == "nuqe" else None).sentences_hter
found["aligned"] = kiwi.load_system(sys.argv[1], aligner=sys.argv[4]).predict(source, target).sentences_hter
try:
    kiwi.load_system(sys.argv[1]).predict(source, target)
except kiwi.exceptions.MissingExtraError as error:
    found["no aligner"] = str(error)
try:
    kiwi.load_system(sys.argv[3])
except kiwi.exceptions.MissingExtraError as error:
    found["error"] = str(error)
print(json.dumps(found))
"""


def test_torch_is_not_needed(
    exported: Export, exported_int8: Export, trained: Trained, corpus: Corpus, exported_aligner: Path
) -> None:
    texts = [corpus.lines("test", field) for field in ("source", "target", "alignments")]
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            SCRIPT,
            exported.path,
            exported_int8.path,
            trained.path,
            exported_aligner,
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for name, path in (("nuqe", exported.path), ("bert", exported_int8.path)):
        expected: Predictions = load_system(path).predict(*texts[: 3 if name == "nuqe" else 2])
        assert found[name] == pytest.approx(expected.sentences_hter, abs=1e-6)
        assert all(map(math.isfinite, found[name]))
        assert np.std(found[name]) > 0
    assert "pip install '.[train]'" in found["error"]
    aligned = load_system(exported.path, aligner=exported_aligner).predict(*texts[:2])
    assert found["aligned"] == pytest.approx(aligned.sentences_hter, abs=1e-6)
    assert "Or name an aligner (--aligner, aligner)" in found["no aligner"]


# Telemetry.

PROGRAM = """
import sys
from kiwi.runner import PredictOptions, load_system
from kiwi.runner.processes import RunnerPool

if __name__ == "__main__":
    columns = {"source": ["a b c"], "target": ["d e"], "alignments": ["0-0"]}
    load_system(sys.argv[1], threads=1).predict(**columns)
    pool = RunnerPool(sys.argv[1], [None, None], PredictOptions(threads=1))
    print([len(each.predictions) for each in pool.predict_chunks([columns, columns, columns])])
    pool.close()
"""


def test_an_exported_system_contacts_nobody_and_writes_nothing(exported: Export, tmp_path: Path) -> None:
    """ONNX Runtime has telemetry, which opens sockets, and writes to the user's cache, when a session is opened."""
    opened = trace_sockets([sys.executable, "-c", PROGRAM, str(exported.path)], tmp_path)
    assert opened == []


def test_an_export_can_be_calibrated(exported: Any, trained: Any, corpus: Any, tmp_path: Path) -> None:
    places = {"export": exported.path, "checkpoint": trained.path}
    files = CalibrationFiles(
        {name: corpus.file("train", name) for name in ("source", "target", "alignments", "lp")},
        {"sentence_scores": corpus.file("train", "sentence_scores")},
    )
    for name, place in places.items():
        shutil.copytree(place, tmp_path / name)
        calibrate(tmp_path / name, files, confidence=0.8)
    own, other = (load_system(tmp_path / name).about.data.intervals for name in places)
    assert own is not None
    assert other is not None
    for name, group in own.groups.items():
        assert group.quantile == pytest.approx(other.groups[name].quantile, rel=1e-3)
    found = load_system(tmp_path / "export").predict(["a b"], ["c d"], ["0-0"], language_pairs=["et-en"])
    assert found.sentences_hter is not None
    assert found.sentences_hter_deviation is not None
    score, deviation = found.sentences_hter[0], found.sentences_hter_deviation[0]
    assert found.sentences_hter_high == [score + own.quantile("et-en") * deviation]
    labelled = CalibrationFiles(files.texts, {"target_tags": corpus.file("train", "target_tags")})
    with pytest.raises(ConfigError, match="an exported system, whose probabilities cannot be calibrated"):
        calibrate(tmp_path / "export", labelled)

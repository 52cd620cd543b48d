"""Exported systems that are trained further: their weights are restored."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
import torch

import kiwi
from kiwi.exceptions import CheckpointError
from kiwi.lib.export import Export, export
from kiwi.lib.train import train_from_configuration
from kiwi.runner.torch_engine import runner_of
from kiwi.systems.exported import from_4_bits, restore
from kiwi.systems.manifest.stored_weights import StoredWeights
from kiwi.systems.onnx.embeddings import to_4_bits
from kiwi.systems.onnx.quantize import initializer
from kiwi.systems.onnx.weights import find_weights
from kiwi.systems.qe_system import QESystem
from kiwi.utils.sealed import seal
from tests.conftest import Corpus, Trained, made_once
from tests.pretrained import write_model


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Export]:
    """A system with outputs of all kinds, and its export in 8 bits with embeddings in 4 bits; not to be changed."""

    def make(root: Path) -> tuple[Path, Export]:
        folder = write_model("bert", root / "bert", num_hidden_layers=2)
        torch.manual_seed(5)
        model = {
            "encoder": {"model_name": str(folder), "hidden_size": 12, "scalar_mix": True},
            "decoder": {"hidden_size": 10, "bottleneck_size": 8},
            "outputs": {
                "word_level": {"target": True, "gaps": True, "source": True},
                "sentence_level": {"hter": True, "binary": True},
                "span_level": {},
            },
        }
        config = QESystem.Config.from_dict({"class_name": "Bert", "model": model})
        columns = {"sentence_scores": ["-0.5", "0.7"], "error_spans": ["0:1:major 1:1:minor", ""]}
        system = QESystem.build(config, columns)
        with torch.no_grad():
            for name, weight in system.named_parameters():
                if name.endswith((".bias", "mix.weights", "mix.scale")):  # which start as zeros and ones
                    weight.add_(0.3 * torch.randn_like(weight))
        system.save(root / "trained")
        return root / "trained", export(root / "trained", root / "export", int8=True, int4_embeddings=True)

    return made_once(tmp_path_factory, "restorable", make)


def test_weights_are_those_of_the_checkpoint_up_to_rounding(small: tuple[Path, Export]) -> None:
    path, exported = small
    expected, found = (QESystem.load(each).state_dict() for each in (path, exported.path))
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        own = found[name]
        assert (own.shape, own.dtype) == (weight.shape, weight.dtype), name
        if not weight.is_floating_point():
            assert (own == weight).all(), name
            continue
        # At most an eighth of the largest value of a block in 4 bits, half of a 63rd of that of a column in 8 bits.
        bound = weight.abs().max() / (7 if "word_embeddings" in name else 120)
        assert (own - weight).abs().max() <= bound, name
    stored = exported.info.weights
    assert stored is not None
    assert stored.values.keys() == {"encoder.mix.weights"}
    assert not stored.lost
    same = [name for name in stored.values if (found[name] == expected[name]).all()]
    assert same == [*stored.values]
    restored = QESystem.load(exported.path)
    assert restored.data_info == QESystem.load(path).data_info
    assert restored.pretrained is not None


def test_a_restored_system_becomes_a_checkpoint(small: tuple[Path, Export], tmp_path: Path) -> None:
    restored = QESystem.from_pretrained(small[1].path)
    restored.save_pretrained(tmp_path / "checkpoint")
    again = QESystem.load(tmp_path / "checkpoint").state_dict()
    assert all((again[name] == weight).all() for name, weight in restored.state_dict().items())


def test_restoring_needs_the_library_that_reads_graphs(
    small: tuple[Path, Export], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx_ir", None)
    with pytest.raises(kiwi.MissingExtraError, match=r"Training an exported system further needs .*extra 'export'"):
        QESystem.load(small[1].path)


def test_a_restored_system_predicts_what_the_export_predicts(small: tuple[Path, Export], corpus: Corpus) -> None:
    texts = [corpus.lines("test", field) for field in ("source", "target")]
    expected = kiwi.load_system(small[1].path, threads=1).predict(*texts)
    found = runner_of(QESystem.load(small[1].path).eval()).predict(*texts)
    for name in (
        "sentence_scores",
        "sentences_binary_BAD_probabilities",
        "target_tags_BAD_probabilities",
        "gap_tags_BAD_probabilities",
        "source_tags_BAD_probabilities",
        "mqm_score",
    ):
        rows = [np.hstack([np.ravel(row) for row in getattr(each, name)]) for each in (found, expected)]
        assert rows[0] == pytest.approx(rows[1], abs=1.0 if name == "mqm_score" else 0.05), name
        assert np.abs(rows[0] - rows[1]).mean() < 0.1


def test_training_starts_from_it_and_keeps_outputs_without_labels(
    small: tuple[Path, Export], corpus: Corpus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parts = {
        part: {
            "input": {side: str(corpus.file(part, side)) for side in ("source", "target")},
            "output": {"sentence_scores": str(corpus.file(part, "sentence_scores"))},
        }
        for part in ("train", "valid")
    }
    options: dict[str, Any] = {
        "run": {"output_dir": str(tmp_path / "run")},
        "data": {**parts, "partial_labels": True},
        "system": {
            "load": str(small[1].path),
            "batch_size": 8,
            "num_data_workers": 0,
            "optimizer": {"class_name": "adam", "learning_rate": 1e-9},
        },
    }
    with caplog.at_level("INFO"):
        info = train_from_configuration(options)
    assert "Outputs without labels are not trained, but kept: target_tags, gap_tags, source_tags, error_spans." in (
        caplog.text
    )
    assert info.best_model_path is not None
    assert "val_PEARSON" in info.best_metrics
    assert not {"val_target_tags_MCC", "val_error_spans_F1"} & info.best_metrics.keys()
    before, after = (QESystem.load(each).state_dict() for each in (small[1].path, info.best_model_path))
    assert all(np.allclose(after[name], weight, atol=1e-6) for name, weight in before.items())
    with pytest.raises(kiwi.ConfigError, match=r"data.train.output.target_tags: required"):
        train_from_configuration(options | {"data": parts})
    # A verdict can be had from scores; labels of some kind are needed all the same.
    bare = {part: {"input": files["input"]} for part, files in parts.items()}
    with pytest.raises(kiwi.ConfigError, match=r"data.train.output.sentence_scores: required"):
        train_from_configuration(options | {"data": bare | {"partial_labels": True}})


def test_values_in_4_bits_are_restored() -> None:
    values = np.random.default_rng(4).normal(size=(4100, 64)).astype(np.float32)
    packed, scales, _ = to_4_bits(values)
    found = from_4_bits(packed, scales)
    again, again_scales, exact = to_4_bits(found)
    assert exact
    assert (from_4_bits(again, again_scales) == found).all()
    assert np.abs(found - values).max() < 0.4


def test_the_forms_of_an_initializer() -> None:
    integers = np.arange(6, dtype=np.int8).reshape(2, 3)
    arrays: dict[str, Any] = {
        "plain": np.ones(2, dtype=np.float32),
        "product_int8": integers,
        "product_scale": np.array([1.0, 2.0, 4.0], dtype=np.float32),
        "gemm_transposed_int8": integers,
        "gemm_transposed_scale": np.array([1.0, 2.0, 4.0], dtype=np.float32),
        "rows_int8": integers,
        "rows_scale": np.array([[1.0], [2.0]], dtype=np.float32),
    }
    assert restore(arrays.get, "plain").tolist() == [1, 1]
    assert restore(arrays.get, "product").tolist() == [[0, 2, 8], [3, 8, 20]]
    assert restore(arrays.get, "gemm").tolist() == [[0, 3], [2, 8], [8, 20]]
    assert restore(arrays.get, "rows").tolist() == [[0, 1, 2], [6, 8, 10]]
    with pytest.raises(ValueError, match="found no initializer 'other'"):
        restore(arrays.get, "other")


def changed_copy(exported: Export, directory: Path, change: Any) -> Path:
    """Return a copy of an export with other metadata."""
    shutil.copytree(exported.path, directory)
    file = directory / "export.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    change(content)
    file.write_text(json.dumps(content), encoding="utf-8")
    seal(directory)
    return directory


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda info: info.pop("weights"), r"did not record in export.json where .* Train the checkpoint"),
        (
            lambda info: info["weights"]["lost"].extend(["a.weight", "b.weight"]),
            r"its graph does not have a.weight and 1 more of its weights .* Train the checkpoint",
        ),
        (lambda info: info["weights"].update(transposed=[]), r"export.json: damaged.*weights.transposed"),
        (lambda info: info["weights"].update(lost=None), r"export.json: damaged.*weights.lost"),
        (
            lambda info: info["weights"]["initializers"].update({"a": "b"}),
            r"model.onnx: damaged: its weights cannot be restored: found no initializer 'b'",
        ),
        (lambda info: info["weights"]["values"].update({"a": ["x"]}), r"model.onnx: damaged: its weights"),
        (lambda info: info["weights"]["values"].update({"a": [1.0]}), r"do not fit this system: 'a' is unexpected"),
    ],
)
def test_exports_that_cannot_be_restored(small: tuple[Path, Export], change: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=message):
        QESystem.load(changed_copy(small[1], tmp_path / "copy", change))


def test_weights_are_read_from_the_file_of_the_export_only(small: tuple[Path, Export], tmp_path: Path) -> None:
    path = changed_copy(small[1], tmp_path / "copy", lambda _: None)
    graph = path / "model.onnx"
    graph.write_bytes(graph.read_bytes().replace(b"model.onnx.data", b"../onnx/data.bi"))
    seal(path)
    with pytest.raises(CheckpointError, match=r"model.onnx: damaged: '.*' is not in model.onnx.data"):
        QESystem.load(path)


def test_systems_that_read_words_are_restored_exactly(trained: Trained, exported: Export) -> None:
    expected, found = QESystem.load(trained.path), QESystem.load(exported.path)
    assert found.vocabularies.keys() == expected.vocabularies.keys()
    own = found.state_dict()
    assert own.keys() == expected.state_dict().keys()
    assert all((own[name] == weight).all() for name, weight in expected.state_dict().items())


def graph_with(**arrays: Any) -> ir.Model:
    graph = ir.Graph([], [], nodes=[], opset_imports={"": 23}, name="graph")
    for name, values in arrays.items():
        initializer(graph, name, values)
    return ir.Model(graph, ir_version=10)


def test_weights_are_found_by_value() -> None:
    draw = np.random.default_rng(5)
    square, wide, bias = draw.normal(size=(4, 4)), draw.normal(size=(2, 3)), np.zeros(3)
    graph = graph_with(val_1=square.T.copy(), val_2=wide, val_3=bias, **{"system.b.bias": bias})
    weights = {"a.weight": square, "b.weight": wide, "a.bias": bias, "b.bias": bias, "mix": draw.normal(size=2)}
    found = find_weights(graph, weights)
    assert found.transposed == {"a.weight": "val_1"}
    assert found.initializers == {"b.weight": "val_2", "a.bias": "val_3", "b.bias": "system.b.bias"}
    assert (found.values["mix"], found.lost) == (weights["mix"].tolist(), ())
    assert StoredWeights.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    large = find_weights(graph, weights | {"gates": draw.normal(size=(70, 70))})
    assert large == StoredWeights(lost=("mix", "gates"))
    assert find_weights(graph, {"b.weight": wide.astype(np.float32)}).values.keys() == {"b.weight"}

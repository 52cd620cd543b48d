"""Every system as a graph, held against torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import torch

from kiwi.exceptions import ConfigError
from kiwi.runner.onnx_engine import open_session
from kiwi.systems.batching import as_tensors
from kiwi.systems.manifest.export import GRAPH_FILE
from kiwi.systems.onnx.graph import check_open, make_graph, save_graph
from kiwi.systems.onnx.quantize import quantize
from kiwi.systems.qe_system import QESystem
from tests.conftest import Corpus, changed
from tests.pretrained import FAMILIES, write_model

SOURCE = ["The house is small and old .", "Close the bank .", "Open 12 windows , please !"]
TARGET = ["Das Haus ist klein .", "Schließen Sie die Bank .", "Bitte"]
ALIGNMENTS = ["0-0 1-1 2-2 3-3 6-4", "0-0 0-1 1-2", ""]
POS = {"source_pos": ["A B C D E F G", "A B C D", "A B C D E F"], "target_pos": ["A B C D E", "A B C D E", "A"]}

CLASSES = {"bert": "Bert", "xlm": "XLM", "xlm-roberta": "XLMRoberta"}


def batches(system: QESystem) -> list[Any]:
    columns = {"source": SOURCE, "target": TARGET, "alignments": ALIGNMENTS, **POS}
    rows = [{field: columns[field][i] for field in system.input_fields} for i in range(3)]
    found = [rows[:1], rows[2:], rows, [*rows, *rows, rows[1]]]
    if system.collate.pieces is not None:  # two segments in several windows
        long = [{"source": " ".join(SOURCE * n), "target": " ".join(TARGET * n)} for n in (9, 4)]
        found += [[long[0]], [rows[0], *long, rows[1]]]
    return [system.collate(part) for part in found]


def session_of(model: ir.Model, directory: Path) -> Any:
    directory.mkdir(exist_ok=True)
    save_graph(model, directory)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(directory / GRAPH_FILE), options, providers=["CPUExecutionProvider"])


def racing(model: ir.Model) -> list[str]:
    """Operators that add into indices which may come again, which ONNX Runtime does in several threads at once."""
    scatters = [node for node in model.graph.all_nodes() if node.op_type.startswith("Scatter")]
    return [node.op_type for node in scatters if node.attributes.get_string("reduction", "none") != "none"]


def check_steady(directory: Path, batch: Any, calls: int = 2) -> None:
    """The same batch gives the same bits in each call, on any number of threads."""
    expected: dict[str, bytes] | None = None
    for threads in (1, 2, 4):
        session = open_session(directory / GRAPH_FILE, threads=threads)
        for _ in range(calls):
            found = {name: values.tobytes() for name, values in computed(session, batch).items()}
            expected = expected or found
            assert found == expected, threads


def computed(session: Any, batch: Any) -> dict[str, Any]:
    names = [value.name for value in session.get_outputs()]
    arrays = {value.name: batch.arrays()[value.name] for value in session.get_inputs()}
    return dict(zip(names, session.run(names, arrays), strict=True))


def apart(session: Any, system: QESystem) -> list[float]:
    """All differences between a graph and torch, padding included."""
    differences: list[float] = []
    for batch in batches(system):
        with torch.inference_mode():
            expected = system.values(as_tensors(batch))
        found = computed(session, batch)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            differences += np.abs(found[name] - value.numpy()).ravel().tolist()
    return differences


def check(system: QESystem, directory: Path) -> None:
    """A graph says what torch says, and its copy in 8 bits about that, of each segment alone as among others.

    The graphs are left in ``fp32`` and ``int8``.
    """
    system.eval()
    graph = make_graph(system)
    assert max(apart(session_of(graph, directory / "fp32"), system)) < 2e-5
    content = b"".join(file.read_bytes() for file in (directory / "fp32").iterdir())
    assert b".py" not in content  # where it was made is nobody's business
    check_steady(directory / "fp32", batches(system)[-1])
    assert racing(graph) == []
    quantize(graph)
    assert racing(graph) == []
    assert sum(value.dtype == ir.DataType.INT8 for value in graph.graph.initializers.values()) > 3
    session = session_of(graph, directory / "int8")
    check_steady(directory / "int8", batches(system)[-1])
    differences = apart(session, system)
    assert 1e-5 < max(differences) < 0.5
    assert np.mean(differences) < 0.05
    one, _, three, *_ = batches(system)
    alone, together = computed(session, one), computed(session, three)
    for name, values in alone.items():
        assert np.abs(together[name][:1][tuple(slice(size) for size in values.shape)] - values).max() < 0.01


def test_nuqe(plain_system: QESystem, tmp_path: Path) -> None:
    check(plain_system, tmp_path)


def test_nuqe_with_parts_of_speech(pos_system: QESystem, tmp_path: Path) -> None:
    check(pos_system, tmp_path)


PREDICTOR = {
    "encoder": {"hidden_size": 7, "rnn_layers": 2, "embeddings": {"source": {"dim": 5}, "target": {"dim": 6}}},
    "decoder": {"hidden_size": 5},
    "outputs": {"word_level": {"target": True}, "sentence_level": {"hter": True}, "last_activation": True},
}


@pytest.mark.parametrize(
    "changes",
    [
        {"encoder.out_embeddings_dim": 4, "outputs.word_level.source": True},
        {
            "encoder.use_mismatch_features": True,
            "encoder.share_embeddings": True,
            "encoder.rnn_layers": 1,
            "decoder.rnn_layers": 2,
            "decoder.use_mlp": False,
        },
    ],
)
def test_predictor_estimator(changes: Mapping[str, Any], corpus: Corpus, tmp_path: Path) -> None:
    config = QESystem.Config.from_dict({"class_name": "PredictorEstimator", "model": changed(PREDICTOR, changes)})
    torch.manual_seed(1)
    system = QESystem.build(config, {field: corpus.lines("train", field) for field in ("source", "target")})
    with torch.no_grad():
        for weight in system.parameters():
            weight.mul_(2.0)
    check(system, tmp_path)


OPTIONS: dict[str, dict[str, Any]] = {
    "bert": {"pooling": "compare", "use_mismatch_features": True, "use_predictor_features": True},
    "xlm-roberta": {"pooling": "compare", "freeze_layers": 1, "source_max_length": 9, "target_max_length": 12},
    "xlm": {"pooling": "mean", "scalar_mix": True, "scalar_mix_layer_norm": False},
    "modernbert": {"pooling": "ll_mean"},
    "deberta-v2": {"pooling": "first_token", "use_mlp": False, "scalar_mix": False},
    "rembert": {"use_mismatch_features": True},
}
"""Of each family some, all of them together."""

MANY_THREADS = "bert"
"""The family whose model is large enough to give several threads something to do."""


@pytest.mark.parametrize("family", FAMILIES)
def test_pretrained(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiwi.modules.language_modelling.EXPORTED_PART", 50)  # the vocabulary has several such parts
    layers = {"n_layers": 2} if family == "xlm" else {"num_hidden_layers": 2}
    sizes = {"hidden_size": 256, "initializer_range": 0.05} if family == MANY_THREADS else {}
    folder = write_model(family, tmp_path / "model", head=True, **layers, **sizes)
    torch.manual_seed(3)
    model = {
        "encoder": {"model_name": str(folder), "hidden_size": 12, **OPTIONS[family]},
        "decoder": {"hidden_size": 10, "bottleneck_size": 8},
        "outputs": {
            "word_level": {"target": True, "gaps": True, "source": family != "modernbert"},
            "sentence_level": {"hter": True, "binary": family == "bert"},
            "span_level": {} if family == "xlm-roberta" else None,
        },
    }
    config = QESystem.Config.from_dict({"class_name": CLASSES.get(family, "Transformer"), "model": model})
    labels = {"sentence_scores": ["0.1", "0.3"], "error_spans": ["0:1:minor 2:3:major 1:1:minor", "-"]}
    system = QESystem.build(config, labels)
    check(system, tmp_path)
    if family == MANY_THREADS:
        long = {"source": " ".join(SOURCE * 9), "target": " ".join(TARGET * 9)}
        batch = system.collate([long, long, *({"source": SOURCE[i % 3], "target": TARGET[i % 3]} for i in range(20))])
        for precision in ("fp32", "int8"):
            check_steady(tmp_path / precision, batch, calls=4)


def test_what_has_no_form_in_onnx_is_refused(plain_system: QESystem, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(self: Any, batch: Any) -> Any:
        return {"target_tags": torch.linalg.eigh(batch.target_mask.float() @ batch.target_mask.float().T)[0]}

    monkeypatch.setattr(QESystem, "values", unknown)
    with pytest.raises(ConfigError, match="This NuQE cannot be exported: "):
        make_graph(plain_system.eval())


def test_a_graph_for_one_size_is_refused(plain_system: QESystem) -> None:
    mask = ir.Value(name="target_mask", shape=ir.Shape([2, "target_words"]), type=ir.TensorType(ir.DataType.BOOL))
    graph = ir.Graph([mask], [], nodes=[], opset_imports={"": 23})
    with pytest.raises(ConfigError, match="This NuQE cannot be exported: its graph is valid for batch = 2 only"):
        check_open(ir.Model(graph, ir_version=10), {"target_mask": ("batch", "target_words")}, plain_system)

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from numpy.typing import NDArray

from kiwi.exceptions import ConfigError
from kiwi.runner.onnx_engine import open_session
from kiwi.systems.manifest.export import GRAPH_FILE
from kiwi.systems.onnx.embeddings import ROWS, quantize_pieces, to_4_bits
from kiwi.systems.onnx.graph import save_graph
from kiwi.systems.onnx.quantize import initializer


def in_4_bits(rows: int, dim: int, block: int) -> NDArray[np.float32]:
    """Values as they come from weights in 4 bits, of blocks in which the lowest integer occurs."""
    draw = np.random.default_rng(1)
    integers = draw.integers(-8, 8, (rows, dim // block, block))
    integers[..., 1] = -8
    scales = draw.normal(size=(rows, dim // block, 1)).astype(np.float16)
    return (integers * scales.astype(np.float32)).astype(np.float32).reshape(rows, dim)


def unpacked(packed: NDArray[np.uint8], scales: NDArray[np.float16]) -> NDArray[np.float32]:
    rows, blocks = scales.shape
    halves = packed.reshape(rows, blocks, -1)
    integers = np.concatenate([halves & 15, halves >> 4], axis=-1).astype(np.float32) - 8
    return (integers * scales.astype(np.float32)[..., None]).reshape(rows, -1)


@pytest.mark.parametrize(("rows", "dim", "block"), [(ROWS + 5, 64, 32), (9, 48, 16), (3, 6, 2)])
def test_values_in_4_bits_do_not_change(rows: int, dim: int, block: int) -> None:
    values = in_4_bits(rows, dim, block)
    values[1] = 0
    packed, scales, exact = to_4_bits(values)
    assert exact
    assert (packed.shape, scales.shape) == ((rows, dim // 2), (rows, dim // block))
    assert (unpacked(packed, scales) == values).all()


def test_seven_in_either_direction_is_exact() -> None:
    values = np.arange(-7, 8, dtype=np.float32)[None] * np.array([[0.5], [-0.25]], dtype=np.float32)
    values = np.pad(values, [(0, 0), (0, 17)])
    packed, scales, exact = to_4_bits(values)
    assert exact
    assert (unpacked(packed, scales) == values).all()


def test_other_values_are_rounded() -> None:
    values = np.random.default_rng(2).normal(size=(50, 64)).astype(np.float32)
    packed, scales, exact = to_4_bits(values)
    assert not exact
    blocks = np.abs(values.reshape(50, 2, 32))
    error = np.abs(unpacked(packed, scales) - values).reshape(50, 2, 32)
    assert (error <= blocks.max(axis=-1, keepdims=True) / 7).all()
    assert np.sqrt(np.square(error).mean()) < 0.12


def graph_with(values: NDArray[np.float32], index: str = "pieces", uses: int = 1) -> ir.Model:
    pieces = ir.Value(name=index, shape=ir.Shape(["windows", "pieces"]), type=ir.TensorType(ir.DataType.INT64))
    graph = ir.Graph([pieces], [], nodes=[], opset_imports={"": 23}, name="graph")
    table = initializer(graph, "table", values)
    for number in range(uses):
        node = ir.node("Gather", [table, pieces])
        node.outputs[0].name, node.outputs[0].type = f"found{number}", ir.TensorType(ir.DataType.FLOAT)
        graph.append(node)
        graph.outputs.append(node.outputs[0])
    return ir.Model(graph, ir_version=10)


def test_a_graph_looks_embeddings_up(tmp_path: Path) -> None:
    values = in_4_bits(70, 96, 32)
    model = graph_with(values)
    assert quantize_pieces(model)
    assert "table" not in model.graph.initializers
    save_graph(model, tmp_path)
    session = open_session(tmp_path / GRAPH_FILE, threads=1)
    pieces = np.array([[3, 69, 0], [7, 7, 11]])
    (found,) = session.run(["found0"], {"pieces": pieces})
    assert (found == values[pieces]).all()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (graph_with(np.ones((5, 32), np.float32), index="source"), "found no embeddings of pieces"),
        (graph_with(np.ones((5, 32), np.float32), uses=2), "are also the weights of its language model"),
        (graph_with(np.ones((5, 33), np.float32)), "have an odd size"),
    ],
)
def test_other_graphs_are_refused(model: ir.Model, message: str) -> None:
    with pytest.raises(ConfigError, match=f"--int4-embeddings: .*{message}.* Export without it"):
        quantize_pieces(model)

"""Graphs as ONNX Runtime computes them: optimized when a system is exported, not whenever it is loaded."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxruntime
from onnx_ir import tape
from onnx_ir.passes.common import RemoveUnusedNodesPass, RemoveUnusedOpsetsPass

from kiwi.systems.manifest.export import GRAPH_FILE, SLOW_FUSIONS, TENSORS_FILE
from kiwi.systems.onnx.quantize import initializer, swap

HEADS_FIRST = (0, 2, 1, 3)
"""The order of dimensions that makes (batch, length, heads, dim) of (batch, heads, length, dim), and the other way."""


def fold_transpositions(model: ir.Model) -> None:
    """Store matrices as products read them, in place, so that they can be quantized.

    The library does so only for matrices that a single node reads.
    """
    known = model.graph.initializers
    for node in list(model.graph):
        matrix = node.inputs[0] if node.op_type == "Transpose" else None
        if matrix is None or matrix.name not in known or matrix.const_value is None:
            continue
        values = matrix.const_value.numpy()
        if values.ndim != 2 or tuple(node.attributes["perm"].as_ints()) != (1, 0):
            continue
        name = f"{matrix.name}_columns"
        if name not in known:
            initializer(model.graph, name, np.ascontiguousarray(values.T))
        ir.convenience.replace_all_uses_with(node.outputs[0], known[name])
        model.graph.remove(node, safe=True)
        if not matrix.uses():
            del known[matrix.name or ""]


def fuse_heads(model: ir.Model) -> None:
    """Let attention read and write its heads side by side, as the products around it do, in place.

    Otherwise all four arrays are transposed, which takes about as long as attention itself.
    """
    for node in list(model.graph):
        if node.op_type != "Attention" or len(node.outputs) != 1 or len(node.inputs) > 4:
            continue
        sides = [_side_by_side(value) for value in node.inputs[:3]]
        merged = _merging(node.outputs[0])
        if merged is None or any(side is None for side in sides):
            continue
        (query, n_heads), (key, n_key_heads), (value, _) = [side for side in sides if side is not None]
        attributes = {name: attribute.value for name, attribute in node.attributes.items()}
        steps = tape.Tape()
        found = steps.op(
            "Attention",
            [query, key, value, *node.inputs[3:]],
            attributes | {"q_num_heads": n_heads, "kv_num_heads": n_key_heads},
        )
        swap(merged, steps, found)
    RemoveUnusedNodesPass()(model)


def _side_by_side(heads: ir.Value | None) -> tuple[ir.Value, int] | None:
    """Return the array that heads (batch, heads, length, dim) were split from, and their number; None for others."""
    transpose = None if heads is None else heads.producer()
    if transpose is None or not _is_transpose(transpose):
        return None
    split = transpose.inputs[0]
    reshape = None if split is None else split.producer()
    whole = None if reshape is None or reshape.op_type != "Reshape" else reshape.inputs[0]
    if heads is None or heads.shape is None or whole is None or whole.shape is None or len(whole.shape) != 3:
        return None
    n_heads, dim, size = heads.shape[1], heads.shape[3], whole.shape[2]
    if not (isinstance(n_heads, int) and isinstance(dim, int) and size == n_heads * dim):
        return None
    return whole, n_heads


def _merging(heads: ir.Value) -> ir.Node | None:
    """Return the node that puts the heads of an output side by side; None if there is none."""
    transpose = _only_reader(heads)
    reshape = None if transpose is None or not _is_transpose(transpose) else _only_reader(transpose.outputs[0])
    if reshape is None or reshape.op_type != "Reshape":
        return None
    shape = reshape.outputs[0].shape
    return reshape if shape is not None and len(shape) == 3 and isinstance(shape[2], int) else None


def _only_reader(value: ir.Value) -> ir.Node | None:
    readers = value.consumers()
    return readers[0] if len(readers) == 1 and not value.is_graph_output() else None


def _is_transpose(node: ir.Node) -> bool:
    order = node.attributes.get("perm")
    return node.op_type == "Transpose" and order is not None and tuple(order.as_ints()) == HEADS_FIRST


def save_optimized(model: ir.Model, directory: Path) -> set[str]:
    """Write a graph as ONNX Runtime optimizes it for the CPU, and its weights; loading it takes half the time.

    Args:
        model: the graph, which is to run on the CPU only.
        directory: the directory to write to.

    Returns:
        The names of the initializers, of which the optimization may fold some.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED  # none for one processor
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        plain, optimized = Path(folder, GRAPH_FILE), Path(folder, f"optimized.{GRAPH_FILE}")
        ir.save(model, plain, external_data=TENSORS_FILE)
        options.optimized_model_filepath = str(optimized)
        onnxruntime.InferenceSession(
            str(plain), options, providers=["CPUExecutionProvider"], disabled_optimizers=[*SLOW_FUSIONS]
        )
        found = ir.load(optimized)
        RemoveUnusedOpsetsPass()(found)
        ir.save(found, directory / GRAPH_FILE, external_data=TENSORS_FILE)
        names = set(found.graph.initializers)
        del found  # it maps the weights, and Windows does not remove mapped files
    return names

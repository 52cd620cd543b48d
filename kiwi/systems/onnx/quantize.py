"""Quantization of the weights of an exported system to 8 bits.

The weight of a matrix product has a scale per column, an embedding table a scale per token. The input of a product is
quantized dynamically with a scale per row. A scale per batch would cost accuracy, since a few large values would
determine it, and the results of a segment would depend on the rest of the batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir import tape

from kiwi.systems.exported import INT8, SCALE, TRANSPOSED

MICROSOFT = "com.microsoft"
"""The domain of the operators that ONNX Runtime adds to the standard."""

WEIGHT_RANGE = 63
"""The maximum absolute value of quantized weights (7 bits with sign). Processors without VNNI add two products in 16
bits, which would overflow with weights of 8 bits."""

ACTIVATION_RANGE = 127
"""The maximum absolute value of quantized inputs of a product."""

ZERO = 128
"""The zero point of quantized inputs, since the fast kernels take unsigned numbers."""

EMBEDDING_RANGE = 127

NEAR = 0.05
"""The mean squared distance from the nearest integers below which weights are near a grid, in squares of its step; that
of weights that know nothing of the grid is 1/12."""

SAMPLE, FEWEST_INNER = 1_000_000, 100
"""About how many weights are looked at, and the smallest number of them that may tell."""

ON_GRID = 1e-4
"""The distance from the nearest integer below which a weight is on the grid, in steps."""

FEWEST_COLUMNS = 8
"""The minimum number of columns of a product that is quantized; smaller ones, such as tag logits, take hardly any
time."""

SMALLEST = 1e-30
"""The lower bound of the maximum absolute value of a row, so that a row of zeros does not divide by zero."""


def quantize(model: ir.Model) -> None:
    """Quantize the weights of matrix products and embeddings to 8 bits, in place.

    Args:
        model: the model, whose weights are initializers.
    """
    graph = model.graph
    model.opset_imports.setdefault(MICROSOFT, 1)
    rows = _Rows(graph)
    for node in list(graph):
        if node.op_type in ("MatMul", "Gemm") and (weight := _weight(node)) is not None:
            _replace_product(node, weight, rows)
        elif node.op_type == "Gather" and _is_embedding(node):
            _replace_embedding(node)


def scaled(values: NDArray[np.float32], axis: int, largest: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return quantized values, and the scales by which they are multiplied.

    The weights of a system that was restored from 8 bits and trained further have moved by less than half a step of the
    grid that they were on. The nearest integers would take all of the training back, so each of them is rounded up with
    a probability that equals its distance from the integer below (stochastic rounding, Gupta et al. 2015, arXiv
    1502.02551), with the same seed for each matrix.

    Args:
        values: the values, of two dimensions.
        axis: the axis over which a scale is shared.
        largest: the maximum absolute value of the integers.
    """
    sizes = np.abs(values).max(axis=axis, keepdims=True)
    scales = np.where(sizes > 0, sizes / largest, 1.0).astype(np.float32)
    steps = values / scales
    nearest = np.rint(steps)
    every = max(1, values.size // SAMPLE)
    if _is_near_grid(steps[::every], nearest[::every], largest):
        drawn = np.floor(steps + np.random.default_rng(0).random(steps.shape, dtype=np.float32))
        nearest = np.where(np.abs(steps - nearest) < ON_GRID, nearest, drawn).clip(-largest, largest)
    return nearest.astype(np.int8), scales


def _is_near_grid(steps: NDArray[np.float32], nearest: NDArray[np.float32], largest: int) -> bool:
    """Return whether weights lie near a grid, of which those that are rounded to 0 or to the ends say nothing."""
    sizes = np.abs(nearest)
    inner = (sizes >= 1) & (sizes < largest)
    return bool(inner.sum() >= FEWEST_INNER and np.mean(np.square(steps - nearest)[inner]) < NEAR)


class _Rows:
    """The quantized inputs of products, computed once for all products with the same input."""

    def __init__(self, graph: ir.Graph) -> None:
        self._graph = graph
        self._known: dict[ir.Value, tuple[ir.Value, ir.Value]] = {}
        constants: dict[str, Any] = {
            "axis": np.array([-1], dtype=np.int64),
            "smallest": np.array(SMALLEST, dtype=np.float32),
            "largest": np.array(ACTIVATION_RANGE, dtype=np.float32),
            "one": np.array(1.0, dtype=np.float32),
            "zero": np.array(ZERO, dtype=np.uint8),
            "zero_of_weights": np.array(0, dtype=np.int8),
        }
        self.constants = {name: initializer(graph, f"quantized_{name}", value) for name, value in constants.items()}

    def of(self, value: ir.Value, dim: int, before: ir.Node) -> tuple[ir.Value, ir.Value]:
        """Return the quantized value, and the scale of each row.

        Args:
            value: the input of a product, (..., dim).
            dim: the size of its rows.
            before: the first node that reads the value.
        """
        if value not in self._known:
            constants, steps = self.constants, tape.Tape()
            highest = steps.op("ReduceMax", [value, constants["axis"]], {"keepdims": 1})
            lowest = steps.op("ReduceMin", [value, constants["axis"]], {"keepdims": 1})
            largest = steps.op("Max", [highest, steps.op("Neg", [lowest]), constants["smallest"]])
            scale = steps.op("Div", [largest, constants["largest"]])
            zeros = steps.op("Expand", [constants["zero"], steps.op("Shape", [scale])])
            integers = steps.op("QuantizeLinear", [value, scale, zeros], {"axis": -1, "block_size": dim})
            self._graph.insert_before(before, steps.nodes)
            self._known[value] = integers, scale
        return self._known[value]


def _replace_product(node: ir.Node, weight: NDArray[np.float32], rows: _Rows) -> None:
    source, matrix, *rest = node.inputs
    assert source is not None
    assert matrix is not None
    assert node.graph is not None
    integers, scale = rows.of(source, len(weight), node)
    # Named after the weight, so that it can be restored; matrices that several products read are stored once.
    name = f"{matrix.name}{TRANSPOSED if node.attributes.get_int('transB', 0) else ''}"
    known = node.graph.initializers
    if f"{name}{INT8}" not in known:
        quantized, scales = scaled(weight, 0, WEIGHT_RANGE)
        initializer(node.graph, f"{name}{INT8}", quantized)
        initializer(node.graph, f"{name}{SCALE}", scales[0])
    stored, columns = known[f"{name}{INT8}"], known[f"{name}{SCALE}"]
    constants, steps = rows.constants, tape.Tape()
    found = steps.op(
        "MatMulIntegerToFloat",
        [integers, stored, constants["one"], columns, constants["zero"], constants["zero_of_weights"]],
        domain=MICROSOFT,
    )
    found = steps.op("Mul", [found, scale])
    if rest and rest[0] is not None:
        found = steps.op("Add", [found, rest[0]])
    swap(node, steps, found)


def _replace_embedding(node: ir.Node) -> None:
    table, places = node.inputs
    assert table is not None
    assert table.const_value is not None
    assert node.graph is not None
    quantized, scales = scaled(table.const_value.numpy(), 1, EMBEDDING_RANGE)
    steps = tape.Tape()
    stored, factors = (
        steps.op("Gather", [initializer(node.graph, f"{table.name}{part}", values), places], {"axis": 0})
        for part, values in ((INT8, quantized), (SCALE, scales))
    )
    found = steps.op("Mul", [steps.op("Cast", [stored], {"to": ir.DataType.FLOAT}), factors])
    swap(node, steps, found)


def swap(node: ir.Node, steps: tape.Tape, found: ir.Value) -> None:
    """Replace a node by other nodes, and remove the weights that nothing reads any more."""
    assert node.graph is not None
    graph, old = node.graph, node.outputs[0]
    found.name, old.name = old.name, None
    found.type, found.shape = old.type, old.shape
    graph.insert_before(node, steps.nodes)
    ir.convenience.replace_all_uses_with(old, found, replace_graph_outputs=True)
    inputs = [value for value in node.inputs if value is not None]
    graph.remove(node, safe=True)
    for value in inputs:
        if (name := value.name or "") in graph.initializers and not value.uses():
            del graph.initializers[name]


def _weight(node: ir.Node) -> NDArray[np.float32] | None:
    """Return the weight of a product as it is multiplied, (dim, columns); None if it is not to be quantized."""
    matrix = node.inputs[1]
    if matrix is None or matrix.const_value is None or len(matrix.const_value.shape) != 2:
        return None
    attributes = {name: attribute.value for name, attribute in node.attributes.items()}
    if any(attributes.get(name, 1.0) != 1.0 for name in ("alpha", "beta")) or attributes.get("transA", 0):
        return None
    weight: NDArray[np.float32] = matrix.const_value.numpy()
    if attributes.get("transB", 0):
        weight = weight.T
    return weight if weight.dtype == np.float32 and weight.shape[1] >= FEWEST_COLUMNS else None


def _is_embedding(node: ir.Node) -> bool:
    """Return whether a node selects rows of a table of numbers that no other node reads."""
    table = node.inputs[0]
    if table is None or table.const_value is None or node.attributes.get_int("axis", 0) != 0:
        return False
    value = table.const_value
    return len(value.shape) == 2 and value.dtype == ir.DataType.FLOAT and len(table.uses()) == 1


def initializer(graph: ir.Graph, name: str, values: NDArray[Any]) -> ir.Value:
    """Add a constant to a graph."""
    value = ir.Value(
        name=name,
        type=ir.TensorType(ir.DataType.from_numpy(values.dtype)),
        shape=ir.Shape(values.shape),
        const_value=ir.tensor(values, name=name),
    )
    graph.register_initializer(value)
    return value

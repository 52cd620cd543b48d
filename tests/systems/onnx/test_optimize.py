"""Graphs are stored as they are computed, and say where they have the weights."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir import tape

from kiwi.systems.manifest.stored_weights import StoredWeights
from kiwi.systems.onnx.optimize import fold_transpositions
from kiwi.systems.onnx.quantize import initializer, quantize
from kiwi.systems.onnx.weights import check_weights, find_weights

WEIGHT = np.arange(24, dtype=np.float32).reshape(8, 3)


def two_products() -> ir.Model:
    """Return a graph in which two products read one transposed matrix."""
    rows = [ir.Value(name=name, type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape((4, 3))) for name in "ab"]
    graph = ir.Graph(rows, [], nodes=[], opset_imports={"": 23, "com.microsoft": 1}, name="graph")
    weight = initializer(graph, "weight", WEIGHT)
    steps = tape.Tape()
    columns = steps.op("Transpose", [weight], {"perm": [1, 0]})
    products = [steps.op("MatMul", [value, columns]) for value in rows]
    graph.extend(steps.nodes)
    for value, name in zip(products, "xy", strict=True):
        value.name = name
        graph.outputs.append(value)
    return ir.Model(graph, ir_version=10)


def test_a_matrix_that_several_products_read_is_stored_as_they_read_it_and_quantized() -> None:
    model = two_products()
    fold_transpositions(model)
    assert [node.op_type for node in model.graph] == ["MatMul", "MatMul"]
    (stored,) = model.graph.initializers.values()
    assert stored.const_value is not None
    np.testing.assert_array_equal(stored.const_value.numpy(), WEIGHT.T)
    assert find_weights(model, {"layer": WEIGHT}).transposed == {"layer": stored.name}
    quantize(model)
    assert "MatMul" not in [node.op_type for node in model.graph]


def test_weights_that_an_optimization_has_folded_away_are_lost() -> None:
    stored = StoredWeights({"one": "a", "two": "b"}, {"three": "c"}, {"four": [1.0]})
    assert check_weights(stored, {"a", "b_int8", "c_transposed_int8"}) == stored
    assert check_weights(stored, {"a", "c_int4"}) == StoredWeights(lost=("two",))

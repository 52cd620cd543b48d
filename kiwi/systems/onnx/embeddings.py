"""Quantization of the embeddings of pieces to 4 bits.

A block of 32 values of a row has one scale in 16 bits, and each value is an integer in [-8, 7] times that scale. Two
integers are stored in a byte, and a batch computes the values of its own pieces only. The operators are those of the
standard: ``GatherBlockQuantized`` of ONNX Runtime is hardly faster, and needs scales in 32 bits, since it rounds its
results to the type of the scales.
"""

from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir import tape

from kiwi.exceptions import ConfigError
from kiwi.systems.exported import HIGHEST, INT4, LOWEST, ROWS, SCALE
from kiwi.systems.onnx.quantize import initializer, swap

logger = logging.getLogger(__name__)

BLOCK = 32
"""The number of values that share a scale; a divisor of it if the size of the embeddings is not a multiple of it."""

PIECES = "pieces"
"""The input of a graph that selects the embeddings of pieces."""


NO_PIECES = (
    "--int4-embeddings: found no embeddings of pieces; only systems with a pretrained encoder have them. "
    "Export without it."
)


def quantize_pieces(model: ir.Model) -> bool:
    """Quantize the embeddings of pieces to 4 bits, in place.

    Args:
        model: the model, whose weights are initializers.

    Returns:
        Whether no embedding has changed.

    Raises:
        ConfigError: when the system has no such embeddings, or needs them for something else too.
    """
    readers = [node for node in model.graph if node.op_type == "Gather" and node.inputs[1] in model.graph.inputs]
    node = next((node for node in readers if node.inputs[1] and node.inputs[1].name == PIECES), None)
    table = None if node is None else node.inputs[0]
    if node is None or table is None or table.const_value is None or len(table.const_value.shape) != 2:
        raise ConfigError(NO_PIECES)
    values = table.const_value.numpy()
    if len(table.uses()) > 1 or block_size(values.shape[1]) % 2:
        reason = "are also the weights of its language model" if len(table.uses()) > 1 else "have an odd size"
        raise ConfigError(f"--int4-embeddings: the embeddings of this system {reason}. Export without it.")
    packed, scales, exact = to_4_bits(values)
    logger.info("The embeddings of pieces %s.", "fit in 4 bits exactly" if exact else "were rounded to 4 bits")
    _replace(node, table, packed, scales)
    return exact


def block_size(dim: int) -> int:
    """Return the number of values that share a scale in embeddings of some size."""
    return math.gcd(dim, BLOCK)


def to_4_bits(values: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float16], bool]:
    """Return quantized embeddings, (rows, dim / 2), their scales, (rows, blocks), and whether no value has changed.

    Values that have been in 4 bits before, in blocks of the same size, do not change.

    Args:
        values: the embeddings, (rows, dim).
    """
    block = block_size(values.shape[1])
    packed = np.empty((len(values), values.shape[1] // 2), dtype=np.uint8)
    scales = np.empty((len(values), values.shape[1] // block), dtype=np.float16)
    exact = True
    for start in range(0, len(values), ROWS):
        part = slice(start, start + ROWS)
        integers, scales[part], error = _nearest(values[part].reshape(-1, scales.shape[1], block))
        low, high = np.split((integers - LOWEST).astype(np.uint8), 2, axis=-1)
        packed[part] = (low | (high << 4)).reshape(-1, packed.shape[1])
        exact = exact and error == 0
    return packed, scales, exact


def _nearest(blocks: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float16], float]:
    """Return the integers and scales with the smallest squared error of each block, and the largest error."""
    at = np.abs(blocks).argmax(axis=-1)[..., None]
    largest = np.take_along_axis(blocks, at, axis=-1)
    found = [_rounded(blocks, (largest / end).astype(np.float16)) for end in (LOWEST, HIGHEST)]
    (integers, scales, errors), (others, other_scales, other_errors) = found
    better = other_errors < errors
    error = float(np.minimum(errors, other_errors).max(initial=0.0))
    return np.where(better, others, integers), np.where(better, other_scales, scales)[..., 0], error


def _rounded(
    blocks: NDArray[np.float32], scales: NDArray[np.float16]
) -> tuple[NDArray[np.float32], NDArray[np.float16], NDArray[np.float32]]:
    """Return the integers of blocks for given scales, the scales, and the squared error of each block."""
    factors = scales.astype(np.float32)
    integers = np.rint(np.divide(blocks, factors, out=np.zeros_like(blocks), where=factors != 0)).clip(LOWEST, HIGHEST)
    return integers, scales, np.square(integers * factors - blocks).sum(axis=-1, keepdims=True)


def _replace(node: ir.Node, embeddings: ir.Value, packed: NDArray[np.uint8], scales: NDArray[np.float16]) -> None:
    """Replace the operator that selects embeddings by those that select quantized ones and compute their values."""
    graph, pieces, dim = node.graph, node.inputs[1], 2 * packed.shape[1]
    assert graph is not None
    assert pieces is not None
    blocks = scales.shape[1]
    constants: dict[str, NDArray[Any]] = {
        "halves": np.array([0, 0, blocks, dim // blocks // 2], dtype=np.int64),
        "row": np.array([0, 0, dim], dtype=np.int64),
        "low": np.array(15, dtype=np.uint8),
        "bits": np.array(4, dtype=np.uint8),
        "zero": np.array(-LOWEST, dtype=np.float32),
        "last": np.array([-1], dtype=np.int64),
    }
    known = {name: initializer(graph, f"{PIECES}_{name}", value) for name, value in constants.items()}
    table = initializer(graph, f"{embeddings.name}{INT4}", packed)
    factors = initializer(graph, f"{embeddings.name}{SCALE}", scales)
    steps = tape.Tape()
    pairs = steps.op("Reshape", [steps.op("Gather", [table, pieces]), known["halves"]])
    low = steps.op("BitwiseAnd", [pairs, known["low"]])
    high = steps.op("BitShift", [pairs, known["bits"]], {"direction": "RIGHT"})
    integers = steps.op("Cast", [steps.op("Concat", [low, high], {"axis": -1})], {"to": ir.DataType.FLOAT})
    scale = steps.op("Cast", [steps.op("Gather", [factors, pieces])], {"to": ir.DataType.FLOAT})
    values = steps.op(
        "Mul", [steps.op("Sub", [integers, known["zero"]]), steps.op("Unsqueeze", [scale, known["last"]])]
    )
    swap(node, steps, steps.op("Reshape", [values, known["row"]]))

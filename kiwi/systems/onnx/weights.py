"""Where a graph has the weights of a system; they are found by value, since conversion renames and folds them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from kiwi.systems.exported import INT4, INT8, TRANSPOSED
from kiwi.systems.manifest.stored_weights import MOST_VALUES, StoredWeights

Candidates = Mapping[tuple[int, ...], list[tuple[str, NDArray[Any]]]]


def find_weights(model: ir.Model, weights: Mapping[str, NDArray[Any]]) -> StoredWeights:
    """Return where a graph has the weights of a system.

    Args:
        model: the model, before quantization.
        weights: the weights of the system by name.
    """
    by_shape: Candidates = defaultdict(list)
    for name, initializer in model.graph.initializers.items():
        if initializer.const_value is not None:
            values = initializer.const_value.numpy()
            by_shape[values.shape].append((name, values))
    found = StoredWeights()
    missing: dict[str, NDArray[Any]] = {}
    for name, weight in weights.items():
        if (own := _find(weight, by_shape, name)) is not None:
            found.initializers[name] = own
        elif weight.ndim == 2 and (own := _find(weight.T, by_shape, name)) is not None:
            found.transposed[name] = own
        else:
            missing[name] = weight
    if sum(weight.size for weight in missing.values()) > MOST_VALUES:
        return StoredWeights(lost=tuple(missing))
    return StoredWeights(
        found.initializers, found.transposed, {name: weight.tolist() for name, weight in missing.items()}
    )


def check_weights(stored: StoredWeights, names: Collection[str]) -> StoredWeights:
    """Return where an optimized graph has the weights; those that it folded away are lost.

    Args:
        stored: the result of :func:`find_weights`.
        names: the names of the initializers of the optimized graph.
    """
    ends = ("", INT8, f"{TRANSPOSED}{INT8}", INT4)
    places = (stored.initializers | stored.transposed).items()
    lost = tuple(weight for weight, name in places if not any(f"{name}{end}" in names for end in ends))
    return StoredWeights(lost=lost) if lost else stored


def _find(weight: NDArray[Any], by_shape: Candidates, name: str) -> str | None:
    """Return the name of an initializer of the same values, if possible one that is named after the weight."""
    candidates = by_shape.get(weight.shape, [])
    for own, values in sorted(candidates, key=lambda candidate: not candidate[0].endswith(f".{name}")):
        if values.dtype == weight.dtype and _are_equal(values, weight):
            return own
    return None


def _are_equal(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Compare arrays of the same shape, their first rows first, since most matrices of a shape differ there."""
    return (one.ndim < 2 or np.array_equal(one[0], other[0])) and np.array_equal(one, other)

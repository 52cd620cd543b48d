"""Conversion of a system to one ONNX graph, from the arrays of a batch to probabilities and scores."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx_ir as ir
import torch
from onnxscript import optimizer
from torch import Tensor, nn
from torch.nn import functional

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.exceptions import ConfigError
from kiwi.systems.batching import as_tensors
from kiwi.systems.manifest.export import GRAPH_FILE, TENSORS_FILE, Precision
from kiwi.systems.onnx.embeddings import quantize_pieces
from kiwi.systems.onnx.optimize import fold_transpositions, fuse_heads
from kiwi.systems.onnx.quantize import quantize
from kiwi.systems.pretrained.lower_layers import LowerLayers
from kiwi.systems.qe_system import QESystem

OPSET = 23
"""The first opset that has attention as one operator."""

BATCH, SOURCE_WORDS, TARGET_WORDS, WINDOWS, PIECES, PAIRS, MOST_WINDOWS, SOURCE_READINGS, TARGET_READINGS = (
    "batch",
    "source_words",
    "target_words",
    "windows",
    "pieces",
    "pairs",
    "most_windows",
    "source_readings",
    "target_readings",
)
UNITS, UNIT_READINGS = "units", "unit_readings"
"""The dynamic dimensions of a graph."""

DIMENSIONS: dict[str, tuple[str, ...]] = {
    const.ALIGNMENTS: (PAIRS,),
    "piece_segments": (WINDOWS,),
    "segment_windows": (BATCH, MOST_WINDOWS),
    "source_readings": (BATCH, SOURCE_WORDS, SOURCE_READINGS),
    "target_readings": (BATCH, TARGET_WORDS, TARGET_READINGS),
    "unit_mask": (BATCH, UNITS),
    "unit_bounds": (BATCH, UNITS),
    "unit_readings": (BATCH, UNITS, UNIT_READINGS),
}
"""The dimensions of arrays that cannot be derived from their names."""

ADDED_READINGS = {"segment_windows": 3, "target_readings": 5, "source_readings": 6, "unit_readings": 7}
"""The number of empty columns that are added to these arrays of the example, so that their sizes differ."""

EXAMPLE = (
    ("a b c d e f g h i j k", "l m n o p q r s", "0-0 1-1 2-2 4-3"),
    ("a b c", "d e", "1-1"),
)
"""Source, target and alignments of the segments that a system is traced on; all dimensions differ in size."""


class _Graph(nn.Module):
    """The module that is exported."""

    def __init__(self, system: QESystem) -> None:
        super().__init__()
        self.system = system

    def forward(self, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the predictions for the arrays of a batch."""
        return self.system.values(_batch_of(arrays))


def make_graph(system: QESystem) -> ir.Model:
    """Convert a system to an ONNX graph by tracing it on a batch.

    Args:
        system: the trained system, in evaluation mode.

    Raises:
        ConfigError: when a part of the system cannot be converted to ONNX.
    """
    arrays = _example(system)
    names = {name: _dimensions(name) for name in arrays}
    dims = {dim: torch.export.Dim(dim) for places in names.values() for dim in places}
    shapes = {name: dict(enumerate(dims[dim] for dim in places)) for name, places in names.items()}
    try:
        with torch.no_grad(), _quiet():
            outputs = list(system.values(_batch_of(arrays)))
            program = torch.onnx.export(
                _Graph(system).eval(),
                kwargs={"arrays": arrays},
                dynamic_shapes={"arrays": shapes},
                dynamo=True,
                opset_version=OPSET,
                input_names=list(arrays),
                output_names=outputs,
                verbose=False,
                optimize=False,
            )
            assert program is not None
            model: ir.Model = program.model
            # Not torch's own fusions, since that of rotary embeddings is valid for a single segment only.
            optimizer.optimize_ir(model)
    except Exception as error:  # three libraries raise various errors
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConfigError(f"{_describe(system)} cannot be exported: {reason}") from error
    check_open(model, names, system)
    _tidy(model)
    fold_transpositions(model)
    fuse_heads(model)
    return model


def quantize_graph(model: ir.Model, precision: Precision, *, int4_embeddings: bool = False) -> None:
    """Quantize the weights of a graph in place.

    Args:
        model: the model.
        precision: the precision of the weights.
        int4_embeddings: whether to store the embeddings of pieces in 4 bits.

    Raises:
        ConfigError: when there are no embeddings of pieces.
    """
    if int4_embeddings:
        quantize_pieces(model)
    if precision == "int8":
        quantize(model)


def make_states_graph(layers: LowerLayers, precision: Precision = "fp32") -> ir.Model:
    """Convert the lower layers of an encoder to an ONNX graph from pieces and their mask to states.

    Args:
        layers: the layers, in evaluation mode.
        precision: the precision of the weights.

    Raises:
        ConfigError: when the encoder cannot be converted to ONNX.
    """
    what = f"A {layers.body.config.model_type}"
    # Two rows of different length, so that both dimensions are dynamic and the mask has an effect.
    pieces = torch.tensor([[5, 6, 7, 8, 9], [5, 6, 7, 0, 0]])
    arrays = {"pieces": pieces, "mask": torch.tensor([[True] * 5, [True] * 3 + [False] * 2])}
    rows, columns = torch.export.Dim(WINDOWS), torch.export.Dim(PIECES)
    try:
        with torch.no_grad(), _quiet():
            program = torch.onnx.export(
                layers,
                kwargs=arrays,
                dynamic_shapes={name: {0: rows, 1: columns} for name in arrays},
                dynamo=True,
                opset_version=OPSET,
                input_names=list(arrays),
                output_names=["states"],
                verbose=False,
                optimize=False,
            )
            assert program is not None
            model: ir.Model = program.model
            optimizer.optimize_ir(model)
    except Exception as error:  # three libraries raise various errors
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConfigError(f"{what} cannot be exported: {reason}") from error
    for value in model.graph.inputs:
        assert value.shape is not None
        if not all(isinstance(dim, ir.SymbolicDim) for dim in value.shape):
            raise ConfigError(f"{what} cannot be exported: its graph is valid for one length only.")
    _tidy(model)
    fold_transpositions(model)
    fuse_heads(model)
    if precision == "int8":
        quantize(model)
    return model


def save_graph(model: ir.Model, directory: Path) -> None:
    """Write a graph and, in a separate file, its weights."""
    ir.save(model, directory / GRAPH_FILE, external_data=TENSORS_FILE)


def _example(system: QESystem) -> dict[str, Tensor]:
    """Return the arrays of a small batch."""
    rows = []
    for source, target, alignments in EXAMPLE:
        row = {const.SOURCE: source, const.TARGET: target}
        row |= {const.SOURCE_POS: source, const.TARGET_POS: target, const.ALIGNMENTS: alignments}
        rows.append({field: text for field, text in row.items() if field in system.input_fields})
    arrays = as_tensors(system.collate(rows)).arrays()
    # The last segment has two windows; no word and no segment refers to the second one.
    for name, array in arrays.items():
        if name.startswith("piece"):
            arrays[name] = torch.cat([array, array[-1:]])
        elif name in ADDED_READINGS:
            arrays[name] = functional.pad(array, (0, ADDED_READINGS[name]), value=-1)
    return arrays


def _batch_of(arrays: Mapping[str, Any]) -> QEBatch[Tensor]:
    return QEBatch(**arrays)


def _dimensions(name: str) -> tuple[str, ...]:
    """Return the names of the dynamic leading dimensions of an array."""
    if name in DIMENSIONS:
        return DIMENSIONS[name]
    if name.startswith("piece"):
        return (WINDOWS, PIECES)
    return (BATCH, SOURCE_WORDS if name.startswith("source") else TARGET_WORDS)


def check_open(model: ir.Model, names: Mapping[str, tuple[str, ...]], system: QESystem) -> None:
    """Reject a graph that is valid for a fixed size only.

    Args:
        model: the model with the graph.
        names: the names of the dimensions of each input.
        system: the system that was converted, for error messages.

    Raises:
        ConfigError: when a dimension is fixed.
    """
    for value in model.graph.inputs:
        assert value.shape is not None
        for dim, name in zip(value.shape, names[value.name or ""], strict=False):
            if not isinstance(dim, ir.SymbolicDim):
                raise ConfigError(
                    f"{_describe(system)} cannot be exported: its graph is valid for {name} = {dim} only."
                )


def _tidy(model: ir.Model) -> None:
    """Remove unused inputs, and the metadata about the code that each operator comes from."""
    graph = model.graph
    outputs = set(graph.outputs)
    unused = [value for value in graph.inputs if not value.uses() and value not in outputs]
    for value in unused:
        graph.inputs.remove(value)
    for node in graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
        for output in node.outputs:
            output.metadata_props.clear()
    for value in (*graph.inputs, *graph.initializers.values()):
        value.metadata_props.clear()
    for place in (model, graph):
        place.metadata_props.clear()


def _describe(system: QESystem) -> str:
    """Describe a system, for error messages."""
    body = getattr(system.encoder, "body", None)
    return f"This {system.class_name}" + (f" on a {body.config.model_type}" if body is not None else "")


LOGGERS = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the diagnostics of the libraries."""
    loggers: list[Any] = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"torch\.|onnxscript\.|onnx_ir\.|copyreg")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

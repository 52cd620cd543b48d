"""Exported systems as checkpoints: their weights, without quantization, so that they can be trained further.

An initializer ``NAME`` of a graph is stored in 8 bits as ``NAME_int8`` and ``NAME_scale``, or transposed as
``NAME_transposed_int8`` and ``NAME_transposed_scale``; and in 4 bits as ``NAME_int4`` and ``NAME_scale``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kiwi.data.text.vocabulary import Vocabularies, load_vocabularies
from kiwi.exceptions import CheckpointError
from kiwi.systems.checkpoint import read_weights
from kiwi.systems.manifest.checkpoint import EXPORT_FILE, CheckpointInfo, read_checkpoint_info
from kiwi.systems.manifest.export import (
    GRAPH_FILE,
    LARGEST_GRAPH,
    TENSORS_FILE,
    ExportInfo,
    is_export,
    read_export_info,
)
from kiwi.utils.imports import needs_extra
from kiwi.utils.sealed import RESTORE, SealedDirectory

logger = logging.getLogger(__name__)

INT8, INT4, SCALE, TRANSPOSED = "_int8", "_int4", "_scale", "_transposed"
"""The ends of the names of quantized initializers."""

LOWEST, HIGHEST = -8, 7
"""The range of the integers of 4 bits."""

ROWS = 4096
"""The number of rows whose values are computed together, which bounds the memory."""

Arrays = Callable[[str], NDArray[Any] | None]
"""A function that returns the initializer of a name, if there is one."""


def read_trained_info(path: Path) -> CheckpointInfo:
    """Read the metadata of a checkpoint, or of the one that an exported system was made from, to train it further.

    Raises:
        CheckpointError: when there is no trained system, it is damaged, or it is an export whose weights cannot be
            restored.
        MissingExtraError: when an extra must be installed to restore them; the message names it.
    """
    if not is_export(path):
        return read_checkpoint_info(path)
    info, _ = read_export_info(path)
    stored = info.weights
    if stored is None:
        raise CheckpointError(
            f"{path}: an exported system that cannot be trained further: kiwi {info.kiwi_version} did not record in "
            f"{EXPORT_FILE} where its graph has the weights. Train the checkpoint that it was exported from, or export "
            "that again."
        )
    if stored.lost:
        more = f" and {len(stored.lost) - 1} more of its weights" if len(stored.lost) > 1 else ""
        raise CheckpointError(
            f"{path}: an exported {info.checkpoint.class_name}, which cannot be trained further: its graph does not "
            f"have {stored.lost[0]}{more} as in the checkpoint. Train the checkpoint that it was exported from."
        )
    with needs_extra("export", "Training an exported system further"):
        import onnx_ir  # noqa: F401
    return info.checkpoint


def read_trained_weights(path: Path, info: CheckpointInfo) -> dict[str, Tensor]:
    """Read and verify the weights of a checkpoint, or restore those of an exported system.

    Args:
        path: the directory.
        info: the result of :func:`read_trained_info`.

    Raises:
        CheckpointError: when files are missing or damaged.
    """
    return _restore_weights(path, read_export_info(path)[0]) if is_export(path) else read_weights(path, info)


def read_trained_vocabularies(path: Path, fields: Sequence[str]) -> Vocabularies:
    """Read the vocabularies of a trained system; exported systems that read pieces have no file of them.

    Args:
        path: its directory, or a file of vocabularies.
        fields: the required fields.

    Raises:
        CheckpointError: when the file is missing, is damaged, or lacks a field.
    """
    return {} if not fields and is_export(path) else load_vocabularies(path, fields)


def _restore_weights(path: Path, info: ExportInfo) -> dict[str, Tensor]:
    stored = info.weights
    assert stored is not None, "checked by read_trained_info"
    try:
        arrays = _open_graph(path)
        found = {name: restore(arrays, own) for name, own in stored.initializers.items()}
        found |= {name: restore(arrays, own).T for name, own in stored.transposed.items()}
        found |= {name: np.array(values) for name, values in stored.values.items()}
        weights = {name: _as_tensor(values) for name, values in found.items()}
    except CheckpointError:
        raise
    except Exception as error:  # the library raises various errors for damaged graphs
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"{path / GRAPH_FILE}: damaged: its weights cannot be restored: {reason}. {RESTORE}"
        ) from error
    logger.info("%s is an exported system (%s). Its weights are restored as they are there.", path, info.form)
    return weights


def _open_graph(path: Path) -> Arrays:
    """Return the initializers of the graph of an exported system, which are read when they are asked for."""
    import onnx_ir as ir

    sealed = SealedDirectory.open(path)
    sealed.read(GRAPH_FILE, LARGEST_GRAPH)
    if TENSORS_FILE in (sealed.sums or ()):
        sealed.check(TENSORS_FILE)
    initializers = ir.load(path / GRAPH_FILE).graph.initializers

    def find(name: str) -> NDArray[Any] | None:
        if name not in initializers:
            return None
        tensor = initializers[name].const_value
        if tensor is None or (isinstance(tensor, ir.ExternalTensor) and str(tensor.location) != TENSORS_FILE):
            raise CheckpointError(f"{path / GRAPH_FILE}: damaged: '{name}' is not in {TENSORS_FILE}. {RESTORE}")
        return tensor.numpy()

    return find


def restore(arrays: Arrays, name: str) -> NDArray[Any]:
    """Return an initializer as it was before quantization, up to rounding.

    Args:
        arrays: the initializers of the graph.
        name: the name that it had.

    Raises:
        ValueError: when the graph does not have it.
    """
    if (plain := arrays(name)) is not None:
        return plain
    for end in (INT8, f"{TRANSPOSED}{INT8}", INT4):
        integers, scales = arrays(f"{name}{end}"), arrays(f"{name}{end.removesuffix(INT8).removesuffix(INT4)}{SCALE}")
        if integers is not None and scales is not None:
            if end == INT4:
                return from_4_bits(integers, scales)
            values: NDArray[np.float32] = integers.astype(np.float32) * scales
            return values if end == INT8 else values.T
    raise ValueError(f"found no initializer '{name}'")


def from_4_bits(packed: NDArray[np.uint8], scales: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return embeddings, (rows, dim), that are stored in 4 bits.

    Args:
        packed: pairs of integers, (rows, dim / 2): the two halves of each block.
        scales: the scale of each block, (rows, blocks).
    """
    rows, blocks = scales.shape
    values = np.empty((rows, 2 * packed.shape[1]), dtype=np.float32)
    for start in range(0, rows, ROWS):
        part = slice(start, start + ROWS)
        pairs = packed[part].reshape(-1, blocks, packed.shape[1] // blocks)
        integers = np.concatenate([pairs & 15, pairs >> 4], axis=-1).astype(np.float32) + LOWEST
        values[part] = (integers * scales[part].astype(np.float32)[..., None]).reshape(-1, values.shape[1])
    return values


def _as_tensor(values: NDArray[Any]) -> Tensor:
    """Return a tensor with memory of its own, since the file is mapped and weights are trained in place."""
    dtype = np.float32 if values.dtype == np.float64 else values.dtype  # numbers of JSON have no precision
    return torch.from_numpy(np.array(values, dtype=dtype, order="C", copy=True))

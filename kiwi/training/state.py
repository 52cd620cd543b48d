"""The state of a run, in one safetensors file, so that a new state replaces the former one atomically.

The file holds tensors as tensors, and everything else as JSON in its header. Reading it unpickles nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from kiwi import __version__
from kiwi.exceptions import CheckpointError
from kiwi.utils.io import staged

STATE_FILE = "resume.safetensors"

STATE_FORMAT = "1"

# Keys that mark values which JSON cannot represent: tensors, and mappings whose keys are not strings.
TENSOR, PAIRS = "__tensor__", "__pairs__"


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write nested dictionaries and lists of plain values and tensors atomically.

    Args:
        path: the path of the file.
        state: the state. Keys may be integers; tuples are read back as lists.
    """
    tensors: dict[str, Tensor] = {}
    content = json.dumps(_encode(state, _TensorStore(tensors)))
    header = {"format": STATE_FORMAT, "kiwi_version": __version__, "content": content}
    with staged(path) as stage:
        save_file(tensors, stage, metadata={**header, "sha256": _digest(content, tensors)})


def read_state(path: Path) -> dict[str, Any]:
    """Read a state that :func:`write_state` wrote.

    Raises:
        CheckpointError: when the file cannot be read, is damaged, or was written by another version of kiwi.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            names = list(file.keys())
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: the state of a run cannot be read: {error}.") from error
    if "kiwi_version" not in header or "content" not in header:
        raise CheckpointError(f"{path}: found a safetensors file of another kind; expected the state of a run.")
    if header["kiwi_version"] != __version__ or header.get("format") != STATE_FORMAT:
        raise CheckpointError(
            f"{path}: found the state of a run of kiwi {header['kiwi_version']}; this is kiwi {__version__}, whose "
            "results may differ. Resume with that version, or train the run's best model further with system.load."
        )
    if header.get("sha256") != _digest(header["content"], tensors):
        raise CheckpointError(f"{path}: the file is damaged: its SHA-256 differs from the one in its header.")
    state: dict[str, Any] = _decode(json.loads(header["content"]), tensors)
    return state


class _TensorStore:
    """Collects tensors under names; a tensor that occurs twice, such as a tied weight, is stored once."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors
        self._names: dict[tuple[Any, ...], str] = {}

    def __call__(self, tensor: Tensor) -> str:
        place = (tensor.data_ptr(), tensor.dtype, *tensor.shape, *tensor.stride())
        name = self._names.get(place) if tensor.numel() else None
        if name is None:
            name = self._names[place] = str(len(self.tensors))
            self.tensors[name] = tensor.detach().cpu().contiguous()
        return name


def _encode(value: Any, store: Callable[[Tensor], str]) -> Any:
    if isinstance(value, Tensor):
        return {TENSOR: store(value)}
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: _encode(item, store) for key, item in value.items()}
        return {PAIRS: [[key, _encode(item, store)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_encode(item, store) for item in value]
    return value


def _decode(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, dict):
        if TENSOR in value:
            return tensors[value[TENSOR]]
        if PAIRS in value:
            return {key: _decode(item, tensors) for key, item in value[PAIRS]}
        return {key: _decode(item, tensors) for key, item in value.items()}
    if isinstance(value, list):
        return [_decode(item, tensors) for item in value]
    return value


def _digest(content: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(content.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\0{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()

"""The state of a run as a file: one safetensors file, so that a new one replaces the former in one step.

Tensors lie in it as tensors, everything else as JSON in its header. Nothing that reads it unpickles.
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

# Names that stand for what JSON does not have.
TENSOR, PAIRS = "__tensor__", "__pairs__"


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write nested dictionaries and lists of plain values and tensors, whole or not at all.

    Args:
        path: of the file.
        state: keys may be integers; tuples come back as lists.
    """
    tensors: dict[str, Tensor] = {}
    content = json.dumps(_encoded(state, _Keeper(tensors)))
    header = {"format": STATE_FORMAT, "kiwi_version": __version__, "content": content}
    with staged(path) as stage:
        save_file(tensors, stage, metadata={**header, "sha256": _digest(content, tensors)})


def read_state(path: Path) -> dict[str, Any]:
    """Read what :func:`write_state` wrote.

    Raises:
        CheckpointError: when it cannot be read, is damaged, or was written by another version of kiwi.
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
            f"{path}: found the state of a run of kiwi {header['kiwi_version']}; this is kiwi {__version__}, which may "
            "compute otherwise. Go on with that version, or train further from the run's best model: system.load."
        )
    if header.get("sha256") != _digest(header["content"], tensors):
        raise CheckpointError(f"{path}: damaged: its SHA-256 is not the one that it was written with.")
    state: dict[str, Any] = _decoded(json.loads(header["content"]), tensors)
    return state


class _Keeper:
    """Names tensors; one that is met twice, such as a tied weight, is kept once."""

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


def _encoded(value: Any, keep: Callable[[Tensor], str]) -> Any:
    if isinstance(value, Tensor):
        return {TENSOR: keep(value)}
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: _encoded(item, keep) for key, item in value.items()}
        return {PAIRS: [[key, _encoded(item, keep)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_encoded(item, keep) for item in value]
    return value


def _decoded(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, dict):
        if TENSOR in value:
            return tensors[value[TENSOR]]
        if PAIRS in value:
            return {key: _decoded(item, tensors) for key, item in value[PAIRS]}
        return {key: _decoded(item, tensors) for key, item in value.items()}
    if isinstance(value, list):
        return [_decoded(item, tensors) for item in value]
    return value


def _digest(content: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(content.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\0{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()

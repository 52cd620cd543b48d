"""Checkpoints: a trained system as a versioned directory of plain files.

The files are ``config.yaml`` (versions of format and kiwi, system, data, metrics), ``model.safetensors`` (weights),
``vocab.json`` (vocabularies), ``labels.json`` (labels of each output, in the order of their classes), for a pretrained
encoder ``encoder.json`` (its configuration), ``tokenizer/`` and ``licences/``, the policy that it may carry
(``policy.json``), and ``SHA256SUMS`` over all of them. A checkpoint contains no code, loading it unpickles nothing, and
every file is verified against its checksum.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from kiwi import constants as const
from kiwi.data.text.vocabulary import Vocabulary, save_vocabularies
from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.outputs import names as output_names
from kiwi.systems.manifest.checkpoint import (
    CONFIG_FILE,
    LABELS_FILE,
    WEIGHTS_FILE,
    CheckpointInfo as CheckpointInfo,
    read_checkpoint_info as read_checkpoint_info,
)
from kiwi.systems.pretrained.model import Pretrained
from kiwi.utils.io import staged, write_json
from kiwi.utils.sealed import RESTORE, SealedDirectory, seal
from kiwi.utils.structured.writing import write_yaml
from kiwi.utils.tensor_header import read_tensor_header

Module = TypeVar("Module", bound=nn.Module)


def save_checkpoint(
    path: Path,
    info: CheckpointInfo,
    weights: Mapping[str, Tensor],
    vocabularies: Mapping[str, Vocabulary],
    pretrained: Pretrained | None = None,
    card: str | None = None,
) -> None:
    """Write a checkpoint directory atomically.

    Args:
        path: the directory to write.
        info: the metadata of the checkpoint.
        weights: the weights by name.
        vocabularies: the vocabularies of the text fields.
        pretrained: the pretrained model that the encoder is built on, if any.
        card: the content of ``README.md``.

    Raises:
        ConfigError: when the directory exists, is not empty, and is not a checkpoint.
        WriteError: when the directory cannot be written.
    """
    check_replaceable(path)
    names = output_names(info.outputs, kind="tags")
    with staged(path) as stage:
        stage.mkdir()
        save_weights(weights, stage / WEIGHTS_FILE)
        write_yaml(stage / CONFIG_FILE, info.to_dict())
        save_vocabularies(vocabularies, stage)
        if pretrained is not None:
            pretrained.save(stage)
        write_json(stage / LABELS_FILE, {name: list(const.LABELS) for name in names})
        seal(stage)
        if card is not None:
            (stage / "README.md").write_text(card, encoding="utf-8")


def check_replaceable(path: Path) -> None:
    """Reject a directory that is not a checkpoint, so that it is not replaced.

    Raises:
        ConfigError: when the directory is a git repository, or is not empty and not a checkpoint.
    """
    if (path / ".git").exists():
        raise ConfigError(
            f"{path}: is a git repository, whose history would be lost. Write to another directory and copy the files."
        )
    if path.is_dir() and not (path / CONFIG_FILE).is_file() and any(path.iterdir()):
        raise ConfigError(
            f"{path}: already exists and is not a checkpoint. Choose a new directory, or remove this one."
        )


def save_weights(weights: Mapping[str, Tensor], file: Path) -> None:
    """Write the file of weights of a checkpoint.

    Args:
        weights: the weights by name; tied ones are stored once.
        file: the file to write.
    """
    save_file(_without_tied(weights), file)


def _without_tied(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights to store, keeping only the first of each group of tied weights."""
    seen: set[tuple[int, ...]] = set()
    stored: dict[str, Tensor] = {}
    for name, weight in weights.items():
        key = _storage_key(weight)
        if key not in seen:
            stored[name] = weight.detach().cpu().contiguous()
        seen.add(key)
    return stored


def _storage_key(weight: Tensor) -> tuple[int, ...]:
    """Return a key of the memory of a weight, which is equal for tied weights only."""
    if weight.is_meta or not weight.numel():
        return (-id(weight),)  # has no memory
    return (weight.data_ptr(), *weight.shape, *weight.stride())


def read_weights(path: Path, info: CheckpointInfo) -> dict[str, Tensor]:
    """Read and verify the weights of a checkpoint.

    Args:
        path: the directory of the checkpoint.
        info: the metadata of the checkpoint.

    Raises:
        CheckpointError: when the file is missing, damaged, or does not match its checksum.
    """
    file = path / WEIGHTS_FILE
    read_tensor_header(file)
    if info.weights_sha256 is None:
        SealedDirectory.open(path).check(WEIGHTS_FILE)
    else:
        with file.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != info.weights_sha256:
                raise CheckpointError(f"{file}: damaged: its SHA-256 differs from the one in {CONFIG_FILE}. {RESTORE}")
    try:
        weights: dict[str, Tensor] = load_file(file)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file}: weights cannot be read: {error}. {RESTORE}") from error
    return weights


def build_on_meta(build: Callable[[], Module], place: object, *, as_trained: bool) -> Module:
    """Build a module on the ``meta`` device, to check weights against its shapes before memory is allocated.

    Args:
        build: the function that builds the module.
        place: the checkpoint, for error messages.
        as_trained: whether all options come from the checkpoint, so that any error is due to the checkpoint.

    Raises:
        CheckpointError: when the module cannot be built.
        ConfigError: when the module cannot be built and not ``as_trained``, because options conflict.
    """
    try:
        with torch.device("meta"):
            return build()
    except CheckpointError:
        raise
    except Exception as error:  # any library may raise anything for damaged sizes and options
        if isinstance(error, ConfigError) and not as_trained:
            raise
        raise CheckpointError(f"{place}: damaged: its system cannot be built: {error}. {RESTORE}") from error


@contextmanager
def skip_init() -> Iterator[None]:
    """Leave large weights uninitialized within this block, for a module whose weights are loaded afterwards.

    Drawing the embeddings of a large vocabulary takes a second.
    """
    with _SkipInit():
        yield


class _SkipInit(TorchFunctionMode):
    """A mode that initializes small weights only, since a module may derive other values from them."""

    largest_drawn = 2**20
    """The maximum number of elements of a weight that is still initialized."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Skip random initialization, by a method of a tensor or by a function of ``torch.nn.init``."""
        kwargs = kwargs or {}
        if getattr(function, "__name__", "") in ("normal_", "uniform_"):
            tensor: Tensor = args[0] if args else kwargs["tensor"]
            if tensor.numel() > self.largest_drawn:
                return tensor
        return function(*args, **kwargs)


def check_layers(options: object, weights: Mapping[str, Tensor], place: object) -> None:
    """Reject options that ask for more layers than there are weights, before any layer is built.

    Args:
        options: the options of a system, or of its pretrained model.
        weights: the weights by name.
        place: the checkpoint, for error messages.

    Raises:
        CheckpointError: when an option asks for too many layers.
    """
    most = max(len(weights), 100)  # a few too many are cheap to build, and their shapes are checked later
    for name, value in options.items() if isinstance(options, Mapping) else ():
        if isinstance(value, int | float) and "layers" in str(name) and value > most:
            raise CheckpointError(
                f"{place}: damaged: found {name}: {value} for {len(weights)} tensors of weights. {RESTORE}"
            )
        check_layers(value, weights, place)


def load_weights(
    module: nn.Module, weights: Mapping[str, Tensor], place: object, allowed_missing: tuple[str, ...] = ()
) -> None:
    """Load weights into a module.

    Args:
        module: the module to load.
        weights: the weights by name.
        place: the checkpoint, for error messages.
        allowed_missing: prefixes of the weights that may be missing; these keep their initial values.

    Raises:
        CheckpointError: when weights are missing, unexpected, or of another shape or type.
    """
    check_fit(module, weights, place, allowed_missing)
    own: dict[str, Tensor] = module.state_dict(keep_vars=True)
    with torch.no_grad():
        for name, weight in weights.items():
            if own[name].dtype == weight.dtype and isinstance(own[name], nn.Parameter):
                # Use the memory that the file is mapped into, since a copy would double it. Tied weights stay tied.
                own[name].data = weight
            else:
                own[name].copy_(weight)


def check_fit(
    module: nn.Module, weights: Mapping[str, Tensor], place: object, allowed_missing: tuple[str, ...] = ()
) -> None:
    """Check that weights fit a module, without loading them; see :func:`load_weights`."""
    own: dict[str, Tensor] = module.state_dict(keep_vars=True)
    given = {_storage_key(own[name]) for name in weights if name in own}  # tied weights are stored once
    problems = [
        f"'{name}' is missing"
        for name, weight in own.items()
        if name not in weights and not name.startswith(allowed_missing) and _storage_key(weight) not in given
    ]
    problems += [f"'{name}' is unexpected" for name in weights if name not in own]
    problems += [
        f"'{name}' has shape {tuple(tensor.shape)}, expected {tuple(own[name].shape)}"
        for name, tensor in weights.items()
        if name in own and tensor.shape != own[name].shape
    ]
    problems += [
        f"'{name}' is of type {tensor.dtype}, expected {own[name].dtype}"
        for name, tensor in weights.items()
        if name in own and tensor.dtype.is_floating_point != own[name].dtype.is_floating_point
    ]
    if problems:
        listing = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        raise CheckpointError(f"{place}: the weights do not fit this system: {listing}.")

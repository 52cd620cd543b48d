"""A system on disk: a versioned directory of plain files.

``config.yaml`` (format and kiwi version, system, data, metrics when saved), ``model.safetensors`` (weights),
``vocab.json`` (vocabularies), ``labels.json`` (labels by output, in the order of their classes), for a pretrained
encoder ``encoder.json`` (its configuration), ``tokenizer/`` and ``licences/``, and ``SHA256SUMS`` of all of them.
Nothing in it is code, nothing that loads it unpickles, and nothing is read that is not what was written.
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
from kiwi.utils.io import staged, write_json, write_yaml
from kiwi.utils.sealed import RESTORE, SealedDirectory, seal
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
    """Write a checkpoint directory, whole or not at all.

    Args:
        path: to write.
        info: what it says of itself.
        weights: by name.
        vocabularies: of the text fields.
        pretrained: the model that the encoder is built on, if it is.
        card: content of its ``README.md``.

    Raises:
        ConfigError: when there is a directory already that has something in it, and is no checkpoint.
        WriteError: when it cannot be written.
    """
    check_replaceable(path)
    names = output_names(info.outputs, kind="tags")
    with staged(path) as stage:
        stage.mkdir()
        save_file(_once(weights), stage / WEIGHTS_FILE)
        write_yaml(stage / CONFIG_FILE, info.to_dict())
        save_vocabularies(vocabularies, stage)
        if pretrained is not None:
            pretrained.save(stage)
        write_json(stage / LABELS_FILE, {name: list(const.LABELS) for name in names})
        seal(stage)
        if card is not None:
            (stage / "README.md").write_text(card, encoding="utf-8")


def check_replaceable(path: Path) -> None:
    """Refuse to swap out a directory of something else.

    Raises:
        ConfigError: when it has something in it and is no checkpoint, or has a history.
    """
    if (path / ".git").exists():
        raise ConfigError(f"{path}: is a git repository, whose history would go; write elsewhere, and copy the files.")
    if path.is_dir() and not (path / CONFIG_FILE).is_file() and any(path.iterdir()):
        raise ConfigError(
            f"{path}: is there already, and is no checkpoint; name a directory that is not, or remove it."
        )


def _once(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights as a file keeps them: of those that are tied, the first."""
    places: set[tuple[int, ...]] = set()
    kept: dict[str, Tensor] = {}
    for name, weight in weights.items():
        place = _place(weight)
        if place not in places:
            kept[name] = weight.detach().cpu().contiguous()
        places.add(place)
    return kept


def _place(weight: Tensor) -> tuple[int, ...]:
    """Where a weight lies in memory: the same for weights that are tied, and for no others."""
    if weight.is_meta or not weight.numel():
        return (-id(weight),)  # lies nowhere
    return (weight.data_ptr(), *weight.shape, *weight.stride())


def read_weights(path: Path, info: CheckpointInfo) -> dict[str, Tensor]:
    """The tensors of a checkpoint.

    Args:
        path: of the checkpoint.
        info: what it says of itself.

    Raises:
        CheckpointError: when the file is not there, is damaged, or is not the one that was saved with the rest.
    """
    file = path / WEIGHTS_FILE
    read_tensor_header(file)
    if info.weights_sha256 is None:
        SealedDirectory.open(path).check(WEIGHTS_FILE)
    else:
        with file.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != info.weights_sha256:
                raise CheckpointError(f"{file}: damaged: its SHA-256 is not the one in {CONFIG_FILE}. {RESTORE}")
    try:
        weights: dict[str, Tensor] = load_file(file)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file}: weights cannot be read: {error}. {RESTORE}") from error
    return weights


def build_shape(build: Callable[[], Module], place: object, *, as_trained: bool) -> Module:
    """Build a module without memory, to hold weights against it before it gets any.

    Args:
        build: makes the module.
        place: the checkpoint, for errors.
        as_trained: whether all that the module is built from stands in the checkpoint, so that a mistake is there.

    Raises:
        CheckpointError: when there cannot be such a module.
        ConfigError: if not ``as_trained``, when the options for it do not go together.
    """
    try:
        with torch.device("meta"):
            return build()
    except CheckpointError:
        raise
    except Exception as error:  # of any library, for sizes and options that it has not expected
        if isinstance(error, ConfigError) and not as_trained:
            raise
        raise CheckpointError(f"{place}: damaged: its system cannot be built: {error}. {RESTORE}") from error


@contextmanager
def without_drawing() -> Iterator[None]:
    """Leave large weights as the memory is that they get, for a module whose weights are loaded anyway.

    A large vocabulary takes a second to draw.
    """
    with _WithoutDrawing():
        yield


class _WithoutDrawing(TorchFunctionMode):
    """Small weights are drawn: some are made from what is drawn, and nothing tells what memory holds."""

    large = 2**20

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Skip what draws, be it a tensor's method or a function of ``torch.nn.init``."""
        kwargs = kwargs or {}
        if getattr(function, "__name__", "") in ("normal_", "uniform_"):
            tensor: Tensor = args[0] if args else kwargs["tensor"]
            if tensor.numel() > self.large:
                return tensor
        return function(*args, **kwargs)


def check_layers(options: object, weights: Mapping[str, Tensor], place: object) -> None:
    """Refuse options that ask for more layers than there are weights, before anything begins to build them.

    Args:
        options: of a system, or of its pretrained model.
        weights: by name.
        place: where they are from, for errors.

    Raises:
        CheckpointError: naming the option.
    """
    most = max(len(weights), 100)  # few do no harm, and are told from the shapes
    for name, value in options.items() if isinstance(options, Mapping) else ():
        if isinstance(value, int | float) and "layers" in str(name) and value > most:
            raise CheckpointError(
                f"{place}: damaged: found {name}: {value} for {len(weights)} tensors of weights. {RESTORE}"
            )
        check_layers(value, weights, place)


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], place: object, fresh: tuple[str, ...] = ()) -> None:
    """Put tensors into a module, each in its place.

    Args:
        module: to load.
        weights: by name.
        place: where they are from, for errors.
        fresh: prefixes of weights that may be missing and then keep their initial values.

    Raises:
        CheckpointError: listing what is missing, unexpected, or of another shape or type.
    """
    check_fit(module, weights, place, fresh)
    own: dict[str, Tensor] = module.state_dict(keep_vars=True)
    with torch.no_grad():
        for name, weight in weights.items():
            if own[name].dtype == weight.dtype and isinstance(own[name], nn.Parameter):
                # The memory that the file is mapped into: what is copied is there twice. Tied weights stay tied.
                own[name].data = weight
            else:
                own[name].copy_(weight)


def check_fit(module: nn.Module, weights: Mapping[str, Tensor], place: object, fresh: tuple[str, ...] = ()) -> None:
    """Hold weights against a module; as :func:`load_weights`, which loads them too."""
    own: dict[str, Tensor] = module.state_dict(keep_vars=True)
    given = {_place(own[name]) for name in weights if name in own}  # a tied weight stands there once
    problems = [
        f"'{name}' is missing"
        for name, weight in own.items()
        if name not in weights and not name.startswith(fresh) and _place(weight) not in given
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
        raise CheckpointError(f"{place}: weights do not fit this system: {listing}.")

"""A system on disk: a versioned directory of plain files.

``config.yaml`` (format and kiwi version, system, metrics when saved), ``model.safetensors`` (weights),
``vocab.json`` (vocabularies), ``labels.json`` (labels by output, in the order of their classes), and for a pretrained
encoder ``encoder.json`` (its configuration) and ``tokenizer/``. Nothing in it is code, and nothing that loads it
unpickles.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from kiwi import __version__, constants as const
from kiwi.data.vocabulary import Vocabulary, save_vocabularies
from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.systems.pretrained import Pretrained
from kiwi.utils.io import read_structured, staged, write_json, write_yaml

FORMAT_VERSION = 1

CONFIG_FILE = "config.yaml"
WEIGHTS_FILE = "model.safetensors"
LABELS_FILE = "labels.json"


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint says of itself."""

    class_name: str
    model: dict[str, Any]
    metrics: dict[str, float] = field(default_factory=dict)
    kiwi_version: str = __version__
    weights_sha256: str = ""
    """Of the file of weights, set when the checkpoint is written."""


def save_checkpoint(
    path: Path,
    info: CheckpointInfo,
    weights: Mapping[str, Tensor],
    vocabularies: Mapping[str, Vocabulary],
    pretrained: Pretrained | None = None,
) -> None:
    """Write a checkpoint directory, whole or not at all."""
    switches = info.model["outputs"]["word_level"] if "outputs" in info.model else {}  # language models have no labels
    names = [f"{side}_tags" for side in ("target", "gap", "source") if switches.get(side + "s" * (side == "gap"))]
    with staged(path) as stage:
        stage.mkdir()
        save_file(_once(weights), stage / WEIGHTS_FILE)
        content = {
            "format_version": FORMAT_VERSION,
            "kiwi_version": info.kiwi_version,
            "system": {"class_name": info.class_name, "model": info.model},
            "metrics": dict(info.metrics),
            "weights_sha256": _sha256(stage / WEIGHTS_FILE),
        }
        write_yaml(stage / CONFIG_FILE, content)
        save_vocabularies(vocabularies, stage)
        if pretrained is not None:
            pretrained.save(stage)
        write_json(stage / LABELS_FILE, {name: list(const.LABELS) for name in names})


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
    # An empty tensor lies nowhere.
    return (weight.data_ptr(), *weight.shape, *weight.stride()) if weight.numel() else (-id(weight),)


def read_checkpoint_info(path: Path) -> CheckpointInfo:
    """What the checkpoint at ``path`` says of itself.

    Raises:
        CheckpointError: when there is none, it is damaged, or of a format this version does not read.
    """
    file = path / CONFIG_FILE
    if (path / "best_model" / CONFIG_FILE).is_file():
        raise CheckpointError(f"{path} is the directory of a run; its best model is {path / 'best_model'}.")
    if not file.is_file():
        what = "nothing there" if not path.exists() else "a file" if path.is_file() else f"no {CONFIG_FILE} in it"
        raise CheckpointError(f"{path}: not a trained system: found {what}; expected a checkpoint directory.")
    try:
        content = read_structured(file)
        if content["format_version"] != FORMAT_VERSION:
            raise CheckpointError(
                f"{file}: found format version {content['format_version']}; this kiwi ({__version__}) reads version "
                f"{FORMAT_VERSION}. It was written by kiwi {content.get('kiwi_version', '(unknown)')}."
            )
        system = content["system"]
        labels = json.loads((path / LABELS_FILE).read_text(encoding="utf-8"))
        if any(tuple(names) != const.LABELS for names in labels.values()):
            raise CheckpointError(f"{path / LABELS_FILE}: found {labels}; expected labels {list(const.LABELS)}.")
        return CheckpointInfo(
            class_name=str(system["class_name"]),
            model=dict(system["model"]),
            metrics={name: float(value) for name, value in content["metrics"].items()},
            kiwi_version=str(content["kiwi_version"]),
            weights_sha256=str(content["weights_sha256"]),
        )
    except (ConfigError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: damaged checkpoint: {error!r}.") from error


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def read_weights(path: Path, info: CheckpointInfo) -> dict[str, Tensor]:
    """The tensors of a checkpoint.

    Args:
        path: of the checkpoint.
        info: what it says of itself.

    Raises:
        CheckpointError: when the file is not there, is damaged, or is not the one that was saved with the rest.
    """
    file = path / WEIGHTS_FILE
    try:
        if _sha256(file) != info.weights_sha256:
            raise CheckpointError(f"{file}: damaged: its SHA-256 is not the one in {CONFIG_FILE}.")
        weights: dict[str, Tensor] = load_file(file)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file}: weights cannot be read: {error}.") from error
    return weights


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], place: object, fresh: tuple[str, ...] = ()) -> None:
    """Put tensors into a module, each in its place.

    Args:
        module: to load.
        weights: by name.
        place: where they are from, for errors.
        fresh: prefixes of weights that may be missing and then keep their initial values.

    Raises:
        CheckpointError: listing what is missing, unexpected, or of another shape.
    """
    own = module.state_dict()
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
    if problems:
        listing = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        raise CheckpointError(f"{place}: weights do not fit this system: {listing}.")
    module.load_state_dict(weights, strict=False)

"""What a checkpoint says of itself, read without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kiwi import __version__, constants as const
from kiwi.exceptions import CheckpointError
from kiwi.outputs import switched_on
from kiwi.utils.sealed import RESTORE, SUMS_FILE, SealedDirectory, parse_plain_yaml, read_limited

FORMAT_VERSION = 2
"""That is written."""

READABLE_VERSIONS = (1, 2)
"""Version 1 has the sum of its weights in ``config.yaml``, and none of its other files."""

CONFIG_FILE = "config.yaml"
WEIGHTS_FILE = "model.safetensors"
LABELS_FILE = "labels.json"
ENCODER_FILE = "encoder.json"
TOKENIZER_FILE = "tokenizer/tokenizer.json"
EXPORT_FILE = "export.json"
"""Of exported systems, in the place of a configuration."""

LICENCES = "licences"
"""Directory of the licence notices of what a system is made from."""

BEST_MODEL = "best_model"
"""In the directory of a run, the link to its best checkpoint."""

LONGEST_CONFIG = 256 * 1024
"""Bytes of ``config.yaml``."""


@dataclass(frozen=True)
class DataInfo:
    """What a system was trained on, as far as it is known."""

    source_language: tuple[str, ...] = ()
    """BCP 47 tags."""

    target_language: tuple[str, ...] = ()
    """BCP 47 tags."""

    train_segments: int | None = None
    """To train on."""

    valid_segments: int | None = None
    """To choose the best model on."""

    @property
    def languages(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Of source and target."""
        return self.source_language, self.target_language


@dataclass(frozen=True)
class Origin:
    """Where a pretrained encoder comes from."""

    name: str
    """On the model hub, or of the folder that it was read from."""

    licence: str | None = None
    """As the hub writes it, such as ``mit``."""


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint says of itself."""

    class_name: str
    model: dict[str, Any]
    metrics: dict[str, float] = field(default_factory=dict)
    kiwi_version: str = __version__
    data: DataInfo = DataInfo()
    """What it was trained on."""

    origin: Origin | None = None
    """Of its pretrained encoder."""

    format_version: int = FORMAT_VERSION
    sha256: str = ""
    """Stands for the content of all files; set when the checkpoint is written. Empty in format 1."""

    weights_sha256: str | None = None
    """Of the file of weights, in format 1."""

    @property
    def outputs(self) -> list[str]:
        """What it predicts; nothing for a language model."""
        return switched_on(self.model.get("outputs"))

    @property
    def languages(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Of source and target: those of its data, or those that its encoder was told."""
        encoder = self.model.get("encoder") or {}
        told = [encoder.get(f"{side}_language") for side in ("source", "target")]
        of_encoder = [(str(name),) if name else () for name in told]
        return (self.data.source_language or of_encoder[0], self.data.target_language or of_encoder[1])

    def to_dict(self) -> dict[str, Any]:
        """Content of ``config.yaml``."""
        return {
            "format_version": self.format_version,
            "kiwi_version": self.kiwi_version,
            "system": {"class_name": self.class_name, "model": self.model},
            "data": {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self.data).items()},
            "pretrained": None if self.origin is None else asdict(self.origin),
            "metrics": dict(self.metrics),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], sha256: str = "") -> CheckpointInfo:
        """The inverse of :meth:`to_dict`, which raises what comes of values of another form.

        Args:
            content: of ``config.yaml``.
            sha256: of the checkpoint.
        """
        system, version = content["system"], content["format_version"]
        data = dict(content["data"]) if version > 1 else {}
        origin = content["pretrained"] if version > 1 else None
        model = system["model"]
        if not isinstance(model, dict):
            raise TypeError(f"system.model is {type(model).__name__}")
        return cls(
            class_name=str(system["class_name"]),
            model=model,
            metrics={str(name): float(value) for name, value in content["metrics"].items()},
            kiwi_version=str(content["kiwi_version"]),
            data=DataInfo(
                source_language=tuple(map(str, data.get("source_language") or ())),
                target_language=tuple(map(str, data.get("target_language") or ())),
                train_segments=_count(data.get("train_segments")),
                valid_segments=_count(data.get("valid_segments")),
            ),
            origin=None if origin is None else Origin(str(origin["name"]), _text(origin.get("licence"))),
            format_version=version,
            sha256=sha256,
            weights_sha256=str(content["weights_sha256"]) if version == 1 else None,
        )


def read_checkpoint_info(path: Path) -> CheckpointInfo:
    """What the checkpoint at ``path`` says of itself.

    Raises:
        CheckpointError: when there is none, it is damaged, or of a format this version does not read.
    """
    file = path / CONFIG_FILE
    try:
        if (path / BEST_MODEL / CONFIG_FILE).is_file():
            raise CheckpointError(f"{path} is the directory of a run; its best model is {path / BEST_MODEL}.")
        if (path / EXPORT_FILE).is_file():
            raise CheckpointError(f"{path} is an exported system; name the checkpoint that it was made from.")
        if not file.is_file():
            what = "nothing there" if not path.exists() else "a file" if path.is_file() else f"no {CONFIG_FILE} in it"
            raise CheckpointError(f"{path}: not a trained system: found {what}; expected a checkpoint directory.")
    except OSError as error:
        reason = error.strerror
        raise CheckpointError(f"{path}: cannot be read: {reason}. Name a directory that you may read.") from error
    content = parse_plain_yaml(read_limited(file, LONGEST_CONFIG), file)
    if not isinstance(content, dict) or "format_version" not in content:
        raise CheckpointError(f"{file}: not a checkpoint's: found no format_version; expected a checkpoint directory.")
    version, written_by = content["format_version"], content.get("kiwi_version", "(unknown)")
    if type(version) is not int or version not in READABLE_VERSIONS:
        advice = (
            " Upgrade with: pip install --upgrade kiwi-qe"
            if type(version) is int and version > FORMAT_VERSION
            else f" {RESTORE}"
        )
        raise CheckpointError(
            f"{file}: found format version {version}; this kiwi ({__version__}) reads version "
            f"{' and '.join(map(str, READABLE_VERSIONS))}. It was written by kiwi {written_by}.{advice}"
        )
    sealed = SealedDirectory.open(path)
    if version > 1:
        if sealed.sums is None:
            raise CheckpointError(f"{path}: damaged checkpoint: found no {SUMS_FILE}. {RESTORE}")
        sealed.read(CONFIG_FILE)
    check_label_names(sealed)
    try:
        return CheckpointInfo.from_dict(content, sealed.sha256)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{file}: damaged checkpoint: {error!r}. {RESTORE}") from error


def check_label_names(sealed: SealedDirectory) -> None:
    """Refuse labels that mean something else.

    Raises:
        CheckpointError: naming them.
    """
    labels = sealed.read_json(LABELS_FILE)
    if not isinstance(labels, dict) or any(names != list(const.LABELS) for names in labels.values()):
        raise CheckpointError(
            f"{sealed.path / LABELS_FILE}: found {str(labels)[:200]}; expected labels {list(const.LABELS)}."
        )


def _count(value: Any) -> int | None:
    return None if value is None else int(value)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def read_licences(path: Path) -> dict[str, str]:
    """Text by name of the licence notices that a checkpoint carries.

    Raises:
        CheckpointError: when one is damaged.
    """
    sealed = SealedDirectory.open(path)
    names = [name for name in sealed.sums or () if name.startswith(f"{LICENCES}/")]
    return {name.removeprefix(f"{LICENCES}/"): sealed.read_text(name) for name in sorted(names)}

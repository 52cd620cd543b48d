"""The metadata of a checkpoint, read without torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kiwi import __version__, constants as const
from kiwi.data.text.vocabulary import VOCABULARY_FILE
from kiwi.exceptions import CheckpointError
from kiwi.outputs import switched_on
from kiwi.systems.manifest.data_info import DataInfo, text_or_none
from kiwi.systems.manifest.foreign import explain_broken_link, explain_other_program
from kiwi.utils.sealed import CARRIED, RESTORE, SUMS_FILE, SealedDirectory, parse_plain_yaml, read_limited

FORMAT_VERSION = 2
"""The format version that is written."""

READABLE_VERSIONS = (1, 2)
"""The format versions that can be read. Version 1 has only the checksum of its weights, in ``config.yaml``."""

CONFIG_FILE = "config.yaml"
WEIGHTS_FILE = "model.safetensors"
LABELS_FILE = "labels.json"
ENCODER_FILE = "encoder.json"
TOKENIZER_FILE = "tokenizer/tokenizer.json"
EXPORT_FILE = "export.json"
"""The metadata of an exported system, instead of ``config.yaml``."""

CARD_FILE = "README.md"
"""The model card, which no checksum covers."""

LICENCES = "licences"
"""The directory of the licence notices of the pretrained model."""

OPTIONAL_FILES = (VOCABULARY_FILE, ENCODER_FILE, TOKENIZER_FILE, f"{LICENCES}/[!.]*", *CARRIED)
"""Patterns of the files that only some systems have."""

BEST_MODEL = "best_model"
"""The link to the best checkpoint, in the directory of a run."""

LONGEST_CONFIG = 256 * 1024
"""The maximum size of ``config.yaml`` in bytes."""


@dataclass(frozen=True)
class Origin:
    """The origin of a pretrained encoder."""

    name: str
    """The name on the model hub, or of the folder that the model was read from."""

    licence: str | None = None
    """The licence in the hub's notation, such as ``mit``."""


@dataclass(frozen=True)
class CheckpointInfo:
    """The metadata of a checkpoint."""

    class_name: str
    model: dict[str, Any]
    metrics: dict[str, float] = field(default_factory=dict)
    kiwi_version: str = __version__
    data: DataInfo = field(default_factory=DataInfo)
    """The training data."""

    origin: Origin | None = None
    """The origin of the pretrained encoder, if any."""

    format_version: int = FORMAT_VERSION
    sha256: str = ""
    """The fingerprint of all files, set when the checkpoint is written; empty in format 1."""

    weights_sha256: str | None = None
    """The SHA-256 of the weights, in format 1 only."""

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs; empty for a language model."""
        return switched_on(self.model.get("outputs"))

    @property
    def languages(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The languages of source and target, from the training data or else from the options of the encoder."""
        encoder = self.model.get("encoder") or {}
        names = [encoder.get(f"{side}_language") for side in ("source", "target")]
        source, target = [(str(name),) if name else () for name in names]
        return (self.data.source_language or source, self.data.target_language or target)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``config.yaml``."""
        return {
            "format_version": self.format_version,
            "kiwi_version": self.kiwi_version,
            "system": {"class_name": self.class_name, "model": self.model},
            "data": self.data.to_dict(),
            "pretrained": None if self.origin is None else asdict(self.origin),
            "metrics": dict(self.metrics),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], sha256: str = "") -> CheckpointInfo:
        """Invert :meth:`to_dict`; raises various errors for invalid content.

        Args:
            content: the content of ``config.yaml``.
            sha256: the fingerprint of the checkpoint.
        """
        system, version = content["system"], content["format_version"]
        data = dict(content["data"]) if version > 1 else {}
        origin = content["pretrained"] if version > 1 else None
        model = system["model"]
        if not isinstance(system["class_name"], str):
            raise TypeError(f"system.class_name is {system['class_name']!r}; expected a name")
        check_options(model, "system.model", ("encoder", "decoder", "outputs"))
        check_options(model.get("encoder") or {}, "system.model.encoder", ("embeddings",))
        check_options(
            model.get("outputs") or {}, "system.model.outputs", ("word_level", "sentence_level", "span_level", "custom")
        )
        info = cls(
            class_name=system["class_name"],
            model=model,
            metrics={str(name): float(value) for name, value in content["metrics"].items()},
            kiwi_version=str(content["kiwi_version"]),
            data=DataInfo.from_dict(data),
            origin=None if origin is None else Origin(str(origin["name"]), text_or_none(origin.get("licence"))),
            format_version=version,
            sha256=sha256,
            weights_sha256=str(content["weights_sha256"]) if version == 1 else None,
        )
        _ = info.outputs, info.languages  # raises for options of other types
        return info


def read_checkpoint_info(path: Path) -> CheckpointInfo:
    """Read the metadata of the checkpoint at ``path``.

    Raises:
        CheckpointError: when there is no checkpoint, or it is damaged or of an unsupported format version.
    """
    file = path / CONFIG_FILE
    try:
        if broken := explain_broken_link(path) or explain_broken_link(path / BEST_MODEL):
            raise CheckpointError(broken)
        if (path / BEST_MODEL / CONFIG_FILE).is_file():
            raise CheckpointError(f"{path} is the directory of a run. Name its best model, {path / BEST_MODEL}.")
        if (path / EXPORT_FILE).is_file():
            raise CheckpointError(f"{path} is an exported system. Name the checkpoint that it was exported from.")
        if not file.is_file():
            if (other := explain_other_program(path)) is not None:
                raise CheckpointError(other)
            what = "nothing there" if not path.exists() else "a file" if path.is_file() else f"no {CONFIG_FILE} in it"
            is_name = not path.exists() and path.name == str(path)
            raise CheckpointError(
                f"{path}: not a trained system: found {what}; expected a checkpoint directory, or that of a run."
                + (" `kiwi models` lists the models that are installed." if is_name else "")
            )
    except OSError as error:
        reason = error.strerror
        raise CheckpointError(f"{path}: cannot be read: {reason}. Name a directory that you can read.") from error
    content = parse_plain_yaml(read_limited(file, LONGEST_CONFIG), file)
    if not isinstance(content, dict) or "format_version" not in content:
        if (other := explain_other_program(path)) is not None:
            raise CheckpointError(other)
        raise CheckpointError(
            f"{file}: not a checkpoint's configuration: found no format_version; expected a checkpoint directory."
        )
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
        info = CheckpointInfo.from_dict(content, sealed.sha256)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise CheckpointError(f"{file}: damaged checkpoint: {error!r}. {RESTORE}") from error
    pretrained = "model_name" in (info.model.get("encoder") or {})
    text = (ENCODER_FILE, TOKENIZER_FILE) if pretrained else (VOCABULARY_FILE,)
    sealed.check_complete((CONFIG_FILE, WEIGHTS_FILE, LABELS_FILE, *text), OPTIONAL_FILES, absent=(WEIGHTS_FILE,))
    return info


def check_label_names(sealed: SealedDirectory) -> None:
    """Reject labels other than kiwi's.

    Raises:
        CheckpointError: when the labels differ.
    """
    labels = sealed.read_json(LABELS_FILE)
    if not isinstance(labels, dict) or any(names != list(const.LABELS) for names in labels.values()):
        raise CheckpointError(
            f"{sealed.path / LABELS_FILE}: found {str(labels)[:200]}; expected labels {list(const.LABELS)}."
        )


def check_options(options: Any, place: str, levels: Iterable[str]) -> None:
    """Raise a ``TypeError`` unless options, and those of some levels, are mappings."""
    if not isinstance(options, dict):
        raise TypeError(f"{place} is {type(options).__name__}; expected options")
    for level in levels:
        if not isinstance(options.get(level) or {}, dict):
            raise TypeError(f"{place}.{level} is {type(options[level]).__name__}; expected options")


def read_licences(path: Path) -> dict[str, str]:
    """Read the licence notices of a checkpoint, by name.

    Raises:
        CheckpointError: when a notice is damaged.
    """
    sealed = SealedDirectory.open(path)
    names = [name for name in sealed.sums or () if name.startswith(f"{LICENCES}/")]
    return {name.removeprefix(f"{LICENCES}/"): sealed.read_text(name) for name in sorted(names)}

"""The metadata of an exported system, read with neither torch nor ONNX."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from kiwi import __version__, constants as const
from kiwi.data.labels.spans.options import SpanLevelConfig
from kiwi.data.text.vocabulary import VOCABULARY_FILE
from kiwi.exceptions import CheckpointError
from kiwi.systems.manifest.checkpoint import (
    ENCODER_FILE,
    EXPORT_FILE,
    LABELS_FILE,
    OPTIONAL_FILES,
    TOKENIZER_FILE,
    CheckpointInfo,
    check_label_names,
    read_checkpoint_info,
)
from kiwi.systems.manifest.stored_weights import StoredWeights
from kiwi.utils.sealed import RESTORE, SUMS_FILE, SealedDirectory

logger = logging.getLogger(__name__)

EXPORT_VERSION = 2
"""The format version that is written."""

READABLE_EXPORTS = (1, 2)
"""Graphs of version 1 add up the pieces of words concurrently, so that results differ between calls."""

GRAPH_FILE = "model.onnx"
TENSORS_FILE = "model.onnx.data"
"""The file of the weights, which the engine maps into memory."""

SLOW_FUSIONS = ("SkipLayerNormFusion",)
"""The optimizations of ONNX Runtime that make graphs slower on the CPU: its operator for a sum and its normalization
takes five times as long as one for each."""

LARGEST_GRAPH = 512 * 2**20
"""The maximum size in bytes of the graph without its weights."""

FIELDS = (const.SOURCE, const.TARGET, const.ALIGNMENTS, const.SOURCE_POS, const.TARGET_POS)
"""The fields that a system may read."""

MOST_PIECES = 2**20

Precision = Literal["fp32", "int8"]


@dataclass(frozen=True)
class PiecesInfo:
    """The options of the tokenizer of a pretrained encoder; see :class:`kiwi.data.text.pieces.PieceTokenizer`."""

    max_pieces: int
    source_max_pieces: int | None = None
    target_max_pieces: int | None = None


@dataclass(frozen=True)
class Difference:
    """The difference between an exported system and its checkpoint, in one output."""

    n: int
    """The number of values that were compared."""

    largest: float
    """The largest absolute difference."""

    mean: float
    """The mean absolute difference."""


@dataclass(frozen=True)
class ExportInfo:
    """The metadata of an exported system."""

    checkpoint: CheckpointInfo
    """The metadata of the checkpoint that was exported."""

    precision: Precision
    input_fields: tuple[str, ...]
    """The fields of the data that the system reads."""

    vocabularies: tuple[str, ...]
    """The fields that have a vocabulary."""

    pieces: PiecesInfo | None
    """The options of the tokenizer; None for a system that reads words."""

    n_parameters: int
    n_tensors: int
    int4_embeddings: bool = False
    """Whether the embeddings of pieces are stored in 4 bits."""

    is_optimized: bool = False
    """Whether the graph is stored as ONNX Runtime optimizes it for the CPU, so that it does not when it loads it."""

    differences: dict[str, Difference] = field(default_factory=dict)
    """The differences from the checkpoint that were measured during export, by output."""

    n_compared: int = 0
    """The number of segments on which the differences were measured; 0 if it was not recorded."""

    weights: StoredWeights | None = None
    """Where the graph has the weights of the checkpoint; None in exports of earlier versions of kiwi."""

    kiwi_version: str = __version__
    sha256: str = ""
    """The fingerprint of all files, set when the export is written."""

    @property
    def form(self) -> str:
        """The precision of all weights, for people."""
        return f"{self.precision}, embeddings in 4 bits" if self.int4_embeddings else self.precision

    @property
    def use_distribution(self) -> bool:
        """Whether each score has a standard deviation."""
        sentence = (self.checkpoint.model.get("outputs") or {}).get("sentence_level") or {}
        return bool(sentence.get("use_distribution"))

    @property
    def span_level(self) -> SpanLevelConfig | None:
        """The options of error spans, if the system predicts them."""
        options = (self.checkpoint.model.get("outputs") or {}).get("span_level")
        return SpanLevelConfig.model_validate(options) if isinstance(options, Mapping) else None

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``export.json``."""
        return {
            "format_version": EXPORT_VERSION,
            "kiwi_version": self.kiwi_version,
            "precision": self.precision,
            "int4_embeddings": self.int4_embeddings,
            "is_optimized": self.is_optimized,
            "input_fields": list(self.input_fields),
            "vocabularies": list(self.vocabularies),
            "pieces": None if self.pieces is None else asdict(self.pieces),
            "n_parameters": self.n_parameters,
            "n_tensors": self.n_tensors,
            "differences": {name: asdict(found) for name, found in self.differences.items()},
            "n_compared": self.n_compared,
            "checkpoint_sha256": self.checkpoint.sha256,
            "checkpoint": self.checkpoint.to_dict(),
            "weights": None if self.weights is None else self.weights.to_dict(),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], sha256: str = "") -> ExportInfo:
        """Invert :meth:`to_dict`; raises various errors for invalid content."""
        pieces, precision = content["pieces"], content["precision"]
        fields, vocabularies = (_fields(content[name], name) for name in ("input_fields", "vocabularies"))
        if missing := {const.SOURCE, const.TARGET}.difference(fields):
            raise ValueError(f"input_fields lacks {', '.join(sorted(missing))}")
        if precision not in ("fp32", "int8"):
            raise ValueError(f"precision: found {precision}; expected fp32 or int8")
        info = cls(
            checkpoint=CheckpointInfo.from_dict(content["checkpoint"], str(content["checkpoint_sha256"])),
            precision=precision,
            input_fields=fields,
            vocabularies=vocabularies,
            pieces=None if pieces is None else PiecesInfo(**{name: _length(v, name) for name, v in pieces.items()}),
            n_parameters=int(content["n_parameters"]),
            n_tensors=int(content["n_tensors"]),
            int4_embeddings=bool(content.get("int4_embeddings", False)),
            is_optimized=bool(content.get("is_optimized", False)),
            differences={
                str(name): Difference(int(found["n"]), float(found["largest"]), float(found["mean"]))
                for name, found in content["differences"].items()
            },
            n_compared=int(content.get("n_compared", 0)),
            weights=None if content.get("weights") is None else StoredWeights.from_dict(content["weights"]),
            kiwi_version=str(content["kiwi_version"]),
            sha256=sha256,
        )
        if not info.checkpoint.outputs:
            raise ValueError("its outputs are all switched off")
        _ = info.span_level  # raises for other options
        return info


def _fields(names: Any, place: str) -> tuple[str, ...]:
    """Return names of fields; raises errors for anything else."""
    if not isinstance(names, list):
        raise TypeError(f"{place} is {type(names).__name__}; expected a list of fields")
    if unknown := [name for name in names if name not in FIELDS]:
        raise ValueError(f"{place} has {unknown[0]!r}; expected {', '.join(FIELDS)}")
    return tuple(names)


def _length(value: Any, name: str) -> Any:
    """Return a number of pieces; raises errors for anything else."""
    if (value is None and name != "max_pieces") or (type(value) is int and 0 < value <= MOST_PIECES):
        return value
    raise ValueError(f"pieces.{name} is {value!r}; expected a number of pieces")


def is_export(path: Path) -> bool:
    """Return whether there is an exported system at a path."""
    try:
        return (path / EXPORT_FILE).is_file()
    except OSError:
        return False  # reading it will report the error


def read_export_info(path: Path) -> tuple[ExportInfo, SealedDirectory]:
    """Read the metadata of the exported system at ``path``, and open its files.

    Raises:
        CheckpointError: when it is damaged, or of a format version that is not supported.
    """
    file = path / EXPORT_FILE
    sealed = SealedDirectory.open(path)
    if sealed.sums is None:
        raise CheckpointError(f"{path}: damaged: found no {SUMS_FILE}. {RESTORE}")
    content = sealed.read_json(EXPORT_FILE)
    version = content.get("format_version") if isinstance(content, dict) else None
    if version not in READABLE_EXPORTS:
        readable = " and ".join(map(str, READABLE_EXPORTS))
        raise CheckpointError(
            f"{file}: found format version {version}; this kiwi ({__version__}) reads versions {readable} of exported "
            "systems. Export the checkpoint again, or upgrade with: pip install --upgrade kiwi-qe"
        )
    if version == 1:
        logger.warning(
            "%s was exported by an earlier version of kiwi: its results may differ from call to call on several "
            "threads. Export the checkpoint again.",
            path,
        )
    check_label_names(sealed)
    try:
        info = ExportInfo.from_dict(content, sealed.sha256)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise CheckpointError(f"{file}: damaged: {error!r}. {RESTORE}") from error
    text = [VOCABULARY_FILE] if info.vocabularies else []
    text += [ENCODER_FILE, TOKENIZER_FILE] if info.pieces is not None else []
    sealed.check_complete((EXPORT_FILE, GRAPH_FILE, LABELS_FILE, *text), (TENSORS_FILE, *OPTIONAL_FILES))
    return info, sealed


def read_any_info(path: Path) -> CheckpointInfo:
    """Return what a checkpoint says of itself, or an exported system of its checkpoint.

    Raises:
        CheckpointError: when there is no trained system, or it is damaged.
    """
    return read_export_info(path)[0].checkpoint if is_export(path) else read_checkpoint_info(path)

"""Describe a checkpoint: ``kiwi inspect``. Neither torch nor Transformers is loaded."""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kiwi import constants as const
from kiwi.data.labels.policy import Policy
from kiwi.data.labels.score_options import STANDARDIZED, ScoreConfig, declared_meaning
from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.systems.manifest.carried import read_carried_policy
from kiwi.systems.manifest.checkpoint import (
    ENCODER_FILE,
    WEIGHTS_FILE,
    CheckpointInfo,
    read_checkpoint_info,
    read_licences,
)
from kiwi.systems.manifest.export import ExportInfo, is_export, read_export_info
from kiwi.systems.manifest.locations import resolve_run_directory
from kiwi.systems.manifest.model_card import metrics_by_pair, published_metrics
from kiwi.systems.manifest.rewriting import set_score_meaning
from kiwi.utils.sealed import RESTORE, SealedDirectory
from kiwi.utils.tensor_header import read_tensor_header

logger = logging.getLogger(__name__)

SIZES = {
    "layers": ("num_hidden_layers", "n_layers", "n_layer", "encoder_layers", "num_layers"),
    "hidden_size": ("hidden_size", "emb_dim", "d_model", "dim"),
}
"""The names of the sizes in configurations of Transformers."""


@dataclass(frozen=True)
class Encoder:
    """The encoder of a system."""

    type: str
    """The type of a pretrained model in Transformers, or a description of another encoder."""

    layers: int | None
    """The number of layers, if known."""

    hidden_size: int | None
    """The hidden size, if known."""

    name: str | None
    """The name of the pretrained model that it was initialized from."""

    licence: str | None
    """The licence of this pretrained model."""


@dataclass(frozen=True)
class Inspection:
    """The description of a checkpoint."""

    path: Path
    """The directory of the checkpoint."""

    info: CheckpointInfo
    """The content of its configuration."""

    encoder: Encoder
    """The encoder of the system."""

    weights: int
    """The number of values in all tensors."""

    tensors: int
    """The number of tensors."""

    size: int
    """The size of its files in bytes."""

    licences: dict[str, str]
    """The texts of its licence notices, by name."""

    export: ExportInfo | None = None
    """The description of an exported system; ``info`` is then that of the checkpoint that was exported."""

    policy: Policy | None = None
    """The policy that it carries."""

    @property
    def fingerprint(self) -> str:
        """The hash that identifies the system: for an exported one, its own."""
        return self.info.sha256 if self.export is None else self.export.sha256

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        source, target = self.info.languages
        export = self.export
        of_export: dict[str, Any] = {}
        if export is not None:
            differences = {name: asdict(found) for name, found in export.differences.items()}
            of_export = {
                "precision": export.precision,
                "int4_embeddings": export.int4_embeddings,
                "differences": differences,
                "export_sha256": export.sha256,
            }
        return {
            "path": str(self.path),
            "system": self.info.class_name,
            "outputs": self.info.outputs,
            "encoder": asdict(self.encoder),
            "weights": self.weights,
            "tensors": self.tensors,
            "bytes": self.size,
            "source_languages": list(source),
            "target_languages": list(target),
            "language_pairs": list(self.info.data.language_pairs),
            "labels_from": self.info.data.labels_from,
            "train_segments": self.info.data.train_segments,
            "valid_segments": self.info.data.valid_segments,
            "score": None if self.info.data.score is None else self.info.data.score.to_dict(),
            "intervals": None if self.info.data.intervals is None else self.info.data.intervals.to_dict(),
            "thresholds": None if self.info.data.thresholds is None else self.info.data.thresholds.to_dict(),
            "metrics": {name: v if math.isfinite(v) else None for name, v in self.info.metrics.items()},
            "kiwi_version": self.info.kiwi_version,
            "format_version": self.info.format_version,
            "sha256": self.info.sha256 or None,
            "files_are_as_saved": True if self.info.sha256 else None,
            "licences": self.licences,
            "policy": None if self.policy is None else self.policy.to_dict(),
            **of_export,
        }

    def rows(self) -> list[tuple[str, str]]:
        """Return names and values, for a table."""
        info, encoder = self.info, self.encoder
        source, target = (", ".join(side) for side in info.languages)
        parts = [
            encoder.type,
            f"{encoder.layers} layers" if encoder.layers else "",
            f"hidden size {encoder.hidden_size}" if encoder.hidden_size else "",
            f"from {encoder.name}" if encoder.name else "",
        ]
        trained = info.data.train_segments
        rows = [
            ("system", info.class_name),
            ("predicts", ", ".join(info.outputs) or "words of translations (a language model)"),
            ("encoder", ", ".join(filter(None, parts))),
            ("weights", f"{self.weights:,} in {self.tensors} tensors, {self.size / 1e6:,.1f} MB of files"),
            ("languages", f"{source or '?'} → {target or '?'}" if source or target else "not known"),
            *([("language pairs", ", ".join(pairs))] if (pairs := info.data.language_pairs) else []),
            ("trained on", "not known" if trained is None else f"{trained:,} segments"),
            *([("scores", self._score_line())] if const.SENTENCE_SCORES in info.outputs else []),
            *([("intervals", str(intervals))] if (intervals := info.data.intervals) is not None else []),
            *([("thresholds", str(own))] if (own := info.data.thresholds) is not None else []),
            *([("labels from", origin)] if (origin := info.data.labels_from) else []),
            ("kiwi version", f"{info.kiwi_version} (format {info.format_version})"),
            ("hash", info.sha256 or "none in format 1"),
            (
                "files",
                "unchanged since they were saved"
                if info.sha256
                else "weights unchanged; format 1 has no other checksums",
            ),
            ("licences", self._licence_line()),
        ]
        if self.export is not None:
            worst = max((found.largest for found in self.export.differences.values()), default=math.nan)
            rows += [
                ("exported", f"for ONNX Runtime, {self.export.form}, by kiwi {self.export.kiwi_version}"),
                ("differs", f"by at most {worst:.2g} from its checkpoint, whose hash is above"),
                ("export's hash", self.export.sha256),
            ]
        if self.policy is not None:
            rows.append(("policy", f"{self.policy}; used by kiwi score --policy carried"))
        metrics = published_metrics(info.metrics).items()
        return [*rows, *((name, f"{value:.4f}{self._pairs_of(name)}") for name, value in metrics)]

    def _pairs_of(self, metric: str) -> str:
        """Return the values of a metric for each language pair, if there are any."""
        by_pair = metrics_by_pair(self.info.metrics)
        listed = ", ".join(f"{pair} {found[metric]:.4f}" for pair, found in by_pair.items() if metric in found)
        return f", the mean of {listed}" if listed else ""

    def _score_line(self) -> str:
        meaning = self.info.data.score
        return str(meaning) if meaning is not None else "kind and direction unknown; set them with --set-score"

    def _licence_line(self) -> str:
        names = ", ".join(self.licences)
        of_encoder = f"encoder: {self.encoder.licence}" if self.encoder.licence else ""
        return "; ".join(filter(None, (of_encoder, f"notices: {names}" if names else ""))) or "none are known"


def inspect_checkpoint(path: str | Path) -> Inspection:
    """Read the description of a checkpoint, and check its files against their hashes.

    Args:
        path: the directory of a checkpoint, of a run, whose best model is used, or of an exported system.

    Raises:
        CheckpointError: when there is no checkpoint, or a file of it is damaged.
    """
    path = resolve_run_directory(path)
    if is_export(path):
        return _inspect_export(path)
    info = read_checkpoint_info(path)
    tensors = read_tensor_header(path / WEIGHTS_FILE)
    sealed = SealedDirectory.open(path)
    sealed.check_all()
    if info.weights_sha256 is not None:
        SealedDirectory(path, {WEIGHTS_FILE: info.weights_sha256}).check(WEIGHTS_FILE)
    names = list(sealed.sums or [file.name for file in path.iterdir() if file.is_file()])
    return Inspection(
        path=path,
        info=info,
        encoder=_encoder(info, sealed),
        weights=sum(tensor.size for tensor in tensors.values()),
        tensors=len(tensors),
        size=sum((path / name).stat().st_size for name in names),
        licences=read_licences(path),
        policy=read_carried_policy(path),
    )


def set_score_of(path: str | Path, text: str) -> None:
    """Write into a checkpoint or an exported system what its scores mean.

    Args:
        path: its directory, or that of a run, whose best model is used.
        text: the options of :class:`kiwi.data.labels.score_options.ScoreConfig`, such as ``kind=hter``; the ends of
            the range are separated by a colon; ``range=standardized`` is for z-scores.

    Raises:
        CheckpointError: when there is no system, or a file of it is damaged.
        ConfigError: when the options are invalid, or the system predicts no score.
    """
    options: dict[str, Any] = {}
    for part in text.split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name in options:
            raise ConfigError(f"--set-score {text}: {name}: given twice; remove one of the two.")
        options[name] = value
    if (span := options.get("range", STANDARDIZED)) != STANDARDIZED:
        options["range"] = span.split(":")
        if len(options["range"]) != 2:
            raise ConfigError(f"--set-score {text}: range: found '{span}'; expected two numbers, such as range=0:100.")
    try:
        config = ScoreConfig.from_dict(options)
        if config.kind in ("da", "esa", "other") and "range" not in options:
            raise ConfigError(f"range: required for {config.kind}, such as range=0:100, or range={STANDARDIZED}.")
        meaning = declared_meaning(config)
    except ConfigError as error:
        raise ConfigError(f"--set-score {text}: {str(error).removeprefix('data.score.')}") from error
    set_score_meaning(resolve_run_directory(path), meaning)
    logger.info("%s: the scores are %s.", path, meaning)


def _inspect_export(path: Path) -> Inspection:
    export, sealed = read_export_info(path)
    sealed.check_all()
    return Inspection(
        path=path,
        info=export.checkpoint,
        encoder=_encoder(export.checkpoint, sealed),
        weights=export.n_parameters,
        tensors=export.n_tensors,
        size=sum((path / name).stat().st_size for name in sealed.sums or ()),
        licences=read_licences(path),
        export=export,
        policy=read_carried_policy(path),
    )


def _encoder(info: CheckpointInfo, sealed: SealedDirectory) -> Encoder:
    options = info.model.get("encoder") or {}
    origin = info.origin
    if (sealed.path / ENCODER_FILE).exists():
        config = sealed.read_json(ENCODER_FILE)
        if not isinstance(config, dict):
            raise CheckpointError(
                f"{sealed.path / ENCODER_FILE}: damaged: found no configuration of a model. {RESTORE}"
            )
        sizes = {
            size: next((config[n] for n in names if type(config.get(n)) is int), None) for size, names in SIZES.items()
        }
        name = origin.name if origin is not None else options.get("model_name")
        return Encoder(str(config.get("model_type")), **sizes, name=name, licence=origin.licence if origin else None)
    kind = "windows of aligned words" if "window_size" in options else "bidirectional recurrent layers"
    return Encoder(kind, options.get("rnn_layers"), options.get("hidden_size"), None, None)

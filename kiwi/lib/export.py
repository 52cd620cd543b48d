"""Write a trained system for ONNX Runtime, and hold it against the original: ``kiwi export``."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.batch import NumpyBatch
from kiwi.data.collate import Collate
from kiwi.data.datasets.wmt_qe_dataset import InputConfig, TestConfig, WMTQEDataset
from kiwi.data.files.lines import Columns
from kiwi.data.sampling import batches_by_tokens
from kiwi.data.text.vocabulary import VOCABULARY_FILE
from kiwi.data.text.words import words
from kiwi.exceptions import ConfigError
from kiwi.lib.inspect import best_of
from kiwi.outputs import OUTPUTS
from kiwi.runner.engine import Engine
from kiwi.systems.manifest.checkpoint import ENCODER_FILE, EXPORT_FILE, LABELS_FILE, LICENCES, TOKENIZER_FILE
from kiwi.systems.manifest.export import GRAPH_FILE, Difference, ExportInfo, PiecesInfo, Precision
from kiwi.utils.imports import needs_extra
from kiwi.utils.io import staged, write_json
from kiwi.utils.sealed import SealedDirectory, seal
from kiwi.utils.staging import require_new_directory

logger = logging.getLogger(__name__)

BOUNDS: dict[Precision, float] = {"fp32": 1e-4, "int8": 0.25}
"""Largest differences to the original that an exported system may have."""

MEAN_BOUND = 0.1
"""In 8 bits the mean of the differences is bounded too, by this share of the bound of the largest."""

SEGMENTS = 200
"""Of files that a user gives, those that are compared; of the bundled sample all."""

SAMPLE = ("test", {const.SOURCE: "src", const.TARGET: "mt", const.ALIGNMENTS: "alignments"})


@dataclass(frozen=True)
class Export:
    """What was written."""

    path: Path
    """Its directory."""

    info: ExportInfo
    """What it says of itself."""

    size: int
    """Bytes of its files."""

    n_segments: int
    """That were compared."""

    def rows(self) -> list[list[str]]:
        """Of each output, how many values were compared, and the largest and the mean difference, for people."""
        return [
            [name, str(found.n), f"{found.largest:.2g}", f"{found.mean:.2g}"]
            for name, found in self.info.differences.items()
        ]


def export(
    checkpoint: str | Path,
    directory: str | Path,
    *,
    int8: bool = False,
    files: Mapping[str, Path] | None = None,
    bound: float | None = None,
) -> Export:
    """Write a trained system as a directory that needs no torch, and hold it against the original on real sentences.

    Args:
        checkpoint: a directory, or that of a run, whose best model is taken.
        directory: to write, whole or not at all; must not be there yet, or be empty.
        int8: whether weights are stored, and multiplied, in 8 bits.
        files: by field (``source``, ``target``, and what else the system reads), sentences to compare on; None takes
            the bundled sample.
        bound: largest difference to the original that is accepted, of probabilities and scores (of scores beyond 1 as
            a share of the largest); None takes 0.0001, for 8 bits 0.25.

    Raises:
        CheckpointError: when there is no checkpoint, or it is damaged.
        ConfigError: when the directory has something in it, the system has no form in ONNX, or differs by more than
            the bound; nothing is written then.
        DataError: when the files cannot be used.
        MissingExtraError: naming the extra to install.
    """
    with needs_extra("export", "kiwi export"):
        import onnx_ir  # noqa: F401

        from kiwi.runner.onnx_engine import OnnxEngine, about, open_session
        from kiwi.runner.torch_engine import load_checkpoint
        from kiwi.systems.checkpoint import read_checkpoint_info
        from kiwi.systems.onnx.graph import make_graph, save_graph
    directory, path = Path(directory), best_of(Path(checkpoint))
    require_new_directory(directory)
    precision: Precision = "int8" if int8 else "fp32"
    bound = BOUNDS[precision] if bound is None else bound
    original = load_checkpoint(path)
    batches = _batches(_columns(original, files), original.collate)
    system = original.system
    info = ExportInfo(
        checkpoint=read_checkpoint_info(path),
        precision=precision,
        input_fields=original.about.input_fields,
        vocabularies=tuple(original.collate.vocabularies),
        pieces=_pieces_info(original.collate),
        n_parameters=original.about.n_parameters,
        n_tensors=len(system.state_dict()),
    )
    logger.info("Exporting %s (%s).", path, info.checkpoint.class_name)
    expected = [original(batch) for batch in batches]
    with staged(directory) as stage:
        stage.mkdir()
        save_graph(make_graph(system, precision), stage)
        _copy(SealedDirectory.open(path), stage, info)
        outputs = list(info.checkpoint.outputs)
        written = OnnxEngine(open_session(stage / GRAPH_FILE), original.collate, about(info, stage, outputs))
        n_segments = sum(len(batch) for batch in batches)
        info = replace(info, differences=differences(written, batches, expected), n_compared=n_segments)
        del written  # whose session maps the weights: what is mapped is not renamed on Windows
        _refuse(info, bound)
        write_json(stage / EXPORT_FILE, info.to_dict())
        seal(stage)
    size = sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
    return Export(directory, info, size, n_segments)


def _pieces_info(collate: Collate) -> PiecesInfo | None:
    pieces = collate.pieces
    if pieces is None:
        return None
    return PiecesInfo(pieces.room + pieces.template.length, pieces.caps[1], pieces.caps[0])


def differences(
    engine: Engine, batches: list[NumpyBatch], expected: list[dict[str, NDArray[Any]]]
) -> dict[str, Difference]:
    """How far an engine is from the values of another, in each output, padding aside.

    Args:
        engine: that is compared.
        batches: to compute.
        expected: what the other says of each.
    """
    found: dict[str, list[NDArray[Any]]] = {}
    largest: dict[str, float] = {}
    for batch, values in zip(batches, expected, strict=True):
        gaps = np.arange(batch.target_mask.shape[1] + 1) <= batch.target_mask.sum(axis=1, keepdims=True)
        by_unit = {"target word": batch.target_mask, "gap": gaps, "source word": batch.source_mask}
        masks = {spec.name: by_unit[spec.unit] for spec in OUTPUTS.values() if spec.is_word_level}
        own = engine(batch)
        for name, value in values.items():
            there = masks.get(name, np.ones(value.shape, dtype=bool))
            found.setdefault(name, []).append(np.abs(own[name].astype(np.float64) - value)[there])
            largest[name] = max(largest.get(name, 1.0), float(np.abs(value[there]).max(initial=0.0)))
    return {
        name: Difference(
            sum(part.size for part in parts),
            float(np.concatenate(parts).max(initial=0.0) / largest[name]),
            float(np.concatenate(parts).mean() / largest[name]),
        )
        for name, parts in found.items()
    }


def _refuse(info: ExportInfo, bound: float) -> None:
    """Raise for what is too far from the original; NaN is."""
    mean_bound = bound * (MEAN_BOUND if info.precision == "int8" else 1.0)
    bad = [
        f"{name}: {found.largest:.2g} at most, {found.mean:.2g} on average"
        for name, found in info.differences.items()
        if not (found.largest <= bound and found.mean <= mean_bound)
    ]
    if bad:
        advice = "Export without --int8, or" if info.precision == "int8" else "If that is accurate enough for you,"
        raise ConfigError(
            f"The exported system ({info.precision}) differs from the original by more than {bound:.2g} (on average "
            f"{mean_bound:.2g}), and was not written:\n"
            + "\n".join(f"  {line}" for line in bad)
            + f"\n{advice} set another --bound."
        )


def _columns(engine: Engine, files: Mapping[str, Path] | None) -> Columns:
    """Sentences to compare on."""
    fields = engine.about.input_fields
    if files is None:
        part, suffixes = SAMPLE
        folder = Path(str(resources.files("kiwi"))) / "assets" / "sample"
        files = {field: folder / f"{part}.{suffix}" for field, suffix in suffixes.items() if field in fields}
    if missing := [field for field in fields if field not in files]:
        given = "; ".join(f"--{field.replace('_', '-')} FILE" for field in missing)
        raise ConfigError(
            f"{engine.about.place} ({engine.about.class_name}) reads {', '.join(missing)} too, which the sentences to "
            f"compare on do not have. Give files of all that it reads: {given}"
        )
    dataset = WMTQEDataset.read(TestConfig(input=InputConfig(**{field: files[field] for field in fields})))
    columns = {field: [*dataset.columns[field]] for field in fields}
    kept = [index for index, line in enumerate(columns[const.TARGET]) if words(line)][:SEGMENTS]
    return {field: [column[index] for index in kept] for field, column in columns.items()}


def _batches(columns: Columns, collate: Collate) -> list[NumpyBatch]:
    """Batches of several shapes: of one segment, of many, and of one that is longer than a pretrained encoder takes."""
    rows = [dict(zip(columns, texts, strict=True)) for texts in zip(*columns.values(), strict=True)]
    if not rows:
        raise ConfigError("Found no sentences to compare on; give files that have some.")
    batches = [collate(rows[:1])]
    batches += [
        collate([rows[index] for index in indices]) for indices in batches_by_tokens(collate.lengths(columns), 1024)
    ]
    if collate.pieces is not None:
        long = {field: " ".join(column) for field, column in columns.items()}
        kept = {field: " ".join(words(text)[: collate.pieces.room]) for field, text in long.items()}
        batches.append(collate([kept, rows[0]]))
    return batches


def _copy(sealed: SealedDirectory, stage: Path, info: ExportInfo) -> None:
    """The files of a checkpoint that an exported system has too."""
    wanted = [LABELS_FILE, *([VOCABULARY_FILE] if info.vocabularies else [])]
    if info.pieces is not None:
        wanted += [TOKENIZER_FILE, ENCODER_FILE]
    wanted += [name for name in sealed.sums or () if name.startswith(f"{LICENCES}/")]
    for name in wanted:
        sealed.check(name)
        (stage / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sealed.path / name, stage / name)

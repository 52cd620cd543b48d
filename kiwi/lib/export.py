"""Export a trained system for ONNX Runtime, and compare it with the original: ``kiwi export``."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.batch import NumpyBatch
from kiwi.data.collate import Collate
from kiwi.data.datasets.parts import InputConfig, TestConfig
from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.data.files.lines import Columns
from kiwi.data.sampling import batches_by_tokens
from kiwi.data.text.vocabulary import VOCABULARY_FILE
from kiwi.data.text.words import words
from kiwi.exceptions import ConfigError
from kiwi.outputs import OUTPUTS
from kiwi.runner.engine import Engine
from kiwi.systems.manifest.checkpoint import (
    ENCODER_FILE,
    EXPORT_FILE,
    LABELS_FILE,
    LICENCES,
    TOKENIZER_FILE,
    CheckpointInfo,
    read_checkpoint_info,
)
from kiwi.systems.manifest.export import GRAPH_FILE, Difference, ExportInfo, PiecesInfo, Precision
from kiwi.systems.manifest.locations import resolve_run_directory
from kiwi.utils.guard import require_new_directory
from kiwi.utils.imports import needs_extra
from kiwi.utils.io import staged, write_json
from kiwi.utils.sealed import SealedDirectory, seal
from kiwi.utils.written import user_path

if TYPE_CHECKING:
    from kiwi.runner.torch_engine import TorchEngine

logger = logging.getLogger(__name__)

BOUNDS: dict[Precision, float] = {"fp32": 1e-4, "int8": 0.25}
"""The largest difference from the original that an exported system may have, by precision."""

MEAN_BOUND = 0.1
"""The bound on the mean difference in 8 bits, as a fraction of the bound on the largest one."""

SEGMENTS = 200
"""The maximum number of segments to compare on."""

SAMPLE = ("test", {const.SOURCE: "src", const.TARGET: "mt", const.ALIGNMENTS: "alignments"})


@dataclass(frozen=True)
class Export:
    """An exported system."""

    path: Path
    """The directory that was written."""

    info: ExportInfo
    """The description of the exported system."""

    size: int
    """The size of its files in bytes."""

    n_segments: int
    """The number of segments that were compared."""

    def rows(self) -> list[list[str]]:
        """Return a row per output: its name, the number of values compared, the largest and the mean difference."""
        return [
            [name, str(found.n), f"{found.largest:.2g}", f"{found.mean:.2g}"]
            for name, found in self.info.differences.items()
        ]


def export(
    checkpoint: str | Path,
    directory: str | Path,
    *,
    int8: bool = False,
    int4_embeddings: bool = False,
    files: Mapping[str, str | Path] | None = None,
    bound: float | None = None,
    overwrite: bool = False,
) -> Export:
    """Export a trained system to a directory that needs no torch, and compare it with the original on real segments.

    Args:
        checkpoint: the directory of a checkpoint, or of a run, whose best model is exported.
        directory: the directory to write atomically; it must not exist, or be empty.
        int8: whether to store and multiply weights in 8 bits.
        int4_embeddings: whether to store the embeddings of a pretrained encoder's pieces in 4 bits.
        files: the files of the segments to compare on, by field (``source``, ``target``, and others that the system
            reads); None means the bundled sample.
        bound: the largest accepted difference from the original, of probabilities and scores (relative to the largest
            score, if that is above 1); None means 0.0001, or 0.25 in 8 bits.
        overwrite: whether the directory may replace a checkpoint or an export.

    Raises:
        CheckpointError: when there is no checkpoint, or it is damaged.
        ConfigError: when the directory is not empty, the system cannot be exported, or it differs by more than the
            bound; nothing is written then.
        DataError: when the files cannot be used.
        MissingExtraError: when an extra must be installed; the message names it.
    """
    directory, path = user_path(directory), resolve_run_directory(checkpoint)
    compared = None if files is None else {field: user_path(file) for field, file in files.items()}
    trained = read_checkpoint_info(path)  # which refuses exports, before their weights are restored
    with needs_extra("export", "kiwi export"):
        import onnx_ir  # noqa: F401

        from kiwi.runner.torch_engine import load_checkpoint
        from kiwi.systems.onnx.embeddings import NO_PIECES
    require_new_directory(directory, overwrite=overwrite, reads=[path, *(compared or {}).values()])
    precision: Precision = "int8" if int8 else "fp32"
    bound = BOUNDS[precision] if bound is None else bound
    original = load_checkpoint(path)
    if int4_embeddings and original.collate.pieces is None:  # before the graph is made, which takes a while
        raise ConfigError(NO_PIECES)
    batches = _batches(_columns(original, compared), original.collate)
    info = _describe(original, trained, precision, int4_embeddings=int4_embeddings)
    logger.info("Exporting %s (%s).", path, info.checkpoint.class_name)
    expected = [original(batch) for batch in batches]
    with staged(directory) as stage:
        stage.mkdir()
        info, written = _write(original, info, SealedDirectory.open(path), stage)
        n_segments = sum(len(batch) for batch in batches)
        info = replace(info, differences=differences(written, batches, expected), n_compared=n_segments)
        del written  # its session maps the weights, and Windows does not rename mapped files
        _refuse(info, bound)
        write_json(stage / EXPORT_FILE, info.to_dict())
        seal(stage)
    size = sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
    return Export(directory, info, size, n_segments)


def _describe(
    original: TorchEngine, trained: CheckpointInfo, precision: Precision, *, int4_embeddings: bool
) -> ExportInfo:
    """Return the description of an export that has not been compared yet."""
    return ExportInfo(
        checkpoint=trained,
        precision=precision,
        input_fields=original.about.input_fields,
        vocabularies=tuple(original.collate.vocabularies),
        pieces=_pieces_info(original.collate),
        n_parameters=original.about.n_parameters,
        n_tensors=len(original.system.state_dict()),
        int4_embeddings=int4_embeddings,
        is_optimized=precision == "int8",  # other graphs may run on a GPU
    )


def _write(original: TorchEngine, info: ExportInfo, sealed: SealedDirectory, stage: Path) -> tuple[ExportInfo, Engine]:
    """Write the graph of a system and the files of its checkpoint that it needs, and load it.

    Returns:
        The description, with where the graph has the weights, and the loaded export.
    """
    from kiwi.runner.onnx_engine import OnnxEngine, about, open_session
    from kiwi.systems.onnx.graph import make_graph, quantize_graph, save_graph
    from kiwi.systems.onnx.optimize import save_optimized
    from kiwi.systems.onnx.weights import check_weights, find_weights

    graph = make_graph(original.system)
    weights = find_weights(graph, {name: own.numpy() for name, own in original.system.weights().items()})
    quantize_graph(graph, info.precision, int4_embeddings=info.int4_embeddings)
    if info.is_optimized:
        weights = check_weights(weights, save_optimized(graph, stage))
    else:
        save_graph(graph, stage)
    info = replace(info, weights=weights)
    _copy(sealed, stage, info)
    session = open_session(stage / GRAPH_FILE, is_optimized=info.is_optimized)
    return info, OnnxEngine(session, original.collate, about(info, stage, list(info.checkpoint.outputs)))


def _pieces_info(collate: Collate) -> PiecesInfo | None:
    pieces = collate.pieces
    if pieces is None:
        return None
    return PiecesInfo(pieces.room + pieces.template.length, pieces.caps[1], pieces.caps[0])


def differences(
    engine: Engine, batches: list[NumpyBatch], expected: list[dict[str, NDArray[Any]]]
) -> dict[str, Difference]:
    """Measure the differences between two engines in each output, without padding.

    Args:
        engine: the engine to compare.
        batches: the batches to compute.
        expected: the values of the other engine for each batch.
    """
    found: dict[str, list[NDArray[Any]]] = {}
    largest: dict[str, float] = {}
    for batch, values in zip(batches, expected, strict=True):
        gaps = np.arange(batch.target_mask.shape[1] + 1) <= batch.target_mask.sum(axis=1, keepdims=True)
        by_unit = {"target word": batch.target_mask, "gap": gaps, "source word": batch.source_mask}
        if batch.unit_mask is not None:
            cells = np.arange(2 * batch.unit_mask.shape[1] + 1) <= 2 * batch.unit_mask.sum(axis=1, keepdims=True)
            by_unit["target piece"] = cells
        masks = {spec.name: by_unit[spec.unit] for spec in OUTPUTS.values() if spec.unit in by_unit}
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
    """Raise if the difference from the original exceeds the bound or is NaN."""
    mean_bound = bound * (MEAN_BOUND if info.precision == "int8" else 1.0)
    bad = [
        f"{name}: {found.largest:.2g} at most, {found.mean:.2g} on average"
        for name, found in info.differences.items()
        if not (found.largest <= bound and found.mean <= mean_bound)
    ]
    if bad:
        used = {"--int8": info.precision == "int8", "--int4-embeddings": info.int4_embeddings}
        options = " or ".join(option for option, is_used in used.items() if is_used)
        advice = f"Export without {options}, or" if options else "If that is accurate enough for you,"
        raise ConfigError(
            f"The exported system ({info.form}) differs from the original by more than {bound:.2g} (on average "
            f"{mean_bound:.2g}), and was not written:\n"
            + "\n".join(f"  {line}" for line in bad)
            + f"\n{advice} set another --bound."
        )


def _columns(engine: Engine, files: Mapping[str, Path] | None) -> Columns:
    """Read the segments to compare on."""
    fields = engine.about.input_fields
    if files is None:
        part, suffixes = SAMPLE
        folder = Path(str(resources.files("kiwi"))) / "assets" / "sample"
        files = {field: folder / f"{part}.{suffix}" for field, suffix in suffixes.items() if field in fields}
    if missing := [field for field in fields if field not in files]:
        given = "; ".join(f"--{field.replace('_', '-')} FILE" for field in missing)
        raise ConfigError(
            f"{engine.about.place} ({engine.about.class_name}) also reads {', '.join(missing)}, which the segments to "
            f"compare on do not have. Add files of all fields that it reads: {given}"
        )
    dataset = WMTQEDataset.read(TestConfig(input=InputConfig(**{field: files[field] for field in fields})))
    columns = {field: [*dataset.columns[field]] for field in fields}
    kept = [index for index, line in enumerate(columns[const.TARGET]) if words(line)][:SEGMENTS]
    return {field: [column[index] for index in kept] for field, column in columns.items()}


def _batches(columns: Columns, collate: Collate) -> list[NumpyBatch]:
    """Return batches of several shapes: one segment, many, and one longer than a pretrained encoder's maximum."""
    rows = [dict(zip(columns, texts, strict=True)) for texts in zip(*columns.values(), strict=True)]
    if not rows:
        raise ConfigError("Found no segments to compare on. Add files that have some.")
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
    """Copy the files of a checkpoint that an exported system needs."""
    wanted = [LABELS_FILE, *([VOCABULARY_FILE] if info.vocabularies else [])]
    if info.pieces is not None:
        wanted += [TOKENIZER_FILE, ENCODER_FILE]
    wanted += [name for name in sealed.sums or () if name.startswith(f"{LICENCES}/")]
    for name in wanted:
        sealed.check(name)
        (stage / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sealed.path / name, stage / name)

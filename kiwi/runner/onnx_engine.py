"""The engine for exported systems, ONNX Runtime; neither torch nor Transformers is loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray
from typing_extensions import override

from kiwi import constants as const
from kiwi.data.batch import NumpyBatch
from kiwi.data.collate import Collate
from kiwi.data.text.partial_tokenizer import parse_partly
from kiwi.data.text.pieces import PieceTokenizer
from kiwi.data.text.vocabulary import LARGEST_TOKENIZER, load_vocabularies
from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.outputs import OUTPUTS
from kiwi.runner.engine import AboutSystem, Engine, best_batch_tokens
from kiwi.runner.options import PredictOptions
from kiwi.systems.manifest.checkpoint import EXPORT_FILE, TOKENIZER_FILE
from kiwi.systems.manifest.export import (
    GRAPH_FILE,
    LARGEST_GRAPH,
    SLOW_FUSIONS,
    TENSORS_FILE,
    ExportInfo,
    read_export_info,
)
from kiwi.utils.dotted import flatten
from kiwi.utils.process.threads import number_of_threads
from kiwi.utils.sealed import RESTORE, SealedDirectory

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"

ERRORS_ONLY = 3
"""The log level of ONNX Runtime at which it reports errors only."""


class OnnxEngine(Engine):
    """Computes with ONNX Runtime.

    Args:
        session: the inference session of the graph.
        collate: the function that turns rows into a batch.
        about: the description of the system, with the outputs to compute.
    """

    def __init__(self, session: Any, collate: Collate, about: AboutSystem) -> None:
        self.session = session
        self.collate = collate
        self.about = about
        self.batch_tokens = best_batch_tokens(collate, on_cpu=CUDA not in session.get_providers())
        self._inputs = [value.name for value in session.get_inputs()]
        extras = [OUTPUTS[name].extras for name in about.outputs] if about.use_distribution else []
        wanted = {*about.outputs, *extras}
        self._outputs = [value.name for value in session.get_outputs() if value.name in wanted]

    @override
    def __call__(self, batch: NumpyBatch) -> dict[str, NDArray[Any]]:
        arrays = batch.arrays()
        try:
            found = self.session.run(self._outputs, {name: arrays[name] for name in self._inputs})
        except Exception as error:  # its errors have no common class
            raise CheckpointError(
                f"{self.about.place}: ONNX Runtime cannot compute a batch: {_reason(error)} If memory is short, set a "
                "smaller batch_tokens. Otherwise the export is damaged: export the checkpoint again."
            ) from error
        return dict(zip(self._outputs, found, strict=True))


def load_export(path: Path, options: PredictOptions) -> OnnxEngine:
    """Load the engine of an exported system; see :func:`kiwi.runner.load_system`."""
    gpu_id = options.gpu_id
    info, sealed = read_export_info(path)
    outputs = list(info.checkpoint.outputs)
    if options.model:
        outputs = _switched(info, path, options.model)
    if gpu_id is not None and info.precision == "int8":
        raise ConfigError(
            f"gpu_id: found {gpu_id}, but {path} is in 8 bits, which runs on the CPU only. Export it without --int8."
        )
    sealed.read(GRAPH_FILE, LARGEST_GRAPH)
    with ThreadPoolExecutor(1, "kiwi-graph") as pool:  # the tokenizer takes about as long to load as the graph
        loading = pool.submit(_load_graph, sealed, info, gpu_id, options.threads)
        collate = read_collate(info, sealed)
        session = loading.result()
    engine = OnnxEngine(session, collate, about(info, path, outputs))
    check_graph(engine, path)
    return engine


def _load_graph(sealed: SealedDirectory, info: ExportInfo, gpu_id: int | None, threads: int | None) -> Any:
    """Verify the weights of a graph that is verified, and open a session."""
    if TENSORS_FILE in (sealed.sums or ()):
        sealed.check(TENSORS_FILE)
    return open_session(sealed.path / GRAPH_FILE, gpu_id, threads, is_optimized=info.is_optimized)


def check_graph(engine: OnnxEngine, path: Path) -> None:
    """Check that a graph computes what the metadata of its export says, from the arrays of a batch.

    Raises:
        CheckpointError: when it has other inputs or outputs.
    """
    row = {field: "0-0" if field == const.ALIGNMENTS else "a" for field in engine.about.input_fields}
    batch = engine.collate([row])
    arrays = batch.arrays()
    graph = path / GRAPH_FILE
    if unknown := [value.name for value in engine.session.get_inputs() if value.name not in arrays]:
        raise CheckpointError(
            f"{graph}: damaged: its inputs ({', '.join(unknown)}) are not those of {EXPORT_FILE}. {RESTORE}"
        )
    found = [value.name for value in engine.session.get_outputs()]
    if missing := [name for name in engine.about.outputs if name not in found]:
        raise CheckpointError(
            f"{graph}: damaged: it has no output {', '.join(missing)}, as in {EXPORT_FILE}. {RESTORE}"
        )
    for name, values in engine(batch).items():
        if values.ndim < 1 or len(values) != 1:
            raise CheckpointError(
                f"{graph}: damaged: for one segment, {name} has shape {values.shape}; expected one row. {RESTORE}"
            )


def about(info: ExportInfo, place: Path, outputs: list[str]) -> AboutSystem:
    """Return the description of an exported system.

    Args:
        info: the content of its description file.
        place: its directory.
        outputs: the names of the outputs to compute.
    """
    return AboutSystem(
        class_name=info.checkpoint.class_name,
        input_fields=info.input_fields,
        outputs=tuple(outputs),
        use_distribution=info.use_distribution and const.SENTENCE_SCORES in outputs,
        span_level=info.span_level if const.ERROR_SPANS in outputs else None,
        data=info.checkpoint.data,
        n_parameters=info.n_parameters,
        sha256=info.checkpoint.sha256,
        precision="int8" if info.precision == "int8" else "32",
        export_sha256=info.sha256,
        place=place,
    )


def read_collate(info: ExportInfo, sealed: SealedDirectory) -> Collate:
    """Return the function that turns rows into batches for an exported system.

    Raises:
        CheckpointError: when a file is missing or damaged.
    """
    vocabularies = load_vocabularies(sealed.path, info.vocabularies) if info.vocabularies else {}
    if info.pieces is None:
        return Collate(vocabularies)
    try:
        tokenizer = parse_partly(sealed.read(TOKENIZER_FILE, LARGEST_TOKENIZER))
        pieces = PieceTokenizer(
            tokenizer,
            info.pieces.max_pieces,
            source_max_pieces=info.pieces.source_max_pieces,
            target_max_pieces=info.pieces.target_max_pieces,
        )
    except ValueError as error:
        raise CheckpointError(f"{sealed.path / TOKENIZER_FILE}: damaged: {error}. {RESTORE}") from error
    return Collate(vocabularies, pieces, severities=() if info.span_level is None else info.span_level.severities)


def open_session(
    graph: Path, gpu_id: int | None = None, threads: int | None = None, *, is_optimized: bool = False
) -> Any:
    """Open an inference session of a graph.

    Args:
        graph: the file of the graph.
        gpu_id: see :attr:`PredictOptions.gpu_id`.
        threads: see :attr:`PredictOptions.threads`.
        is_optimized: whether it is stored optimized; see :class:`kiwi.systems.manifest.export.ExportInfo`.

    Raises:
        CheckpointError: when ONNX Runtime cannot load the graph.
        ConfigError: when there is no such GPU, or this ONNX Runtime does not support GPUs.
    """
    if os.environ.get("ORT_DISABLE_TELEMETRY") == "1":
        onnxruntime.disable_telemetry_events()  # for a program that imported it before kiwi, and for Windows
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = number_of_threads(threads)
    options.log_severity_level = ERRORS_ONLY
    if is_optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    providers: list[Any] = [CPU]
    if gpu_id is not None:
        if CUDA not in onnxruntime.get_available_providers():
            raise ConfigError(
                f"gpu_id: found {gpu_id}, but this ONNX Runtime computes on the CPU only. Install the one for GPUs: "
                "pip uninstall onnxruntime; pip install onnxruntime-gpu"
            )
        providers = [(CUDA, {"device_id": str(gpu_id)}), CPU]
    slow = [*SLOW_FUSIONS] if gpu_id is None else []
    try:
        session = onnxruntime.InferenceSession(str(graph), options, providers=providers, disabled_optimizers=slow)
    except Exception as error:  # its errors have no common class
        raise CheckpointError(
            f"{graph}: ONNX Runtime {onnxruntime.__version__} cannot load it: {_reason(error)} Upgrade it with: "
            f"pip install --upgrade onnxruntime. Otherwise, {RESTORE[0].lower()}{RESTORE[1:]}"
        ) from error
    if gpu_id is not None and CUDA not in session.get_providers():
        raise ConfigError(
            f"gpu_id: found {gpu_id}, which ONNX Runtime could not use; see its messages about its libraries above."
        )
    return session


def _reason(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


DISTRIBUTION = "sentence_level.use_distribution"
"""The option of the scores that is switched off together with them."""

UNKNOWN = object()
"""A stand-in for the value of a missing option, since null is a valid value."""


def _switched(info: ExportInfo, path: Path, model: Mapping[str, Any]) -> list[str]:
    """Return the outputs that remain when some are switched off; reject any other change of options."""
    if set(model) != {"outputs"}:
        raise ConfigError(f"system.model: found {', '.join(model)}; only 'outputs' can be changed for prediction.")
    trained = info.checkpoint.model.get("outputs") or {}
    given = model["outputs"] or {}
    if not isinstance(given, Mapping):
        raise ConfigError(f"system.model.outputs: found {given!r}; expected options of outputs.")
    options, known = flatten(given), flatten(trained)
    switches = {spec.switch: spec.name for spec in OUTPUTS.values()}
    off = {switches[key] for key, value in options.items() if value is False and key in switches}
    for key, value in options.items():
        if value == {} and any(each.startswith(f"{key}.") for each in known):
            continue  # a level of options that changes none of them
        former = known.get(key, UNKNOWN)
        if key in switches and value is True and any(each.startswith(f"{key}.") for each in known):
            continue  # an output with options, as it was trained
        if key in switches and value is True and former is not True:
            raise ConfigError(
                f"system.model.outputs: {path} was not trained for {switches[key]}; "
                f"it predicts {', '.join(info.checkpoint.outputs)}."
            )
        is_off = key in switches and value is False
        goes_with_scores = key == DISTRIBUTION and const.SENTENCE_SCORES in off
        if value != former and not is_off and not goes_with_scores:
            raise ConfigError(
                f"system.model.outputs.{key}: only outputs can be switched off for prediction; everything else must be "
                f"as {path} was trained. Remove the other options."
            )
    outputs = [name for name in info.checkpoint.outputs if name not in off]
    if not outputs:
        raise ConfigError(f"system.model.outputs: all outputs of {path} are switched off. Leave at least one on.")
    return outputs

"""States of pieces, computed with ONNX Runtime; neither torch nor Transformers is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from kiwi.data.text.partial_tokenizer import parse_partly
from kiwi.data.text.vocabulary import LARGEST_TOKENIZER
from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.runner.onnx_engine import open_session
from kiwi.runner.word_aligner import StatesEngine
from kiwi.systems.manifest.aligner import AlignerInfo, read_aligner_info
from kiwi.systems.manifest.checkpoint import TOKENIZER_FILE
from kiwi.systems.manifest.export import GRAPH_FILE, LARGEST_GRAPH, TENSORS_FILE
from kiwi.utils.sealed import RESTORE


class OnnxStates(StatesEngine):
    """Computes states with ONNX Runtime.

    Args:
        session: the inference session of the graph.
        tokenizer: the tokenizer of the encoder.
        info: the metadata of the exported encoder.
        sha256: the hash of its directory.
    """

    def __init__(self, session: Any, tokenizer: Any, info: AlignerInfo, sha256: str) -> None:
        self.session = session
        self._sha256 = sha256
        self.tokenizer = tokenizer
        self.max_pieces = info.max_pieces
        self.name = f"{info.encoder}, layer {info.layer}, {info.precision}"

    @property
    @override
    def sha256(self) -> str:
        return self._sha256

    @override
    def __call__(self, pieces: NDArray[np.int64], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        states: NDArray[np.float32] = self.session.run(None, {"pieces": pieces, "mask": mask})[0]
        return states


def load_exported_states(path: Path, layer: int | None, gpu_id: int | None, threads: int | None) -> OnnxStates:
    """Load an exported encoder; see :func:`kiwi.runner.word_aligner.load_word_aligner`."""
    info, sealed = read_aligner_info(path)
    if layer not in (None, info.layer):
        raise ConfigError(f"layer: found {layer}, but {path} was exported with layer {info.layer}. Export it again.")
    if gpu_id is not None and info.precision == "int8":
        raise ConfigError(
            f"gpu_id: found {gpu_id}, but {path} is in 8 bits, which runs on the CPU only. Export it without --int8."
        )
    for name in (TENSORS_FILE,):
        if name in (sealed.sums or ()):
            sealed.check(name)
    sealed.read(GRAPH_FILE, LARGEST_GRAPH)
    try:
        tokenizer = parse_partly(sealed.read(TOKENIZER_FILE, LARGEST_TOKENIZER))
    except ValueError as error:
        raise CheckpointError(f"{path / TOKENIZER_FILE}: damaged: {error}. {RESTORE}") from error
    return OnnxStates(open_session(path / GRAPH_FILE, gpu_id, threads), tokenizer, info, sealed.sha256)

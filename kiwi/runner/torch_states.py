"""States of pieces, computed with torch."""

from __future__ import annotations

import hashlib
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from typing_extensions import override

from kiwi.exceptions import ConfigError
from kiwi.runner.word_aligner import StatesEngine
from kiwi.systems.encoders.body import max_sequence_length
from kiwi.systems.pretrained.lower_layers import LoadedLayers, load_lower_layers
from kiwi.utils.process.threads import number_of_threads


class TorchStates(StatesEngine):
    """Computes states with torch.

    Args:
        loaded: the lower layers of an encoder.
        device: the device to compute on.
    """

    def __init__(self, loaded: LoadedLayers, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.layers = loaded.layers.to(self.device)
        self.tokenizer = loaded.tokenizer
        self.max_pieces = max_sequence_length(loaded.layers.body)
        self.name = f"{loaded.name}, layer {loaded.n_layers}"

    @cached_property
    @override
    def sha256(self) -> str:
        digest = hashlib.sha256(self.tokenizer.to_str().encode())
        for name, tensor in self.layers.state_dict().items():
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
        return digest.hexdigest()

    @override
    @torch.inference_mode()
    def __call__(self, pieces: NDArray[np.int64], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        states = self.layers(torch.from_numpy(pieces).to(self.device), torch.from_numpy(mask).to(self.device))
        found: NDArray[np.float32] = states.float().cpu().numpy()
        return found


def load_torch_states(
    encoder: str | None, layer: int | None, gpu_id: int | None = None, threads: int | None = None
) -> TorchStates:
    """Load the lower layers of a pretrained encoder; see :func:`kiwi.runner.word_aligner.load_word_aligner`."""
    if gpu_id is not None and not 0 <= gpu_id < torch.cuda.device_count():
        raise ConfigError(f"gpu_id: found {gpu_id}; this machine has {torch.cuda.device_count()} GPUs.")
    torch.set_num_threads(number_of_threads(threads))
    return TorchStates(load_lower_layers(encoder, layer), "cpu" if gpu_id is None else f"cuda:{gpu_id}")

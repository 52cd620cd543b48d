"""Trained systems, ready to predict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from kiwi.exceptions import ConfigError
from kiwi.runner.runner import Runner
from kiwi.systems.manifest.export import is_export
from kiwi.systems.pretrained.hub import locate
from kiwi.utils.imports import needs_extra

Precision = Literal["32", "bf16", "16"]


def load_system(
    path: str | Path,
    gpu_id: int | None = None,
    model: Mapping[str, Any] | None = None,
    revision: str | None = None,
    threads: int | None = None,
    precision: Precision = "32",
) -> Runner:
    """Load a trained system, ready to predict.

    Args:
        path: a directory, of a checkpoint or an exported system, which never asks the network; or ``organization/name``
            on the model hub.
        gpu_id: GPU to run on; None is the CPU.
        model: ``{"outputs": {...}}`` switches outputs off.
        revision: branch, tag or commit on the hub.
        threads: of the CPU to compute with; None takes ``OMP_NUM_THREADS``, or all cores that this process may use.
        precision: ``bf16``, or ``16`` on a GPU, computes faster and less exactly.

    Raises:
        CheckpointError: when there is no system, or it is damaged.
        ConfigError: when ``model`` asks for what the system was not trained for, or there is no such GPU.
        MissingExtraError: naming the extra to install.
    """
    path = locate(path, revision)
    if is_export(path):
        if precision != "32":
            raise ConfigError(f"precision: found {precision}, but {path} was exported as it is; set 32.")
        with needs_extra("onnx", "Loading an exported system"):
            from kiwi.runner.onnx_engine import load_export
        return Runner(load_export(path, gpu_id, model, threads))
    with needs_extra("train", "Loading a trained system"):
        from kiwi.runner.torch_engine import load_checkpoint
    return Runner(load_checkpoint(path, gpu_id, model, threads, precision))

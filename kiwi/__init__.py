"""kiwi: quality estimation of machine translation.

Importing this package loads neither torch nor any other heavy library; its functions do when they are called.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiwi.lib.train import TrainRunInfo
    from kiwi.runner import Runner
    from kiwi.runner.loading import Precision

__all__ = ["__version__", "load_system", "train_from_file"]


def train_from_file(filename: str | Path) -> TrainRunInfo:
    """Train a system as a configuration file says; see :func:`kiwi.lib.train.train_from_file`."""
    from kiwi.utils.imports import needs_extra

    with needs_extra("train", "Training"):
        from kiwi.lib.train import train_from_file as train

        return train(filename)


def load_system(
    path: str | Path,
    gpu_id: int | None = None,
    model: Mapping[str, Any] | None = None,
    revision: str | None = None,
    threads: int | None = None,
    precision: Precision = "32",
) -> Runner:
    """Load a trained system, ready to predict; see :func:`kiwi.runner.load_system`."""
    from kiwi.runner import load_system as load

    return load(path, gpu_id=gpu_id, model=model, revision=revision, threads=threads, precision=precision)

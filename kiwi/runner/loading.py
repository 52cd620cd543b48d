"""Functions that load trained systems for prediction."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kiwi import constants as const
from kiwi.exceptions import ConfigError
from kiwi.runner.engine import Engine
from kiwi.runner.options import Precision, PredictOptions
from kiwi.runner.runner import Runner
from kiwi.systems.manifest.export import is_export
from kiwi.systems.manifest.locations import default_model
from kiwi.systems.pretrained.hub import locate
from kiwi.utils.imports import needs_extra


def load_system(
    path: str | Path | None = None,
    gpu_id: int | None = None,
    model: Mapping[str, Any] | None = None,
    revision: str | None = None,
    threads: int | None = None,
    precision: Precision = "32",
    align: bool = True,
    aligner: str | Path | None = None,
) -> Runner:
    """Load a trained system, ready to predict.

    Args:
        path: the directory of a checkpoint or an exported system, or the name of an installed model, for which the
            network is never used; or ``organization/name`` on the model hub; None is the installed model.
        gpu_id: see :attr:`PredictOptions.gpu_id`.
        model: see :attr:`PredictOptions.model`.
        revision: the branch, tag or commit on the hub.
        threads: see :attr:`PredictOptions.threads`.
        precision: see :attr:`PredictOptions.precision`; the numbers 16 and 32 are accepted too.
        align: see :attr:`PredictOptions.align`.
        aligner: see :attr:`PredictOptions.aligner`.

    Raises:
        CheckpointError: when there is no trained system, or it is damaged.
        ConfigError: when an argument is of another type, no model is named and none is installed, ``model`` asks for an
            output that the system was not trained for, there is no such GPU, or an aligner is named for a system that
            reads no alignments.
        MissingExtraError: when an extra must be installed; the message names it.
    """
    options = PredictOptions(gpu_id, model, threads, precision, align=align, aligner=aligner)
    return open_runner(default_model() if path is None else path, options, revision)


def open_runner(path: str | Path, options: PredictOptions, revision: str | None = None) -> Runner:
    """Load a trained system that predicts with these options; see :func:`load_system`.

    Args:
        path: the directory, or the name on the hub.
        options: how to load it and how it predicts.
        revision: the branch, tag or commit on the hub.
    """
    engine = _load_engine(locate(path, revision), options)
    if options.aligner is not None and const.ALIGNMENTS not in engine.about.input_fields:
        raise ConfigError(
            f"aligner: found {options.aligner}, but {path} ({engine.about.class_name}) reads no alignments. Remove it."
        )
    return Runner(engine, options)


def _load_engine(path: Path, options: PredictOptions) -> Engine:
    if is_export(path):
        if options.precision not in ("32", "auto"):
            raise ConfigError(
                f"precision: found {options.precision}, but {path} is an exported system, whose precision is fixed. "
                "Set precision: auto."
            )
        with needs_extra("onnx", "Loading an exported system"):
            from kiwi.runner.onnx_engine import load_export
        return load_export(path, options)
    with needs_extra("train", "Loading a trained system"):
        from kiwi.runner.torch_engine import load_checkpoint
    return load_checkpoint(path, options)

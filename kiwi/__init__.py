"""kiwi: quality estimation of machine translation.

Importing this package loads neither torch nor any other heavy library. Each public name is imported when it is first
used. The usage statistics of libraries are switched off.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

_TELEMETRY = {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""The environment variables that switch off the usage statistics of ONNX Runtime, the client of the Hugging Face hub,
MLflow and Ray, which send some by default; kiwi's other dependencies send none.

The libraries read them when they are imported. They are set here, because every process that uses kiwi (a command, a
worker of a pool, of a search, of Ray or of Lightning) imports this package first. What the user has set is not changed.
"""

for _name, _value in _TELEMETRY.items():
    os.environ.setdefault(_name, _value)

if TYPE_CHECKING:
    from kiwi.data.flags import flag_segments
    from kiwi.exceptions import CheckpointError, ConfigError, DataError, KiwiError, MissingExtraError
    from kiwi.lib.evaluate import evaluate_from_configuration as evaluate, evaluate_from_file
    from kiwi.lib.export import export
    from kiwi.lib.predict import predict_from_configuration, predict_from_file
    from kiwi.lib.pretrain import pretrain_from_file
    from kiwi.lib.publish import publish
    from kiwi.lib.search import search_from_file
    from kiwi.lib.train import train_from_configuration, train_from_file
    from kiwi.metrics.report import Report
    from kiwi.outputs import OUTPUTS, OutputSpec
    from kiwi.runner import Predictions, PredictOptions, Runner, load_system
    from kiwi.systems.qe_system import QESystem
    from kiwi.systems.tlm_system import TLMSystem

__all__ = [
    "OUTPUTS",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "KiwiError",
    "MissingExtraError",
    "OutputSpec",
    "PredictOptions",
    "Predictions",
    "QESystem",
    "Report",
    "Runner",
    "TLMSystem",
    "__version__",
    "evaluate",
    "evaluate_from_file",
    "export",
    "flag_segments",
    "load_system",
    "predict_from_configuration",
    "predict_from_file",
    "pretrain_from_file",
    "publish",
    "search_from_file",
    "train_from_configuration",
    "train_from_file",
]

_MODULES = {
    "CheckpointError": "kiwi.exceptions",
    "ConfigError": "kiwi.exceptions",
    "DataError": "kiwi.exceptions",
    "KiwiError": "kiwi.exceptions",
    "MissingExtraError": "kiwi.exceptions",
    "OUTPUTS": "kiwi.outputs",
    "OutputSpec": "kiwi.outputs",
    "PredictOptions": "kiwi.runner",
    "Predictions": "kiwi.runner",
    "QESystem": "kiwi.systems.qe_system",
    "Report": "kiwi.metrics.report",
    "Runner": "kiwi.runner",
    "TLMSystem": "kiwi.systems.tlm_system",
    "evaluate": "kiwi.lib.evaluate",
    "evaluate_from_file": "kiwi.lib.evaluate",
    "export": "kiwi.lib.export",
    "flag_segments": "kiwi.data.flags",
    "load_system": "kiwi.runner",
    "predict_from_configuration": "kiwi.lib.predict",
    "predict_from_file": "kiwi.lib.predict",
    "pretrain_from_file": "kiwi.lib.pretrain",
    "publish": "kiwi.lib.publish",
    "search_from_file": "kiwi.lib.search",
    "train_from_configuration": "kiwi.lib.train",
    "train_from_file": "kiwi.lib.train",
}
"""The module of each public name."""

_ALIASES = {"evaluate": "evaluate_from_configuration"}
"""Public names that differ from the names in their modules."""

_NEED_TRAIN = ("kiwi.lib.predict", "kiwi.lib.pretrain", "kiwi.lib.search", "kiwi.lib.train", "kiwi.systems")
"""The modules that need the extra ``train``; others name their extras themselves."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'kiwi' has no attribute '{name}'")
    from contextlib import nullcontext
    from importlib import import_module

    from kiwi.exceptions import MissingExtraError, MissingNameError
    from kiwi.utils.imports import needs_extra

    module = _MODULES[name]
    try:
        with needs_extra("train", f"kiwi.{name}") if module.startswith(_NEED_TRAIN) else nullcontext():
            value = getattr(import_module(module), _ALIASES.get(name, name))
    except MissingExtraError as error:
        raise MissingNameError(str(error)) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

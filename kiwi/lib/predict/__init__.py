"""Predict with a trained system: ``kiwi predict``."""

from __future__ import annotations

from kiwi.lib.predict.config import Configuration, RunConfig
from kiwi.lib.predict.pipeline import (
    PredictRunInfo,
    predict_from_configuration,
    predict_from_file,
    predict_to_files,
    run,
)
from kiwi.lib.predict.submissions import SubmissionConfig
from kiwi.runner import load_system

__all__ = [
    "Configuration",
    "PredictRunInfo",
    "RunConfig",
    "SubmissionConfig",
    "load_system",
    "predict_from_configuration",
    "predict_from_file",
    "predict_to_files",
    "run",
]

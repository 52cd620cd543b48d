"""Prediction with trained systems: from texts to predictions, and from predictions to files.

An engine does the computation: torch, or ONNX Runtime for exported systems, which needs no torch. Neither is imported
before a system is loaded.
"""

from __future__ import annotations

from kiwi.runner.loading import load_system
from kiwi.runner.options import PredictOptions
from kiwi.runner.predictions import Predictions
from kiwi.runner.runner import Runner

__all__ = ["PredictOptions", "Predictions", "Runner", "load_system"]

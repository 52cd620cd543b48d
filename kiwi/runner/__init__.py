"""A trained system and texts to predictions, and predictions to files.

What computes is an engine: torch, or an inference engine for exported systems, which needs no torch. Neither is
imported before a system is loaded.
"""

from __future__ import annotations

from kiwi.runner.loading import load_system
from kiwi.runner.options import PredictOptions
from kiwi.runner.predictions import Predictions
from kiwi.runner.runner import Runner

__all__ = ["PredictOptions", "Predictions", "Runner", "load_system"]

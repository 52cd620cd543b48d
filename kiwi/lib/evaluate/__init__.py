"""Compare predictions with gold data: ``kiwi evaluate``."""

from __future__ import annotations

from kiwi.lib.evaluate.config import Configuration
from kiwi.lib.evaluate.pipeline import evaluate_from_configuration, evaluate_from_file, run

__all__ = [
    "Configuration",
    "evaluate_from_configuration",
    "evaluate_from_file",
    "run",
]

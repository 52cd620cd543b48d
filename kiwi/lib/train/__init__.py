"""Train a quality estimation system: ``kiwi train``."""

from __future__ import annotations

from kiwi.lib.train.config import AnyConfiguration, Configuration, choose_main_metric
from kiwi.lib.train.pipeline import TrainRunInfo, logger, run, train_from_configuration, train_from_file
from kiwi.lib.train.setup import setup_run
from kiwi.training.config import CheckpointsConfig, GPUConfig, RunConfig, TrainerConfig

__all__ = [
    "AnyConfiguration",
    "CheckpointsConfig",
    "Configuration",
    "GPUConfig",
    "RunConfig",
    "TrainRunInfo",
    "TrainerConfig",
    "choose_main_metric",
    "logger",
    "run",
    "setup_run",
    "train_from_configuration",
    "train_from_file",
]

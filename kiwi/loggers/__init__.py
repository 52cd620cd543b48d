"""Experiment tracking with MLflow, which is not imported before a logger is created."""

from kiwi.loggers.download import download_run
from kiwi.loggers.mlflow_tracking import MLFlowTrackingLogger
from kiwi.loggers.run_files import tracked

__all__ = ["MLFlowTrackingLogger", "download_run", "tracked"]

"""Where runs are tracked beside their own directory. MLflow is loaded when a logger is made, not before."""

from kiwi.loggers.mlflow_tracking import MLFlowTrackingLogger, download_run
from kiwi.loggers.run_files import tracked

__all__ = ["MLFlowTrackingLogger", "download_run", "tracked"]

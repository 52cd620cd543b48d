"""How a tracked run ends: its files, and its status."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kiwi.exceptions import StoppedError
from kiwi.loggers.mlflow_tracking import MLFlowTrackingLogger

RUN_FILES = ("config.yaml", "metrics.csv", "learning_curve.svg", "output.log", "best_model")
"""Files and directories of a run's directory that MLflow gets when it ends, however it ends."""


@contextmanager
def tracked(
    tracker: MLFlowTrackingLogger | None, output_dir: Path, params: Mapping[str, Any] | None = None
) -> Iterator[None]:
    """Tell MLflow how a block ended: finished, failed with the reason in the tag ``kiwi.reason``, or killed.

    Args:
        tracker: None tracks nothing.
        output_dir: of the run, with its files.
        params: the configuration of the run.
    """
    if tracker is None:
        yield
        return
    tracker.log_params(params or {})
    try:
        yield
    except BaseException as error:
        is_killed = isinstance(error, KeyboardInterrupt | SystemExit | StoppedError)
        tracker.set_tags({"kiwi.reason": f"{type(error).__name__}: {error}"})
        _log_files(tracker, output_dir)
        tracker.finish("KILLED" if is_killed else "FAILED")
        raise
    _log_files(tracker, output_dir)
    tracker.finish("FINISHED")


def _log_files(tracker: MLFlowTrackingLogger, output_dir: Path) -> None:
    for name in RUN_FILES:
        if (output_dir / name).exists():
            tracker.log_file(output_dir / name)

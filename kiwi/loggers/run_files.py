"""How a tracked run ends: its files, and its status."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kiwi.exceptions import StoppedError
from kiwi.loggers.mlflow_tracking import MLFlowTrackingLogger

RUN_FILES = ("config.yaml", "run.json", "metrics.csv", "learning_curve.svg", "output.log")
"""Files of a run's directory that MLflow gets when it ends, however it ends."""

TO_GO_ON = ("config.yaml", "run.json", "metrics.csv", "checkpoints", "resume.safetensors")
"""Files and directories that an unfinished run needs to go on on another machine; the last one needs the others."""

BEST_MODEL = "best_model"

SECONDS_BETWEEN = 600.0
"""Of sending what an unfinished run needs to go on, while it trains."""


@contextmanager
def tracked(
    tracker: MLFlowTrackingLogger | None,
    output_dir: Path,
    params: Mapping[str, Any] | None = None,
) -> Iterator[Callable[[], None]]:
    """Tell MLflow how a block ended: finished, failed with the reason in the tag ``kiwi.reason``, or killed.

    Args:
        tracker: None tracks nothing.
        output_dir: of the run, with its files.
        params: the configuration of the run.

    Yields:
        A function to call when the state of the run has been saved: from time to time it is sent too.
    """
    if tracker is None:
        yield lambda: None
        return
    try:
        tracker.log_params(params or {})
        yield _Sender(tracker, output_dir)
    except BaseException as error:
        is_killed = isinstance(error, KeyboardInterrupt | SystemExit | StoppedError)
        tracker.set_tags({"kiwi.reason": f"{type(error).__name__}: {error}"})
        _log_files(tracker, output_dir, (*RUN_FILES, *TO_GO_ON))
        tracker.finish("KILLED" if is_killed else "FAILED")
        raise
    _log_files(tracker, output_dir, (*RUN_FILES, BEST_MODEL))
    tracker.finish("FINISHED")


class _Sender:
    """Sends what a run needs to go on, not more often than is worth it."""

    def __init__(self, tracker: MLFlowTrackingLogger, output_dir: Path) -> None:
        self.tracker = tracker
        self.output_dir = output_dir
        self._next = time.monotonic() + SECONDS_BETWEEN

    def __call__(self) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SECONDS_BETWEEN
            _log_files(self.tracker, self.output_dir, TO_GO_ON)


def _log_files(tracker: MLFlowTrackingLogger, output_dir: Path, names: Iterable[str]) -> None:
    for name in names:
        if (output_dir / name).exists():
            tracker.log_file(output_dir / name)

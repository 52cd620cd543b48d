"""The files and the final status of a tracked run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kiwi.exceptions import StoppedError
from kiwi.loggers.mlflow_tracking import MLFlowTrackingLogger
from kiwi.loggers.store import REASON_TAG
from kiwi.utils.display import without_secrets

RUN_FILES = ("config.yaml", "run.json", "metrics.csv", "learning_curve.svg", "output.log")
"""The files of a run's directory that are sent to MLflow when the run ends for whatever reason."""

RESUME_FILES = ("config.yaml", "run.json", "metrics.csv", "checkpoints", "resume.safetensors")
"""The files and directories that are needed to resume a run on another machine; the last one requires the others."""

BEST_MODEL = "best_model"

RESUME_FILES_INTERVAL = 600.0
"""The minimum interval in seconds between sending the files that are needed to resume a running training."""


@contextmanager
def tracked(
    tracker: MLFlowTrackingLogger | None,
    output_dir: Path,
) -> Iterator[Callable[[], None]]:
    """Report the outcome of a block to MLflow: finished, killed, or failed with the reason in the tag ``kiwi.reason``.

    An error before the run is started is not reported: the run was refused, and stays as it is.

    Args:
        tracker: the logger of the run; None tracks nothing.
        output_dir: the directory of the run.

    Yields:
        A function to call after the state of the run has been saved, which sends it from time to time.
    """
    if tracker is None:
        yield lambda: None
        return
    try:
        yield _ResumeFilesSender(tracker, output_dir)
    except BaseException as error:
        is_killed = isinstance(error, KeyboardInterrupt | SystemExit | StoppedError)
        if tracker.is_started:
            tracker.set_tags({REASON_TAG: without_secrets(f"{type(error).__name__}: {error}")})
            _log_files(tracker, output_dir, (*RUN_FILES, *RESUME_FILES))
        tracker.finish("KILLED" if is_killed else "FAILED")
        raise
    _log_files(tracker, output_dir, (*RUN_FILES, BEST_MODEL))
    tracker.finish("FINISHED")


class _ResumeFilesSender:
    """Sends the files that are needed to resume a run, at most once per interval."""

    def __init__(self, tracker: MLFlowTrackingLogger, output_dir: Path) -> None:
        self.tracker = tracker
        self.output_dir = output_dir
        self._next = time.monotonic() + RESUME_FILES_INTERVAL

    def __call__(self) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + RESUME_FILES_INTERVAL
            _log_files(self.tracker, self.output_dir, RESUME_FILES)


def _log_files(tracker: MLFlowTrackingLogger, output_dir: Path, names: Iterable[str]) -> None:
    for name in names:
        if (output_dir / name).exists():
            tracker.log_file(output_dir / name)

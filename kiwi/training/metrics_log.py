"""Where metrics go while a system is trained: ``metrics.csv``, and on request TensorBoard and MLflow."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from kiwi.exceptions import CheckpointError
from kiwi.training.config import RunConfig, TrainerConfig
from kiwi.utils.imports import needs_extra
from kiwi.utils.io import write_text

METRICS_FILE = "metrics.csv"

TENSORBOARD = "tensorboard"
"""Directory of its event files."""


class Tracker(Protocol):
    """What takes metrics, such as :class:`kiwi.loggers.MLFlowTrackingLogger`."""

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Take the values of one step, by name."""


class PlainLogger(Logger):
    """What Lightning asks of a logger, without names, versions and hyperparameters."""

    @property
    def name(self) -> str:
        """Nothing is named."""
        return ""

    @property
    def version(self) -> str:
        """Nothing is versioned."""
        return ""

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """The configuration is logged as a whole when the run starts."""


class MetricsFile(PlainLogger):
    """Writes ``metrics.csv``: a row for each logged step, a column for each metric, ``step`` among them.

    Rows are added at the logged steps that are multiples of the interval, after each validation, and at the end. When
    there is a new metric, the file is written anew, whole or not at all, with a column more.

    Args:
        path: of the file; one that is there is replaced by the first row, unless :meth:`go_on` is called before.
        save_interval: in steps.
    """

    def __init__(self, path: Path, save_interval: int) -> None:
        super().__init__()
        self.path = path
        self.save_interval = save_interval
        self._columns: list[str] = []
        self._n_written = 0
        self._waiting: list[dict[str, Any]] = []

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Take a row.

        Args:
            metrics: by name.
            step: of all of them.
        """
        step = self._n_written + len(self._waiting) if step is None else step
        self._waiting.append({**metrics, "step": step})
        is_due = (step + 1) % self.save_interval == 0
        if is_due or not self._n_written or any(name.startswith("val_") for name in metrics):
            self.flush()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write what is left.

        Args:
            status: Lightning's.
        """
        self.flush()

    def flush(self) -> int:
        """Write what is left.

        Returns:
            Number of rows in the file.
        """
        if not self._waiting:
            return self._n_written
        new_columns = {name for row in self._waiting for name in row}.difference(self._columns)
        if new_columns or not self._n_written:
            former = self._read() if self._n_written else []
            self._columns = sorted({*self._columns, *new_columns})
            write_text(self.path, self._text([*former, *self._waiting], header=True))
        else:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                file.write(self._text(self._waiting))
        self._n_written += len(self._waiting)
        self._waiting = []
        return self._n_written

    @rank_zero_only
    def go_on(self, n_rows: int) -> None:
        """Go on with the file of a former run; its later rows will be made again, and are taken away.

        Args:
            n_rows: to keep, as :meth:`flush` has returned it.

        Raises:
            CheckpointError: when the file has not as many.
        """
        if n_rows == 0:
            return
        rows = self._read() if self.path.is_file() else []
        if len(rows) < n_rows:
            raise CheckpointError(
                f"{self.path}: found {len(rows)} rows; expected at least {n_rows}, those of the run that is resumed. "
                "Put the file of that run back."
            )
        self._columns = list(rows[0])
        write_text(self.path, self._text(rows[:n_rows], header=True))
        self._n_written = n_rows

    def _read(self) -> list[dict[str, Any]]:
        with self.path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def _text(self, rows: list[dict[str, Any]], header: bool = False) -> str:
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, lineterminator="\n")
        if header:
            writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


class TrackerMetrics(PlainLogger):
    """Passes metrics on.

    Args:
        tracker: that takes them.
    """

    def __init__(self, tracker: Tracker) -> None:
        super().__init__()
        self.tracker = tracker

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Pass them on.

        Args:
            metrics: by name.
            step: of all of them.
        """
        self.tracker.log_metrics(metrics, step or 0)


class TensorBoardMetrics(PlainLogger):
    """Writes event files for TensorBoard.

    Args:
        directory: for the files.

    Raises:
        MissingExtraError: when TensorBoard is not installed.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__()
        with needs_extra("tensorboard", "run.use_tensorboard"):
            from torch.utils.tensorboard import SummaryWriter
        self._open: Callable[[], Any] = lambda: SummaryWriter(str(directory))
        self._writer: Any = None

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Write the values of a step.

        Args:
            metrics: by name.
            step: of all of them.
        """
        self._writer = self._writer or self._open()
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Close the file.

        Args:
            status: Lightning's.
        """
        if self._writer is not None:
            self._writer.close()


def build_loggers(
    output_dir: Path, run: RunConfig, trainer: TrainerConfig, tracker: Tracker | None = None
) -> list[Logger]:
    """The loggers of a run, the file first.

    Args:
        output_dir: of the run.
        run: whether to write event files for TensorBoard, to ``tensorboard/`` of the output directory.
        trainer: how often to write the file.
        tracker: that gets metrics too.

    Raises:
        MissingExtraError: when TensorBoard is to be written, and is not installed.
    """
    loggers: list[Logger] = [MetricsFile(output_dir / METRICS_FILE, trainer.log_save_interval)]
    if tracker is not None:
        loggers.append(TrackerMetrics(tracker))
    if run.use_tensorboard:
        loggers.append(TensorBoardMetrics(output_dir / TENSORBOARD))
    return loggers

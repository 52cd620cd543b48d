"""The loggers of training metrics: ``metrics.csv``, and optionally TensorBoard and MLflow."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from typing_extensions import override

from kiwi.exceptions import CheckpointError
from kiwi.training.config import RunConfig, TrainerConfig
from kiwi.utils.imports import needs_extra
from kiwi.utils.io import write_text

METRICS_FILE = "metrics.csv"

TENSORBOARD = "tensorboard"
"""The directory of TensorBoard's event files."""


class Tracker(Protocol):
    """The interface of an experiment logger such as :class:`kiwi.loggers.MLFlowTrackingLogger`."""

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Log the values of one step, by name, except for those of a continued run that are logged already."""


def count_from_one(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics of a step with epochs counted from 1; Lightning counts from 0."""
    return {name: value + 1 if name == "epoch" else value for name, value in metrics.items()}


class PlainLogger(Logger):
    """A Lightning logger without name, version and hyperparameters."""

    @property
    @override
    def name(self) -> str:
        return ""

    @property
    @override
    def version(self) -> str:
        return ""

    @override
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the configuration is logged when the run starts."""


class MetricsFile(PlainLogger):
    """Writes ``metrics.csv``: a row for each logged step, a column for each metric and for the step.

    Rows are added at the logged steps that are multiples of the interval, after each validation, and at the end. For a
    new metric, the file is replaced atomically by one with another column.

    Args:
        path: the path of the file; the first row replaces an existing file unless :meth:`resume_after` was called.
        save_interval: the number of steps between writes.
    """

    def __init__(self, path: Path, save_interval: int) -> None:
        super().__init__()
        self.path = path
        self.save_interval = save_interval
        self._columns: list[str] = []
        self._n_written = 0
        self._pending: list[dict[str, Any]] = []

    @override
    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        step = self._n_written + len(self._pending) if step is None else step
        self._pending.append({**count_from_one(metrics), "step": step})
        is_due = (step + 1) % self.save_interval == 0
        if is_due or not self._n_written or any(name.startswith("val_") for name in metrics):
            self.flush()

    @override
    @rank_zero_only
    def finalize(self, status: str) -> None:
        self.flush()

    def flush(self) -> int:
        """Write all rows that are not in the file yet.

        Returns:
            The number of rows in the file.
        """
        if not self._pending:
            return self._n_written
        new_columns = {name for row in self._pending for name in row}.difference(self._columns)
        if new_columns or not self._n_written:
            former = self._read() if self._n_written else []
            self._columns = sorted({*self._columns, *new_columns})
            write_text(self.path, self._text([*former, *self._pending], header=True))
        else:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                file.write(self._text(self._pending))
        self._n_written += len(self._pending)
        self._pending = []
        return self._n_written

    def resume_after(self, n_rows: int) -> list[dict[str, Any]]:
        """Continue the existing file after its first rows, and remove the others, which will be written again.

        Args:
            n_rows: the number of rows to keep, which :meth:`flush` returned.

        Returns:
            The rows that are kept.

        Raises:
            CheckpointError: when the file has fewer rows.
        """
        if n_rows == 0:
            return []
        rows = self._read() if self.path.is_file() else []
        if len(rows) < n_rows:
            raise CheckpointError(
                f"{self.path}: found {len(rows)} rows; expected at least {n_rows}, those of the run that is resumed. "
                "Restore the file of that run."
            )
        self._columns = list(rows[0])
        write_text(self.path, self._text(rows[:n_rows], header=True))
        self._n_written = n_rows
        return rows[:n_rows]

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
    """Passes metrics to an experiment logger.

    Args:
        tracker: the experiment logger.
    """

    def __init__(self, tracker: Tracker) -> None:
        super().__init__()
        self.tracker = tracker

    @override
    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.tracker.log_metrics(count_from_one(metrics), step or 0)

    def resume_after(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Pass on the metrics of a run before it was resumed, since the tracker may not have received all of them.

        Args:
            rows: the rows of ``metrics.csv``.
        """
        for row in rows:
            metrics = {name: float(value) for name, value in row.items() if name != "step" and value}
            self.tracker.log_metrics(metrics, int(row["step"]))


class TensorBoardMetrics(PlainLogger):
    """Writes event files for TensorBoard.

    Args:
        directory: the directory of the files.

    Raises:
        MissingExtraError: when TensorBoard is not installed.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__()
        with needs_extra("tensorboard", "run.use_tensorboard"):
            from torch.utils.tensorboard import SummaryWriter
        self._open: Callable[[], Any] = lambda: SummaryWriter(str(directory))
        self._writer: Any = None

    @override
    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._writer = self._writer or self._open()
        for name, value in count_from_one(metrics).items():
            self._writer.add_scalar(name, value, step)

    @override
    @rank_zero_only
    def finalize(self, status: str) -> None:
        if self._writer is not None:
            self._writer.close()


def build_loggers(
    output_dir: Path, run: RunConfig, trainer: TrainerConfig, tracker: Tracker | None = None
) -> list[Logger]:
    """Build the loggers of a run; the first one writes ``metrics.csv``.

    Args:
        output_dir: the directory of the run.
        run: the options of the run, with ``use_tensorboard``.
        trainer: the options of the trainer, with ``log_save_interval``.
        tracker: an experiment logger that gets the metrics too.

    Raises:
        MissingExtraError: when TensorBoard is asked for but is not installed.
    """
    loggers: list[Logger] = [MetricsFile(output_dir / METRICS_FILE, trainer.log_save_interval)]
    if tracker is not None:
        loggers.append(TrackerMetrics(tracker))
    if run.use_tensorboard:
        loggers.append(TensorBoardMetrics(output_dir / TENSORBOARD))
    return loggers

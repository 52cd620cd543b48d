"""``metrics.csv`` and the other loggers of metrics."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kiwi.exceptions import CheckpointError
from kiwi.training.config import RunConfig, TrainerConfig
from kiwi.training.metrics_log import MetricsFile, TrackerMetrics, build_loggers


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "metrics.csv"


def test_the_file_of_a_run(path: Path) -> None:
    log = MetricsFile(path, 10)
    log.log_metrics({"train_loss": 2.5, "epoch": 0}, 4)
    log.log_metrics({"train_loss": 0.1 + 0.2, "epoch": 0}, 9)
    log.log_metrics({"val_A+B": 0.5, "epoch": 0}, 9)
    log.finalize("success")
    assert path.read_bytes() == (b"epoch,step,train_loss,val_A+B\n1,4,2.5,\n1,9,0.30000000000000004,\n1,9,,0.5\n")
    assert [file.name for file in path.parent.iterdir()] == ["metrics.csv"]


def test_when_rows_are_written(path: Path) -> None:
    log = MetricsFile(path, 10)
    seen = []
    for step in range(1, 24, 2):
        log.log_metrics({"train_loss": 1.0}, step)
        seen.append(len(rows_of(path)))
    # The first immediately; then steps 9 and 19, the tenth and the twentieth.
    assert seen == [1, 1, 1, 1, 5, 5, 5, 5, 5, 10, 10, 10]
    log.log_metrics({"val_loss": 1.0}, 24)
    assert len(rows_of(path)) == 13
    log.log_metrics({"train_loss": 1.0}, 25)
    log.save()  # Lightning asks for it after each row
    assert len(rows_of(path)) == 13
    assert log.flush() == 14 == len(rows_of(path))
    assert log.flush() == 14


def test_a_new_metric_is_a_new_column(path: Path) -> None:
    log = MetricsFile(path, 1)
    for step, name in enumerate("bac"):
        log.log_metrics({name: step}, step)
    assert path.read_text() == "a,b,c,step\n,0,,0\n1,,,1\n,,2,2\n"


def test_a_run_replaces_the_file_of_another(path: Path) -> None:
    for name in ("former", "later"):
        log = MetricsFile(path, 100)
        log.log_metrics({name: 1.0}, 3)
        log.finalize("success")
    assert path.read_text() == "later,step\n1.0,3\n"


def test_nothing_logged_nothing_written(path: Path) -> None:
    log = MetricsFile(path, 1)
    log.finalize("failed")
    assert log.flush() == 0
    assert not path.exists()


def test_a_resumed_run_continues_the_file_where_its_state_was_saved(path: Path) -> None:
    def log_steps(log: MetricsFile, steps: range) -> int:
        for step in steps:
            log.log_metrics({"train_loss": step / 3, "epoch": 0}, step)
            if step % 4 == 3:
                log.log_metrics({"val_X": step / 7, "epoch": 0}, step)
        return log.flush()

    whole = MetricsFile(path.with_name("whole.csv"), 3)
    log_steps(whole, range(12))
    first = MetricsFile(path, 3)
    n_rows = log_steps(first, range(6))
    log_steps(first, range(6, 9))  # made after the state was saved, and lost
    with path.open("a") as file:
        file.write("0,")  # killed in the middle of a line
    second = MetricsFile(path, 3)
    assert second.resume_after(n_rows) == rows_of(path)
    assert len(rows_of(path)) == n_rows == 7
    log_steps(second, range(6, 12))
    assert path.read_bytes() == whole.path.read_bytes()


def test_a_file_that_is_too_short(path: Path) -> None:
    with pytest.raises(CheckpointError, match="found 0 rows; expected at least 2"):
        MetricsFile(path, 1).resume_after(2)
    MetricsFile(path, 1).resume_after(0)
    log = MetricsFile(path, 1)
    log.log_metrics({"a": 1}, 0)
    with pytest.raises(CheckpointError, match="found 1 rows; expected at least 2"):
        MetricsFile(path, 1).resume_after(2)


class Tracker:
    def __init__(self) -> None:
        self.got: list[Any] = []

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        self.got.append((dict(metrics), step))


def test_a_tracker_gets_the_metrics_of_a_run_before_it_was_resumed(path: Path) -> None:
    plain, resumed = Tracker(), Tracker()
    for logger in (log := MetricsFile(path, 1), TrackerMetrics(plain)):
        for step in range(3):
            logger.log_metrics({"train_loss": step / 3, "epoch": 0}, step)
        logger.log_metrics({"val_X": 1 / 7, "epoch": 0}, 2)
    TrackerMetrics(resumed).resume_after(MetricsFile(path, 1).resume_after(log.flush()))
    assert resumed.got == plain.got


def test_a_tracker_gets_everything(tmp_path: Path) -> None:
    tracker = Tracker()
    loggers = build_loggers(tmp_path, RunConfig(), TrainerConfig(), tracker)
    for logger in loggers:
        logger.log_metrics({"a": 1.0}, 5)
    assert isinstance(loggers[0], MetricsFile)
    assert tracker.got == [({"a": 1.0}, 5)]
    assert len(build_loggers(tmp_path, RunConfig(), TrainerConfig())) == 1

"""What a run says where nobody watches a terminal, and what short runs record."""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kiwi.lib.train import train_from_configuration
from kiwi.utils import pace


def test_a_run_says_how_far_it_is(
    options: Callable[..., dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(pace, "SECONDS_BETWEEN_LINES", 0.0)
    with caplog.at_level(logging.INFO, logger="kiwi"):
        train_from_configuration(options({"trainer.epochs": 2, "trainer.gradient_accumulation_steps": 2}))
    lines = [record.getMessage() for record in caplog.records if record.name == "kiwi.training.progress_log"]
    steps = [line for line in lines if line.startswith("Epoch")]
    # Five batches an epoch, three steps.
    assert len(steps) == 10
    pattern = r"Epoch (\d) of 2, step (\d+), batch (\d+) of 10: loss (\d+\.\d+), \d+\.\d segments/s, 0:\d\d:\d\d left"
    found = [match.groups() for line in steps if (match := re.fullmatch(pattern, line))]
    expected = zip("1111122222", "0112334456", map(str, range(1, 11)), strict=True)
    assert [groups[:3] for groups in found] == list(expected)
    assert any(re.fullmatch(r"Validating after step 3: batch 1 of \d+", line) for line in lines)
    losses = [float(groups[3]) for groups in found]
    with (tmp_path / "run" / "metrics.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["train_loss"]]
    # The interval is 100 steps, but each epoch of fewer records a loss.
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[-1]["train_loss"]) == pytest.approx(losses[-1], abs=1e-3)

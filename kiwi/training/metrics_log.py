"""provisional"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from kiwi.utils.io import write_text


class MetricsFile(Logger):
    def __init__(self, path: Path, save_interval: int) -> None:
        super().__init__()
        self.path = path
        self.save_interval = save_interval
        self.rows: list[dict[str, Any]] = []

    @property
    def name(self) -> str:
        return "metrics"

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        pass

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.rows.append({**metrics, "step": step})
        if step is not None and (step + 1) % self.save_interval == 0:
            self.flush()

    def flush(self) -> int:
        if self.rows:
            import io

            keys = sorted({key for row in self.rows for key in row})
            out = io.StringIO()
            writer = csv.DictWriter(out, keys, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
            write_text(self.path, out.getvalue())
        return len(self.rows)

    def go_on(self, n_rows: int) -> None:
        with self.path.open() as file:
            self.rows = [{k: v for k, v in row.items() if v} for row in csv.DictReader(file)][:n_rows]

    @rank_zero_only
    def save(self) -> None:
        self.flush()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        self.flush()

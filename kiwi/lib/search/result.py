"""What a search returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SearchInfo:
    """The result of a search."""

    directory: Path
    """The directory of the search, with a directory for each trial."""

    best_trial: int
    """The number of the best trial."""

    best_value: float
    """The main metric of the best trial."""

    best_options: dict[str, Any]
    """The values that were drawn for the best trial, by the name of the option or the dotted key."""

    best_config: Path
    """``best.yaml``, with which ``kiwi train`` trains the best trial again."""

    report: Path
    """The report, ``search.html``."""

    study: Any
    """The study of Optuna."""

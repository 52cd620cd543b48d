"""Search for hyperparameters: ``kiwi search``."""

from __future__ import annotations

from kiwi.lib.search.config import ClassWeightsConfig, Configuration, RangeConfig, SearchOptions
from kiwi.lib.search.pipeline import run, search_from_configuration, search_from_file
from kiwi.lib.search.result import SearchInfo

__all__ = [
    "ClassWeightsConfig",
    "Configuration",
    "RangeConfig",
    "SearchInfo",
    "SearchOptions",
    "run",
    "search_from_configuration",
    "search_from_file",
]

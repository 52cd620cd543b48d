"""Predict shards with an engine that distributes the work: ``kiwi predict --engine ray``."""

from __future__ import annotations

from kiwi.lib.bulk.config import BulkConfig, BulkConfiguration, BulkSystemConfig, ColumnsConfig
from kiwi.lib.bulk.pipeline import BulkInfo, bulk_from_configuration, bulk_from_file, run

__all__ = [
    "BulkConfig",
    "BulkConfiguration",
    "BulkInfo",
    "BulkSystemConfig",
    "ColumnsConfig",
    "bulk_from_configuration",
    "bulk_from_file",
    "run",
]

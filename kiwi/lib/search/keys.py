"""Dotted keys, and the values and directories of trials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def plain(value: Any) -> Any:
    """A value of the study as one of a configuration; lists and mappings are JSON there."""
    is_coded = isinstance(value, str) and value.startswith("json:")
    return json.loads(value.removeprefix("json:")) if is_coded else value


def trial_directory(directory: Path, number: int) -> Path:
    """Of a trial, in the directory of its search."""
    return directory / f"trial_{number}"

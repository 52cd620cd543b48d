"""Dotted keys, and the values and directories of trials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kiwi.exceptions import ConfigError


def plain(value: Any) -> Any:
    """A value of the study as one of a configuration; lists and mappings are JSON there."""
    is_coded = isinstance(value, str) and value.startswith("json:")
    return json.loads(value.removeprefix("json:")) if is_coded else value


def put(options: dict[str, Any], key: str, value: Any) -> None:
    """Set a value by its dotted key.

    Raises:
        ConfigError: when there is something else on the way.
    """
    *parents, last = key.split(".")
    place: Any = options
    for position, part in enumerate(parents):
        if isinstance(place, list) and part.isdigit() and int(part) < len(place):
            place = place[int(part)]
            continue
        if isinstance(place, dict) and place.get(part) is None:
            place[part] = {}
        inner = place.get(part) if isinstance(place, dict) else None
        if not isinstance(inner, dict | list):
            here = ".".join(parents[: position + 1])
            raise ConfigError(f"{key}: found {inner!r} at {here}; expected options by name.")
        place = inner
    if isinstance(place, list):
        if not last.isdigit() or int(last) >= len(place):
            raise ConfigError(f"{key}: found a list of {len(place)}; expected a number below that.")
        place[int(last)] = value
    else:
        place[last] = value


def flattened(options: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted keys."""
    if isinstance(options, Mapping) and options:
        parts = (flattened(value, f"{prefix}.{key}" if prefix else str(key)) for key, value in options.items())
        return {key: value for part in parts for key, value in part.items()}
    return {prefix: options}


def trial_directory(directory: Path, number: int) -> Path:
    """Of a trial, in the directory of its search."""
    return directory / f"trial_{number}"

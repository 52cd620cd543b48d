"""Nested options as dotted keys, and values set by their dotted keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kiwi.exceptions import ConfigError

ONE_OR_EACH: Mapping[str, tuple[str, ...]] = {
    "batch_size": ("train", "valid", "test"),
    "max_size": ("source", "target"),
    "min_frequency": ("source", "target"),
}
"""The options that are one value, or a mapping with one value for each of these keys."""


def flatten(
    options: Mapping[Any, Any], prefix: str = "", is_value: Callable[[Mapping[Any, Any]], bool] | None = None
) -> dict[str, Any]:
    """Return nested mappings as one mapping of dotted keys.

    Args:
        options: the mapping to flatten.
        prefix: text that every key begins with, such as ``system.model.``.
        is_value: a function that returns whether a mapping is a value rather than another level; by default, only empty
            mappings are values.
    """
    flat: dict[str, Any] = {}
    for key, value in options.items():
        if isinstance(value, Mapping) and value and not (is_value and is_value(value)):
            flat |= flatten(value, f"{prefix}{key}.", is_value)
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def spread(name: str, value: Any) -> dict[str, Any] | None:
    """Return the one value of an option as a value for each of its keys; None for an option that has no such keys.

    Args:
        name: the name of the option, without those of the levels above.
        value: its one value.
    """
    return dict.fromkeys(ONE_OR_EACH[name], value) if name in ONE_OR_EACH else None


def put(options: dict[str, Any], key: str, value: Any) -> None:
    """Set a value by its dotted key; levels that are missing are added, numbers are positions in lists.

    Where one value stands in the place of a value for each key (:data:`ONE_OR_EACH`), the other keys keep it.

    Args:
        options: the options, which are changed in place.
        key: the dotted key, such as ``system.optimizer.learning_rate``.
        value: the new value.

    Raises:
        ConfigError: when the key leads through a value that has no options.
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
        if not isinstance(inner, dict | list) and (each := spread(part, inner)):
            inner = place[part] = each
        if not isinstance(inner, dict | list):
            here = ".".join(parents[: position + 1])
            raise ConfigError(f"{key}: found {inner!r} at {here}; expected options by name.")
        place = inner
    if isinstance(place, list):
        if not last.isdigit() or int(last) >= len(place):
            raise ConfigError(f"{key}: found a list of {len(place)} items; expected an index below {len(place)}.")
        place[int(last)] = value
    else:
        place[last] = value
